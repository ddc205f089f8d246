# SPDX-License-Identifier: MIT
"""Was there an order? The judge of what concurrent clients asked and were answered.

A history is serializable (and more: linearizable) if the bank of reference.py, asked one call after
the other in some order, gives every answer in it, where a call that was answered before another
began comes before that one. In such an order the transactions of an account form one chain, each
balance that of the one before and its amount; each statement is that of a moment between its
request and its answer; a refusal was right at such a moment; a key books once.

explain() looks for the order as Wing and Gong did: from the calls that may come next it takes each
whose answer is right, and steps back where that leads nowhere. A call that changes nothing is taken as
soon as it fits, unless one without an answer would then come too late: that loses nothing.
Accounts have nothing in common but the journal, so without one each is judged for itself; with the
journal the order of changes is given.
"""

import math
from typing import Any, NamedTuple

from reference import Answer


class Post(NamedTuple):
    client: int
    body: Any
    key: str | None = None

    def ask(self, bank):
        return bank.post(*self)


class Look(NamedTuple):
    client: int

    def ask(self, bank):
        return bank.statement(self.client)


class SetLimit(NamedTuple):
    client: int
    limit: int

    def ask(self, bank):
        return bank.set_limit(*self)


class Call(NamedTuple):
    """Without an answer it may have happened between the two moments, or never."""

    question: Post | Look | SetLimit
    began: float
    ended: float
    answer: Answer | bool | None


class Search(NamedTuple):
    """A beginning of an order: what it leaves, as calls by number."""

    bank: Any
    keys: frozenset  # bank.keys, in a form that is quick to compare.
    taken: int  # A bit for each call.
    latest: float  # The last moment at which one of them began.
    order: tuple  # The last call taken, and the order before it.


def unroll(order):
    calls = []
    while order:
        call, order = order
        calls.append(call)
    return calls[::-1]


def candidates(calls, search):
    """The numbers of those that may come next: no other had its answer before they began.

    calls are in the order in which they began."""
    before = math.inf
    found = []
    for number, call in enumerate(calls):
        if call.began > before:
            break
        if search.taken >> number & 1:
            continue
        if call.answer is not None:
            before = min(before, call.ended)
        elif call.ended < search.latest:
            continue  # It would have had to happen earlier.
        found.append(number)
    return found


def told_of_keys(calls):
    """What keys were answered, at whichever time: the answer of the one call that booked."""
    return {(call.question.client, call.question.key): call.answer._replace(replayed=False)
            for call in calls if isinstance(call.question, Post) and call.answer and
            call.answer.status == 200 and call.question.key is not None}


def take(call, number, search, journal, told):
    """The search one call further; None if that cannot have come next."""
    bank = search.bank.copy()
    if call.answer not in (None, call.question.ask(bank)):
        return None
    new = bank.journal[len(search.bank.journal):]
    keys = search.keys
    for record in new:
        name = record.client, record.key
        if name in told and bank.keys[name][1] != told[name]:
            return None
        keys |= {(name, bank.keys.get(name))}
        if journal is not None and journal[record.sequence - 1:record.sequence] != new:
            return None
    if call.answer is None and not new:
        return None
    return Search(bank, keys, search.taken | 1 << number, max(search.latest, call.began),
                  (call, search.order))


def is_over(calls, search, journal):
    return all(search.taken >> number & 1 for number, call in enumerate(calls)
               if call.answer is not None) and (
                   journal is None or len(journal) == len(search.bank.journal))


def explain(calls, bank, journal=None):
    """An order of the calls that explains them, beginning with this bank; those that never
    happened are left out. AssertionError if there is none."""
    calls = sorted(calls, key=lambda call: call.began)
    begin = Search(bank, frozenset(), 0, -math.inf, ())
    told = told_of_keys(calls)
    open_ends, seen, best = [begin], set(), begin
    while open_ends:
        search = open_ends.pop()
        if is_over(calls, search, journal):
            return unroll(search.order)
        if search.taken.bit_count() > best.taken.bit_count():
            best = search
        # Where several fit, the one that was answered first is the likeliest.
        may = sorted(candidates(calls, search), key=lambda number: calls[number].ended)
        nexts = [take(calls[number], number, search, journal, told) for number in may]
        nexts = [after for after in nexts if after is not None]
        too_late = min((calls[number].ended for number in may if calls[number].answer is None),
                       default=math.inf)
        harmless = [after for after in nexts if after.latest <= too_late and
                    len(after.bank.journal) == len(search.bank.journal)]
        for after in harmless[:1] or nexts[::-1]:
            state = after.taken, after.keys, frozenset(after.bank.accounts.items())
            if state not in seen:
                seen.add(state)
                open_ends.append(after)
    raise AssertionError(complaint(calls, best, journal))


def complaint(calls, best, journal):
    lines = ["no order explains this history; the longest beginning of one ends with"]
    lines += [f"    {call}" for call in unroll(best.order)[-3:]]
    lines += [f"and leaves {best.bank.accounts}, after which comes none of"]
    lines += [f"    {calls[number]}" for number in candidates(calls, best)]
    if journal is not None:
        lines += [f"where the journal has {journal[len(best.bank.journal):][:1]}"]
    return "\n".join(lines)


def explain_each_account(calls, bank, journal=None):
    """Of the journal each account has its own part, besides how all of them began."""
    for client in {call.question.client for call in calls}:
        part = journal and [record for record in journal if client == record.client or record.kind == "opening"]
        part = part and [record._replace(sequence=number) for number, record in enumerate(part, 1)]
        explain([call for call in calls if call.question.client == client], bank, part)
