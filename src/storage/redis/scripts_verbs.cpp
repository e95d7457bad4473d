// The scripts' verbs. ARGV[1] to [11] are the limits and the time (see kLife); a verb's own
// arguments begin at ARGV[12].
#include "storage/redis/script_pieces.h"

namespace mainstay::storage::redis {

// Each item: waiting_max and a job. Answers: a letter, the state, waiting (w: its count), the id.
const std::string_view kSubmit = R"lua(
local shed = call('HGET', P .. 'n', 'shed')
local deep = depth()
if shed and deep < low then
  call('HDEL', P .. 'n', 'shed')
  shed = false
end
local from = {tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])}
local function answer(letter, state, number, id)
  return letter .. state .. string.format('%.0f', number) .. ':' .. id
end
local known_waiting = {}  -- when the script began
local function waiting(o)
  local n = known_waiting[o]
  if not n then
    n = num(call('HGET', P .. 'u', o))
    known_waiting[o] = n
  end
  return n + (waiting_by[o] or 0)
end
local function submit(most, j)
  if j.x ~= '' then
    local kept = call('GET', P .. 'k:' .. j.o .. ':' .. j.x)
    local id, digest, last, still
    if kept then
      id, digest, last, still = string.match(kept, '^([^\n]*)\n([^\n]*)\n?(%u?)(%d*)$')
    end
    if id and (still == '' or tonumber(still) > now) then
      if digest ~= j.g then return answer('k', '-', 0, id) end
      local state = call('HGET', P .. 'j:' .. id, 's') or last
      if state ~= '' then return answer('o', state, waiting(j.o), id) end
    end
  end
  if call('EXISTS', P .. 'j:' .. j.id) == 1 then
    local same = call('HMGET', P .. 'j:' .. j.id, 's', 'o', 'x', 'g')
    if same[2] ~= j.o or (same[3] or '') ~= j.x or (same[4] or '') ~= j.g then
      return answer('i', '-', 0, j.id)
    end
    return answer('o', same[1], waiting(j.o), j.id)
  end
  if most > 0 then
    local mine = waiting(j.o)
    if mine >= most then return answer('w', '-', mine, j.id) end
  end
  if shed or deep >= from[tonumber(j.c) + 1] then return answer('d', '-', deep, j.id) end
  local s = create(j)
  deep = deep + 1
  if deep >= high then
    call('HSET', P .. 'n', 'shed', 1)
    shed = true
  end
  waits(j.o, 1)
  return answer('n', s, waiting(j.o), j.id)
end
local out = {}
for at = 12, #ARGV, 14 do
  table.insert(out, guarded(submit, tonumber(ARGV[at]), taken(at + 1)))
end
settle()
return {out, string.format('%.0f', deep), shed and 1 or 0, call('HGET', P .. 'n', 'ends') or '0'}
)lua";

// worker, slots, lease, kinds. Answers: last ring of the bell, time until the next timer, the
// attempts.
const std::string_view kClaim = R"lua(
local worker, slots, lease = ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])
local wanted = nil
for n = 15, #ARGV do
  wanted = wanted or {}
  wanted[ARGV[n]] = true
end
timers(100)
local out, lease_end = {}, text(now + lease)
local function begin(j, entry)
  local a, t = text(num(j.a) + 1), text(num(j.t) + 1)
  call('ZADD', P .. 'leases', lease_end, j.id)
  unleased[j.id] = nil  -- the end of its lease before may have been found in this very call
  call('HSET', j.key, 's', 'R', 'a', a, 't', t, 'v', '', 'w', worker, 'B', now_text, 'e', entry,
    'l', lease_end)
  moved(j.c, 'Q', 'R')
  waits(j.o, -1)
  local raw = j.raw
  raw[13], raw[14], raw[15], raw[17], raw[19] = 'R', a, t, worker, now_text
  out[#out + 1] = {j.id, unpack(raw)}
end
-- Of a ready job only what claiming asks for is taken apart.
local function get_ready(id)
  local key = P .. 'j:' .. id
  local raw = call('HMGET', key, unpack(ALL))
  if raw[13] ~= 'Q' then return nil end
  local expires = num(raw[10])
  if expires > 0 and expires <= now then
    tick(get(id))
    return nil
  end
  return {id = id, key = key, raw = raw, o = raw[1], c = raw[2], k = raw[3], a = raw[14],
    t = raw[15], q = raw[27]}
end
-- The first of the owner's ready jobs that this worker can run, taken out; nil: there is none.
local function first_of(b)
  if not wanted then return call('ZPOPMIN', b)[1] end
  local at = 0
  while true do
    local some = call('ZRANGE', b, at, at + 99)
    for _, member in ipairs(some) do
      if wanted[string.match(member, '\n(.*)$')] then
        call('ZREM', b, member)
        return member
      end
    end
    if #some < 100 then return nil end
    at = at + 100
  end
end
-- Uses one turn; true when an attempt began.
local function use(c, entry, o)
  local b = P .. 'b:' .. c .. ':' .. o
  local began, j = false, nil
  repeat
    local member = first_of(b)
    j = member and get_ready(string.match(member, '^[^\n]*'))
    if j then
      local ok, failed = pcall(begin, j, entry)
      if not ok then
        ready(j)
        error(failed)
      end
      began = true
    end
  until began or not member
  if not began then ack(c, entry) end
  return began
end
-- The next turns of those whose turns were used, one each. Who is alone gets as many as can be used
-- at once: the next read of this very call takes them all.
local function next_turns(c, used, alone)
  for _, o in ipairs(used) do
    local r = c .. ':' .. o
    local jobs = redis.pcall('ZCARD', P .. 'b:' .. r)
    if jobs == 0 then
      call('HDEL', P .. 'r', r)
    else
      local turns = 1
      if alone and type(jobs) == 'number' then turns = math.max(1, math.min(jobs, slots - #out)) end
      for n = 1, turns do turn(c, o) end
    end
  end
end
local function read(c, most)
  local key = P .. 's:' .. c
  local got = redis.pcall('XREADGROUP', 'GROUP', 'w', worker, 'COUNT', most, 'STREAMS', key, '>')
  if got and got.err then
    if string.sub(got.err, 1, 7) ~= 'NOGROUP' then error(got) end
    call('XGROUP', 'CREATE', key, 'w', '0', 'MKSTREAM')
    got = call('XREADGROUP', 'GROUP', 'w', worker, 'COUNT', most, 'STREAMS', key, '>')
  end
  return got and got[1][2] or {}
end
for c = 0, 3 do
  local met = {}  -- owners whose jobs are not for this worker
  local going = true
  while going and #out < slots do
    local most = slots - #out
    local entries = read(c, most)
    local used, listed = {}, {}
    going = #entries > 0
    for _, e in ipairs(entries) do
      local o = e[2][2]
      if met[o] then going = false end
      if not listed[o] then
        listed[o] = true
        used[#used + 1] = o
      end
      local ok, began = pcall(use, c, e[1], o)
      if not ok then
        ack(c, e[1])
        out.failed = type(began) == 'table' and began.err or tostring(began)
        going = false
      elseif not began then
        met[o] = true
      end
    end
    next_turns(c, used, going and #used == 1 and #entries < most and not met[used[1]])
  end
end
-- Who takes any kind and has slots left has taken all there is: nobody else need wake.
rung = rung and (wanted ~= nil or #out == slots)
settle()
local last = call('XREVRANGE', P .. 'bell', '+', '-', 'COUNT', 1)
if out.failed and #out == 0 then return redis.error_reply(out.failed) end
return {last[1] and last[1][1] or '0-0', next_time({'due', 'leases', 'exp'}), out}
)lua";

// Each item: id, token, result, number of follow-ups, these.
const std::string_view kComplete = R"lua(
local function complete(at, follow)
  local j, told = leased(ARGV[at], ARGV[at + 1], 'c')
  if told then return 'ok' end
  if not j then return 'stale' end
  for n = 0, follow - 1 do
    local new = taken(at + 4 + n * 13)
    if call('EXISTS', P .. 'j:' .. new.id) == 0 then
      if new.x ~= '' and call('EXISTS', P .. 'k:' .. new.o .. ':' .. new.x) == 1 then
        new = nil
      end
      if new then
        create(new)
        waits(new.o, 1)
      end
    end
  end
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

const std::string_view kRetry = R"lua(
local j = current(ARGV[13], ARGV[12], ALL)
if not j then settle() return 'unknown' end
if j.s == 'S' or j.s == 'Q' or j.s == 'R' then settle() return 'not_ended' end
if j.s == 'G' then settle() return 'succeeded' end
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

// owner, state, kind, batch, after (an id), most to look at. Answers: the last one looked at ('':
// that was all), the jobs.
const std::string_view kList = R"lua(
local o, state, kind, batch, after, most = ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16],
  tonumber(ARGV[17])
timers(100)
settle()
local index = P .. 'all'
if batch ~= '' then index = P .. 'g:' .. batch elseif o ~= '' then index = P .. 'o:' .. o end
local first = 0
if after ~= '' then
  local number = call('HMGET', P .. 'j:' .. after, 'q', 'o')
  local score = call('ZSCORE', P .. 'all', after)
  if not score or (o ~= '' and number[2] ~= o) then return 'unknown' end
  first = call('ZCOUNT', index, score, '+inf')
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
