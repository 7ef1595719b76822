-- Removes the record of a daemon that is no more, unless it has changed. ARGV: prefix, node, what the record begins with.
local prefix, node, beginning = unpack(ARGV)
local old = redis.call('HGET', prefix .. 'nodes', node)
if old and string.sub(old, 1, #beginning) == beginning then
  redis.call('HDEL', prefix .. 'nodes', node)
end
return 'OK'
