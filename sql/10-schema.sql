-- SPDX-License-Identifier: MIT
--
-- 10-schema.sql - the tables of the bank, as the challenge's first bank named them.
--
-- Plain SQL, in the order of the files' names: `crebito init --database postgres://...` runs them in
-- one transaction, /docker-entrypoint-initdb.d runs them one by one. Each may be run again, and
-- changes nothing the second time. Needs PostgreSQL 14 or later and a database in UTF8.

SET client_min_messages = warning;

DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the database must be in UTF8, and is in %', current_setting('server_encoding');
    END IF;

    -- The challenge's first bank has tables of the same names and no "Esquema": version 0. They are put
    -- aside here and read into the new ones by 30-upgrade.sql.
    IF to_regclass('"Clientes"') IS NOT NULL AND to_regclass('"Esquema"') IS NULL THEN
        ALTER TABLE "Clientes" RENAME TO "Clientes_0";
        ALTER TABLE "Clientes_0" DROP CONSTRAINT "PK_Clientes";
        ALTER TABLE "Transacoes" RENAME TO "Transacoes_0";
        DROP INDEX IF EXISTS "IX_Transacoes_ClienteId_Id_Desc";
        DROP FUNCTION IF EXISTS InsertTransacao(integer, integer, varchar, varchar);
        DROP FUNCTION IF EXISTS GetSaldoClienteById(integer);
    END IF;
END $$;

-- One row: which version of these files made the schema. The store refuses any other than its own.
CREATE TABLE IF NOT EXISTS "Esquema" (
    "Versao"   integer     NOT NULL,
    "CriadoEm" timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- An account. Money is whole centavos, at most 2^53 - 1 either way (bank/bounds.h: CENTS_MAX), so that
-- no sum of two leaves bigint. The constraints are the C rule ledger_terms_sane().
CREATE TABLE IF NOT EXISTS "Clientes" (
    "Id"           integer     CONSTRAINT "PK_Clientes" PRIMARY KEY
                               CONSTRAINT "CK_Clientes_Id" CHECK ("Id" >= 1),
    "Limite"       bigint      NOT NULL
                               CONSTRAINT "CK_Clientes_Limite" CHECK ("Limite" BETWEEN 0 AND 9007199254740991),
    "SaldoInicial" bigint      NOT NULL, -- at its opening
    "Saldo"        bigint      NOT NULL, -- now
    "UltimoId"     bigint      NOT NULL, -- of its records in "Transacoes", which count 1, 2, 3 ...
    "AlteradoEm"   timestamptz NOT NULL, -- when that one was booked
    CONSTRAINT "CK_Clientes_Saldo" CHECK ("Saldo" BETWEEN -"Limite" AND 9007199254740991)
) WITH (fillfactor = 50); -- few rows, updated all the time: room on the page for their next versions

-- The history of each account, unbroken: one record for its opening ('o'), each change of its limit
-- ('l'), each credit ('c') and debit ('d'). A record that is missing shows in the count.
-- One index is both primary key and the way to the latest ten (read backwards), and contains what
-- a distributed table is distributed by.
CREATE TABLE IF NOT EXISTS "Transacoes" (
    "Id"          bigint      NOT NULL, -- within the account
    "Valor"       bigint      NOT NULL,
    "Saldo"       bigint      NOT NULL, -- after it
    "Limite"      bigint      NOT NULL, -- after it
    "RealizadoEm" timestamptz NOT NULL, -- rises with "Id"
    "ClienteId"   integer     NOT NULL,
    "Tipo"        varchar(1)  NOT NULL,
    "Descricao"   text        NOT NULL,
    CONSTRAINT "IX_Transacoes_ClienteId_Id_Desc" PRIMARY KEY ("ClienteId", "Id"),
    CONSTRAINT "CK_Transacoes_Saldo" CHECK ("Saldo" BETWEEN -"Limite" AND 9007199254740991),
    CONSTRAINT "CK_Transacoes_Tipo" CHECK (
        CASE WHEN "Tipo" IN ('c', 'd')
             THEN "Valor" BETWEEN 1 AND 9007199254740991 AND char_length("Descricao") BETWEEN 1 AND 10
             ELSE "Tipo" IN ('o', 'l') AND "Valor" = 0 AND "Descricao" = '' END)
);

-- Idempotency keys, each booked together with its transaction.
CREATE TABLE IF NOT EXISTS "Chaves" (
    "ClienteId"   integer     NOT NULL,
    "TransacaoId" bigint      NOT NULL,
    "CriadaEm"    timestamptz NOT NULL, -- as its transaction: 24 hours or more later it may be forgotten
    "Chave"       text        NOT NULL
                              CONSTRAINT "CK_Chaves_Chave" CHECK (octet_length("Chave") BETWEEN 1 AND 64),
    CONSTRAINT "PK_Chaves" PRIMARY KEY ("ClienteId", "Chave")
);
-- Also where it is there already, CREATE INDEX would lock the table, before any other: and calls of a
-- bank that serves lock it last.
DO $$
BEGIN
    IF to_regclass('"IX_Chaves_CriadaEm"') IS NULL THEN
        CREATE INDEX "IX_Chaves_CriadaEm" ON "Chaves" ("CriadaEm");
    END IF;
END $$;
