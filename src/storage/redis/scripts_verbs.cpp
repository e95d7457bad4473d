// The scripts' verbs for jobs that run or have ended; submit and claim are in scripts_queue.cpp.
// ARGV[1] to [11] are the limits and the time (see kLife); a verb's own arguments begin at
// ARGV[12].
#include "storage/redis/script_pieces.h"

namespace mainstay::storage::redis {

// Each item: id, token, result, number of follow-ups, these (a record and an input each).
const std::string_view kComplete = R"lua(
local function follow_up(first, last)
  local met, new_ones = {}, {}
  for n = first, last, 2 do
    local new = cmsgpack.unpack(ARGV[n])
    local key = new.x and key_of(new.o, new.x)
    if not (met[new.id] or (key and met[key]) or get(new.id)
        or (key and call('EXISTS', key) == 1)) then
      new_ones[#new_ones + 1] = {new, ARGV[n + 1]}
      met[new.id] = true
      if key then met[key] = true end
    end
  end
  for _, new in ipairs(new_ones) do plan(new[1], new[2]) end
  write_planned()
end
local function complete(at)
  local j, told = leased(ARGV[at], ARGV[at + 1], 'c')
  if told then return 'ok' end
  if not j then return 'stale' end
  local follow_ups = tonumber(ARGV[at + 3])
  if follow_ups > 0 then follow_up(at + 4, at + 2 + 2 * follow_ups) end
  occur_again(j)
  if ARGV[at + 2] ~= '' then put('r:' .. j.id, ARGV[at + 2]) end
  over(j, 'G')
  j.n, j.v = nil, 'c'
  return 'ok'
end
local places, ids, at = {}, {}, 12
while at <= #ARGV do
  places[#places + 1], ids[#ids + 1] = at, ARGV[at]
  at = at + 4 + 2 * tonumber(ARGV[at + 3])
end
learn(ids)
local out = {}
for n, place in ipairs(places) do out[n] = guarded(complete, place) end
settle()
return out
)lua";

// id, token, code and sentence, microseconds until it is tried again (-1: never).
const std::string_view kFail = R"lua(
local function fail(id, token, failure, again)
  local j, told = leased(id, token, 'f')
  if told then return j.s == 'D' and 'D' or 'S' end
  if not j then return 'stale' end
  local answer = 'S'
  again = tonumber(again)
  if again < 0 or j.a >= j.A then
    answer = 'D'
    die(j, failure)
  else
    wait_until(j, now + again)
    j.f = failure
  end
  j.n, j.v = nil, 'f'
  return answer
end
return each_item(4, fail)
)lua";

// id, token, microseconds until it may run again (0: at once).
const std::string_view kGiveBack = R"lua(
local function give_back(id, token, later)
  local j, told = leased(id, token, 'g')
  if told then return 'ok' end
  if not j then return 'stale' end
  later = tonumber(later)
  if later > 0 then wait_until(j, now + later)
  else
    ready(j)
    waits_again(j, 'Q')
    j.y = now
  end
  j.a, j.n, j.v = math.max(j.a - 1, 0), nil, 'g'
  return 'ok'
end
return each_item(3, give_back)
)lua";

const std::string_view kExtend = R"lua(
local function extend(id, token, lease)
  local j = leased(id, token, '-')
  if not j then return 'stale' end
  local lease_end = now + tonumber(lease)
  note('leases', lease_end, id)
  j.l = lease_end
  save(j)
  return 'ok'
end
return each_item(3, extend)
)lua";

// By hand: owner ('': anybody), id. Answer: a word when refused, else the job.
const std::string_view kCancel = R"lua(
local j = current(ARGV[13], ARGV[12])
if not j then settle() return 'unknown' end
if j.s ~= 'S' and j.s ~= 'Q' and j.s ~= 'R' then settle() return 'ended' end
if j.s == 'Q' then unready(j) end
over(j, 'C')
j.v = nil
settle()
return whole(j)
)lua";

// A third argument: waiting_max. Refused for those that wait: w and their count; for the depth: d,
// the class and the depth.
const std::string_view kRetry = R"lua(
local j = current(ARGV[13], ARGV[12])
if not j then settle() return 'unknown' end
if j.s == 'S' or j.s == 'Q' or j.s == 'R' then settle() return 'not_ended' end
if j.s == 'G' then settle() return 'succeeded' end
if ARGV[12] ~= '' then
  local most, mine = tonumber(ARGV[14]), num(call('HGET', P .. 'u', j.o)) + (waiting_by[j.o] or 0)
  if most > 0 and mine >= most then settle() return 'w' .. text(mine) end
  local shed, deep = gate()
  if shed or deep >= refused_from(j.c) then settle() return 'd' .. j.c .. text(deep) end
end
ready(j)
call('ZREM', P .. 'ended', j.id)
keep_plan(j)
if j.V and j.s ~= 'C' then j.m = 1 end  -- this end has made the next occurrence
become(j, 'Q')
j.a, j.n, j.v, j.R, j.E, j.F, j.y = 0, nil, nil, nil, nil, nil, now
j.t = (j.t or 0) + 1  -- so that each end has one of its own
waits(j, 1)
made = made + 1
settle()
return whole(j)
)lua";

const std::string_view kGet = R"lua(
local j = current(ARGV[13], ARGV[12])
settle()
return j and whole(j) or 'unknown'
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
-- Up to this many jobs are looked for where jobs of their state wait, not in the whole history.
local FEW = 1000
-- What these sets hold, nil: too much; ids stand before a line feed there.
local function held_by(sets)
  local count, ids = 0, {}
  for _, set in ipairs(sets) do
    local size = redis.pcall('ZCARD', P .. set)
    if type(size) ~= 'number' then return nil end
    count = count + size
  end
  if count > FEW then return nil end
  for _, set in ipairs(sets) do
    for _, member in ipairs(call('ZRANGE', P .. set, 0, -1)) do
      ids[#ids + 1] = string.match(member, '^[^\n]*')
    end
  end
  return ids
end
-- Those that the records of deaths name, nil: too many, or not all of them.
local function dead_ones()
  local missing, ids, met = 0, {}, {}
  for _, n in ipairs(call('HMGET', P .. 'n', '0D', '1D', '2D', '3D')) do missing = missing + num(n) end
  if missing == 0 then return ids end
  if call('XLEN', P .. 'dead') > FEW then return nil end
  for _, e in ipairs(call('XRANGE', P .. 'dead', '-', '+')) do
    local id = e[2][2]
    if not met[id] then ids[#ids + 1] = id end
    met[id] = true
  end
  learn(ids)
  for _, id in ipairs(ids) do
    local j = get(id)
    if j and j.s == 'D' then missing = missing - 1 end
  end
  return missing == 0 and ids or nil
end
local function few_of_state()
  if state == 'S' then return held_by({'due'}) end
  if state == 'R' then return held_by({'leases'}) end
  if state == 'D' then return dead_ones() end
  if state ~= 'Q' or o == '' then return nil end
  local lanes = {}
  for c = 0, 3 do
    lanes[#lanes + 1], lanes[#lanes + 2] = 'b:' .. c .. ':' .. o, 'b:' .. c .. '@:' .. o
  end
  return held_by(lanes)
end
timers(100)
settle()
local index = P .. 'all'
if batch ~= '' then index = P .. 'g:' .. batch elseif o ~= '' then index = P .. 'o:' .. o end
local score = nil  -- of the job that the list begins behind
if after ~= '' then
  local before = get(after)
  score = call('ZSCORE', P .. 'all', after)
  if not score or (o ~= '' and not (before and before.o == o)) then
    if mark == '' then return 'unknown' end
    score = after_mark()
  end
end
-- The newest come first: a few that are known beforehand, else the next of the index.
local ids, few = {}, few_of_state()
if few then
  learn(few)
  for _, id in ipairs(few) do
    local j = get(id)
    if j and (not score or tonumber(j.q) < tonumber(score)) then ids[#ids + 1] = id end
  end
  table.sort(ids, function(one, other) return tonumber(get(one).q) > tonumber(get(other).q) end)
else
  local first = score and call('ZCOUNT', index, score, '+inf') or 0
  ids = call('ZREVRANGE', index, first, first + most)
  learn(ids)
end
local out = {}
for n = 1, math.min(#ids, most) do
  local j = get(ids[n])
  if j and (o == '' or j.o == o) and (state == '' or j.s == state)
      and (kind == '' or j.k == kind or j.k == kind .. '@home') and (batch == '' or j.b == batch) then
    table.insert(out, {cmsgpack.pack(j)})
  end
end
return {#ids > most and ids[most] or '', out}
)lua";

// role's term ('0': no fence). Answers: time until there is something to do, removed.
const std::string_view kUpkeep = R"lua(
if ARGV[12] ~= '0' and num(call('GET', P .. 'term:upkeep')) > tonumber(ARGV[12]) then
  return redis.error_reply('STALE another process does the upkeep now')
end
timers(100)
local removed = call('ZRANGEBYSCORE', P .. 'ended', '-inf', now, 'LIMIT', 0, 100)
learn(removed)
for _, id in ipairs(removed) do
  local j = get(id)
  if j and j.F then forget(j) else call('ZREM', P .. 'ended', id) end
end
-- The dead-letter stream is a record of ends, not of work.
local oldest = math.floor((now - keep_dead) / 1000)
if oldest > 0 then call('XTRIM', P .. 'dead', 'MINID', '~', oldest) end
settle()
return {next_time({'due', 'leases', 'exp', 'ended'}), #removed}
)lua";

const std::string_view kFigures = R"lua(
local oldest = {0, 0, 0, 0}
local function look(c, lane)
  for _, e in ipairs(call('XRANGE', P .. 's:' .. lane, '-', '+', 'COUNT', 100)) do
    local first = call('ZRANGE', P .. 'b:' .. lane .. ':' .. e[2][2], 0, 0)[1]
    local j = first and get(string.match(first, '^[^\n]*'))
    local since = j and j.y or 0
    if since > 0 then oldest[c + 1] = math.max(oldest[c + 1], now - since) end
  end
end
for c = 0, 3 do
  look(c, c)
  look(c, c .. '@')
end
for c = 1, 4 do oldest[c] = text(oldest[c]) end
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
