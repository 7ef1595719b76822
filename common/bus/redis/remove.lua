#!lua flags=allow-oom
-- Removes the record of a daemon that is no more, unless it has changed; the others look at once. One that did not take its leave
-- is remembered by its way, for the operator, until another one has that way.
-- ARGV: prefix, node, what the record begins with, "dead" or "left".
local prefix, node, beginning, how = unpack(ARGV)
local old = redis.call('HGET', prefix .. 'nodes', node)
if old and string.sub(old, 1, #beginning) == beginning then
  redis.call('HDEL', prefix .. 'nodes', node)
  local way = string.match(old, '^%S+ %S+ %S+ %S+ %S+ (%S+)$')
  if way and how == 'dead' then
    redis.call('HSET', prefix .. 'gone', way, node .. ' ' .. old)
  end
  redis.call('PUBLISH', prefix .. 'notes', 'look')
end
return 'OK'
