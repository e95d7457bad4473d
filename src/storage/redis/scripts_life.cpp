// The part of the scripts that all verbs share. Times are microseconds of the server's clock.
//
// A job is a record j:ID, a map in MessagePack, with its input in i:ID and its result in r:ID. What
// a record does not name is nothing or zero. Its fields, by letter, as it was handed in: id, o
// owner, c class, k kind, h client, x key, g digest, b batch, R run_at, E expires, A attempts_max,
// V repeat_every. As it lives: s state (S scheduled, Q queued, R running, G succeeded, D dead,
// C cancelled, X expired), a attempts, t token, n silent, w worker, C created, B started, F
// finished, f failure, v how the attempt of the token ended (c f g), l end of the lease, y ready
// since, q number in order of arrival, z bytes of the input; of a repeating job: pR and pE run_at
// and expires as they were planned, m (1) that an end before a retry has made the next occurrence.
#include "storage/redis/script_pieces.h"

namespace mainstay::storage::redis {

const std::string_view kLife = R"lua(
local P = KEYS[1]
local call = redis.call
local T = call('TIME')
local now = tonumber(ARGV[11]) or T[1] * 1000000 + T[2]
local keep_results, keep_dead, keep_keys = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local poison, high, low = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local counts, made, rung = {}, 0, false

local function num(text) return tonumber(text) or 0 end
-- Where several calls name a number it becomes a text once.
local function text(n) return string.format('%d', n) end
local keep_until, dead_until = text(now + keep_results), text(now + keep_dead)
local function count(c, s, d) local f = c .. s; counts[f] = (counts[f] or 0) + d end
local waiting_by = {}
-- Items of batches come in without being asked for a place, and take none of their owner's.
local function waits(j, d)
  if not j.b then waiting_by[j.o] = (waiting_by[j.o] or 0) + d end
end
local function depth()
  local d = 0
  for _, n in ipairs(call('HMGET', P .. 'n', '0S', '0Q', '0R', '1S', '1Q', '1R', '2S', '2Q', '2R',
      '3S', '3Q', '3R')) do d = d + num(n) end
  return d
end
local function each_slice(list, width, use)
  for first = 1, #list, width do use(unpack(list, first, math.min(first + width - 1, #list))) end
end

-- Records are read once, changed here, and written together by settle(). A verb changes one only
-- after the calls that may fail: what has failed is as it was.
local known, unsaved, writes = {}, {}, {}
local function learn(ids)
  local keys, new, done = {}, {}, 0
  for _, id in ipairs(ids) do
    if known[id] == nil then keys[#keys + 1], new[#new + 1] = P .. 'j:' .. id, id end
  end
  each_slice(keys, 1000, function(...)
    local got = call('MGET', ...)
    for n = 1, #got do known[new[done + n]] = got[n] end
    done = done + #got
  end)
end
local function get(id)
  local j = known[id]
  if j == nil then j = call('MGET', P .. 'j:' .. id)[1] end  -- foreign things are no jobs
  if type(j) == 'string' then
    local ok, map = pcall(cmsgpack.unpack, j)
    j = ok and type(map) == 'table' and map.id == id and map
  end
  known[id] = j
  return j or nil
end
local function put(key, value)
  local n = #writes
  writes[n + 1], writes[n + 2] = P .. key, value
end
local function save(j) unsaved[j.id] = j end
-- The record as it is now, which nothing changes any more.
local function store(j)
  local record = cmsgpack.pack(j)
  put('j:' .. j.id, record)
  unsaved[j.id] = nil
  return record
end
local function write_records()
  for _, j in pairs(unsaved) do store(j) end
  local list = writes
  writes = {}
  each_slice(list, 1000, function(...) call('MSET', ...) end)
end
-- A job as it is handed out.
local function whole(j)
  local texts = call('MGET', P .. 'i:' .. j.id, P .. 'r:' .. j.id)
  return {cmsgpack.pack(j), texts[1] or '', texts[2] or ''}
end

-- Whether every class is refused, which ends when the depth is below `low`; the depth.
local function gate()
  local shed, deep = call('HGET', P .. 'n', 'shed'), depth()
  if not shed or deep >= low then return shed, deep end
  call('HDEL', P .. 'n', 'shed')
  return false, deep
end
local function refused_from(c) return tonumber(ARGV[7 + c]) end

-- Entries that are done with, and places in the sorted sets of times. They go at the end: by then
-- all that must not be lost is written.
local acks, ends, dropped = {}, {}, {due = {}, leases = {}, exp = {}}
local function ack(c, entry)
  local list = acks[c]
  if not list then list = {}; acks[c] = list end
  list[#list + 1] = entry
end
local function drop(set, id) dropped[set][id] = true end
local function note(set, time, id)
  call('ZADD', P .. set, time, id)
  dropped[set][id] = nil
end
local function settle()
  write_records()
  for f, d in pairs(counts) do if d ~= 0 then call('HINCRBY', P .. 'n', f, d) end end
  for o, d in pairs(waiting_by) do
    if d ~= 0 and call('HINCRBY', P .. 'u', o, d) <= 0 then call('HDEL', P .. 'u', o) end
  end
  each_slice(ends, 1000, function(...) call('ZADD', P .. 'ended', ...) end)
  for c, list in pairs(acks) do
    each_slice(list, 1000, function(...)
      call('XACK', P .. 's:' .. c, 'w', ...)
      call('XDEL', P .. 's:' .. c, ...)
    end)
  end
  for set, ids in pairs(dropped) do
    local gone = {}
    for id in pairs(ids) do gone[#gone + 1] = id end
    each_slice(gone, 1000, function(...) call('ZREM', P .. set, ...) end)
  end
  if made > 0 then
    local d = depth()
    if d >= high then call('HSET', P .. 'n', 'shed', 1) end
  end
  if rung then call('XADD', P .. 'bell', 'MAXLEN', '1', '*', 'r', '1') end
end
local function reason(why) return type(why) == 'table' and why.err or tostring(why) end
-- One item of a batch: its error is its own.
local function guarded(f, ...)
  local ok, out = pcall(f, ...)
  return ok and out or '!' .. reason(out)
end
-- The items of a batch, `width` arguments each, the first of them a job's id.
local function each_item(width, verb)
  local ids, out = {}, {}
  for at = 12, #ARGV, width do ids[#ids + 1] = ARGV[at] end
  learn(ids)
  for n = 1, #ids do
    local at = 12 + (n - 1) * width
    out[n] = guarded(verb, unpack(ARGV, at, at + width - 1))
  end
  settle()
  return out
end
)lua";

const std::string_view kLanes = R"lua(
-- The ready jobs of one owner in one class are a sorted set b:CLASS:OWNER, oldest first. While it
-- holds any, the owner has one turn: an entry in the class's stream s:CLASS, noted in the hash r.
-- Whoever reads a turn takes the owner's oldest job, and the owner's next turn goes to the stream's
-- end: owners take turns. A turn that was read and not used stays pending and comes first next time.
-- What must run at home has streams and lanes of its own, s:CLASS@ and b:CLASS@:OWNER: whoever may
-- not run it never meets it, however many owners wait there.
local function lane_of(j) return string.sub(j.k, -5) == '@home' and j.c .. '@' or j.c end
local function turn(c, o) call('XADD', P .. 's:' .. c, '*', 'o', o) end
-- An owner whose lane holds jobs has a turn.
local function lane_ready(c, o)
  local r = c .. ':' .. o
  if call('HSETNX', P .. 'r', r, 1) == 1 then
    local ok, failed = pcall(turn, c, o)
    if not ok then
      call('HDEL', P .. 'r', r)
      error(failed)
    end
  end
  rung = true
end
local function ready(j)
  local lane = lane_of(j)
  call('ZADD', P .. 'b:' .. lane .. ':' .. j.o, j.q, j.id .. '\n' .. j.k)
  lane_ready(lane, j.o)
end
-- A queued job runs no more. A turn left without jobs is dropped when it is read.
local function unready(j)
  call('ZREM', P .. 'b:' .. lane_of(j) .. ':' .. j.o, j.id .. '\n' .. j.k)
end

-- Jobs that come in are planned first and told to Redis together, one call for what can be one:
-- a call costs more than what it does. What makes a job findable comes last; an error before that
-- leaves entries that lead nowhere, which claim drops, and the same submission may come again.
local planned = {}
local function plan(j, input)
  j.s = (j.R or 0) > now and 'S' or 'Q'
  j.z = #input
  local new = {j = j, input = input}
  planned[#planned + 1] = new
  return new
end
-- Owners and keys hold no control characters, but each may hold a ':'.
local function key_of(o, x) return P .. 'k:' .. o .. '\n' .. x end
local function write_planned()
  if #planned == 0 then return end
  local coming, lists, lanes, soon = planned, {}, {}, {}
  planned = {}
  local function add(list, score, id)
    local l = lists[list]
    if not l then l = {}; lists[list] = l end
    l[#l + 1], l[#l + 2] = score, id
  end
  local before, texts = call('INCRBY', P .. 'seq', #coming) - #coming, {}
  local function write(key, value) texts[#texts + 1], texts[#texts + 2] = key, value end
  for n, new in ipairs(coming) do
    local j = new.j
    local q, id = text(before + n), j.id
    j.q, j.C, j.y = q, now, now
    if j.s == 'S' then
      add('due', text(j.R), id)
      soon[id] = true
    else
      local lane = 'b:' .. lane_of(j) .. ':' .. j.o
      if not lists[lane] then lanes[#lanes + 1] = j end
      add(lane, q, id .. '\n' .. j.k)
    end
    if j.E then add('exp', text(j.E), id) end
    add('all', q, id)
    add('o:' .. j.o, q, id)
    if j.b then add('g:' .. j.b, q, id) end
    if j.x then write(key_of(j.o, j.x), id .. '\n' .. (j.g or '')) end
    write(P .. 'i:' .. id, new.input)
    write(P .. 'j:' .. id, cmsgpack.pack(j))
  end
  for list, l in pairs(lists) do
    each_slice(l, 1000, function(...) call('ZADD', P .. list, ...) end)
  end
  for _, j in ipairs(lanes) do lane_ready(lane_of(j), j.o) end
  if next(soon) and soon[call('ZRANGE', P .. 'due', 0, 0)[1]] then rung = true end
  each_slice(texts, 1000, function(...) call('MSET', ...) end)
  for _, new in ipairs(coming) do
    known[new.j.id] = new.j
    count(new.j.c, new.j.s, 1)
    waits(new.j, 1)
    new.made = true
  end
  made = made + #coming
end
-- Keeps when a repeating job was to run and to expire, before a failure or a hand changes that.
local function keep_plan(j)
  if not j.V or j.pR then return end
  j.pR, j.pE = j.R or j.C, j.E or 0
end
-- The next occurrence of a repeating job; made once, since its id says when it runs.
local function occur_again(j)
  if not j.V or j.m then return end
  keep_plan(j)
  local every, run = j.V * 1000000, j.pR
  run = run + math.max(1, math.floor((now - run) / every) + 1) * every
  local id = string.match(j.id, '^[^.]*') .. '.' .. text(run)
  if get(id) then return end
  plan({id = id, o = j.o, c = j.c, k = j.k, h = j.h, x = j.x, g = j.g, b = j.b, R = run,
    E = j.pE > 0 and j.pE + run - j.pR or nil, A = j.A, V = j.V},
    call('GET', P .. 'i:' .. j.id) or '')
  write_planned()
end
-- From here on a record changes: what may fail has been done.
local function become(j, s)
  count(j.c, j.s, -1)
  count(j.c, s, 1)
  j.s = s
  save(j)
end
-- An attempt has ended without an end of the job: it waits again, and may expire again.
local function waits_again(j, s)
  if j.E then note('exp', j.E, j.id) end
  become(j, s)
  waits(j, 1)
  drop('leases', j.id)
end
-- The same, and it is to run at that time.
local function wait_until(j, time)
  note('due', time, j.id)
  keep_plan(j)
  waits_again(j, 'S')
  j.R = time
  if call('ZRANGE', P .. 'due', 0, 0)[1] == j.id then rung = true end
end
local function over(j, s)
  if j.s == 'S' then drop('due', j.id) end
  if j.s == 'R' then drop('leases', j.id) else waits(j, -1) end
  if j.E then drop('exp', j.id) end
  local n = #ends
  ends[n + 1], ends[n + 2] = s == 'D' and dead_until or keep_until, j.id
  count('', 'ends', 1)
  become(j, s)
  j.F = now
end
local function die(j, failure)
  call('XADD', P .. 'dead', '*', 'j', j.id, 'o', j.o, 'k', j.k, 'a', j.a, 'f', failure)
  occur_again(j)
  j.f = failure
  over(j, 'D')
  count('', 'died', 1)
end
)lua";

const std::string_view kTimers = R"lua(
local LEASE_OVER = 'lease_over\nThe worker was not heard of before its lease ended.'
local function lease_over(j)
  local silent = (j.n or 0) + 1
  if j.a >= j.A or silent >= poison then
    die(j, LEASE_OVER)
  else
    ready(j)
    waits_again(j, 'Q')
    j.y, j.f = now, LEASE_OVER
  end
  j.n = silent
  count('', 'lapsed', 1)
end
local function due(j)
  ready(j)
  become(j, 'Q')
  j.y = math.min(j.R, now)
  drop('due', j.id)
end
local function expire(j)
  occur_again(j)
  if j.s == 'Q' then unready(j) end
  over(j, 'X')
  j.v = nil
end
-- What its times say about one job; true when that changed it.
local function tick(j)
  local waiting = j.s == 'S' or j.s == 'Q'
  if waiting and j.E and j.E <= now then expire(j) return true end
  if j.s == 'S' and j.R <= now then due(j) return true end
  if j.s == 'R' and j.l <= now then lease_over(j) return true end
  return false
end
local function timers(most)
  local looked = 0
  for _, set in ipairs({'exp', 'due', 'leases', 'exp'}) do
    local ids = call('ZRANGEBYSCORE', P .. set, '-inf', now, 'LIMIT', 0,
      set == 'exp' and most + looked or most)
    if set == 'exp' then looked = #ids end
    learn(ids)
    for _, id in ipairs(ids) do
      local j = get(id)
      if not j then
        drop(set, id)
      elseif not dropped[set][id] and not tick(j) then
        -- An entry whose job has moved on: of no more use, or to be looked at at another time.
        if set == 'leases' and j.s == 'R' then note(set, j.l, id)
        elseif set == 'due' and j.s == 'S' then note(set, j.R, id)
        else drop(set, id) end
      end
    end
  end
end
-- Microseconds until one of the times comes; -1: none is known.
local function next_time(sets)
  local soonest = -1
  for _, set in ipairs(sets) do
    local head = call('ZRANGE', P .. set, 0, 0, 'WITHSCORES')
    if head[2] then
      local wait = math.max(tonumber(head[2]) - now, 0)
      if soonest < 0 or wait < soonest then soonest = wait end
    end
  end
  return text(soonest)
end
-- A job of this owner ('': anybody), as its times make it now.
local function current(id, o)
  local j = get(id)
  if not j or (o ~= '' and j.o ~= o) then return nil end
  if tick(j) then tick(j) end  -- due, and then expired
  return j
end
-- The job that this lease's attempt is for; nil when the lease is stale. Second: told again.
local function leased(id, token, verb)
  local j = get(id)
  if not j then return nil, false end
  if j.t == tonumber(token) and j.v == verb then return j, true end
  if tick(j) or j.s ~= 'R' or j.t ~= tonumber(token) then return nil, false end
  return j, false
end
-- Forgets a job; its key stands for as long as it must.
local function forget(j)
  if j.x then
    local key = key_of(j.o, j.x)
    local kept = call('GET', key)
    if kept and string.sub(kept, 1, #j.id + 1) == j.id .. '\n' then
      local still = j.C + keep_keys - now
      if still < 1000 then call('DEL', key)
      else
        call('SET', key, j.id .. '\n' .. (j.g or '') .. '\n' .. j.s .. text(now + still), 'PX',
          math.floor(still / 1000))
      end
    end
  end
  call('UNLINK', P .. 'j:' .. j.id, P .. 'i:' .. j.id, P .. 'r:' .. j.id)
  known[j.id], unsaved[j.id] = false, nil
  call('ZREM', P .. 'all', j.id)
  call('ZREM', P .. 'o:' .. j.o, j.id)
  call('ZREM', P .. 'ended', j.id)
  if j.b then call('ZREM', P .. 'g:' .. j.b, j.id) end
  count(j.c, j.s, -1)
end
)lua";

}  // namespace mainstay::storage::redis
