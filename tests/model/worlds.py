# SPDX-License-Identifier: MIT
"""What may have happened: every bank that agrees with all that was seen.

Most of the time that is one. A request whose answer never came may have been booked or not, and
requests that were under way together ran in an order that nobody saw; then there are several,
until an answer tells them apart.
"""

import itertools


def orders(answers):
    """Every order of requests (by number): the answered are in each, the others may be."""
    answered = [number for number, answer in enumerate(answers) if answer is not None]
    unknown = [number for number, answer in enumerate(answers) if answer is None]
    for count in range(len(unknown) + 1):
        for happened in itertools.combinations(unknown, count):
            yield from itertools.permutations([*answered, *happened])


def difference(answer, right):
    """In words; of two lists, where they part."""
    if isinstance(answer, list) and isinstance(right, list):
        answer, right = next(pair for pair in itertools.zip_longest(answer, right)
                             if pair[0] != pair[1])
    return f"answered  {answer}\nshould be {right}"


class Worlds:
    def __init__(self, *banks):
        self.banks = list(banks)

    def copy(self):
        return Worlds(*(bank.copy() for bank in self.banks))

    def saw(self, answer, question):
        """question(bank), which may change the bank, was answered so: in which is that right?"""
        told = [(bank, question(bank)) for bank in self.banks]
        self.banks = [bank for bank, right in told if right == answer]
        assert self.banks, "\nor\n".join(sorted({difference(answer, right) for _, right in told}))

    def saw_together(self, answers, questions):
        """The questions were under way at the same time; None is an answer that never came."""
        kept = {}
        for bank in self.banks:
            for order in orders(answers):
                world = bank.copy()
                told = [(number, questions[number](world)) for number in order]
                if all(answers[number] in (None, right) for number, right in told):
                    kept[tuple(world.journal)] = world
        assert kept, f"no order of the requests explains the answers {answers}"
        self.banks = list(kept.values())
