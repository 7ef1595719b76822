-- Removes the record of a daemon that is no more, unless it has changed; the others look at once. ARGV: prefix, node, what the record begins with.
local prefix, node, beginning = unpack(ARGV)
local old = redis.call('HGET', prefix .. 'nodes', node)
if old and string.sub(old, 1, #beginning) == beginning then
  redis.call('HDEL', prefix .. 'nodes', node)
  redis.call('PUBLISH', prefix .. 'notes', 'look')
end
return 'OK'
