-- SPDX-License-Identifier: MIT
--
-- keys.sql - idempotency keys: what happens a second time, and DeleteChaves().

-- ## the same with its key is answered as the first time and booked once
SELECT results_eq($$SELECT * FROM InsertTransacao(1, 10, 'c', 'x', 'k')$$,
                  $$VALUES ('ok', 10::bigint, 100000::bigint)$$, 'first');
SELECT lives_ok($$SELECT InsertTransacao(1, 5, 'c', 'y'), UpdateLimite(1, 7)$$, 'other things happen');
SELECT results_eq($$SELECT * FROM InsertTransacao(1, 10, 'c', 'x', 'k')$$,
                  $$VALUES ('repetida', 10::bigint, 100000::bigint)$$, 'again');
SELECT is((SELECT "Saldo" FROM "Clientes" WHERE "Id" = 1), 15::bigint, 'once');
SELECT is((SELECT count(*) FROM "Chaves"), 1::bigint, 'one key');

-- ## something else with the same key is refused
SELECT lives_ok($$SELECT InsertTransacao(1, 10, 'c', 'x', 'k')$$, 'first');
SELECT is((InsertTransacao(1, 11, 'c', 'x', 'k')).resultado, 'chave', 'another amount');
SELECT is((InsertTransacao(1, 10, 'd', 'x', 'k')).resultado, 'chave', 'another kind');
SELECT is((InsertTransacao(1, 10, 'c', 'X', 'k')).resultado, 'chave', 'another description');
SELECT is((InsertTransacao(1, 10, 'c', 'x', 'K')).resultado, 'ok', 'another key');
SELECT is((SELECT "Saldo" FROM "Clientes" WHERE "Id" = 1), 20::bigint, 'two');

-- ## a rejected transaction stores no key
SELECT is((InsertTransacao(1, 100001, 'd', 'x', 'k')).resultado, 'limite', 'rejected');
SELECT is_empty($$SELECT FROM "Chaves"$$, 'no key');
SELECT is((InsertTransacao(1, 5, 'c', 'y', 'k')).resultado, 'ok', 'another payload with it');
SELECT is((InsertTransacao(1, 100001, 'd', 'x', 'k')).resultado, 'chave', 'and now it is taken');

-- ## a key belongs to its client
SELECT is((InsertTransacao(1, 10, 'c', 'x', 'k')).resultado, 'ok', 'one');
SELECT is((InsertTransacao(2, 20, 'c', 'y', 'k')).resultado, 'ok', 'another');
SELECT is((InsertTransacao(2, 10, 'c', 'x', 'k')).resultado, 'chave', 'who has used it himself');

-- ## within one call a key counts from its first booking on
SELECT results_eq($$SELECT resultados, saldos FROM InsertTransacoes(1, '{10,10,11,1}', '{c,c,c,c}', '{x,x,x,z}',
                                                                    '{k,k,k,NULL}')$$,
    $$VALUES ('{ok,repetida,chave,ok}'::text[], '{10,10,10,11}'::bigint[])$$, 'twice, and with another amount');
SELECT results_eq($$SELECT resultados, saldos FROM InsertTransacoes(2, '{80001,1,80001,1}', '{d,c,d,c}', '{x,x,x,x}',
                                                                    '{k,k,k,k}')$$,
    $$VALUES ('{limite,ok,chave,repetida}'::text[], '{NULL,1,1,1}'::bigint[])$$, 'the first one was refused');
SELECT results_eq($$SELECT resultados FROM InsertTransacoes(1, '{10,1,1}', '{c,c,c}', '{x,n,n}', '{k,n,n}')$$,
                  $$VALUES ('{repetida,ok,repetida}'::text[])$$, 'of an earlier call and of this one');
SELECT is((SELECT count(*) FROM "Chaves"), 3::bigint, 'the keys');

-- ## a balance that a key is asked for is not that of the entry before it
-- Variables keep their values from one entry to the next, so each has to be set for each.
SELECT lives_ok($$SELECT InsertTransacao(1, 10, 'c', 'x', 'velha')$$, 'a key');
SELECT results_eq($$SELECT resultados, saldos FROM InsertTransacoes(1, '{10,1,10,2,200000}', '{c,c,c,c,d}',
                    '{x,a,x,b,c}', '{velha,nova,velha,outra,mais}')$$,
    $$VALUES ('{repetida,ok,repetida,ok,limite}'::text[], '{10,11,10,13,NULL}'::bigint[])$$, 'alternating');

-- ## without a key nothing is ever a repetition
SELECT results_eq($$SELECT resultados FROM InsertTransacoes(1, '{1,1}', '{c,c}', '{x,x}')$$,
                  $$VALUES ('{ok,ok}'::text[])$$, 'no keys');
SELECT results_eq($$SELECT resultados FROM InsertTransacoes(1, '{1,1}', '{c,c}', '{x,x}', '{NULL,NULL}')$$,
                  $$VALUES ('{ok,ok}'::text[])$$, 'keys that are NULL');
SELECT is((SELECT "Saldo" FROM "Clientes" WHERE "Id" = 1), 4::bigint, 'all of them');

-- ## a key is 1 to 64 bytes
SELECT throws_ok($$SELECT InsertTransacao(1, 1, 'c', 'x', '')$$, '23514', NULL, 'an empty one');
SELECT throws_ok($$SELECT InsertTransacao(1, 1, 'c', 'x', repeat('k', 65))$$, '23514', NULL, '65');
SELECT is((InsertTransacao(1, 1, 'c', 'x', repeat('k', 64))).resultado, 'ok', '64');
SELECT is((SELECT "Saldo" FROM "Clientes" WHERE "Id" = 1), 1::bigint, 'what was refused was not booked');

-- ## keys are forgotten by age, the oldest first, and so many at most
SELECT lives_ok($$SELECT InsertTransacoes(1, '{1,1,1,1}', '{c,c,c,c}', '{a,b,c,d}', '{a,b,c,d}')$$, 'four');
UPDATE "Chaves" SET "CriadaEm" = now() - interval '1 hour' * ascii("Chave") WHERE "Chave" <> 'd';
SELECT is(DeleteChaves('98.5 hours', 10), 1::bigint, 'one is that old');
SELECT is((SELECT array_agg("Chave" ORDER BY "Chave") FROM "Chaves"), ARRAY['a', 'b', 'd'], 'it was that one');
SELECT is(DeleteChaves('24 hours', 1), 1::bigint, 'one at a time');
SELECT is((SELECT array_agg("Chave" ORDER BY "Chave") FROM "Chaves"), ARRAY['a', 'd'], 'the older of them');
SELECT is(DeleteChaves('24 hours', 10), 1::bigint, 'the rest');
SELECT is(DeleteChaves('24 hours', 10), 0::bigint, 'no more');
SELECT is((InsertTransacao(1, 1, 'c', 'a', 'a')).resultado, 'ok', 'a forgotten key is free');
SELECT is((InsertTransacao(1, 1, 'c', 'd', 'd')).resultado, 'repetida', 'the others are not');
SELECT is((SELECT count(*) FROM "Transacoes" WHERE "ClienteId" = 1), 6::bigint, 'transactions stay');
