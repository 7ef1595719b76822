#!lua flags=allow-oom
-- What a daemon asks each server that it comes to. Until nodes and this server have agreed, it leaves word how far it has seen.
-- ARGV: prefix, run, node, boot, epoch and sequence of the newest event that it has seen, key of stream secrets.
-- Gives run that is agreed on, epoch, id of the newest event, what nodes have seen, nodes.
local prefix, run, node, boot, epoch, sequence, key = unpack(ARGV)
local compare = prefix .. 'compare:' .. run
local agreed = redis.call('GET', prefix .. 'run') or ''
local last = '0-0'
redis.call('SET', prefix .. 'key', key, 'NX')
if agreed ~= run then
  redis.call('HSET', compare, node, boot .. ' ' .. epoch .. ' ' .. sequence)
  redis.call('PEXPIRE', compare, 3600000)
end
if redis.call('EXISTS', prefix .. 'log') == 1 then
  local flat = redis.call('XINFO', 'STREAM', prefix .. 'log')
  for i = 1, #flat, 2 do
    if flat[i] == 'last-generated-id' then
      last = flat[i + 1]
    end
  end
end
return {
  agreed, redis.call('GET', prefix .. 'epoch') or '', last,
  redis.call('HGETALL', compare), redis.call('HGETALL', prefix .. 'nodes'),
}
