-- Takes a batch of what a handler has to publish: all of it at once, and once only.
-- ARGV: prefix, run, publisher, number of the batch, ms its result is kept, ms a post is remembered, most events of the log,
-- most bytes of last values; then for each: kind, message, post key, content, token, rate, burst, topic, ms.
-- Gives 'OK', what became of each, nodes; or 'RUN': nodes and this server have not agreed yet.
local prefix, run, publisher, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local kept, remembered, most, values_most = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local FIRST, WIDTH = 9, 9
local DELIVERED, DOUBLE, LIMITED, OTHER = 0, 1, 3, 4
local log, values, ages, bytes = prefix .. 'log', prefix .. 'values', prefix .. 'values:age', prefix .. 'values:bytes'

if redis.call('GET', prefix .. 'run') ~= run then
  return {'RUN'}
end
local nodes = redis.call('HGETALL', prefix .. 'nodes')
local before = redis.call('GET', prefix .. 'batch:' .. publisher)
if before and string.match(before, '^%d+') == number then
  -- A write: what WAIT counts replicas for is what its own connection has written.
  redis.call('PEXPIRE', prefix .. 'batch:' .. publisher, kept)
  return {'OK', string.match(before, ' (.*)'), nodes}
end

local epoch = redis.call('GET', prefix .. 'epoch')
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = string.format('%.0f', math.floor(now_us / 1000))
local due = {} -- of each token: when its bucket is full again, in us

-- 0, or ms until this token may publish one more: GCRA, which needs one number of each token.
local function wait_of(token, rate, burst)
  if rate == 0 then
    return 0
  end
  local each = 1000000 / rate
  local full = due[token] or tonumber(redis.call('GET', prefix .. 'rate:' .. token) or 0)
  full = math.max(full, now_us)
  local early = full - now_us - (burst - 1) * each
  due[token] = early > 0 and full or full + each
  return early > 0 and math.ceil(early / 1000) or 0
end

local function forget_value(topic)
  local old = redis.call('HGET', values, topic)
  if old then
    redis.call('HDEL', values, topic)
    redis.call('ZREM', ages, topic)
    redis.call('DECRBY', bytes, #old + #topic)
  end
end

local function keep_value(topic, value)
  forget_value(topic)
  redis.call('HSET', values, topic, value)
  redis.call('ZADD', ages, now, topic)
  local size = redis.call('INCRBY', bytes, #value + #topic)
  while size > values_most do
    forget_value(redis.call('ZRANGE', ages, 0, 0)[1])
    size = tonumber(redis.call('GET', bytes))
  end
end

local function append(kind, message, topic, ms)
  local id = redis.call('XADD', log, 'MAXLEN', '~', most, epoch .. '-*', 'm', message, 't', now)
  if kind == 'keep' then
    keep_value(topic, id .. ' ' .. now .. ' ' .. message)
  elseif kind == 'forget' then
    forget_value(topic)
  elseif kind == 'drop' and ms ~= '0' then
    redis.call('ZREMRANGEBYSCORE', prefix .. 'drops', '-inf', now)
    redis.call('ZADD', prefix .. 'drops', string.format('%.0f', tonumber(now) + tonumber(ms)), id .. ' ' .. now .. ' ' .. message)
  end
  return id
end

local function newest()
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)
  return last[1] and last[1][1] or epoch .. '-0'
end

-- Status, id, and a number: receivers of a double, ms to wait.
local function take(kind, message, post, content, token, rate, burst, topic, ms)
  if kind == 'position' then
    return DELIVERED, newest(), 0
  elseif kind == 'note' then
    redis.call('PUBLISH', prefix .. 'notes', message)
    return DELIVERED, epoch .. '-0', 0
  end
  local first = post ~= '' and redis.call('GET', prefix .. 'post:' .. post)
  if first then
    local id, said = string.match(first, '^(%S+) (.*)$')
    if said ~= content then
      return OTHER, id, 0
    end
    return DOUBLE, id, tonumber(redis.call('GET', prefix .. 'had:' .. post) or 0)
  end
  local wait = wait_of(token, tonumber(rate), tonumber(burst))
  if wait > 0 then
    return LIMITED, epoch .. '-0', wait
  end
  local id = append(kind, message, topic, ms)
  if post ~= '' then
    redis.call('SET', prefix .. 'post:' .. post, id .. ' ' .. content, 'PX', remembered)
  end
  return DELIVERED, id, 0
end

local results = {}
for at = FIRST, #ARGV, WIDTH do
  local status, id, figure = take(unpack(ARGV, at, at + WIDTH - 1))
  results[#results + 1] = string.format('%d %s %.0f', status, id, figure)
end
for token, full in pairs(due) do
  redis.call('SET', prefix .. 'rate:' .. token, string.format('%.0f', full), 'PX', string.format('%.0f', math.ceil((full - now_us) / 1000) + 1))
end
local text = table.concat(results, ' ')
redis.call('SET', prefix .. 'batch:' .. publisher, number .. ' ' .. text, 'PX', kept)
return {'OK', text, nodes}
