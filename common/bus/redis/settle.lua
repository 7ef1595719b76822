#!lua flags=allow-oom
-- Agrees on this server, by compare-and-set: who saw another state than there is now has to look again.
-- ARGV: prefix, run, the run that was agreed on, the epoch of then, '1' when events were lost, an epoch and a sequence
-- that were seen. Sequences go on over epochs: last values of before keep theirs, and come before what is new.
local prefix, run, agreed, epoch, lost, seen, sequence = unpack(ARGV)
if (redis.call('GET', prefix .. 'run') or '') ~= agreed or (redis.call('GET', prefix .. 'epoch') or '') ~= epoch then
  return 'OTHER'
end
if lost == '1' then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local new = string.format('%.0f', math.max(now, tonumber(epoch ~= '' and epoch or 0) + 1, tonumber(seen) + 1))
  redis.call('SET', prefix .. 'epoch', new)
  redis.call('XADD', prefix .. 'log', new .. '-' .. string.format('%.0f', tonumber(sequence) + 1048576), 'e', '1')
end
redis.call('SET', prefix .. 'run', run)
redis.call('DEL', prefix .. 'compare:' .. run)
return 'OK'
