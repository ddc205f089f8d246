-- SPDX-License-Identifier: MIT
--
-- 60-version.sql - the files before this one have made schema version 1.

INSERT INTO "Esquema" ("Versao") SELECT 1 WHERE NOT EXISTS (SELECT FROM "Esquema");
