#!/bin/sh
# SPDX-License-Identifier: MIT
#
# init - makes the bank's tables in a new database; run by PostgreSQL's image, once, when its folder is empty.
set -eu

ask() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" "$@"; }

export PGOPTIONS="-c crebito.profile=$CREBITO_PROFILE"
for file in /usr/share/crebito/sql/*.sql; do ask -f "$file"; done

# The instances' own role may do what `crebito serve` does. It has no password: it comes by the Unix socket, in a
# volume that nobody else has.
ask <<'SQL'
CREATE ROLE crebito LOGIN;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO crebito;
GRANT DELETE ON "Chaves" TO crebito;
SQL

# By the socket come the instances, as their role and no other, and whoever is this user in this container. (The server
# that is started next reads it.)
rules=$(printf 'local all crebito trust\nlocal all %s peer\nlocal all all reject\n' "$POSTGRES_USER" && cat "$PGDATA/pg_hba.conf")
echo "$rules" >"$PGDATA/pg_hba.conf"

# Who was given no password of their own has none that others could know either: no login but by the socket.
[ "$POSTGRES_PASSWORD" != unset ] || ask -c "ALTER ROLE \"$POSTGRES_USER\" PASSWORD NULL"
