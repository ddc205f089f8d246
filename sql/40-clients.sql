-- SPDX-License-Identifier: MIT
--
-- 40-clients.sql - the challenge's five clients, where the schema is new and there is nobody yet.
--
-- `crebito init --clients FILE` and `crebito import` leave this file out.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM "Esquema") AND NOT EXISTS (SELECT FROM "Clientes") THEN
        PERFORM InsertCliente(id, limite, 0)
           FROM (VALUES (1, 100000), (2, 80000), (3, 1000000), (4, 10000000), (5, 500000)) AS c (id, limite);
    END IF;
END $$;
