-- SPDX-License-Identifier: MIT
--
-- 30-upgrade.sql - what 10-schema.sql put aside, read into the tables of today.
--
-- Version 0 is the challenge's first bank: one column for the balance, which it called "SaldoInicial",
-- times without a zone (in the server's), rows of clients that never existed. The history keeps its
-- order and its times, but that these must rise; what it does not add up to was there at the opening.

DO $$
DECLARE
    orfas bigint;
BEGIN
    IF to_regclass('"Clientes_0"') IS NULL THEN
        RETURN;
    END IF;

    CREATE TEMPORARY TABLE historia ON COMMIT DROP AS
    SELECT t."ClienteId" AS cliente, 1 + row_number() OVER dele AS id, t."Valor" AS valor, t."Tipo" AS tipo,
           t."Descricao" AS descricao, c."Limite"::bigint AS limite,
           c."SaldoInicial" + sum(CASE t."Tipo" WHEN 'c' THEN -t."Valor"::bigint ELSE t."Valor" END) OVER (
               PARTITION BY t."ClienteId" ORDER BY t."Id" DESC ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW)
               AS saldo,
           -- The latest time so far, and 1 us more for each record: they rise, and stay where they were
           -- but for microseconds.
           max(t."RealizadoEm"::timestamptz) OVER dele + row_number() OVER dele * interval '1 microsecond' AS em
      FROM "Transacoes_0" t JOIN "Clientes_0" c ON c."Id" = t."ClienteId"
    WINDOW dele AS (PARTITION BY t."ClienteId" ORDER BY t."Id");
    UPDATE historia SET saldo = (SELECT "SaldoInicial" FROM "Clientes_0" WHERE "Id" = cliente) WHERE saldo IS NULL;

    INSERT INTO "Clientes" ("Id", "Limite", "SaldoInicial", "Saldo", "UltimoId", "AlteradoEm")
    SELECT c."Id", c."Limite",
           coalesce((SELECT h.saldo - CASE h.tipo WHEN 'c' THEN h.valor ELSE -h.valor END
                       FROM historia h WHERE h.cliente = c."Id" AND h.id = 2), c."SaldoInicial"),
           c."SaldoInicial", 1 + coalesce((SELECT max(h.id) - 1 FROM historia h WHERE h.cliente = c."Id"), 0),
           coalesce((SELECT max(h.em) FROM historia h WHERE h.cliente = c."Id"), clock_timestamp())
      FROM "Clientes_0" c;
    INSERT INTO "Transacoes" ("ClienteId", "Id", "Tipo", "Valor", "Saldo", "Limite", "Descricao", "RealizadoEm")
    SELECT "Id", 1, 'o', 0, "SaldoInicial", "Limite", '',
           coalesce((SELECT min(h.em) - interval '1 microsecond' FROM historia h WHERE h.cliente = "Id"), "AlteradoEm")
      FROM "Clientes"
     UNION ALL
    SELECT cliente, id, tipo, valor, saldo, limite, descricao, em FROM historia;

    SELECT count(*) INTO orfas FROM "Transacoes_0" t
     WHERE NOT EXISTS (SELECT FROM "Clientes_0" c WHERE c."Id" = t."ClienteId");
    IF orfas > 0 THEN
        RAISE WARNING '% transactions of clients that do not exist were left behind', orfas;
    END IF;
    DROP TABLE historia, "Transacoes_0", "Clientes_0";
END $$;
