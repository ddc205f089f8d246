-- SPDX-License-Identifier: MIT
--
-- api.lua - the load, for wrk: wrk … -s bench/api.lua URL -- mix | mix FILE | fill ID | statement ID
--
--   mix           the challenge's mix over the five clients: 3 % extratos, one credit to two debits
--   mix FILE      the same over the clients whose ids the file holds, one a line
--   fill ID       credits and debits of one client
--   statement ID  extratos of one client
--
-- A credit is worth the two debits it comes with, so that after each turn of the list every
-- balance is where it was, and on the way never near a limit: all is accepted. The requests are
-- made before the clock starts. The answers' statuses are counted by wrk itself (up to 399, and
-- above): a response() function here would cost the load generator a tenth of its speed.
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
  mix = function(file)
    local clients = file and clients_of(file) or { 1, 2, 3, 4, 5 }
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

function init(args)
  make[args[1]](args[2])
  size = #requests
  local count = 0
  for i, text in ipairs(requests) do
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
  local sent = 0
  for _, thread in ipairs(threads) do
    local posts = thread:get("posts")
    local all, size = thread:get("requests_sent"), #posts
    sent = sent + math.floor(all / size) * posts[size] + (posts[all % size] or 0)
  end
  local errors = summary.errors
  io.write(string.format(
    "wrk: answers=%d microseconds=%d above_399=%d socket_errors=%d posts_sent=%d p50_us=%d p99_us=%d\n",
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, sent,
    latency:percentile(50), latency:percentile(99)))
end
