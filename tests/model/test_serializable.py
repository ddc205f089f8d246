# SPDX-License-Identifier: MIT
"""Many clients at once are answered as if they had come one after the other: see history.py."""

import os
import random
import threading
import time

import pytest

from bank import PATIENCE_S, Closed, Connection, request, together
from history import Call, Look, Post, SetLimit, explain, explain_each_account
from live import Request, live_bank, read_answer, read_statement
from reference import Bank

SEED = int(os.environ.get("CREBITO_TEST_SEED", random.SystemRandom().randrange(2**32)))
CLIENTS = (1, 2)  # Few, so that they meet; with low limits, so that some are refused.


class Crowd:
    """What all threads share: the bank, which one of them may kill, and what was called."""

    def __init__(self, live):
        self.live = live
        self.calls = []
        self.posts = []  # Those with a key, to be sent again by anybody.
        self.addresses = [live.bank.address]  # Of each server so far,
        self.deaths = []  # and when it was gone.
        self.changed = threading.Condition()

    def kill(self):
        self.live.bank.kill()
        self.live.store.settle()
        with self.changed:
            self.deaths.append(time.monotonic())
        self.live.bank.start()
        with self.changed:
            self.addresses.append(self.live.bank.address)
            self.changed.notify_all()

    def connect(self):
        """A connection, and the number of the server that it leads to."""
        while True:
            number = len(self.addresses) - 1
            try:
                connection = Connection(self.addresses[number])
                if len(self.deaths) == number:
                    return connection, number
            except OSError:
                pass
            self.await_successor(number)

    def await_successor(self, number):
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.addresses) > number + 1, PATIENCE_S)
        assert came, f"the server went away by itself:\n{self.live.bank.log}"


def some_post(crowd, dice, name):
    chance = dice.random()
    if crowd.posts and chance < 0.25:
        post = dice.choice(crowd.posts[-8:])
        if chance < 0.2:
            return post
        return post._replace(body={**post.body, "valor": post.body["valor"] + 1})
    # One account has amounts that are all different; the other has few, to come back to the same
    # balances, which is harder to judge, and to meet its limit.
    client = dice.choice(CLIENTS)
    amount = dice.randint(1, 60000) if client == 1 else dice.choice([1, 20000, 20000, 40000])
    body = {"valor": amount, "tipo": dice.choice("ccddd"), "descricao": name}
    key = f"{name}-{dice.getrandbits(32)}" if dice.random() < 0.5 else None
    post = Post(client, body, key)
    if key is not None:
        crowd.posts.append(post)
    return post


def ask(connection, question):
    """The answer, and when it was asked for and had."""
    if isinstance(question, Look):
        data = request("GET", f"/clientes/{question.client}/extrato")
    else:
        data = Request(*question).as_bytes()
    began = time.monotonic()
    try:
        response = connection.ask(data)
    except (Closed, OSError):
        return None, began, None
    ended = time.monotonic()
    answer = read_statement(response)[0] if isinstance(question, Look) else read_answer(response)
    return answer, began, ended


def one_client(crowd, dice, name, count):
    """Asks again, if that can be, what the death of a server left unanswered."""
    asked, left = 0, None
    while asked < count:
        connection, server = crowd.connect()
        with connection:
            while asked < count:
                question = left or (Look(dice.choice(CLIENTS)) if dice.random() < 0.2 else
                                    some_post(crowd, dice, f"{name}n{asked}"))
                left = None
                asked += 1
                answer, began, ended = ask(connection, question)
                if answer is None:
                    crowd.await_successor(server)
                    crowd.calls.append(Call(question, began, crowd.deaths[server], None))
                    left = question if getattr(question, "key", None) else None
                    break
                crowd.calls.append(Call(question, began, ended, answer))


def one_operator(crowd, dice, count):
    for _ in range(count):
        question = SetLimit(dice.choice(CLIENTS), dice.choice([20000, 60000, 100000, 150000]))
        began = time.monotonic()
        done = crowd.live.set_limit(*question)
        crowd.calls.append(Call(question, began, time.monotonic(), done))


def judge(crowd):
    for client in CLIENTS:
        began = time.monotonic()
        crowd.calls.append(Call(Look(client), began, time.monotonic() + PATIENCE_S,
                                crowd.live.statement(client)))
    journal = crowd.live.export()
    if crowd.live.has_one_order:
        explain(crowd.calls, Bank(), journal)
    explain_each_account(crowd.calls, Bank(), journal)
    return crowd.calls


@pytest.fixture
def crowd(store):
    print(f"CREBITO_TEST_SEED={SEED}")
    live = live_bank(store)()
    yield Crowd(live)
    live.close()


def run(crowd, clients, count, *others):
    dice = random.Random(SEED)
    together([lambda dice=random.Random(dice.random()), name=name:
              one_client(crowd, dice, f"c{name}", count) for name in range(clients)] +
             [lambda other=other: other(random.Random(dice.random())) for other in others])
    calls = judge(crowd)
    # The history says something: bookings, refusals of each kind, replays, statements of both.
    answers = [call.answer for call in calls if call.answer is not None]
    problems = {answer.problem for answer in answers if answer is not True and answer is not False}
    assert problems >= {"", "limite-excedido", "chave-reutilizada"}, problems
    assert any(isinstance(call.question, Post) and call.answer and call.answer.replayed
               for call in calls)
    return calls


def limits(count):
    return lambda crowd: [lambda dice: one_operator(crowd, dice, count)]


def kills(count):
    """At random moments, each when a few more answers have come."""
    def kill(crowd, dice):
        for _ in range(count):
            wanted = len(crowd.calls) + dice.randint(20, 60)
            while len(crowd.calls) < wanted:
                time.sleep(0.001)
            crowd.kill()

    return lambda crowd: [lambda dice: kill(crowd, dice)]


def test_the_answers_of_many_clients_have_an_order(crowd):
    run(crowd, 6, 60, *limits(5)(crowd))


def test_the_answers_of_many_clients_have_an_order_also_when_the_server_is_killed(crowd):
    calls = run(crowd, 6, 80, *kills(3)(crowd))
    assert any(call.answer is None for call in calls)


@pytest.mark.slow
@pytest.mark.parametrize("round", range(10))
def test_the_answers_of_a_crowd_have_an_order(crowd, round):
    run(crowd, 16, 100, *limits(20)(crowd))


@pytest.mark.slow
@pytest.mark.parametrize("round", range(10))
def test_the_answers_of_a_crowd_have_an_order_also_when_the_server_is_killed(crowd, round):
    calls = run(crowd, 12, 100, *kills(5)(crowd))
    assert any(call.answer is None for call in calls)
