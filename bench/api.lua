-- SPDX-License-Identifier: MIT
--
-- api.lua - the load, for wrk: wrk … -s bench/api.lua URL -- mix [ID | FILE] | fill ID | statement ID [close] [counted]
--
--   mix           the challenge's mix over the five clients: 3 % extratos, one credit to two debits
--   mix ID        the same of one client
--   mix FILE      the same over the clients whose ids the file (a path with a slash) holds, one a line
--   fill ID       credits and debits of one client
--   statement ID  extratos of one client
--
-- A credit is worth the two debits it comes with, so that after each turn of the list every
-- balance is where it was, and on the way never near a limit: all is accepted. The requests are
-- made before the clock starts. The answers' statuses are counted by wrk itself (up to 399, and
-- above): a response() function here would cost the load generator a tenth of its speed, so there
-- is one only if the word `counted` follows. `close`: each request asks for its connection to be closed.
-- Ends with one line of name=value, for harness.py.

local threads = {}
local requests = {}
local size = 0 -- of that list
posts = {} -- how many of its first 1, 2, 3 … requests are POSTs
requests_sent = 0

local function get(client)
  table.insert(requests, wrk.format("GET", "/clientes/" .. client .. "/extrato"))
end

local function post(client, kind, cents)
  local body = string.format('{"valor":%d,"tipo":"%s","descricao":"%s"}', cents, kind,
                             kind == "c" and "deposito" or "compra")
  local headers = { ["Host"] = wrk.headers["Host"], ["Content-Type"] = "application/json" }
  table.insert(requests, wrk.format("POST", "/clientes/" .. client .. "/transacoes", headers, body))
end

local function credit_and_its_debits(client, cents)
  post(client, "c", 2 * cents)
  post(client, "d", cents)
  post(client, "d", cents)
end

local function shuffle(list)
  math.randomseed(2024) -- the same order in every run
  for i = #list, 2, -1 do
    local j = math.random(i)
    list[i], list[j] = list[j], list[i]
  end
end

local function clients_of(file)
  local clients = {}
  for line in io.lines(file) do table.insert(clients, line) end
  return clients
end

local make = {
  mix = function(whose)
    local clients = not whose and { 1, 2, 3, 4, 5 } or whose:find("/") and clients_of(whose) or { whose }
    local turns = math.max(530, #clients)
    for i = 0, turns - 1 do
      local client = clients[i % #clients + 1]
      if i % 530 < 485 then credit_and_its_debits(client, i % 97 + 1) else get(client) end
    end
    shuffle(requests)
  end,
  fill = function(client)
    for cents = 1, 97 do credit_and_its_debits(client, cents) end
  end,
  statement = function(client) get(client) end,
}

function setup(thread) table.insert(threads, thread) end

local function count_statuses()
  statuses = {}
  function response(status) statuses[status] = (statuses[status] or 0) + 1 end
end

function init(args)
  local words = {}
  for i = 2, #args do words[args[i]] = true end
  make[args[1]](args[2] and (args[2]:match("^%d+$") or args[2]:match("/.*") and args[2]))
  if words.counted then count_statuses() end
  size = #requests
  local count = 0
  for i, text in ipairs(requests) do
    -- The first of the headers: noop.c looks no further.
    if words.close then requests[i] = text:gsub("\r\n", "\r\nConnection: close\r\n", 1) end
    count = count + (text:sub(1, 4) == "POST" and 1 or 0)
    posts[i] = count
  end
end

function request()
  local sent = requests_sent
  requests_sent = sent + 1
  return requests[sent % size + 1]
end

function done(summary, latency)
  local sent, counted = 0, ""
  for _, thread in ipairs(threads) do
    local posts = thread:get("posts")
    local all, size = thread:get("requests_sent"), #posts
    sent = sent + math.floor(all / size) * posts[size] + (posts[all % size] or 0)
    for status, count in pairs(thread:get("statuses") or {}) do -- of one thread: harness.py has no more
      counted = counted .. string.format(" status_%d=%d", status, count)
    end
  end
  local errors = summary.errors
  io.write(string.format(
    "wrk: answers=%d microseconds=%d above_399=%d socket_errors=%d posts_sent=%d p50_us=%d p99_us=%d p999_us=%d max_us=%d%s\n",
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, sent,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max, counted))
end
