// The scripts' verbs for jobs that run or have ended; submit and claim are in scripts_queue.cpp.
// ARGV[1] to [11] are the limits and the time (see kLife); a verb's own arguments begin at
// ARGV[12].
#include "storage/redis/script_pieces.h"

namespace mainstay::storage::redis {

// Each item: id, token, result, number of follow-ups, these.
const std::string_view kComplete = R"lua(
local function complete(at, follow)
  local j, told = leased(ARGV[at], ARGV[at + 1], 'c')
  if told then return 'ok' end
  if not j then return 'stale' end
  local follow_ups, met = {}, {}
  for n = 0, follow - 1 do
    local new = taken(at + 4 + n * 13)
    local key = new.x ~= '' and key_of(new.o, new.x)
    local known = met[new.id] or (key and met[key]) or call('EXISTS', P .. 'j:' .. new.id) == 1
      or (key and call('EXISTS', key) == 1)
    if not known then
      follow_ups[#follow_ups + 1] = new
      met[new.id] = true
      if key then met[key] = true end
    end
  end
  for _, new in ipairs(follow_ups) do plan(new) end
  write_planned()
  if j.V ~= '' then occur_again(get(j.id)) end
  call('HSET', j.key, 's', 'G', 'r', ARGV[at + 2], 'F', now_text, 'n', '0', 'v', 'c')
  over(j, 'G')
  unlease(j)
  return 'ok'
end
local out = {}
local at = 12
while at <= #ARGV do
  local follow = tonumber(ARGV[at + 3])
  table.insert(out, guarded(complete, at, follow))
  at = at + 4 + follow * 13
end
settle()
return out
)lua";

// id, token, code and sentence, microseconds until it is tried again (-1: never).
const std::string_view kFail = R"lua(
local function fail(id, token, failure, again)
  local j, told = leased(id, token, 'f', true)
  if told then return j.s == 'D' and 'D' or 'S' end
  if not j then return 'stale' end
  j.n = 0
  local answer = 'S'
  if again < 0 or num(j.a) >= num(j.A) then
    answer = 'D'
    die(j, failure, 'f')
  else
    keep_plan(j)
    call('ZADD', P .. 'due', now + again, id)
    call('HSET', j.key, 's', 'S', 'R', now + again, 'n', 0, 'v', 'f', 'f', failure)
    moved(j.c, 'R', 'S')
    waits_again(j)
    if call('ZRANGE', P .. 'due', 0, 0)[1] == id then rung = true end
  end
  unlease(j)
  return answer
end
local out = {}
for at = 12, #ARGV, 4 do
  table.insert(out, guarded(fail, ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])))
end
settle()
return out
)lua";

const std::string_view kGiveBack = R"lua(
local function give_back(id, token)
  local j, told = leased(id, token, 'g', true)
  if told then return 'ok' end
  if not j then return 'stale' end
  ready(j)
  call('HSET', j.key, 's', 'Q', 'a', math.max(num(j.a) - 1, 0), 'n', 0, 'v', 'g', 'y', now)
  moved(j.c, 'R', 'Q')
  waits_again(j)
  unlease(j)
  return 'ok'
end
local out = {}
for at = 12, #ARGV, 2 do table.insert(out, guarded(give_back, ARGV[at], ARGV[at + 1])) end
settle()
return out
)lua";

const std::string_view kExtend = R"lua(
local function extend(id, token, lease)
  local j = leased(id, token, '-', true)
  if not j then return 'stale' end
  call('HSET', j.key, 'l', now + lease)
  call('ZADD', P .. 'leases', now + lease, id)
  call('XCLAIM', P .. 's:' .. j.c, 'w', j.w, 0, j.e, 'JUSTID')
  return 'ok'
end
local out = {}
for at = 12, #ARGV, 3 do
  table.insert(out, guarded(extend, ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])))
end
settle()
return out
)lua";

// By hand: owner ('': anybody), id. Answer: a word when refused, else the job's fields.
const std::string_view kCancel = R"lua(
local j = current(ARGV[13], ARGV[12], ALL)
if not j then settle() return 'unknown' end
if j.s ~= 'S' and j.s ~= 'Q' and j.s ~= 'R' then settle() return 'ended' end
call('HSET', j.key, 's', 'C', 'F', now, 'v', '')
if j.s == 'S' then call('ZREM', P .. 'due', j.id)
elseif j.s == 'Q' then unready(j)
else unlease(j) end
if j.s ~= 'R' then waits(j.o, -1) end
over(j, 'C')
settle()
j.raw[13], j.raw[20] = 'C', string.format('%.0f', now)
return {j.id, unpack(j.raw)}
)lua";

// A third argument: waiting_max. Refused for those that wait: w and their count; for the depth: d,
// the class and the depth.
const std::string_view kRetry = R"lua(
local j = current(ARGV[13], ARGV[12], ALL)
if not j then settle() return 'unknown' end
if j.s == 'S' or j.s == 'Q' or j.s == 'R' then settle() return 'not_ended' end
if j.s == 'G' then settle() return 'succeeded' end
if ARGV[12] ~= '' then
  local most, mine = tonumber(ARGV[14]), num(call('HGET', P .. 'u', j.o)) + (waiting_by[j.o] or 0)
  if most > 0 and mine >= most then settle() return 'w' .. text(mine) end
  local shed, deep = gate()
  if shed or deep >= refused_from(j.c) then settle() return 'd' .. j.c .. text(deep) end
end
keep_plan(j)
ready(j)
call('HSET', j.key, 's', 'Q', 'a', 0, 'n', 0, 'v', '', 'y', now)
call('HDEL', j.key, 'R', 'E', 'F')
call('ZREM', P .. 'ended', j.id)
waits(j.o, 1)
moved(j.c, j.s, 'Q')
made = made + 1
settle()
j.raw[13], j.raw[14], j.raw[9], j.raw[10], j.raw[20] = 'Q', '0', '0', '0', '0'
return {j.id, unpack(j.raw)}
)lua";

const std::string_view kGet = R"lua(
local j = current(ARGV[13], ARGV[12], ALL)
settle()
if not j then return 'unknown' end
return {j.id, unpack(j.raw)}
)lua";

const std::string_view kErase = R"lua(
local j = current(ARGV[13], ARGV[12])
if not j then settle() return 'unknown' end
if j.s == 'S' or j.s == 'Q' or j.s == 'R' then settle() return 'not_ended' end
forget(j)
settle()
return 'ok'
)lua";

// owner, state, kind, batch, after (an id), most to look at, mark (of an id that is gone: see
// list_mark()). Answers: the last one looked at ('': that was all), the jobs.
const std::string_view kList = R"lua(
local o, state, kind, batch, after, most = ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16],
  tonumber(ARGV[17])
local mark = ARGV[18]
-- The score of the oldest job that was not made before the mark; nil: all were. Only ids of one
-- form tell, and those come in their order.
local function after_mark()
  local all = P .. 'all'
  local low, high = 0, call('ZCARD', all)
  local count = high
  while low < high do
    local at, id = math.floor((low + high) / 2), nil
    local middle = at
    repeat
      id = call('ZRANGE', all, at, at)[1]
      at = at + 1
    until at >= high or #id == 30 or at > middle + 1000
    -- Where a thousand tell nothing, they are taken for older ones: jobs may come twice then.
    if #id == 30 and id < mark or #id ~= 30 and at < high then low = at else high = middle end
  end
  if low == count then return nil end
  return call('ZRANGE', all, low, low, 'WITHSCORES')[2]
end
timers(100)
settle()
local index = P .. 'all'
if batch ~= '' then index = P .. 'g:' .. batch elseif o ~= '' then index = P .. 'o:' .. o end
local first = 0
if after ~= '' then
  local number = call('HMGET', P .. 'j:' .. after, 'q', 'o')
  local score = call('ZSCORE', P .. 'all', after)
  if not score or (o ~= '' and number[2] ~= o) then
    if mark == '' then return 'unknown' end
    score = after_mark()
  end
  first = score and call('ZCOUNT', index, score, '+inf') or 0
end
local ids = call('ZREVRANGE', index, first, first + most - 1)
local out = {}
for _, id in ipairs(ids) do
  local j = get(id)
  if j and (o == '' or j.o == o) and (state == '' or j.s == state)
      and (kind == '' or j.k == kind or j.k == kind .. '@home') and (batch == '' or j.b == batch) then
    table.insert(out, {id, unpack(j.raw)})
  end
end
return {#ids == most and ids[#ids] or '', out}
)lua";

// role's term ('0': no fence). Answers: time until there is something to do, removed.
const std::string_view kUpkeep = R"lua(
if ARGV[12] ~= '0' and num(call('GET', P .. 'term:upkeep')) > tonumber(ARGV[12]) then
  return redis.error_reply('STALE another process does the upkeep now')
end
timers(100)
local removed = call('ZRANGEBYSCORE', P .. 'ended', '-inf', now, 'LIMIT', 0, 100)
for _, id in ipairs(removed) do
  local j = get(id)
  if j and j.F ~= '' then forget(j) else call('ZREM', P .. 'ended', id) end
end
-- Turns that were read and lead to no running attempt: a step before them failed.
local running = nil
for c = 0, 3 do
  local key = P .. 's:' .. c
  local held = redis.pcall('XPENDING', key, 'w', 'IDLE', ARGV[13], '-', '+', 100)
  if held.err then held = {} end
  for _, one in ipairs(held) do
    if not running then
      running = {}
      for _, id in ipairs(call('ZRANGE', P .. 'leases', 0, -1)) do
        local at = call('HMGET', P .. 'j:' .. id, 'c', 'e')
        if at[2] then running[at[1] .. ' ' .. at[2]] = true end
      end
    end
    if not running[c .. ' ' .. one[1]] then
      local entry = call('XRANGE', key, one[1], one[1])[1]
      if entry then turn(c, entry[2][2]) end
      ack(c, one[1])
    end
  end
  local consumers = redis.pcall('XINFO', 'CONSUMERS', key, 'w')
  if consumers.err then consumers = {} end
  for _, one in ipairs(consumers) do
    if one[4] == 0 and one[6] > 3600000 then call('XGROUP', 'DELCONSUMER', key, 'w', one[2]) end
  end
end
-- The dead-letter stream is a record of ends, not of work.
local oldest = math.floor((now - keep_dead) / 1000)
if oldest > 0 then call('XTRIM', P .. 'dead', 'MINID', '~', oldest) end
settle()
return {next_time({'due', 'leases', 'exp', 'ended'}), #removed}
)lua";

const std::string_view kFigures = R"lua(
local oldest = {0, 0, 0, 0}
for c = 0, 3 do
  local group = redis.pcall('XINFO', 'GROUPS', P .. 's:' .. c)
  local last = not group.err and group[1] and '(' .. group[1][8] or '-'
  for _, e in ipairs(call('XRANGE', P .. 's:' .. c, last, '+', 'COUNT', 100)) do
    local first = call('ZRANGE', P .. 'b:' .. c .. ':' .. e[2][2], 0, 0)[1]
    local since = first and num(call('HGET', P .. 'j:' .. string.match(first, '^[^\n]*'), 'y')) or 0
    if since > 0 then oldest[c + 1] = math.max(oldest[c + 1], now - since) end
  end
end
for c = 1, 4 do oldest[c] = string.format('%.0f', oldest[c]) end
return {call('HGETALL', P .. 'n'), oldest}
)lua";

// KEYS: who holds the role, the number of its terms. ARGV: holder, milliseconds.
const std::string_view kHold = R"lua(
local holder = redis.call('GET', KEYS[1])
if not holder then
  redis.call('INCR', KEYS[2])
elseif holder ~= ARGV[1] then
  return -1
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return tonumber(redis.call('GET', KEYS[2]))
)lua";

const std::string_view kRelease = R"lua(
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
)lua";

}  // namespace mainstay::storage::redis
