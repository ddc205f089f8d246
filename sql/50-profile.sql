-- SPDX-License-Identifier: MIT
--
-- 50-profile.sql - how much a crash may cost.
--
-- durable (what new tables are): nothing that was acknowledged. contest: everything, for a benchmark as
-- the challenge ran it: tables without a write-ahead log, which a crash of the server empties.
--
-- Which one is said by the setting crebito.profile (`crebito init --profile`, or `postgres -c
-- crebito.profile=contest` where /docker-entrypoint-initdb.d is run); where it is not set, tables stay
-- what they are. The rest of contest is the server's: fsync, full_page_writes and
-- synchronous_commit off.
--
-- Tables are altered in the order in which calls lock them, and only where there is something to
-- alter: that waits for whoever is reading, and all others wait behind it.

DO $$
DECLARE
    perfil text := coalesce(current_setting('crebito.profile', true), '');
    estado text; -- 'u', 'p' or both
BEGIN
    SELECT string_agg(DISTINCT relpersistence::text, '') INTO estado FROM pg_class
     WHERE oid IN ('"Clientes"'::regclass, '"Transacoes"'::regclass, '"Chaves"'::regclass);
    IF perfil = 'contest' THEN
        RAISE WARNING 'profile contest: a crash of the server empties the bank. For benchmarks, never for money';
    ELSIF perfil NOT IN ('', 'durable') THEN
        RAISE EXCEPTION 'crebito.profile is durable or contest, not %', perfil;
    END IF;
    IF perfil = 'contest' AND estado <> 'u' THEN
        -- A bank that has seen durable tables looks again only when it connects again.
        IF EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                      AND application_name = 'crebito' AND pid <> pg_backend_pid()) THEN
            RAISE EXCEPTION 'this bank is being served: stop it first';
        END IF;
        ALTER TABLE "Clientes" SET UNLOGGED;
        ALTER TABLE "Transacoes" SET UNLOGGED;
        ALTER TABLE "Transacoes" SET (fillfactor = 90);
        ALTER TABLE "Chaves" SET UNLOGGED;
    ELSIF perfil = 'durable' AND estado <> 'p' THEN
        ALTER TABLE "Clientes" SET LOGGED;
        ALTER TABLE "Transacoes" SET LOGGED;
        ALTER TABLE "Transacoes" RESET (fillfactor);
        ALTER TABLE "Chaves" SET LOGGED;
    END IF;
END $$;
