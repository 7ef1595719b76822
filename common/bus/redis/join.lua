#!lua flags=allow-oom
-- Gives a daemon its number, and the first of all an epoch; the others look at once.
-- ARGV: prefix, run, boot, key for stream secrets in case that there is none, record.
-- Gives 'OK', node, key, ms of the server's clock; or 'FULL', nodes.
local prefix, run, boot, key, record = unpack(ARGV)
local NODES = 1024
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))

redis.call('SET', prefix .. 'key', key, 'NX')
if redis.call('SET', prefix .. 'epoch', now, 'NX') then
  local last = redis.call('EXISTS', prefix .. 'log') == 1
  if last then -- somebody has deleted the epoch alone: ids of before stay behind
    redis.call('DEL', prefix .. 'log')
  end
  redis.call('XADD', prefix .. 'log', now .. '-0', 'e', '1')
  redis.call('SET', prefix .. 'run', run)
end

local function find()
  local flat = redis.call('HGETALL', prefix .. 'nodes')
  local taken = {}
  for i = 1, #flat, 2 do
    if string.match(flat[i + 1], '^%S+') == boot then
      return tonumber(flat[i])
    end
    taken[tonumber(flat[i])] = true
  end
  -- Not the number that was left last: whoever was cut off for a while finds his own again.
  local last = tonumber(redis.call('GET', prefix .. 'node') or -1)
  for i = 1, NODES do
    local node = (last + i) % NODES
    if not taken[node] then
      redis.call('SET', prefix .. 'node', node)
      return node
    end
  end
end

local node = find()
if not node then
  return {'FULL', redis.call('HGETALL', prefix .. 'nodes')}
end
redis.call('HSET', prefix .. 'nodes', node, record)
redis.call('HDEL', prefix .. 'gone', string.match(record, '%S*$'))
redis.call('PUBLISH', prefix .. 'notes', 'look')
return {'OK', tostring(node), redis.call('GET', prefix .. 'key'), now}
