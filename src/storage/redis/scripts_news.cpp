// The scripts of Signal. A topic is a stream t:TOPIC with its figures in a hash m:TOPIC (b bytes,
// g number up to which events are gone). Ids are <born>-<number>: born is when news began on this
// server, the number counts the events of all topics. ARGV: time in microseconds or '', keep.
#include "storage/redis/script_pieces.h"

namespace mainstay::storage::redis {

const std::string_view kNews = R"lua(
local P = KEYS[1]
local call = redis.call
local T = call('TIME')
local now = tonumber(ARGV[1]) or T[1] * 1000000 + T[2]
local keep = tonumber(ARGV[2])
local topic = ARGV[3]
local stream, meta = P .. 't:' .. topic, P .. 'm:' .. topic
local born = call('GET', P .. 'born')
if not born then
  born = string.format('%.0f', T[1] * 1000000 + T[2])
  call('SET', P .. 'born', born)
end
local function num(text) return tonumber(text) or 0 end
local function number_of(id) return num(string.match(id, '%-(%d+)$')) end
local function gone_of_all() return num(call('GET', P .. 'gone')) end
local function forget(name)
  local last = call('XREVRANGE', P .. 't:' .. name, '+', '-', 'COUNT', 1)[1]
  local through = num(call('HGET', P .. 'm:' .. name, 'g'))
  if last then through = math.max(through, number_of(last[1])) end
  if through > gone_of_all() then call('SET', P .. 'gone', through) end
  call('DEL', P .. 't:' .. name, P .. 'm:' .. name)
  call('ZREM', P .. 'topics', name)
  call('ZREM', P .. 'used', name)
end
-- `topics` orders by the last event, which says when a history is old; `used` by the last use.
local function use(...) call('ZADD', P .. 'used', ..., T[1] * 1000000 + T[2], topic) end
local function forget_old(most)
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'topics', '-inf', now - keep, 'LIMIT', 0, most))
  do forget(name) end
end
)lua";

// topic, type, data, most events, most bytes, most topics. Answers: why it was not pushed, or ''.
const std::string_view kTell = R"lua(
local most, bytes_most, topics_most = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
forget_old(2)
local size = #ARGV[4] + #ARGV[5]
local id = born .. '-' .. call('INCR', P .. 'news')
if call('EXISTS', meta) == 0 then
  while call('ZCARD', P .. 'topics') >= topics_most do
    local first = call('ZRANGE', P .. 'used', 0, 0)[1] or call('ZRANGE', P .. 'topics', 0, 0)[1]
    forget(first)
  end
  call('HSET', meta, 'g', gone_of_all())
end
call('XADD', stream, id, 't', ARGV[4], 'd', ARGV[5])
call('ZADD', P .. 'topics', now, topic)
use('CH')
local bytes = call('HINCRBY', meta, 'b', size)
local count = call('XLEN', stream)
while count > 0 and (count > most or bytes > bytes_most) do
  local first = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  call('XDEL', stream, first[1])
  bytes = call('HINCRBY', meta, 'b', -(#first[2][2] + #first[2][4]))
  call('HSET', meta, 'g', number_of(first[1]))
  count = count - 1
end
-- Who may not publish tells all the same: the event is kept, and listeners come upon it.
local pushed = redis.pcall('PUBLISH', P .. 'news:' .. topic, id)
return type(pushed) == 'table' and pushed.err or ''
)lua";

// topic, place, most events. Answers: the place after the newest, whether some are missed, events.
const std::string_view kHear = R"lua(
forget_old(2)
local place, most = ARGV[4], tonumber(ARGV[5])
local count = num(call('GET', P .. 'news'))
local newest = born .. '-' .. count
if place == '$' then return {newest, 0, {}} end
local told = call('ZSCORE', P .. 'topics', topic)
if told and tonumber(told) + keep <= now then forget(topic) end
use('XX')
local gone = call('HGET', meta, 'g')
gone = gone and num(gone) or gone_of_all()
local from, missed = '-', 0
if place ~= '' then
  local of, number = string.match(place, '^(%d+)%-(%d+)$')
  number = tonumber(number)
  -- A place beyond the count is of a server that has lost its last events since, or was restored.
  if of ~= born or number > count then missed = 1
  else
    from = '(' .. born .. '-' .. number
    if number < gone then missed = 1 end
  end
end
return {newest, missed, call('XRANGE', stream, from, '+', 'COUNT', most)}
)lua";

}  // namespace mainstay::storage::redis
