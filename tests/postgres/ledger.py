# SPDX-License-Identifier: MIT
"""What the tables of a bank say, and whether it adds up. Reads them as another program would."""

import collections

Row = collections.namedtuple("Row", "client id kind amount balance limit description")

# Each finds the rows that contradict one rule of sql/10-schema.sql; none may find any.
RULES = {
    "a balance is not what its history adds up to": """
        SELECT c."Id" FROM "Clientes" c WHERE "Saldo" <> "SaldoInicial" + (SELECT coalesce(sum(
            CASE "Tipo" WHEN 'c' THEN "Valor" WHEN 'd' THEN -"Valor" ELSE 0 END), 0)
            FROM "Transacoes" WHERE "ClienteId" = c."Id")""",
    "the last record is not the last": """
        SELECT c."Id" FROM "Clientes" c WHERE ("UltimoId", "Saldo", "Limite", "AlteradoEm") IS DISTINCT FROM (
            SELECT ("Id", "Saldo", "Limite", "RealizadoEm") FROM "Transacoes" t
             WHERE t."ClienteId" = c."Id" ORDER BY t."Id" DESC LIMIT 1)""",
    "records are not numbered 1, 2, 3 ...": """
        SELECT "ClienteId" FROM "Transacoes" GROUP BY 1 HAVING min("Id") <> 1 OR max("Id") <> count(*)""",
    "a record's balance does not follow from the one before it": """
        SELECT * FROM (SELECT *, lag("Saldo") OVER (PARTITION BY "ClienteId" ORDER BY "Id") AS antes
                         FROM "Transacoes") t
         WHERE "Tipo" <> 'o' AND "Saldo" <> antes + CASE "Tipo" WHEN 'c' THEN "Valor" ELSE -"Valor" END""",
    "a limit is broken": 'SELECT * FROM "Transacoes" WHERE "Saldo" < -"Limite"',
    "times do not rise": """
        SELECT * FROM (SELECT *, lag("RealizadoEm") OVER (PARTITION BY "ClienteId" ORDER BY "Id") AS antes
                         FROM "Transacoes") t WHERE "RealizadoEm" <= antes""",
    "a record is nobody's": """
        SELECT * FROM "Transacoes" t WHERE NOT EXISTS (SELECT FROM "Clientes" c WHERE c."Id" = t."ClienteId")""",
    "an account does not begin with its opening": """
        SELECT c."Id" FROM "Clientes" c WHERE NOT EXISTS (SELECT FROM "Transacoes" t WHERE t."ClienteId" = c."Id"
            AND t."Id" = 1 AND t."Tipo" = 'o' AND t."Saldo" = c."SaldoInicial")""",
    "a key is not its transaction's": """
        SELECT * FROM "Chaves" k WHERE NOT EXISTS (SELECT FROM "Transacoes" t WHERE t."ClienteId" = k."ClienteId"
            AND t."Id" = k."TransacaoId" AND t."RealizadoEm" = k."CriadaEm" AND t."Tipo" IN ('c', 'd'))""",
}


def audit(database):
    for broken, sql in RULES.items():
        assert database.psql(sql) == "", broken


def rows(database):
    """All credits and debits, in order, for each client."""
    found = []
    for line in database.psql('SELECT "ClienteId", "Id", "Tipo", "Valor", "Saldo", "Limite", "Descricao"'
                              " FROM \"Transacoes\" WHERE \"Tipo\" IN ('c', 'd') ORDER BY 1, 2").splitlines():
        client, id, kind, amount, balance, limit, description = line.split("|")
        found.append(Row(int(client), int(id), kind, int(amount), int(balance), int(limit), description))
    return found


def balance(database, client):
    return int(database.psql(f'SELECT "Saldo" FROM "Clientes" WHERE "Id" = {client}'))


def booked(database, description):
    """How often."""
    return int(database.psql(f"SELECT count(*) FROM \"Transacoes\" WHERE \"Descricao\" = '{description}'"))
