# SPDX-License-Identifier: MIT
"""Clients that come through NGINX while something is killed, and where their judge looks: see postgres/load.py."""

from books import export, is_sound, records
from ledger import Row
from load import Load


class Books:
    """What is in a store, whichever."""

    audit = staticmethod(is_sound)

    @staticmethod
    def rows(store):
        """All credits and debits, in order, for each client."""
        return [Row(record["client"], record["sequence"], record["kind"][0], record["amount_cents"],
                    record["balance_cents"], record["limit_cents"], record["description"])
                for record in records(export(store.url)) if record["kind"] in ("credit", "debit")]


class Clients(Load):
    """They come through NGINX, and come back when they are cut off."""

    books = Books

    def __init__(self, bank, **more):
        super().__init__(bank, copies=4, may_break=True, **more)
