// The scripts that jobs come in and go out by. ARGV[1] to [11] are the limits and the time (see
// kLife); a verb's own arguments begin at ARGV[12].
#include "storage/redis/script_pieces.h"

namespace mainstay::storage::redis {

// Each item: waiting_max (-1: no cap is asked, nor the depth), a job's record and its input.
// Answers: a letter, the state, waiting (w: its count), the id.
const std::string_view kSubmit = R"lua(
local shed, deep = gate()
local function answer(letter, state, number, id) return letter .. state .. number .. ':' .. id end
-- What is known of these ids and keys already, asked for all of them at once. `told`: those that
-- came in this very script, which are written before they are looked for again.
local jobs, ids, keys, kept_of, told, any_known = {}, {}, {}, {}, {}, 0
for at = 13, #ARGV, 3 do
  local j = cmsgpack.unpack(ARGV[at])
  jobs[#jobs + 1] = j
  ids[#ids + 1] = P .. 'j:' .. j.id
  if j.x then keys[#keys + 1] = key_of(j.o, j.x) end
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
  local new_jobs = planned
  local ok, failed = pcall(write_planned)
  coming = {}
  if ok then return end
  for _, new in ipairs(new_jobs) do
    if not new.made then
      out[new.place] = '!' .. reason(failed)
      deep = deep - 1
    end
  end
end
local function submit(most, j, input)
  local key = j.x and key_of(j.o, j.x)
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
      if digest ~= (j.g or '') then return answer('k', '-', 0, id) end
      local old = current(id, '')
      local state = old and old.s or last
      if state ~= '' then return answer('o', state, waiting(j.o), id) end
    end
  end
  if again or any_known > 0 then
    local same = get(j.id)
    if same then
      if same.o ~= j.o or same.x ~= j.x or same.g ~= j.g then return answer('i', '-', 0, j.id) end
      return answer('o', same.s, waiting(j.o), j.id)
    end
  end
  if j.E and (j.E <= now or j.E <= (j.R or 0)) then return answer('e', '-', 0, j.id) end
  if most > 0 then
    local mine = waiting(j.o)
    if mine >= most then return answer('w', '-', mine, j.id) end
  end
  if most >= 0 and (shed or deep >= refused_from(j.c)) then
    return answer('d', '-', deep, j.id)
  end
  plan(j, input).place = #out + 1
  told[j.id] = true
  if key then told[key] = true end
  if not j.b then coming[j.o] = (coming[j.o] or 0) + 1 end
  deep = deep + 1
  if deep >= high then
    call('HSET', P .. 'n', 'shed', 1)
    shed = true
  end
  return answer('n', j.s, waiting(j.o), j.id)
end
for n, j in ipairs(jobs) do
  out[#out + 1] = guarded(submit, tonumber(ARGV[9 + 3 * n]), j, ARGV[11 + 3 * n])
end
write()
settle()
return {out, text(deep), shed and 1 or 0, call('HGET', P .. 'n', 'ends') or '0'}
)lua";

// worker, slots, lease, bytes of jobs after which no further one is taken, a kind of which fewer
// are taken ('': none), how many of it, claims before this one that found something, kinds.
// Answers: last ring of the bell, time until the next timer, the attempts.
const std::string_view kClaim = R"lua(
local worker, slots, lease = ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])
local bytes_left, rationed, ration = tonumber(ARGV[15]), ARGV[16], tonumber(ARGV[17])
local full = false  -- the reply holds as much as it may: what is ready stays so
local failed, lane_failed = nil, nil  -- a lane's trouble is its owner's alone
local wanted, home, elsewhere = nil, #ARGV < 19, #ARGV < 19
for n = 19, #ARGV do
  wanted = wanted or {}
  wanted[ARGV[n]] = true
  if string.sub(ARGV[n], -5) == '@home' then home = true else elsewhere = true end
end
-- The lanes of a class that hold such kinds and any turns. Of the claims of a worker that takes both
-- kinds, as many begin with either as owners wait there.
local function lanes_of(class)
  local c, before = tostring(class), tonumber(ARGV[18])
  local at_home = home and call('XLEN', P .. 's:' .. c .. '@') or 0
  local others = elsewhere and call('XLEN', P .. 's:' .. c) or 0
  local share = at_home / math.max(at_home + others, 1)
  local first = math.floor((before + 1) * share) > math.floor(before * share)
  local out = others > 0 and {c} or {}
  if at_home > 0 then table.insert(out, first and 1 or #out + 1, c .. '@') end
  return out
end
timers(100)
local out, inputs, lease_end = {}, {}, now + lease
local lease_text = text(lease_end)
local function wants(kind)
  return (not wanted or wanted[kind]) and (rationed == '' or kind ~= rationed or ration > 0)
end
-- Up to `most` of the owner's ready jobs that this worker can run, taken out: each with its place.
local function take_out(b, most)
  if most == 0 then return {} end
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
local function put_back(one)
  local lane = one.lane
  redis.pcall('ZADD', lane.b, lane.got[one.at + 1], lane.got[one.at])
  rung = true
end
-- A ready job, as far as it still is one.
local function ready_one(id)
  local j = get(id)
  if not j or j.s ~= 'Q' then return nil end
  if j.E and j.E <= now then
    tick(j)
    return nil
  end
  return j
end
-- Whether the reply has room for this one; there is always room for the first.
local function has_room(j, first)
  local size = (j.z or 0) + #(j.f or '') + 1024
  if size > bytes_left and not first then return false end
  bytes_left = bytes_left - size
  return true
end
-- Up to `share` jobs of each owner, one of each in turn. Second: whose lanes may hold more.
local function deal(c, owners, share)
  local lanes, more, left = {}, {}, slots - #out
  for _, o in ipairs(owners) do
    local most = math.min(share, left)
    local b = P .. 'b:' .. c .. ':' .. o
    local ok, got = pcall(take_out, b, most)
    if ok then
      lanes[#lanes + 1] = {b = b, got = got}
      left = left - #got / 2
      if #got == 2 * most then more[#more + 1] = o end
    else
      lane_failed = reason(got)
    end
  end
  local dealt, ids = {}, {}
  for n = 1, 2 * share, 2 do
    for _, lane in ipairs(lanes) do
      local member = lane.got[n]
      if member then
        local id, kind = string.match(member, '^([^\n]*)\n(.*)$')
        ids[#ids + 1] = id
        dealt[#dealt + 1] = {id = id, kind = kind, lane = lane, at = n}
      end
    end
  end
  learn(ids)
  return dealt, more
end
-- Those of them that this call begins.
local function chosen(dealt)
  local taken = {}
  for _, one in ipairs(dealt) do
    local ok, j = true, nil
    if full or not wants(one.kind) then
      put_back(one)
    else
      ok, j = pcall(ready_one, one.id)
    end
    if not ok then
      failed = reason(j)
    elseif j and not has_room(j, #out + #taken == 0) then
      full = true
      put_back(one)
    elseif j then
      if one.kind == rationed then ration = ration - 1 end
      one.j = j
      taken[#taken + 1] = one
    end
  end
  return taken
end
local served = {}  -- owners of whom something began
local function begin(j)
  j.a, j.t, j.v, j.w, j.B, j.l = (j.a or 0) + 1, (j.t or 0) + 1, nil, worker, now, lease_end
  become(j, 'R')
  waits(j, -1)
  served[j.o] = true
  dropped.leases[j.id] = nil  -- the end of its lease before may have been found in this very call
  out[#out + 1] = {store(j)}
  inputs[#inputs + 1] = P .. 'i:' .. j.id
end
local function begin_all(taken)
  local leases = {}
  for _, one in ipairs(taken) do
    leases[#leases + 1], leases[#leases + 2] = lease_text, one.id
  end
  local ok, why = pcall(each_slice, leases, 1000,
    function(...) call('ZADD', P .. 'leases', ...) end)
  if not ok then failed = reason(why) end
  for _, one in ipairs(taken) do
    if ok then begin(one.j) else put_back(one) end
  end
  write_records()  -- they are in no lane any more
end
-- Turns: those that were read before and not used, after the entry `after`; '>': new ones.
local function read(c, most, after)
  local key = P .. 's:' .. c
  local function ask(how)
    return how('XREADGROUP', 'GROUP', 'w', 'claims', 'COUNT', most, 'STREAMS', key, after)
  end
  local got = ask(redis.pcall)
  if got and got.err then
    if string.sub(got.err, 1, 7) ~= 'NOGROUP' then error(got) end
    call('XGROUP', 'CREATE', key, 'w', '0', 'MKSTREAM')
    got = ask(call)
  end
  return got and got[1][2] or {}
end
-- Reads further turns, more at each time: of those owners that were not met yet. Second: where to
-- read on; nil: that were all.
local function meet(c, met, after)
  local most, owners = math.min(math.max(slots - #out, 2 * #met), 1000), {}
  local entries = read(c, most, after)
  for _, e in ipairs(entries) do
    local o = e[2] and e[2][2]
    if not o or met[o] then
      ack(c, e[1])
    else
      met[o] = e[1]
      met[#met + 1], owners[#owners + 1] = o, o
    end
  end
  if #entries == most then return owners, after == '>' and after or entries[most][1] end
  return owners, after ~= '>' and '>' or nil
end
-- A turn is good for one job. When all have been read and slots are left nobody else waits, and
-- those whose lanes hold more share what is free.
local function serve(c, met)
  local after, more, owners, dealt, rest = '0', {}, nil, nil, nil
  while not (full or failed) and #out < slots and (after or #more > 0) do
    if after then
      owners, after = meet(c, met, after)
    else
      owners, more = more, {}
    end
    if #owners > 0 then
      local share = after and 1 or math.max(1, math.floor((slots - #out) / (#owners + #more)))
      dealt, rest = deal(c, owners, share)
      begin_all(chosen(dealt))
      for _, o in ipairs(rest) do more[#more + 1] = o end
    end
  end
end
-- Who was served has its next turn at the end; who was not keeps the one that was read.
local function next_turns(c, met)
  for _, o in ipairs(met) do
    local empty = redis.pcall('ZCARD', P .. 'b:' .. c .. ':' .. o) == 0
    if empty then
      call('HDEL', P .. 'r', c .. ':' .. o)
    elseif served[o] then
      turn(c, o)
    end
    if empty or served[o] then ack(c, met[o]) end
  end
end
for class = 0, 3 do
  for _, c in ipairs(lanes_of(class)) do
    local met = {}
    served = {}
    serve(c, met)
    next_turns(c, met)
  end
end
-- Who takes any kind and has slots left has taken all there is: nobody else need wake.
local left = wanted ~= nil or full or (rationed ~= '' and ration <= 0)
rung = rung and (left or #out == slots)
settle()
local n, last = 0, call('XREVRANGE', P .. 'bell', '+', '-', 'COUNT', 1)
each_slice(inputs, 1000, function(...)
  for _, input in ipairs(call('MGET', ...)) do
    n = n + 1
    out[n][2] = input or ''
  end
end)
failed = failed or lane_failed
if failed and #out == 0 then return redis.error_reply(failed) end
return {last[1] and last[1][1] or '0-0', next_time({'due', 'leases', 'exp'}), out}
)lua";

}  // namespace mainstay::storage::redis
