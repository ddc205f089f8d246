-- SPDX-License-Identifier: MIT
--
-- statement.sql - GetSaldoClienteById(): the statement.

-- ## of an account without transactions it is empty
SELECT results_eq($$SELECT total, limite, ultimas_transacoes FROM GetSaldoClienteById(1)$$,
                  $$VALUES (0::bigint, 100000::bigint, '[]'::jsonb)$$, 'the first client''s');
SELECT ok(data_extrato BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp(), 'of now')
  FROM GetSaldoClienteById(1);

-- ## of nobody there is none
SELECT is_empty($$SELECT * FROM GetSaldoClienteById(6)$$, 'no row');
SELECT is_empty($$SELECT * FROM GetSaldoClienteById(0)$$, 'nor for 0');
SELECT is_empty($$SELECT * FROM GetSaldoClienteById(NULL)$$, 'nor for NULL');

-- ## it has the last ten, the newest first
SELECT lives_ok($$SELECT InsertTransacao(1, n, CASE WHEN n % 3 = 0 THEN 'd' ELSE 'c' END, 'n' || n) FROM generate_series(1, 25) n$$, '25');
SELECT is(total, (SELECT "Saldo" FROM "Clientes" WHERE "Id" = 1), 'the balance') FROM GetSaldoClienteById(1);
SELECT is(array_agg(t ->> 'descricao' ORDER BY ordem), ARRAY['n25','n24','n23','n22','n21','n20','n19','n18','n17','n16'], 'ten')
  FROM GetSaldoClienteById(1), jsonb_array_elements(ultimas_transacoes) WITH ORDINALITY AS x (t, ordem);
SELECT results_eq($$SELECT t FROM GetSaldoClienteById(1), jsonb_array_elements(ultimas_transacoes) WITH ORDINALITY AS x (t, ordem)
                     WHERE ordem = 2$$,
    $$SELECT jsonb_build_object('valor', 24, 'tipo', 'd', 'descricao', 'n24', 'realizada_em', "RealizadoEm")
        FROM "Transacoes" WHERE "ClienteId" = 1 AND "Descricao" = 'n24'$$, 'what one looks like');

-- ## neither its opening nor a change of the limit is a transaction
SELECT lives_ok($$SELECT InsertTransacao(1, 1, 'c', 'primeira')$$, 'one');
SELECT lives_ok($$SELECT UpdateLimite(1, 100000 + n) FROM generate_series(1, 30) n$$, 'thirty limits');
SELECT is(jsonb_array_length(ultimas_transacoes), 1, 'one') FROM GetSaldoClienteById(1);
SELECT is(ultimas_transacoes -> 0 ->> 'descricao', 'primeira', 'that one') FROM GetSaldoClienteById(1);
SELECT is(limite, 100030::bigint, 'the limit of now') FROM GetSaldoClienteById(1);

-- ## it is not older than its newest transaction
UPDATE "Clientes" SET "AlteradoEm" = '2100-01-01 00:00+00' WHERE "Id" = 1;
SELECT lives_ok($$SELECT InsertTransacao(1, 1, 'c', 'amanha')$$, 'one of the future');
SELECT is(data_extrato, '2100-01-01 00:00:00.000001+00'::timestamptz, 'so is the statement') FROM GetSaldoClienteById(1);
SELECT is((ultimas_transacoes -> 0 ->> 'realizada_em')::timestamptz, data_extrato, 'to the microsecond')
  FROM GetSaldoClienteById(1);

-- ## descriptions come as they are
SELECT lives_ok($$SELECT InsertTransacao(1, 1, 'c', E'"\\\n\t😀ç')$$, 'all that JSON escapes');
SELECT is(ultimas_transacoes -> 0 ->> 'descricao', E'"\\\n\t😀ç', 'unchanged') FROM GetSaldoClienteById(1);

-- ## one client's is nobody else's
SELECT lives_ok($$SELECT InsertTransacao(1, 1, 'c', 'um'), InsertTransacao(2, 2, 'c', 'dois')$$, 'one each');
SELECT is(ultimas_transacoes -> 0 ->> 'descricao', 'dois', 'the second''s') FROM GetSaldoClienteById(2);
SELECT is(jsonb_array_length(ultimas_transacoes), 1, 'and no more') FROM GetSaldoClienteById(2);
SELECT is(total, 0::bigint, 'the third has none') FROM GetSaldoClienteById(3);

-- ## it changes nothing and says so
SELECT volatility_is('getsaldoclientebyid', ARRAY['integer'], 'stable', 'one snapshot');
SELECT lives_ok($$SET TRANSACTION READ ONLY; SELECT * FROM GetSaldoClienteById(1)$$, 'also where nothing may be written');
