-- SPDX-License-Identifier: MIT
--
-- 20-procedures.sql - the part that races, kept where the rows are locked.
--
-- Each of the writing ones locks one row of "Clientes" and no second one, so that callers cannot
-- deadlock, unless one of them puts several calls into a transaction: then in the order of the ids.
-- What can happen to an entry, in the column or array "resultado":
--
--     ok        booked; saldo and limite are those after it
--     repetida  its key was booked before with the same payload; saldo and limite are the first answer's
--     chave     its key was booked before with another payload
--     limite    the debit would take the balance below -limite
--     maximo    the credit would take the balance past 9007199254740991
--     cliente   there is no such client
--
-- Only "ok" changes anything. Values that no entry may have violate a constraint of the tables: an
-- error, and nothing happens either.

-- A batch of one client: lock once, judge each entry on the balance that the ones before it left, write
-- once. The twin of batch_one() in src/store/lmdb/batch.c, and of ledger_decide() in src/bank/ledger.c.
CREATE OR REPLACE FUNCTION InsertTransacoes(
    id integer, valores bigint[], tipos text[], descricoes text[], chaves text[] DEFAULT NULL,
    OUT resultados text[], OUT saldos bigint[], OUT limites bigint[])
LANGUAGE plpgsql AS $$
DECLARE
    saldo        bigint;
    limite       bigint;
    ultimo       bigint;      -- "Id" of the client's last record
    instante     timestamptz; -- of the first entry that is booked here; each one more is 1 us later
    novo         bigint;
    feitas       bigint := 0; -- booked here so far
    ordens       bigint[];    -- of each entry, among those; NULL: it is not booked
    novas        text[];      -- of each entry, its key if it is booked
    mesma        boolean;     -- does a key's first entry ask for the same? NULL: this is the first
    saldo_antes  bigint;
    limite_antes bigint;
    j            integer;
BEGIN
    IF array_lower(valores, 1) <> 1 OR array_lower(tipos, 1) <> 1 OR array_lower(descricoes, 1) <> 1
       OR array_lower(chaves, 1) <> 1 OR cardinality(valores) <> cardinality(tipos)
       OR cardinality(valores) <> cardinality(descricoes) OR cardinality(valores) <> cardinality(chaves) THEN
        RAISE array_subscript_error USING MESSAGE = 'the arrays must be of one length and begin at 1';
    END IF;
    SELECT c."Saldo", c."Limite", c."UltimoId", c."AlteradoEm" INTO saldo, limite, ultimo, instante
      FROM "Clientes" c WHERE c."Id" = id FOR UPDATE;
    IF NOT FOUND THEN
        resultados := array_fill('cliente'::text, ARRAY[cardinality(valores)]);
        RETURN;
    END IF;
    -- Under the lock, so that times rise with the commits, also when the clock is set back.
    instante := greatest(clock_timestamp(), instante + interval '1 microsecond');

    FOR i IN 1 .. cardinality(valores) LOOP
        IF chaves[i] IS NOT NULL THEN
            j := array_position(novas, chaves[i]);
            IF j IS NOT NULL THEN -- booked a moment ago
                mesma := (valores[j], tipos[j], descricoes[j]) = (valores[i], tipos[i], descricoes[i]);
                saldos[i] := saldos[j];
                limites[i] := limites[j];
            ELSE
                SELECT (t."Valor", t."Tipo", t."Descricao") = (valores[i], tipos[i], descricoes[i]),
                       t."Saldo", t."Limite"
                  INTO mesma, saldo_antes, limite_antes
                  FROM "Chaves" k
                  JOIN "Transacoes" t ON t."ClienteId" = k."ClienteId" AND t."Id" = k."TransacaoId"
                 WHERE k."ClienteId" = id AND k."Chave" = chaves[i];
                saldos[i] := saldo_antes;
                limites[i] := limite_antes;
            END IF;
            IF mesma IS NOT NULL THEN
                resultados[i] := CASE WHEN mesma THEN 'repetida' ELSE 'chave' END;
                ordens[i] := NULL;
                novas[i] := NULL;
                CONTINUE;
            END IF;
        END IF;

        IF tipos[i] = 'd' THEN
            novo := saldo - valores[i];
        ELSIF tipos[i] = 'c' THEN
            novo := saldo + valores[i];
        ELSE
            RAISE check_violation USING MESSAGE = format('tipo is c or d, not %L', tipos[i]);
        END IF;
        limites[i] := limite;
        IF novo < -limite THEN
            resultados[i] := 'limite';
            saldos[i] := NULL;
            ordens[i] := NULL;
            novas[i] := NULL;
        ELSIF novo > 9007199254740991 THEN
            resultados[i] := 'maximo';
            saldos[i] := NULL;
            ordens[i] := NULL;
            novas[i] := NULL;
        ELSE
            saldo := novo;
            feitas := feitas + 1;
            resultados[i] := 'ok';
            saldos[i] := novo;
            ordens[i] := feitas;
            novas[i] := chaves[i];
        END IF;
    END LOOP;
    IF feitas = 0 THEN
        RETURN;
    END IF;

    UPDATE "Clientes" SET "Saldo" = saldo, "UltimoId" = ultimo + feitas,
                          "AlteradoEm" = instante + (feitas - 1) * interval '1 microsecond'
     WHERE "Id" = id;
    INSERT INTO "Transacoes" ("Id", "Valor", "Saldo", "Limite", "RealizadoEm", "ClienteId", "Tipo", "Descricao")
    SELECT ultimo + n.ordem, n.valor, n.saldo, limite,
           instante + (n.ordem - 1) * interval '1 microsecond', id, n.tipo, n.descricao
      FROM unnest(ordens, valores, saldos, tipos, descricoes) AS n (ordem, valor, saldo, tipo, descricao)
     WHERE n.ordem IS NOT NULL;
    IF chaves IS NOT NULL THEN
        INSERT INTO "Chaves" ("ClienteId", "TransacaoId", "CriadaEm", "Chave")
        SELECT id, ultimo + n.ordem, instante + (n.ordem - 1) * interval '1 microsecond', n.chave
          FROM unnest(ordens, novas) AS n (ordem, chave)
         WHERE n.chave IS NOT NULL;
    END IF;
END $$;

-- One entry.
CREATE OR REPLACE FUNCTION InsertTransacao(
    id integer, valor bigint, tipo text, descricao text, chave text DEFAULT NULL,
    OUT resultado text, OUT saldo bigint, OUT limite bigint)
LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    SELECT * INTO r FROM InsertTransacoes(id, ARRAY[valor], ARRAY[tipo], ARRAY[descricao],
                                          CASE WHEN chave IS NOT NULL THEN ARRAY[chave] END);
    resultado := r.resultados[1];
    saldo := r.saldos[1];
    limite := r.limites[1];
END $$;

-- The statement, ready to be sent: one row, or none where there is no such client. STABLE, so that all
-- of it is seen in the snapshot of the query that calls it. Not older than its newest transaction.
-- The way to the latest ten is the index read backwards, and no other: before its first ANALYZE a table
-- looks so small that the planner would rather read and sort the client's whole history, and would keep
-- to that plan while the history grows.
CREATE OR REPLACE FUNCTION GetSaldoClienteById(
    id integer, OUT total bigint, OUT limite bigint, OUT data_extrato timestamptz, OUT ultimas_transacoes jsonb)
RETURNS SETOF record LANGUAGE sql STABLE SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT c."Saldo", c."Limite", greatest(clock_timestamp(), c."AlteradoEm"),
           (SELECT coalesce(jsonb_agg(jsonb_build_object('valor', t."Valor", 'tipo', t."Tipo",
                                                         'descricao', t."Descricao",
                                                         'realizada_em', t."RealizadoEm")
                                      ORDER BY t."Id" DESC), '[]')
              FROM (SELECT * FROM "Transacoes"
                     WHERE "ClienteId" = $1 AND "Valor" > 0 -- neither opening nor limit
                     ORDER BY "Id" DESC LIMIT 10) t)
      FROM "Clientes" c WHERE c."Id" = $1
$$;

-- Open an account: 'ok', or 'existe' where there is one. The twin of OP_OPEN.
CREATE OR REPLACE FUNCTION InsertCliente(id integer, limite bigint, saldo_inicial bigint, OUT resultado text)
LANGUAGE plpgsql AS $$
DECLARE
    instante timestamptz := clock_timestamp();
BEGIN
    INSERT INTO "Clientes" ("Id", "Limite", "SaldoInicial", "Saldo", "UltimoId", "AlteradoEm")
    VALUES (id, limite, saldo_inicial, saldo_inicial, 1, instante) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        resultado := 'existe';
        RETURN;
    END IF;
    INSERT INTO "Transacoes" ("Id", "Valor", "Saldo", "Limite", "RealizadoEm", "ClienteId", "Tipo", "Descricao")
    VALUES (1, 0, saldo_inicial, limite, instante, id, 'o', '');
    resultado := 'ok';
END $$;

-- Change a limit: 'ok', 'limite' where the debt is larger already, or 'cliente'. The twin of
-- ledger_set_limit().
CREATE OR REPLACE FUNCTION UpdateLimite(id integer, novo bigint, OUT resultado text, OUT saldo bigint)
LANGUAGE plpgsql AS $$
DECLARE
    ultimo   bigint;
    instante timestamptz;
BEGIN
    SELECT c."Saldo", c."UltimoId", c."AlteradoEm" INTO saldo, ultimo, instante
      FROM "Clientes" c WHERE c."Id" = id FOR UPDATE;
    IF NOT FOUND THEN
        resultado := 'cliente';
    ELSIF saldo < -novo THEN
        resultado := 'limite';
    ELSE
        instante := greatest(clock_timestamp(), instante + interval '1 microsecond');
        UPDATE "Clientes" SET "Limite" = novo, "UltimoId" = ultimo + 1, "AlteradoEm" = instante WHERE "Id" = id;
        INSERT INTO "Transacoes" ("Id", "Valor", "Saldo", "Limite", "RealizadoEm", "ClienteId", "Tipo", "Descricao")
        VALUES (ultimo + 1, 0, saldo, novo, instante, id, 'l', '');
        resultado := 'ok';
    END IF;
END $$;

-- Forget at most so many keys that are older than that; how many they were. Waits for nobody. `agora` is
-- the caller's idea of the time: where it differs from the server's clock, which somebody may have set,
-- the earlier one counts.
CREATE OR REPLACE FUNCTION DeleteChaves(
    idade interval, maximo integer, agora timestamptz DEFAULT 'infinity') RETURNS bigint
LANGUAGE sql SET enable_seqscan = off AS $$
    WITH apagadas AS (
        DELETE FROM "Chaves" WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM "Chaves" WHERE "CriadaEm" < least($3, statement_timestamp()) - $1
             ORDER BY "CriadaEm" LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1
    )
    SELECT count(*) FROM apagadas
$$;
