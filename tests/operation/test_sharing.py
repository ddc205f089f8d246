# SPDX-License-Identifier: MIT
"""Several banks on one folder: one owns it and the others ask it, whatever becomes of either."""

import collections
import itertools
import json
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

from bank import LIMITS, Bank, Closed, crebito, is_problem, post, request, together
from books import export, is_sound, records
from stores import LmdbStore

pytestmark = pytest.mark.only("lmdb", "a database is shared by its server: tests/postgres/test_instances.py")

SHARED = "another process owns the store, and serves this one"
TAKEN = "this process owns the store now"


class Fleet(list):
    """Banks on one folder; whose it is, and who is a guest there."""

    @property
    def store(self):
        return self[0].store

    @property
    def folder(self):
        return self[0].folder

    def owner_pid(self):
        done = crebito("status", "--json", "--database", self.store.url)
        owner = json.loads(done.stdout)["store"]["owner"]
        return owner and int(owner.split()[1])

    @property
    def owner(self):
        [owner] = [bank for bank in self if bank.alive and bank.process.pid == self.owner_pid()]
        return owner

    @property
    def guests(self):
        owner = self.owner
        return [bank for bank in self if bank.alive and bank is not owner]

    def booked(self):
        """What the ledger holds: (client, description) of each entry."""
        entries = [record for record in records(export(self.store.url)) if record["kind"] in ("credit", "debit")]
        return collections.Counter((entry["client"], entry["description"]) for entry in entries)


@pytest.fixture
def make_fleet(make_bank):
    def make(count=2, **more):
        return Fleet(make_bank(name=f"-{number}", **more) for number in range(count))

    return make


@pytest.fixture(params=[2, 3])
def fleet(make_fleet, request):
    return make_fleet(request.param)


# ---- the contract, word for word


def test_one_owns_the_folder_and_the_others_say_whom_they_ask(fleet):
    owner, *guests = fleet
    assert fleet.owner is owner and SHARED not in owner.log
    for guest in guests:
        assert SHARED in guest.log and f"process {owner.process.pid} " in guest.log


def test_what_one_has_acknowledged_the_others_show_at_once(fleet):
    for count, (writer, reader) in enumerate(itertools.islice(itertools.cycle(itertools.permutations(fleet, 2)), 60)):
        answer = writer.post(2, 1, "c", f"n{count}")
        assert answer.status == 200
        shown = reader.extrato(2)
        assert shown["saldo"]["total"] == answer.json()["saldo"] == count + 1
        assert shown["ultimas_transacoes"][0]["descricao"] == f"n{count}"


def test_a_key_is_booked_once_whoever_is_asked_and_however_many_at_once(fleet):
    for round in range(15):
        name = f"r{round}"
        answers = together([lambda bank=bank: bank.post(3, 10, "c", name, key=name) for bank in fleet for _ in range(4)])
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        replayed = [answer.header("Idempotency-Replayed") for answer in answers]
        assert sorted(replayed, key=str) == [None] + ["true"] * (len(answers) - 1)
    for bank in fleet:
        assert is_problem(bank.post(3, 11, "c", "r0", key="r0"), 422, "chave-reutilizada")
    assert set(fleet.booked().values()) == {1}


def test_together_they_take_no_more_than_the_limit(fleet):
    def drain(bank):
        with bank.connect() as connection:
            return sum(answer.status == 200 for answer in connection.ask_all(post(1, 1000, "d") for _ in range(60)))

    taken = together([lambda bank=bank: drain(bank) for bank in fleet for _ in range(2)])
    assert sum(taken) == LIMITS[1] // 1000
    for bank in fleet:
        assert bank.balance(1) == -LIMITS[1]
        assert is_problem(bank.post(1, 1, "d"), 422, "limite-excedido")


def test_they_answer_in_the_same_words(fleet):
    asked = [post(9, 1), request("GET", "/clientes/9/extrato"), post(1, 0), post(1, 1, "x"), post(9, 0),
             request("POST", "/clientes/1/transacoes", b"{"), request("GET", "/healthz"), request("PUT", "/healthz"),
             post(1, LIMITS[1] + 1, "d"), post(1, 5, "c", "x" * 11), request("GET", "/clientes/6/extrato")]
    for data in asked:
        answers = {(answer.status, answer.body) for answer in (bank.ask(data) for bank in fleet for _ in range(2))}
        assert len(answers) == 1, answers


def test_a_limit_and_an_account_of_an_operator_are_everybodys_at_once(fleet):
    url = fleet.store.url
    assert all(bank.get("/clientes/77/extrato").status == 404 for bank in fleet)
    assert crebito("client", "add", "77", "--limit", "5", "--database", url).returncode == 0
    assert [bank.post(77, 1, "d").json()["saldo"] for bank in fleet] == [-1 - n for n in range(len(fleet))]
    assert crebito("client", "set-limit", "77", "--limit", "10", "--database", url).returncode == 0
    assert {bank.extrato(77)["saldo"]["limite"] for bank in fleet} == {10}


def test_more_at_once_than_a_guest_may_ask_are_all_answered(fleet):
    many = 400

    def ask(connections):
        for number, connection in enumerate(connections):
            connection.send(post(1 + number % 5, 1))
        return [connection.receive().status for connection in connections]

    opened = {bank: [bank.connect() for _ in range(many)] for bank in fleet}
    answers = together([lambda connections=connections: ask(connections) for connections in opened.values()])
    for connection in itertools.chain(*opened.values()):
        connection.socket.close()
    assert answers == [[200] * many] * len(fleet)
    assert sum(fleet[-1].balance(client) for client in LIMITS) == many * len(fleet)


# ---- owners that go


def freeze(bank):
    """Stops it (SIGSTOP), and waits until each of its threads stands still."""
    os.kill(bank.process.pid, signal.SIGSTOP)
    for task in Path(f"/proc/{bank.process.pid}/task").iterdir():
        while (task / "stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)


class Work:
    """Clients of some of the banks, one request at a time each; and what they were told."""

    serial = itertools.count()

    def __init__(self, banks, copies=4):
        serial = next(self.serial)
        self.stopping = threading.Event()
        self.told = []  # (client, description, status, when); a status of 0 is no answer
        self.threads = [threading.Thread(target=self.run, args=(bank, 1 + copy % 5, f"{serial}.{number}.{copy}"))
                        for number, bank in enumerate(banks) for copy in range(copies)]

    def run(self, bank, client, name):
        for count in itertools.count():
            connection = None
            try:
                connection = bank.connect()
                while not self.stopping.is_set():
                    description = f"{name}.{count}"
                    status = 0
                    try:
                        status = connection.ask(post(client, 1, "c", description, key=description)).status
                    finally:
                        self.told.append((client, description, status, time.monotonic()))
                    count += 1
                return
            except (Closed, OSError):
                if self.stopping.wait(0.005):
                    return
            finally:
                if connection:
                    connection.socket.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def statuses(self):
        return collections.Counter(status for _, _, status, _ in self.told)

    def judge(self, fleet):
        """What was acknowledged is there, and nothing twice; what is unknown a retry settles."""
        booked = fleet.booked()
        assert set(booked.values()) <= {1}, booked.most_common(3)
        for client, description, status, _ in self.told:
            if status == 200:
                assert (client, description) in booked, description
        unknown = [(client, description) for client, description, status, _ in self.told if status in (0, 504)]
        for client, description in unknown:
            answer = fleet.owner.post(client, 1, "c", description, key=description)
            assert answer.status == 200, answer
            happened = (client, description) in booked
            assert answer.header("Idempotency-Replayed") == ("true" if happened else None)
        assert set(fleet.booked().values()) == {1}
        assert is_sound(fleet.store)


def test_the_owner_is_killed_under_load_and_another_takes_over(make_fleet):
    fleet = make_fleet(3)
    gaps = []
    for _ in range(6):
        owner, guests = fleet.owner, fleet.guests
        with Work(guests) as work:
            while work.statuses()[200] < 100:
                time.sleep(0.005)
            killed = time.monotonic()
            owner.kill()
            while not any(status == 200 and when > killed for _, _, status, when in work.told[-200:]):
                assert time.monotonic() < killed + 20, "nobody takes over"
                time.sleep(0.001)
            gaps.append(time.monotonic() - killed)
            seen = work.statuses()[200]
            while work.statuses()[200] < seen + 100:
                time.sleep(0.005)
        assert set(work.statuses()) <= {200, 504}, work.statuses()
        assert TAKEN in fleet.owner.log
        work.judge(fleet)
        assert owner.begin().get("/healthz").status == 200
    print("seconds until the next 200:", *(f"{gap:.3f}" for gap in sorted(gaps)))


def test_the_owner_is_stopped_under_load_and_nobody_notices(make_fleet):
    """What had been asked is answered; the rest waits for the next one. Not one error."""
    fleet = make_fleet(3)
    for _ in range(6):
        owner, guests = fleet.owner, fleet.guests
        with Work(guests) as work:
            while work.statuses()[200] < 100:
                time.sleep(0.005)
            owner.stop()
            seen = work.statuses()[200]
            while work.statuses()[200] < seen + 100:
                time.sleep(0.005)
        assert set(work.statuses()) == {200}, work.statuses()
        work.judge(fleet)
        owner.begin()


def test_a_guest_is_killed_under_load_and_nobody_else_notices(make_fleet):
    fleet = make_fleet(3)
    for _ in range(4):
        owner, (victim, other) = fleet.owner, fleet.guests
        with Work([owner, other]) as work, Work([victim]) as lost:
            while lost.statuses()[200] < 50:
                time.sleep(0.005)
            victim.kill()
            seen = work.statuses()[200]
            while work.statuses()[200] < seen + 100:
                time.sleep(0.005)
        assert set(work.statuses()) == {200}, work.statuses()
        assert fleet.owner is owner
        victim.begin()
        work.judge(fleet)
        lost.judge(fleet)


def test_with_nothing_to_do_another_takes_over_all_the_same(make_fleet):
    fleet = make_fleet(2)
    first, second = fleet
    first.kill()
    give_up = time.monotonic() + 20
    while TAKEN not in second.log:
        assert time.monotonic() < give_up
        time.sleep(0.002)
    assert fleet.owner is second and second.post(1, 1).status == 200


def test_an_extrato_that_a_dead_owner_owed_is_answered_by_the_next(make_fleet):
    fleet = make_fleet(2)
    owner, guest = fleet
    guest.post(1, 5)
    with guest.connect() as connection:
        freeze(owner)
        connection.send(request("GET", "/clientes/1/extrato"))
        assert connection.silent(0.2)
        owner.kill()
        answer = connection.receive()
        assert answer.status == 200 and answer.json()["saldo"]["total"] == 5


def test_what_a_dead_owner_did_not_answer_is_unknown_and_a_retry_settles_it(make_fleet):
    fleet = make_fleet(2)
    owner, guest = fleet
    with guest.connect() as connection:
        freeze(owner)
        connection.send(post(1, 5, key="k"))
        assert connection.silent(0.2)
        owner.kill()
        assert is_problem(connection.receive(), 504, "resultado-desconhecido")
        assert connection.ask(post(1, 5, key="k")).json()["saldo"] == 5
    assert guest.balance(1) == 5


def test_both_start_at_once_on_a_folder_that_is_not_there(make_bank):
    for round in range(8):
        fleet = Fleet(make_bank(folder=f"round{round}", name=f"-{number}", start=False) for number in range(3))
        together([bank.begin for bank in fleet])
        assert [bank.post(1, 1).json()["saldo"] for bank in fleet] == [1, 2, 3]
        assert len(fleet.guests) == 2 and is_sound(fleet.store, "5 accounts")
        for bank in fleet:
            bank.stop()


def test_both_are_killed_and_start_again_over_what_the_dead_left(make_fleet):
    fleet = make_fleet(2)
    for count in range(1, 5):
        assert fleet[count % 2].post(1, 1).json()["saldo"] == count
        for bank in fleet:
            bank.kill()
        assert (fleet.folder / "owner.sock").exists()
        together([bank.begin for bank in fleet])
        assert [bank.balance(1) for bank in fleet] == [count] * 2


# ---- folders that go


def test_a_folder_moved_away_is_served_no_more(make_fleet):
    """Another bank could start in its place: then there would be two, each with half of the money."""
    fleet = make_fleet(2)
    owner, guest = fleet
    owner.post(1, 5)
    away = fleet.folder.with_name("away")
    fleet.folder.rename(away)
    for bank in fleet:
        assert is_problem(bank.get("/healthz"), 503, "indisponivel")
        assert is_problem(bank.post(1, 1), 503, "indisponivel")
        assert is_problem(bank.get("/clientes/1/extrato"), 503, "indisponivel")
        assert bank.get("/clientes/6/extrato").status == 404
    assert "its folder has been moved away or deleted" in owner.log
    for bank in fleet:
        bank.stop()
    away.rename(fleet.folder)
    assert owner.begin().balance(1) == 5


def test_nobody_takes_over_another_folder_nor_makes_one(make_fleet):
    fleet = make_fleet(2)
    owner, guest = fleet
    owner.post(1, 5)
    folder, away = fleet.folder, fleet.folder.with_name("away")
    folder.rename(away)
    owner.kill()
    assert is_problem(guest.post(1, 1), 503, "indisponivel")
    assert not folder.exists() and guest.log.count("nobody owns the store") == 1
    assert crebito("init", "--database", fleet.store.url).returncode == 0  # Somebody makes another.
    assert is_problem(guest.post(1, 1), 503, "indisponivel")
    other = crebito("export", "--database", fleet.store.url)
    assert other.stdout.count('"credit"') == 0
    folder.rename(folder.with_name("other"))
    away.rename(folder)
    give_up = time.monotonic() + 20
    while guest.post(1, 1).status == 503:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert guest.balance(1) == 6 and TAKEN in guest.log


# ---- who may not


@pytest.mark.parametrize("own, other", [("full", "none"), pytest.param("none", "full", marks=pytest.mark.slow)])
def test_a_bank_joins_none_that_is_not_as_durable_as_itself(make_bank, own, other):
    bank = make_bank("--durability", own)
    done = crebito("serve", "--listen", "127.0.0.1:0", "--durability", other, "--database", bank.store.url)
    assert done.returncode == 1 and f"it is served with --durability {own}" in done.stderr, done
    assert bank.post(1, 1).status == 200


def test_a_bank_that_cannot_be_joined_is_named(make_bank):
    bank = make_bank(name="-0", start=False)
    bank.folder.mkdir()
    (bank.folder / "owner.sock").mkdir()
    bank.begin()
    done = crebito("serve", "--listen", "127.0.0.1:0", "--database", bank.store.url)
    assert done.returncode == 1, done
    assert str(bank.folder) in done.stderr and f"in use by process {bank.process.pid} " in done.stderr, done


def test_an_owner_whose_disk_fails_refuses_for_all_until_it_is_started_again(make_fleet):
    fleet = make_fleet(2, faults=True)
    owner, guest = fleet
    guest.post(1, 5)
    owner.fault("flush error EIO")
    assert is_problem(guest.post(1, 1), 504, "resultado-desconhecido")
    owner.fault()
    for bank in fleet:
        assert is_problem(bank.post(1, 1), 503, "indisponivel")
        assert bank.get("/healthz").status == 503
    owner.kill()
    assert guest.post(1, 1).status == 200


# ---- owners that hang


@pytest.mark.background
def test_an_owner_that_is_stopped_is_unknown_for_its_guests_until_it_goes_on(store):
    """It cannot be replaced: it may go on at any time, and would write where another does."""
    with tempfile.TemporaryDirectory() as folder:
        shared = LmdbStore(f"{folder}/data")
        with Bank(shared, name="-0") as owner, Bank(shared, name="-1") as guest:
            guest.post(1, 5)
            freeze(owner)
            answers = together([lambda: guest.post(1, 1, key="k"), lambda: guest.get("/clientes/1/extrato"),
                                lambda: guest.get("/healthz")])
            assert is_problem(answers[0], 504, "resultado-desconhecido")
            assert is_problem(answers[1], 503, "indisponivel") and is_problem(answers[2], 503, "indisponivel")
            assert is_problem(guest.get("/healthz"), 503, "indisponivel")  # at once, by now
            assert is_problem(guest.post_body(b"{}"), 422, "campo-invalido")
            assert guest.log.count("the owner of the store does not answer") == 1
            os.kill(owner.process.pid, signal.SIGCONT)
            give_up = time.monotonic() + 20
            while guest.get("/healthz").status != 200:
                assert time.monotonic() < give_up
                time.sleep(0.01)
            answer = guest.post(1, 1, key="k")
            assert answer.json()["saldo"] == 6 and answer.header("Idempotency-Replayed") == "true"
            assert guest.balance(1) == owner.balance(1) == 6
            assert guest.log.count("the owner answers again") == 1
