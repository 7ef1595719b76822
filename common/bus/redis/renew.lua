-- Says that a daemon lives. ARGV: prefix, node, boot, record.
-- Gives 'OK', nodes; or 'TAKEN': its number is another's now.
local prefix, node, boot, record = unpack(ARGV)
local old = redis.call('HGET', prefix .. 'nodes', node)
if old and string.match(old, '^%S+') ~= boot then
  return {'TAKEN'}
end
redis.call('HSET', prefix .. 'nodes', node, record)
return {'OK', redis.call('HGETALL', prefix .. 'nodes')}
