// The scripts that jobs come in and go out by. ARGV[1] to [11] are the limits and the time (see
// kLife); a verb's own arguments begin at ARGV[12].
#include "storage/redis/script_pieces.h"

namespace mainstay::storage::redis {

// Each item: waiting_max (-1: no cap is asked, nor the depth) and a job. Answers: a letter, the
// state, waiting (w: its count), the id.
const std::string_view kSubmit = R"lua(
local shed, deep = gate()
local function answer(letter, state, number, id)
  return letter .. state .. string.format('%.0f', number) .. ':' .. id
end
-- What is known of these ids and keys already, asked for all of them at once. `told`: those that
-- came in this very script, which are written before they are looked for again.
local ids, keys, kept_of, told, any_known = {}, {}, {}, {}, 0
for at = 13, #ARGV, 14 do
  ids[#ids + 1] = P .. 'j:' .. ARGV[at]
  if ARGV[at + 6] ~= '' then keys[#keys + 1] = key_of(ARGV[at + 1], ARGV[at + 6]) end
end
each_slice(ids, 1000, function(...) any_known = any_known + call('EXISTS', ...) end)
each_slice(keys, 1000, function(...)
  local kept = call('MGET', ...)
  for n, key in ipairs({...}) do kept_of[key] = kept[n] end
end)
local known_waiting = {}  -- when the script began
local coming = {}  -- planned since
local function waiting(o)
  local n = known_waiting[o]
  if not n then
    n = num(call('HGET', P .. 'u', o))
    known_waiting[o] = n
  end
  return n + (waiting_by[o] or 0) + (coming[o] or 0)
end
local out = {}
local function write()
  local jobs = planned
  local ok, failed = pcall(write_planned)
  coming = {}
  if ok then return end
  failed = '!' .. (type(failed) == 'table' and failed.err or tostring(failed))
  for _, j in ipairs(jobs) do
    if not j.made then
      out[j.place] = failed
      deep = deep - 1
      if j.x ~= '' then redis.pcall('DEL', key_of(j.o, j.x)) end
    end
  end
end
local function submit(most, j)
  local key = j.x ~= '' and key_of(j.o, j.x)
  local again = told[j.id] or (key and told[key])
  if again then write() end
  if key then
    local kept = kept_of[key]
    if again then kept = call('GET', key) end
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
  if (again or any_known > 0) and call('EXISTS', P .. 'j:' .. j.id) == 1 then
    local same = call('HMGET', P .. 'j:' .. j.id, 's', 'o', 'x', 'g')
    if same[2] ~= j.o or (same[3] or '') ~= j.x or (same[4] or '') ~= j.g then
      return answer('i', '-', 0, j.id)
    end
    return answer('o', same[1], waiting(j.o), j.id)
  end
  if j.E > 0 and (j.E <= now or j.E <= j.R) then return answer('e', '-', 0, j.id) end
  if most > 0 then
    local mine = waiting(j.o)
    if mine >= most then return answer('w', '-', mine, j.id) end
  end
  if most >= 0 and (shed or deep >= refused_from(j.c)) then
    return answer('d', '-', deep, j.id)
  end
  j.place = #out + 1
  plan(j)
  told[j.id] = true
  if key then told[key] = true end
  coming[j.o] = (coming[j.o] or 0) + 1
  deep = deep + 1
  if deep >= high then
    call('HSET', P .. 'n', 'shed', 1)
    shed = true
  end
  return answer('n', j.s, waiting(j.o), j.id)
end
for at = 12, #ARGV, 14 do
  out[#out + 1] = guarded(submit, tonumber(ARGV[at]), taken(at + 1))
end
write()
settle()
return {out, string.format('%.0f', deep), shed and 1 or 0, call('HGET', P .. 'n', 'ends') or '0'}
)lua";

// worker, slots, lease, bytes of jobs after which no further one is taken, a kind of which fewer
// are taken ('': none), how many of it, kinds. Answers: last ring of the bell, time until the next
// timer, the attempts.
const std::string_view kClaim = R"lua(
local worker, slots, lease = ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])
local bytes_left, rationed, ration = tonumber(ARGV[15]), ARGV[16], tonumber(ARGV[17])
local full = false  -- the reply holds as much as it may: what is ready stays so
local wanted = nil
for n = 18, #ARGV do
  wanted = wanted or {}
  wanted[ARGV[n]] = true
end
timers(100)
local out, lease_end = {}, text(now + lease)
-- Of a ready job only what claiming asks for is read, in the order of ALL up to V.
local READY = {'o','c','k','h','i','x','g','b','R','E','A','V','s','a','t','C','f','q'}
local function get_ready(id)
  local key = P .. 'j:' .. id
  local raw = call('HMGET', key, unpack(READY))
  if raw[13] ~= 'Q' then return nil end
  local expires = num(raw[10])
  if expires > 0 and expires <= now then
    tick(get(id))
    return nil
  end
  return {id = id, key = key, raw = raw, o = raw[1], c = raw[2]}
end
local function begin(j, entry)
  local raw = j.raw
  local a, t = text(num(raw[14]) + 1), text(num(raw[15]) + 1)
  unleased[j.id] = nil  -- the end of its lease before may have been found in this very call
  call('HSET', j.key, 's', 'R', 'a', a, 't', t, 'v', '', 'w', worker, 'B', now_text, 'e', entry,
    'l', lease_end)
  moved(j.c, 'Q', 'R')
  waits(j.o, -1)
  local item = {j.id, unpack(raw, 1, 12)}
  item[14], item[15], item[16], item[17], item[18], item[19], item[20], item[21], item[22],
    item[23] = 'R', a, t, '', worker, raw[16], now_text, '', '', raw[17]
  out[#out + 1] = item
end
local function wants(kind)
  return (not wanted or wanted[kind]) and (rationed == '' or kind ~= rationed or ration > 0)
end
-- Up to `most` of the owner's ready jobs that this worker can run, taken out: each with its place.
local function take_out(b, most)
  if not wanted and (rationed == '' or ration > 0) then return call('ZPOPMIN', b, most) end
  local got, gone, at, width = {}, {}, 0, most
  while #gone < most do
    local some = call('ZRANGE', b, at, at + width - 1, 'WITHSCORES')
    for n = 1, #some, 2 do
      if #gone < most and wants(string.match(some[n], '\n(.*)$')) then
        gone[#gone + 1] = some[n]
        got[#got + 1], got[#got + 2] = some[n], some[n + 1]
      end
    end
    if #some < 2 * width then break end
    at, width = at + width, 100
  end
  each_slice(gone, 1000, function(...) call('ZREM', b, ...) end)
  return got
end
-- What was taken out and is not begun waits again, in its place.
local function put_back(b, place, member)
  redis.pcall('ZADD', b, place, member)
  rung = true
end
-- The jobs of one owner: taken out together for all of the turns that were read.
local function next_of(pool)
  while true do
    if pool.at > #pool then
      local got = take_out(pool.b, pool.turns)
      for n = 1, #got do pool[#pool + 1] = got[n] end
      pool.turns = 1
      if #got == 0 then return nil end
    end
    local member, place = pool[pool.at], pool[pool.at + 1]
    pool.at = pool.at + 2
    local id, kind = string.match(member, '^([^\n]*)\n(.*)$')
    local j = wants(kind) and get_ready(id)
    if j then
      j.b, j.member, j.place = pool.b, member, place
      return j
    end
    if j == false then put_back(pool.b, place, member) end
  end
end
-- Whether the reply has room for this one; there is always room for the first.
local function has_room(j, first)
  local size = #(j.raw[5] or '') + #(j.raw[17] or '') + 1024
  if size > bytes_left and not first then return false end
  bytes_left = bytes_left - size
  if j.raw[3] == rationed then ration = ration - 1 end
  return true
end
local function say_failed(why) out.failed = type(why) == 'table' and why.err or tostring(why) end
-- Begins what was taken for these entries; false when some of it failed and waits again.
local function begin_all(c, taken_for)
  local leases, fine = {}, true
  for _, one in ipairs(taken_for) do
    leases[#leases + 1], leases[#leases + 2] = lease_end, one.j.id
  end
  local leased, why = pcall(each_slice, leases, 1000,
    function(...) call('ZADD', P .. 'leases', ...) end)
  for _, one in ipairs(taken_for) do
    local began = leased
    if leased then began, why = pcall(begin, one.j, one.entry) end
    if not began then
      put_back(one.j.b, one.j.place, one.j.member)
      ack(c, one.entry)
      say_failed(why)
      fine = false
    end
  end
  return fine
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
  local going = not full
  while going and #out < slots do
    local most = slots - #out
    local entries = read(c, most)
    local used, pools, taken_for = {}, {}, {}
    going = #entries > 0
    for _, e in ipairs(entries) do
      local o = e[2][2]
      if met[o] then going = false end
      if not pools[o] then
        pools[o] = {b = P .. 'b:' .. c .. ':' .. o, at = 1, turns = 0}
        used[#used + 1] = o
      end
      pools[o].turns = pools[o].turns + 1
    end
    for _, e in ipairs(entries) do
      local o = e[2][2]
      local ok, j = true, nil
      if not full then ok, j = pcall(next_of, pools[o]) end
      if ok and j and not has_room(j, #out + #taken_for == 0) then
        put_back(j.b, j.place, j.member)
        full, j = true, nil
      end
      if ok and j then
        taken_for[#taken_for + 1] = {j = j, entry = e[1]}
      else
        ack(c, e[1])
        if ok then
          met[o] = true
        else
          say_failed(j)
          going = false
        end
      end
    end
    if not begin_all(c, taken_for) then going = false end
    if full then
      going = false
      for _, p in pairs(pools) do
        for n = p.at, #p, 2 do put_back(p.b, p[n + 1], p[n]) end
      end
    end
    next_turns(c, used, going and #used == 1 and #entries < most and not met[used[1]])
  end
end
-- Who takes any kind and has slots left has taken all there is: nobody else need wake.
local left = wanted ~= nil or full or (rationed ~= '' and ration <= 0)
rung = rung and (left or #out == slots)
settle()
local last = call('XREVRANGE', P .. 'bell', '+', '-', 'COUNT', 1)
if out.failed and #out == 0 then return redis.error_reply(out.failed) end
return {last[1] and last[1][1] or '0-0', next_time({'due', 'leases', 'exp'}), out}
)lua";

}  // namespace mainstay::storage::redis
