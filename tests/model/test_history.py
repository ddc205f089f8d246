# SPDX-License-Identifier: MIT
"""The judge of histories is judged: by cases made by hand, and by trying every order of short ones."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from history import Call, Look, Post, SetLimit, explain
from reference import Answer, Bank, Entry, Record, refused

LIMIT = 100
REFUSED = refused(422, "limite-excedido")


def post(amount, began, ended, answer, key=None):
    """A credit, or a debit if the amount is below 0. An answer that is a number is a balance."""
    body = {"valor": abs(amount), "tipo": "c" if amount > 0 else "d", "descricao": f"{amount}"}
    if isinstance(answer, int):
        answer = Answer(200, limit=LIMIT, balance=answer)
    return Call(Post(1, body, key), began, ended, answer)


def again(call, began, ended, answer, **changed):
    answer = answer and answer._replace(**changed)
    return call._replace(began=began, ended=ended, answer=answer)


def look(began, ended, *amounts, limit=LIMIT):
    """A statement that shows these, the oldest first."""
    recent = tuple(Entry(abs(amount), "c" if amount > 0 else "d", f"{amount}")
                   for amount in reversed(amounts[-10:]))
    return Call(Look(1), began, ended, Answer(200, "", limit, sum(amounts), recent=recent))


def set_limit(limit, began, ended, done):
    return Call(SetLimit(1, limit), began, ended, done)


FIRST = post(-10, 0, 1, -10, key="k")
REPLAY = again(FIRST, 2, 3, FIRST.answer, replayed=True)

GOOD = {
    "nothing": [],
    "one after the other": [post(-10, 0, 1, -10), post(-20, 2, 3, -30), look(4, 5, -10, -20)],
    "at once, the other way round": [post(-10, 0, 9, -30), post(-20, 1, 8, -20)],
    "the same amount three times": [post(-1, 0, 9, -3), post(-1, 0, 9, -1), post(-1, 0, 9, -2)],
    "back to the same balance": [post(5, 0, 9, 5), post(-5, 0, 9, 0), post(5, 0, 9, 5),
                                 look(8, 20, 5, -5, 5)],
    "a statement of before, while under way": [post(-10, 0, 9, -10), look(1, 8)],
    "a statement of after, while under way": [post(-10, 0, 9, -10), look(1, 8, -10)],
    "two statements, the older answered later": [post(-10, 0, 9, -10), look(1, 7), look(1, 5, -10)],
    "eleven entries": [*(post(n, 2 * n, 2 * n + 1, sum(range(n + 1))) for n in range(1, 12)),
                       look(50, 51, *range(1, 12))],
    "refused, and right": [post(-100, 0, 1, -100), post(-1, 2, 3, REFUSED)],
    "refused at the one moment when that was right":
        [post(-100, 0, 5, -100), post(-1, 0, 9, REFUSED), post(100, 1, 9, 0)],
    "no answer, did not happen": [post(-10, 0, 9, None), look(10, 11)],
    "no answer, happened": [post(-10, 0, 9, None), look(10, 11, -10)],
    "no answer, happened late": [post(-10, 0, 9, None), look(2, 3), look(4, 5, -10)],
    "no answer, and one must have happened": [post(-60, 0, 9, None), post(-70, 0, 9, None),
                                              post(-50, 10, 11, REFUSED)],
    "no answer, and refused before the next hears of it":
        [post(-10, 0, 1, None), post(-101, 2, 3, REFUSED), look(4, 5, -10)],
    "no answer, its retry has": [again(FIRST, 0, 5, None), again(REPLAY, 6, 7, REPLAY.answer)],
    "a key replayed": [FIRST, REPLAY, look(4, 5, -10)],
    "a key replayed after more": [FIRST, post(-5, 1.5, 1.6, -15), REPLAY],
    "a key raced": [again(FIRST, 0, 9, FIRST.answer), again(FIRST, 0, 9, REPLAY.answer)],
    "a key with another payload": [FIRST, post(-11, 2, 3, refused(422, "chave-reutilizada"), "k")],
    "a key refused and then used": [post(-101, 0, 1, REFUSED, "k"), post(-10, 2, 3, -10, "k")],
    "a limit lowered to the debt": [post(-10, 0, 1, -10), set_limit(10, 2, 3, True),
                                    post(-1, 4, 5, REFUSED), look(6, 7, -10, limit=10)],
    "a limit not lowered under the debt": [post(-10, 0, 1, -10), set_limit(9, 2, 3, False)],
    "a limit raised just in time": [post(-101, 0, 9, Answer(200, limit=101, balance=-101)),
                                    set_limit(101, 1, 8, True)],
}

BAD = {
    "a lost update": [post(-10, 0, 9, -10), post(-20, 0, 9, -20)],
    "a lost update, seen later": [post(-10, 0, 9, -10), post(-20, 0, 9, -30), look(10, 11, -20)],
    "a wrong sum": [post(-10, 0, 1, -11)],
    "a wrong limit": [post(-10, 0, 1, Answer(200, limit=LIMIT + 1, balance=-10))],
    "reordered against time": [post(-10, 0, 1, -30), post(-20, 2, 3, -20)],
    "swapped answers": [post(-10, 0, 1, -30), post(-20, 2, 3, -10)],
    "the same balance twice": [post(-10, 0, 9, -10), post(-10, 0, 9, -10)],
    "two chains": [post(5, 0, 9, 5), post(7, 0, 9, 12), post(6, 0, 9, 6), post(1, 0, 9, 19)],
    "a stale statement": [post(-10, 0, 1, -10), look(2, 3)],
    "a statement of the future": [look(0, 1, -10), post(-10, 2, 3, -10)],
    "statements that go back": [post(-10, 0, 9, -10), look(1, 2, -10), look(3, 4)],
    "a statement in another order": [post(-10, 0, 9, -10), post(-20, 0, 9, -30),
                                     look(10, 11, -20, -10)],
    "a statement without the middle": [post(-1, 0, 1, -1), post(-2, 2, 3, -3), post(-3, 4, 5, -6),
                                       look(6, 7, -1, -3)],
    "a total that is not of its entries": [post(-10, 0, 1, -10), look(2, 3, -10)._replace(
        answer=look(2, 3, -10).answer._replace(balance=-11))],
    "eleven shown": [*(post(1, n, n + .5, n + 1) for n in range(11)), Call(
        Look(1), 20, 21, Answer(200, "", LIMIT, 11, recent=(Entry(1, "c", "1"),) * 11))],
    "below the limit": [post(-101, 0, 1, -101)],
    "a refusal that could never be": [post(-10, 0, 1, -10), post(-90, 2, 3, REFUSED)],
    "a refusal that was right only before": [post(-100, 0, 1, -100), post(100, 2, 3, 0),
                                             post(-1, 4, 5, REFUSED)],
    "a refusal that is right only later": [post(-1, 0, 1, REFUSED), post(-100, 2, 3, -100)],
    "refused and booked": [post(-101, 0, 1, REFUSED), look(2, 3, -101)],
    "an acknowledged one lost by a crash": [post(-10, 0, 1, -10), post(-20, 2, 3, None),
                                            look(4, 5, -20)],
    "no answer, happened twice": [post(-10, 0, 1, None), look(2, 3, -10, -10)],
    "no answer, happened after the crash": [post(-10, 0, 1, None), look(2, 3), look(4, 5, -10)],
    "no answer, happened before it was sent": [look(0, 1, -10), post(-10, 2, 3, None)],
    "no answer, seen and gone": [post(-10, 0, 9, None), look(1, 2, -10), look(3, 4)],
    "a key booked twice": [FIRST, post(-10, 2, 3, -20, "k")],
    "a key booked twice at once": [again(FIRST, 0, 9, FIRST.answer), post(-10, 0, 9, -20, "k")],
    "a key booked twice behind its replay": [FIRST, REPLAY, look(4, 5, -10, -10)],
    "a replay of nothing": [REPLAY],
    "a replay before the first": [again(FIRST, 5, 6, FIRST.answer), again(REPLAY, 2, 3, REPLAY.answer)],
    "a replay of another balance": [FIRST, again(REPLAY, 2, 3, REPLAY.answer, balance=-20)],
    "a replay that is not marked": [FIRST, again(FIRST, 2, 3, FIRST.answer)],
    "a replay of another payload": [FIRST, post(-11, 2, 3, REPLAY.answer, "k")],
    "a key refused for the payload of nobody":
        [post(-11, 0, 1, refused(422, "chave-reutilizada"), "k")],
    "a limit lowered under the debt": [post(-10, 0, 1, -10), set_limit(9, 2, 3, True)],
    "a limit not lowered to the debt": [post(-10, 0, 1, -10), set_limit(10, 2, 3, False)],
    "a limit that does not bind": [set_limit(9, 0, 1, True), post(-10, 2, 3, -10)],
    "a limit that binds too early": [post(-10, 0, 1, Answer(200, limit=200, balance=-10)),
                                     set_limit(200, 2, 3, True)],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_history_with_an_order_is_accepted(name):
    order = explain(GOOD[name], Bank({1: LIMIT}))
    assert all(call in order for call in GOOD[name] if call.answer is not None)


@pytest.mark.parametrize("name", BAD)
def test_a_history_without_an_order_is_rejected(name):
    with pytest.raises(AssertionError, match="no order explains"):
        explain(BAD[name], Bank({1: LIMIT}))


# ---- with the journal


TWO_AT_ONCE = [post(-10, 0, 9, -10), post(-20, 0, 9, -30), look(0, 9, -10), post(-5, 0, 9, None)]


def journal(*amounts, bank=None):
    bank = bank or Bank({1: LIMIT})
    for amount in amounts:
        assert post(amount, 0, 0, 0).question.ask(bank).status == 200
    return bank.journal


@pytest.mark.parametrize("amounts, right", [
    ((-10, -20), True), ((-10, -20, -5), True), ((-20, -10), False), ((-10,), False),
    ((-10, -20, -20), False), ((-10, -20, -5, -5), False), ((-5, -10, -20), False), ((), False)])
def test_the_order_is_that_of_the_journal(amounts, right):
    if right:
        order = explain(TWO_AT_ONCE, Bank({1: LIMIT}), journal(*amounts))
        booked = [call for call in order if isinstance(call.question, Post)]
        assert [int(call.question.body["descricao"]) for call in booked] == list(amounts)
    else:
        with pytest.raises(AssertionError, match="no order explains"):
            explain(TWO_AT_ONCE, Bank({1: LIMIT}), journal(*amounts))


@pytest.mark.parametrize("change", [
    {"sequence": 3}, {"client": 2}, {"kind": "credit"}, {"limit": 101}, {"balance": -11},
    {"entry": Entry(10, "d", "other")}, {"key": "k"}])
def test_a_record_of_the_journal_is_as_it_was_answered(change):
    right = journal(-10)
    wrong = [right[0], right[1]._replace(**change)]
    assert isinstance(wrong[1], Record)
    explain([post(-10, 0, 1, -10)], Bank({1: LIMIT}), right)
    with pytest.raises(AssertionError, match="no order explains"):
        explain([post(-10, 0, 1, -10)], Bank({1: LIMIT}), wrong)


def test_accounts_share_one_journal_in_the_order_of_time():
    """Which no account alone would show."""
    calls = [post(-10, 0, 1, -10), post(-20, 2, 3, -20)]
    calls[1] = calls[1]._replace(question=calls[1].question._replace(client=2))
    for order in ((0, 1), (1, 0)):
        bank = Bank({1: LIMIT, 2: LIMIT})
        for number in order:
            calls[number].question.ask(bank)
        if order == (0, 1):
            explain(calls, Bank({1: LIMIT, 2: LIMIT}), bank.journal)
        else:
            with pytest.raises(AssertionError, match="no order explains"):
                explain(calls, Bank({1: LIMIT, 2: LIMIT}), bank.journal)


# ---- against every order of short histories


def some_order_explains(calls):
    """By trying all of them."""
    answered = [call for call in calls if call.answer is not None]
    unknown = [call for call in calls if call.answer is None]
    for count in range(len(unknown) + 1):
        for happened in itertools.combinations(unknown, count):
            for order in itertools.permutations([*answered, *happened]):
                bank = Bank({1: LIMIT})
                if all(not later.ended < call.began for number, call in enumerate(order)
                       for later in order[number:]) and all(
                           call.answer in (None, right) for call in order
                           for right in [call.question.ask(bank)]):
                    return True
    return False


def random_history(dice):
    """What a bank might answer that crashes once; then perhaps with answers that are another's."""
    bank, calls = Bank({1: LIMIT}), []
    crash = dice.randint(0, 4) - 0.5
    for moment in range(dice.randint(2, 6)):
        question = dice.choice([
            *[post(dice.choice([-70, -40, 40]), 0, 0, None, dice.choice([None, "k"]))] * 4,
            look(0, 0), set_limit(dice.choice([0, 70, 200]), 0, 0, True)]).question
        answer = question.ask(bank if dice.random() < 0.9 else bank.copy())
        began, ended = moment - dice.choice([0, 0.4, 1.5, 2.5]), moment + dice.choice([0, 0.4, 1.5])
        if moment < crash:
            ended = min(ended, crash)
            if dice.random() < 0.4:
                answer, ended = None, crash
        calls.append(Call(question, max(began, crash) if moment > crash else began, ended, answer))
    if dice.random() < 0.5:
        one, two = dice.choice(calls), dice.randrange(len(calls))
        if type(one.question) is type(calls[two].question):
            calls[two] = calls[two]._replace(answer=one.answer)
    return calls


verdicts = set()


@settings(max_examples=1000, deadline=None, print_blob=True)
@given(st.integers(0, 2**32))
def judge_as_all_orders_do(seed):
    calls = random_history(random.Random(seed))
    try:
        explain(calls, Bank({1: LIMIT}))
        verdict = True
    except AssertionError:
        verdict = False
    assert verdict == some_order_explains(calls)
    verdicts.add(verdict)


def test_the_judge_says_what_trying_every_order_says():
    judge_as_all_orders_do()
    assert verdicts == {True, False}
