-- SPDX-License-Identifier: MIT
--
-- accounts.sql - InsertCliente() and UpdateLimite(): accounts and their limits.

-- ## an account begins with its opening
SELECT is(InsertCliente(77, 500, -20), 'ok', 'opened');
SELECT results_eq($$SELECT "Limite", "SaldoInicial", "Saldo", "UltimoId" FROM "Clientes" WHERE "Id" = 77$$,
                  $$VALUES (500::bigint, -20::bigint, -20::bigint, 1::bigint)$$, 'the account');
SELECT results_eq($$SELECT "Id", "Tipo", "Valor", "Saldo", "Limite", "Descricao" FROM "Transacoes" WHERE "ClienteId" = 77$$,
                  $$VALUES (1::bigint, 'o'::varchar, 0::bigint, -20::bigint, 500::bigint, '')$$, 'the history');
SELECT ok("AlteradoEm" = "RealizadoEm", 'of one time') FROM "Clientes" c JOIN "Transacoes" ON "ClienteId" = c."Id"
 WHERE c."Id" = 77;
SELECT is((InsertTransacao(77, 480, 'd', 'x')).saldo, -500::bigint, 'a debit to its limit');

-- ## one that is there is not opened again
SELECT is(InsertCliente(1, 500, 20), 'existe', 'refused');
SELECT results_eq($$SELECT "Limite", "Saldo", "UltimoId" FROM "Clientes" WHERE "Id" = 1$$,
                  $$VALUES (100000::bigint, 0::bigint, 1::bigint)$$, 'unchanged');
SELECT is((SELECT count(*) FROM "Transacoes"), 5::bigint, 'no record more');

-- ## the ends of what an account may be
SELECT is(InsertCliente(2147483647, 9007199254740991, 9007199254740991), 'ok', 'the greatest');
SELECT is(InsertCliente(78, 9007199254740991, -9007199254740991), 'ok', 'the deepest');
SELECT is(InsertCliente(79, 0, 0), 'ok', 'the least');
SELECT is((InsertTransacao(79, 1, 'd', 'x')).resultado, 'limite', 'which has no credit');
SELECT throws_ok($$SELECT InsertCliente(0, 0, 0)$$, '23514', NULL, 'client 0');
SELECT throws_ok($$SELECT InsertCliente(-1, 0, 0)$$, '23514', NULL, 'a negative client');
SELECT throws_ok($$SELECT InsertCliente(80, -1, 0)$$, '23514', NULL, 'a negative limit');
SELECT throws_ok($$SELECT InsertCliente(80, 9007199254740992, 0)$$, '23514', NULL, 'too great a limit');
SELECT throws_ok($$SELECT InsertCliente(80, 0, 9007199254740992)$$, '23514', NULL, 'too great a balance');
SELECT throws_ok($$SELECT InsertCliente(80, 10, -11)$$, '23514', NULL, 'a debt past the limit');
SELECT throws_ok($$SELECT InsertCliente(NULL, 0, 0)$$, '23502', NULL, 'nobody');
SELECT throws_ok($$SELECT InsertCliente(80, NULL, 0)$$, '23502', NULL, 'no limit');
SELECT throws_ok($$SELECT InsertCliente(80, 0, NULL)$$, '23502', NULL, 'no balance');
SELECT is_empty($$SELECT FROM "Transacoes" WHERE "ClienteId" = 80$$, 'nothing is left of those');

-- ## a limit is changed and in the history
SELECT lives_ok($$SELECT InsertTransacao(1, 300, 'd', 'x', 'k')$$, 'a debt');
SELECT results_eq($$SELECT * FROM UpdateLimite(1, 300)$$, $$VALUES ('ok', -300::bigint)$$, 'to the debt exactly');
SELECT results_eq($$SELECT * FROM UpdateLimite(1, 299)$$, $$VALUES ('limite', -300::bigint)$$, 'less than the debt');
SELECT is((InsertTransacao(1, 1, 'd', 'x')).resultado, 'limite', 'the new one counts');
SELECT results_eq($$SELECT * FROM UpdateLimite(1, 301)$$, $$VALUES ('ok', -300::bigint)$$, 'raised again');
SELECT is((InsertTransacao(1, 1, 'd', 'x')).resultado, 'ok', 'and that counts');
SELECT results_eq($$SELECT "Id", "Tipo", "Saldo", "Limite" FROM "Transacoes" WHERE "ClienteId" = 1 ORDER BY 1$$,
    $$VALUES (1::bigint, 'o'::varchar, 0::bigint, 100000::bigint), (2, 'd', -300, 100000), (3, 'l', -300, 300),
             (4, 'l', -300, 301), (5, 'd', -301, 301)$$, 'the history');
SELECT is_empty($$SELECT FROM (SELECT "RealizadoEm" - lag("RealizadoEm") OVER (ORDER BY "Id") AS d FROM "Transacoes"
                                WHERE "ClienteId" = 1) t WHERE d <= interval '0'$$, 'times rise');
SELECT results_eq($$SELECT * FROM InsertTransacao(1, 300, 'd', 'x', 'k')$$,
                  $$VALUES ('repetida', -300::bigint, 100000::bigint)$$, 'a repetition has the limit of its time');

-- ## limits that nobody may have, and nobody's
SELECT results_eq($$SELECT * FROM UpdateLimite(6, 1)$$, $$VALUES ('cliente', NULL::bigint)$$, 'nobody');
SELECT throws_ok($$SELECT UpdateLimite(1, 9007199254740992)$$, '23514', NULL, 'too great');
SELECT throws_ok($$SELECT UpdateLimite(1, NULL)$$, '23502', NULL, 'none');
SELECT is((InsertTransacao(1, 5, 'c', 'x')).resultado, 'ok', 'with some credit');
SELECT throws_ok($$SELECT UpdateLimite(1, -1)$$, '23514', NULL, 'a negative one that the balance would allow');
SELECT is((UpdateLimite(1, 0)).resultado, 'ok', 'no credit at all');
SELECT is((SELECT "UltimoId" FROM "Clientes" WHERE "Id" = 1), 3::bigint, 'what was refused is not in the history');

-- ## the tables refuse what the procedures would not do
SELECT throws_ok($$UPDATE "Clientes" SET "Saldo" = -100001 WHERE "Id" = 1$$, '23514', NULL, 'a broken limit');
SELECT throws_ok($$UPDATE "Clientes" SET "Saldo" = 9007199254740992 WHERE "Id" = 1$$, '23514', NULL, 'too rich');
SELECT throws_ok($$INSERT INTO "Clientes" VALUES (1, 0, 0, 0, 1, now())$$, '23505', NULL, 'the same client');
SELECT throws_ok($$INSERT INTO "Transacoes" VALUES (1, 1, 1, 1, now(), 1, 'c', 'x')$$, '23505', NULL, 'the same record');
SELECT throws_ok($$INSERT INTO "Transacoes" VALUES (9, 1, -2, 1, now(), 1, 'd', 'x')$$, '23514', NULL, 'a limit broken');
SELECT throws_ok($$INSERT INTO "Transacoes" VALUES (9, 1, 0, 1, now(), 1, 'l', '')$$, '23514', NULL, 'a limit with an amount');
