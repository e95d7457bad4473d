// The part of the scripts that all verbs share. Times are microseconds of the server's clock.
//
// A job is a hash j:ID. Its fields, by letter, as it was handed in: o owner, c class, k kind,
// h client, i input, x key, g digest, b batch, R run_at, E expires, A attempts_max, V repeat_every.
// As it lives: s state (S scheduled, Q queued, R running, G succeeded, D dead, C cancelled,
// X expired), a attempts, t token, n silent, w worker, C created, B started, F finished, r result,
// f failure, v how the attempt of the token ended (c f g), e stream entry, l end of the lease,
// y ready since, q number in order of arrival; pR and pE of a repeating job: run_at and expires as
// they were planned.
#include "storage/redis/script_pieces.h"

namespace mainstay::storage::redis {

const std::string_view kLife = R"lua(
local P = KEYS[1]
local call = redis.call
local T = call('TIME')
local now = tonumber(ARGV[11]) or T[1] * 1000000 + T[2]
local keep_results, keep_dead, keep_keys = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local poison, high, low = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local ALL = {'o','c','k','h','i','x','g','b','R','E','A','V','s','a','t','n','w','C','B','F','r',
  'f','v','e','l','y','q','pR'}
local SOME = {'o','c','k','h','s','x','g','b','R','E','A','V','s','a','t','n','w','C','B','F','s',
  'f','v','e','l','y','q','pR'}
local counts, made, rung = {}, 0, false

local function get(id, fields)
  local key = P .. 'j:' .. id
  local got = call('HMGET', key, unpack(fields or SOME))
  if not got[13] then return nil end
  local j = {id = id, key = key, raw = got}
  for n = 1, #ALL do j[ALL[n]] = got[n] or '' end
  return j
end
local function num(text) return tonumber(text) or 0 end
-- Numbers become arguments as texts: Redis formats a double at every call.
local function text(n) return string.format('%.0f', n) end
local now_text = text(now)
local function count(c, s, d) local f = c .. s; counts[f] = (counts[f] or 0) + d end
local function moved(c, from, to) count(c, from, -1); count(c, to, 1) end
local waiting_by = {}
local function waits(o, d) waiting_by[o] = (waiting_by[o] or 0) + d end
local function depth()
  local d = 0
  for _, n in ipairs(call('HMGET', P .. 'n', '0S', '0Q', '0R', '1S', '1Q', '1R', '2S', '2Q', '2R',
      '3S', '3Q', '3R')) do d = d + num(n) end
  return d
end

-- Whether every class is refused, which ends when the depth is below `low`; the depth.
local function gate()
  local shed, deep = call('HGET', P .. 'n', 'shed'), depth()
  if not shed or deep >= low then return shed, deep end
  call('HDEL', P .. 'n', 'shed')
  return false, deep
end
local function refused_from(c) return tonumber(ARGV[7 + tonumber(c)]) end

-- Entries that are done with, told to Redis together at the end: by then all that must
-- not be lost is written. An error before that leaves them pending, and upkeep clears them.
local acks, unleased, ends = {}, {}, {}
local function ack(c, entry)
  if entry == '' then return end
  local list = acks[c]
  if not list then list = {}; acks[c] = list end
  list[#list + 1] = entry
end
local function each_slice(list, width, use)
  for first = 1, #list, width do use(unpack(list, first, math.min(first + width - 1, #list))) end
end
local function settle()
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
  local gone = {}
  for id in pairs(unleased) do gone[#gone + 1] = id end
  each_slice(gone, 1000, function(...) call('ZREM', P .. 'leases', ...) end)
  for f, d in pairs(counts) do if d ~= 0 then call('HINCRBY', P .. 'n', f, d) end end
  if made > 0 then
    local d = depth()
    if d >= high then call('HSET', P .. 'n', 'shed', 1) end
  end
  if rung then call('XADD', P .. 'bell', 'MAXLEN', '1', '*', 'r', '1') end
end
local function unlease(j) ack(j.c, j.e); unleased[j.id] = true end
-- One item of a batch: its error is its own.
local function guarded(f, ...)
  local ok, out = pcall(f, ...)
  if ok then return out end
  return '!' .. (type(out) == 'table' and out.err or tostring(out))
end
)lua";

const std::string_view kLanes = R"lua(
-- The ready jobs of one owner in one class are a sorted set b:CLASS:OWNER, oldest first. While it
-- holds any, the owner has one turn: an entry in the class's stream s:CLASS, noted in the hash r.
-- Whoever reads a turn takes the owner's oldest job, the entry stays pending for as long as the
-- job runs, and the owner's next turn goes to the stream's end: owners take turns.
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
  call('ZADD', P .. 'b:' .. j.c .. ':' .. j.o, j.q, j.id .. '\n' .. j.k)
  lane_ready(j.c, j.o)
end
-- A queued job runs no more. A turn left without jobs is dropped when it is read.
local function unready(j)
  call('ZREM', P .. 'b:' .. j.c .. ':' .. j.o, j.id .. '\n' .. j.k)
end

-- Jobs that come in are planned first and told to Redis together, one call for what can be one:
-- a call costs more than what it does. What makes a job findable comes last; an error before that
-- leaves entries that lead nowhere, which claim drops, and the same submission may come again.
local TEXTS, NUMBERS = {'h', 'x', 'g', 'b'}, {'R', 'E', 'V'}
local planned = {}
local function plan(j)
  j.s = j.R > now and 'S' or 'Q'
  planned[#planned + 1] = j
end
local function key_of(o, x) return P .. 'k:' .. o .. ':' .. x end
local function write_job(j)
  local set = {'o', j.o, 'c', j.c, 'k', j.k, 'i', j.i, 'A', text(j.A), 's', j.s, 'C', now_text,
    'y', now_text, 'q', j.q}
  local n = #set
  for i = 1, #TEXTS do
    local f = TEXTS[i]
    if j[f] ~= '' then set[n + 1], set[n + 2], n = f, j[f], n + 2 end
  end
  for i = 1, #NUMBERS do
    local f = NUMBERS[i]
    if j[f] ~= 0 then set[n + 1], set[n + 2], n = f, text(j[f]), n + 2 end
  end
  call('HSET', P .. 'j:' .. j.id, unpack(set))
  count(j.c, j.s, 1)
  waits(j.o, 1)
  made = made + 1
  j.made = true
end
local function write_planned()
  local jobs, lists, lanes, keys, soon = planned, {}, {}, {}, {}
  planned = {}
  if #jobs == 0 then return end
  local function add(list, score, id)
    local l = lists[list]
    if not l then l = {}; lists[list] = l end
    l[#l + 1], l[#l + 2] = score, id
  end
  local before = call('INCRBY', P .. 'seq', #jobs) - #jobs
  for n, j in ipairs(jobs) do
    j.q = text(before + n)
    if j.s == 'S' then
      add('due', text(j.R), j.id)
      soon[j.id] = true
    else
      local lane = 'b:' .. j.c .. ':' .. j.o
      if not lists[lane] then lanes[#lanes + 1] = j end
      add(lane, j.q, j.id .. '\n' .. j.k)
    end
    if j.E > 0 then add('exp', text(j.E), j.id) end
    add('all', j.q, j.id)
    add('o:' .. j.o, j.q, j.id)
    if j.b ~= '' then add('g:' .. j.b, j.q, j.id) end
    if j.x ~= '' then keys[#keys + 1], keys[#keys + 2] = key_of(j.o, j.x), j.id .. '\n' .. j.g end
  end
  for list, l in pairs(lists) do
    each_slice(l, 1000, function(...) call('ZADD', P .. list, ...) end)
  end
  for _, j in ipairs(lanes) do lane_ready(j.c, j.o) end
  if next(soon) and soon[call('ZRANGE', P .. 'due', 0, 0)[1]] then rung = true end
  each_slice(keys, 1000, function(...) call('MSET', ...) end)
  for _, j in ipairs(jobs) do write_job(j) end
end
-- A job from the 13 arguments that begin at ARGV[at].
local function taken(at)
  return {id = ARGV[at], o = ARGV[at + 1], c = ARGV[at + 2], k = ARGV[at + 3], h = ARGV[at + 4],
    i = ARGV[at + 5], x = ARGV[at + 6], g = ARGV[at + 7], b = ARGV[at + 8],
    R = tonumber(ARGV[at + 9]), E = tonumber(ARGV[at + 10]), A = tonumber(ARGV[at + 11]),
    V = tonumber(ARGV[at + 12])}
end
-- Keeps when a repeating job was to run and to expire, before a failure or a hand changes that.
local function keep_plan(j)
  if num(j.V) <= 0 then return end
  j = get(j.id)
  call('HSETNX', j.key, 'pR', num(j.R) > 0 and j.R or j.C)
  call('HSETNX', j.key, 'pE', text(num(j.E)))
end
-- The next occurrence of a repeating job; made once, since its id says when it runs.
local function occur_again(j)
  local every = num(j.V) * 1000000
  if every <= 0 then return end
  keep_plan(j)
  local planned = call('HMGET', j.key, 'pR', 'pE')
  local base = num(planned[1])
  local run = base + every
  if base <= now then run = base + (math.floor((now - base) / every) + 1) * every end
  local id = string.match(j.id, '^[^.]*') .. '.' .. string.format('%.0f', run)
  if call('EXISTS', P .. 'j:' .. id) == 1 then return end
  local expires = num(planned[2])
  if expires > 0 then expires = expires + run - base end
  local whole = get(j.id, ALL)
  plan({id = id, o = whole.o, c = whole.c, k = whole.k, h = whole.h, i = whole.i, x = whole.x,
    g = whole.g, b = whole.b, R = run, E = expires, A = num(whole.A), V = num(whole.V)})
  write_planned()
end
-- An attempt has ended without an end of the job: it waits again, and may expire again.
local function waits_again(j)
  if num(j.E) > 0 then call('ZADD', P .. 'exp', j.E, j.id) end
  waits(j.o, 1)
end
-- Counts an end; the caller has written the state.
local function over(j, to)
  moved(j.c, j.s, to)
  count('', 'ends', 1)
  local n = #ends
  ends[n + 1], ends[n + 2] = text(now + (to == 'D' and keep_dead or keep_results)), j.id
  if num(j.E) > 0 then call('ZREM', P .. 'exp', j.id) end
end
local function die(j, failure, by)
  call('XADD', P .. 'dead', '*', 'j', j.id, 'o', j.o, 'k', j.k, 'a', j.a, 'f', failure)
  occur_again(j)
  call('HSET', j.key, 's', 'D', 'F', now, 'n', j.n, 'f', failure, 'v', by or j.v)
  over(j, 'D')
  count('', 'died', 1)
end
)lua";

const std::string_view kTimers = R"lua(
local LEASE_OVER = 'lease_over\nThe worker was not heard of before its lease ended.'
local function lease_over(j)
  count('', 'lapsed', 1)
  j.n = num(j.n) + 1
  if num(j.a) >= num(j.A) or j.n >= poison then
    die(j, LEASE_OVER)
  else
    ready(j)
    call('HSET', j.key, 's', 'Q', 'n', j.n, 'y', now, 'f', LEASE_OVER)
    moved(j.c, 'R', 'Q')
    waits_again(j)
  end
  unlease(j)
end
local function due(j)
  ready(j)
  call('HSET', j.key, 's', 'Q', 'y', now)
  moved(j.c, 'S', 'Q')
  call('ZREM', P .. 'due', j.id)
end
local function expire(j)
  occur_again(j)
  call('HSET', j.key, 's', 'X', 'F', now, 'v', '')
  if j.s == 'S' then call('ZREM', P .. 'due', j.id) else unready(j) end
  over(j, 'X')
  waits(j.o, -1)
end
-- What its times say about one job; true when that changed it.
local function tick(j)
  local waiting = j.s == 'S' or j.s == 'Q'
  if waiting and num(j.E) > 0 and num(j.E) <= now then expire(j) return true end
  if j.s == 'S' and num(j.R) <= now then due(j) return true end
  if j.s == 'R' and num(j.l) <= now then lease_over(j) return true end
  return false
end
local function timers(most)
  for _, set in ipairs({'exp', 'due', 'leases', 'exp'}) do
    local ids = call('ZRANGEBYSCORE', P .. set, '-inf', now, 'LIMIT', 0, most)
    for _, id in ipairs(ids) do
      local j = get(id)
      if not j then
        call('ZREM', P .. set, id)
      elseif not tick(j) then
        -- An entry whose job has moved on: of no more use, or to be looked at at another time.
        if set == 'leases' and j.s == 'R' then call('ZADD', P .. set, j.l, id)
        elseif set == 'due' and j.s == 'S' then call('ZADD', P .. set, j.R, id)
        else call('ZREM', P .. set, id) end
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
  return string.format('%.0f', soonest)
end
-- A job of this owner ('': anybody), as its times make it now.
local function current(id, o, fields)
  local j = get(id, fields)
  if not j or (o ~= '' and j.o ~= o) then return nil end
  if tick(j) then
    j = get(id, fields)
    if j and tick(j) then j = get(id, fields) end  -- due, and then expired
  end
  return j
end
-- The job that this lease's attempt is for; nil when the lease is stale. Second: told again.
local FENCE = {'s', 't', 'v', 'l', 'c', 'o', 'k', 'e', 'E', 'V'}
local function leased(id, token, verb, all)
  if not all then  -- most often the lease is current, and little has to be known
    local key = P .. 'j:' .. id
    local got = call('HMGET', key, unpack(FENCE))
    if got[1] == 'R' and got[2] == token and num(got[4]) > now then
      return {id = id, key = key, s = 'R', c = got[5], o = got[6], k = got[7], e = got[8],
        E = got[9] or '', V = got[10] or ''}, false
    end
  end
  local j = get(id)
  if not j then return nil, false end
  if j.t == token and j.v == verb then return j, true end
  if tick(j) then return nil, false end
  if j.s ~= 'R' or j.t ~= token then return nil, false end
  return j, false
end
-- Forgets a job; its key stands for as long as it must.
local function forget(j)
  if j.x ~= '' then
    local key = P .. 'k:' .. j.o .. ':' .. j.x
    local kept = call('GET', key)
    if kept and string.sub(kept, 1, #j.id + 1) == j.id .. '\n' then
      local still = num(j.C) + keep_keys - now
      if still < 1000 then call('DEL', key)
      else
        local until_ = string.format('%.0f', now + still)
        call('SET', key, j.id .. '\n' .. j.g .. '\n' .. j.s .. until_, 'PX',
          math.floor(still / 1000))
      end
    end
  end
  call('UNLINK', j.key)
  call('ZREM', P .. 'all', j.id)
  call('ZREM', P .. 'o:' .. j.o, j.id)
  call('ZREM', P .. 'ended', j.id)
  if j.b ~= '' then call('ZREM', P .. 'g:' .. j.b, j.id) end
  count(j.c, j.s, -1)
end
)lua";

}  // namespace mainstay::storage::redis
