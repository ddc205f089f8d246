-- SPDX-License-Identifier: MIT
--
-- booking.sql - InsertTransacao() and InsertTransacoes(): what is booked, what is refused, in what order.

-- ## a credit and a debit change the balance and are in the history
SELECT results_eq($$SELECT * FROM InsertTransacao(1, 500, 'c', 'um')$$,
                  $$VALUES ('ok', 500::bigint, 100000::bigint)$$, 'a credit');
SELECT results_eq($$SELECT * FROM InsertTransacao(1, 800, 'd', 'dois')$$,
                  $$VALUES ('ok', -300::bigint, 100000::bigint)$$, 'a debit');
SELECT results_eq($$SELECT "Saldo", "UltimoId", "SaldoInicial" FROM "Clientes" WHERE "Id" = 1$$,
                  $$VALUES (-300::bigint, 3::bigint, 0::bigint)$$, 'the account');
SELECT results_eq($$SELECT "Id", "Tipo", "Valor", "Saldo", "Limite", "Descricao" FROM "Transacoes"
                     WHERE "ClienteId" = 1 ORDER BY "Id"$$,
                  $$VALUES (1::bigint, 'o'::varchar, 0::bigint, 0::bigint, 100000::bigint, ''),
                           (2, 'c', 500, 500, 100000, 'um'), (3, 'd', 800, -300, 100000, 'dois')$$, 'the history');

-- ## a debit to exactly the limit is booked and one centavo more is not
SELECT results_eq($$SELECT * FROM InsertTransacao(1, 100000, 'd', 'tudo')$$,
                  $$VALUES ('ok', -100000::bigint, 100000::bigint)$$, 'to the limit');
SELECT results_eq($$SELECT * FROM InsertTransacao(1, 1, 'd', 'mais')$$,
                  $$VALUES ('limite', NULL::bigint, 100000::bigint)$$, 'past the limit');
SELECT results_eq($$SELECT * FROM InsertTransacao(2, 80001, 'd', 'mais')$$,
                  $$VALUES ('limite', NULL::bigint, 80000::bigint)$$, 'past the limit at once');
SELECT results_eq($$SELECT "Id", "Saldo", "UltimoId" FROM "Clientes" WHERE "Id" <= 2 ORDER BY 1$$,
                  $$VALUES (1, -100000::bigint, 2::bigint), (2, 0, 1)$$, 'a refusal changes nothing');

-- ## a credit to exactly the greatest balance is booked and one centavo more is not
SELECT is((InsertTransacao(1, 9007199254740991, 'c', 'rico')).saldo, 9007199254740991, 'the greatest');
SELECT results_eq($$SELECT * FROM InsertTransacao(1, 1, 'c', 'mais')$$,
                  $$VALUES ('maximo', NULL::bigint, 100000::bigint)$$, 'more than that');
SELECT is((InsertTransacao(1, 9007199254740991, 'd', 'pobre')).saldo, 0::bigint, 'all of it again');
SELECT is((SELECT "UltimoId" FROM "Clientes" WHERE "Id" = 1), 3::bigint, 'the refusal is not in the history');

-- ## nobody's transactions are nobody's and book nothing
SELECT results_eq($$SELECT * FROM InsertTransacao(6, 1, 'c', 'x')$$,
                  $$VALUES ('cliente', NULL::bigint, NULL::bigint)$$, 'one');
SELECT results_eq($$SELECT * FROM InsertTransacoes(6, '{1,2}', '{c,d}', '{a,b}', '{k,l}')$$,
                  $$VALUES ('{cliente,cliente}'::text[], NULL::bigint[], NULL::bigint[])$$, 'several');
SELECT results_eq($$SELECT * FROM InsertTransacao(NULL, 1, 'c', 'x')$$,
                  $$VALUES ('cliente', NULL::bigint, NULL::bigint)$$, 'NULL is nobody');
SELECT results_eq($$SELECT * FROM InsertTransacao(-1, 1, 'c', 'x')$$,
                  $$VALUES ('cliente', NULL::bigint, NULL::bigint)$$, 'a negative one');
SELECT is_empty($$SELECT FROM "Transacoes" WHERE "ClienteId" NOT BETWEEN 1 AND 5 OR "Id" > 1$$, 'no row');
SELECT is_empty($$SELECT FROM "Chaves"$$, 'no key');

-- ## each entry of a batch is judged on the balance that the ones before it left
SELECT results_eq($$SELECT * FROM InsertTransacoes(2, '{80000,1,500,400,101,9007199254740991}', '{d,d,c,d,d,c}',
                                                   '{a,b,c,d,e,f}')$$,
    $$VALUES ('{ok,limite,ok,ok,limite,ok}'::text[], '{-80000,NULL,-79500,-79900,NULL,9007199254661091}'::bigint[],
              '{80000,80000,80000,80000,80000,80000}'::bigint[])$$, 'the answers');
SELECT results_eq($$SELECT "Id", "Descricao", "Saldo" FROM "Transacoes" WHERE "ClienteId" = 2 AND "Id" > 1 ORDER BY 1$$,
    $$VALUES (2::bigint, 'a', -80000::bigint), (3, 'c', -79500), (4, 'd', -79900), (5, 'f', 9007199254661091)$$,
    'in their order, without a gap');
SELECT results_eq($$SELECT resultados FROM InsertTransacoes(2, '{79900,1,1}', '{c,c,d}', '{a,b,c}')$$,
                  $$VALUES ('{ok,maximo,ok}'::text[])$$, 'the greatest balance in the middle');

-- ## a batch of which nothing is booked changes nothing
CREATE TEMPORARY TABLE antes ON COMMIT DROP AS SELECT *, xmin AS versao FROM "Clientes";
SELECT results_eq($$SELECT resultados FROM InsertTransacoes(1, '{100001,200000}', '{d,d}', '{a,b}')$$,
                  $$VALUES ('{limite,limite}'::text[])$$, 'both are refused');
SELECT lives_ok($$SELECT InsertTransacoes(1, '{}', '{}', '{}')$$, 'none at all');
SELECT lives_ok($$SELECT InsertTransacoes(1, '{}', '{}', '{}', '{}')$$, 'none at all, without keys');
SELECT results_eq($$SELECT "Saldo", "UltimoId", "AlteradoEm" FROM "Clientes" WHERE "Id" = 1$$,
                  $$SELECT "Saldo", "UltimoId", "AlteradoEm" FROM antes WHERE "Id" = 1$$, 'nothing has changed');

-- ## an entry that no entry may be is an error and books nothing of its batch
PREPARE uma(bigint, text, text) AS SELECT * FROM InsertTransacao(1, $1, $2, $3);
SELECT throws_ok($$EXECUTE uma(0, 'c', 'x')$$, '23514', NULL, 'nothing');
SELECT throws_ok($$EXECUTE uma(0, 'd', 'x')$$, '23514', NULL, 'a debit of nothing');
SELECT throws_ok($$EXECUTE uma(-1, 'c', 'x')$$, '23514', NULL, 'a negative credit');
SELECT throws_ok($$EXECUTE uma(-1, 'd', 'x')$$, '23514', NULL, 'a negative debit');
SELECT throws_ok($$EXECUTE uma(NULL, 'c', 'x')$$, '23502', NULL, 'no amount');
SELECT throws_ok($$EXECUTE uma(1, NULL, 'x')$$, '23514', NULL, 'no kind');
SELECT throws_ok($$EXECUTE uma(1, 'c', NULL)$$, '23502', NULL, 'no description');
SELECT throws_ok($$EXECUTE uma(1, 'x', 'x')$$, '23514', NULL, 'an unknown kind');
SELECT throws_ok($$EXECUTE uma(1, 'C', 'x')$$, '23514', NULL, 'a capital');
SELECT throws_ok($$EXECUTE uma(1, 'cd', 'x')$$, '23514', NULL, 'two kinds');
SELECT throws_ok($$EXECUTE uma(1, '', 'x')$$, '23514', NULL, 'an empty kind');
SELECT throws_ok($$EXECUTE uma(1, 'c', '')$$, '23514', NULL, 'an empty description');
SELECT throws_ok($$EXECUTE uma(1, 'c', '12345678901')$$, '23514', NULL, 'a description of 11');
SELECT throws_ok($$SELECT InsertTransacoes(1, '{5,0}', '{c,c}', '{a,b}', '{k,l}')$$, '23514', NULL, 'the second of two');
SELECT is((SELECT "Saldo" FROM "Clientes" WHERE "Id" = 1), 0::bigint, 'the balance');
SELECT is_empty($$SELECT FROM "Transacoes" WHERE "Id" > 1$$, 'no row');
SELECT is_empty($$SELECT FROM "Chaves"$$, 'no key');

-- ## an opening or a change of the limit cannot be booked as if it were a transaction
SELECT throws_ok($$SELECT InsertTransacao(1, 0, 'o', '')$$, NULL, NULL, 'an opening');
SELECT throws_ok($$SELECT InsertTransacao(1, 0, 'l', '')$$, NULL, NULL, 'a limit');
SELECT is_empty($$SELECT FROM "Transacoes" WHERE "Id" > 1$$, 'no row');

-- ## amounts beyond those that are exact are never booked
SELECT is((InsertTransacao(1, 9007199254740992, 'd', 'x')).resultado, 'limite', 'a debit past every limit');
SELECT is((InsertTransacao(1, 9007199254740992, 'c', 'x')).resultado, 'maximo', 'a credit past every balance');
SELECT lives_ok($$SELECT InsertTransacao(1, 1000, 'd', 'x')$$, 'a debt');
SELECT throws_ok($$SELECT InsertTransacao(1, 9007199254740992, 'c', 'x')$$, '23514', NULL, 'one that would fit the balance');
SELECT throws_ok($$SELECT InsertTransacao(1, 9223372036854775807, 'd', 'x')$$, '22003', NULL, 'one that bigint cannot');
SELECT is((SELECT "Saldo" FROM "Clientes" WHERE "Id" = 1), -1000::bigint, 'the balance');

-- ## a description is ten characters of any script
SELECT is((InsertTransacao(1, 1, 'c', 'ação ç ã é')).resultado, 'ok', 'letters');
SELECT is((InsertTransacao(1, 1, 'c', repeat('😀', 10))).resultado, 'ok', 'ten beyond the basic plane');
SELECT throws_ok($$SELECT InsertTransacao(1, 1, 'c', repeat('😀', 11))$$, '23514', NULL, 'eleven of them');
SELECT is((InsertTransacao(1, 1, 'c', ' ')).resultado, 'ok', 'a space');
SELECT is((SELECT array_agg("Descricao" ORDER BY "Id") FROM "Transacoes" WHERE "ClienteId" = 1 AND "Id" > 1),
          ARRAY['ação ç ã é', repeat('😀', 10), ' '], 'as they came');

-- ## arrays that do not fit each other are an error and what has no amount is no entry
SELECT throws_ok($$SELECT InsertTransacoes(1, '{1,2}', '{c}', '{a,b}')$$, '2202E', NULL, 'kinds');
SELECT throws_ok($$SELECT InsertTransacoes(1, '{1,2}', '{c,c}', '{a}')$$, '2202E', NULL, 'descriptions');
SELECT throws_ok($$SELECT InsertTransacoes(1, '{1,2}', '{c,c}', '{a,b}', '{k}')$$, '2202E', NULL, 'keys');
SELECT throws_ok($$SELECT InsertTransacoes(1, '{1}', '{c,c}', '{a,b}')$$, '2202E', NULL, 'more of the others');
SELECT throws_ok($$SELECT InsertTransacoes(1, '{1,2}', NULL, '{a,b}')$$, '23514', NULL, 'no kinds');
SELECT throws_ok($$SELECT InsertTransacoes(1, '{1,2}', '{c,c}', NULL)$$, '23502', NULL, 'no descriptions');
SELECT throws_ok($$SELECT InsertTransacoes(1, NULL, '{c}', '{a}')$$, NULL, NULL, 'no amounts');
SELECT throws_ok($$SELECT InsertTransacoes(1, '{{1,2},{3,4}}', '{c,c,c,c}', '{a,b,c,d}')$$, '23502', NULL, 'a table');
SELECT throws_ok($$SELECT InsertTransacoes(1, '[0:1]={1,2}', '{c,c}', '{a,b}')$$, '2202E', NULL, 'one that begins at 0');
SELECT throws_ok($$SELECT InsertTransacoes(1, '{1,2,3}', '[0:2]={d,c,c}', '{a,b,c}')$$, '2202E', NULL, 'kinds from 0 on');
SELECT is_empty($$SELECT FROM "Transacoes" WHERE "Id" > 1$$, 'no row');

-- ## times rise with the records whatever the clock says
SELECT lives_ok($$SELECT InsertTransacoes(1, array_fill(1, ARRAY[100])::bigint[], array_fill('c'::text, ARRAY[100]),
                                         array_fill('x'::text, ARRAY[100]))$$, 'a hundred at once');
UPDATE "Clientes" SET "AlteradoEm" = '2100-01-01 00:00+00' WHERE "Id" = 1;
SELECT lives_ok($$SELECT InsertTransacoes(1, '{1,1}', '{c,c}', '{a,b}')$$, 'the last one is of the future');
SELECT lives_ok($$SELECT InsertTransacao(1, 1, 'c', 'c')$$, 'and one more');
SELECT is((SELECT array_agg("RealizadoEm" ORDER BY "Id") FROM "Transacoes" WHERE "ClienteId" = 1 AND "Id" > 101),
          ARRAY['2100-01-01 00:00:00.000001+00', '2100-01-01 00:00:00.000002+00',
                '2100-01-01 00:00:00.000003+00']::timestamptz[], 'they go on from there');
SELECT is((SELECT "AlteradoEm" FROM "Clientes" WHERE "Id" = 1), '2100-01-01 00:00:00.000003+00', 'so does the account');
SELECT is_empty($$SELECT FROM (SELECT "RealizadoEm" - lag("RealizadoEm") OVER (ORDER BY "Id") AS d FROM "Transacoes"
                                WHERE "ClienteId" = 1) t WHERE d <= interval '0'$$, 'none falls or stands still');
SELECT ok((SELECT max("RealizadoEm") FROM "Transacoes" WHERE "ClienteId" = 1 AND "Id" <= 101) < '2100-01-01'
          AND (SELECT max("RealizadoEm") FROM "Transacoes" WHERE "ClienteId" = 1 AND "Id" <= 101)
              > clock_timestamp() - interval '1 minute', 'and the others are of today');

-- ## two clients know nothing of each other
SELECT lives_ok($$SELECT InsertTransacao(1, 10, 'c', 'x', 'k'), InsertTransacao(2, 20, 'd', 'y', 'k')$$, 'one key each');
SELECT results_eq($$SELECT "Id", "Saldo" FROM "Clientes" ORDER BY 1$$,
                  $$VALUES (1, 10::bigint), (2, -20), (3, 0), (4, 0), (5, 0)$$, 'the balances');
