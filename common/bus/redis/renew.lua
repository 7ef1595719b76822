#!lua flags=allow-oom
-- Says that a daemon lives. ARGV: prefix, node, boot, record, most events of the log.
-- Gives 'OK', nodes; or 'TAKEN': its number is another's now.
local prefix, node, boot, record, most = unpack(ARGV)
local old = redis.call('HGET', prefix .. 'nodes', node)
if old and string.match(old, '^%S+') ~= boot then
  return {'TAKEN'}
end
redis.call('HSET', prefix .. 'nodes', node, record)
-- While Redis is full nothing is published, which is what trims the log otherwise: a smaller limit makes room here.
redis.call('XTRIM', prefix .. 'log', 'MAXLEN', '~', most)
return {'OK', redis.call('HGETALL', prefix .. 'nodes')}
