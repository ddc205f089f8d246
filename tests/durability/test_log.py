# SPDX-License-Identifier: MIT
"""What was acknowledged and is in the log alone, `wal`: others see it, a crash keeps it, damage to it is told."""

import contextlib
import json
import os
import random
import re
import threading
import time

import pytest

from bank import LIMITS, Closed, crebito, is_problem, post, request, together
from books import export, is_sound, records

pytestmark = pytest.mark.only("lmdb", "a server has a log of its own")

SEED = int(os.environ.get("CREBITO_TEST_SEED", random.SystemRandom().randrange(2**32)))
BLOCK = 4096  # The next one begins at a multiple of this.
NOBODY = 65534


HALF = 1 << 23  # of the log: while one goes to the data file, batches go to the other
LAP = slice(16, 24)  # of a block: the first record of its lap


def log_of(bank):
    return bank.folder / "wal"


def lap_of(bank):
    """Where the newest lap begins."""
    data = log_of(bank).read_bytes()
    return max((0, HALF), key=lambda begin: int.from_bytes(data[begin:][LAP], "little"))


def command(bank, *arguments):
    done = crebito(*arguments, "--database", bank.store.url)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def settle(bank):
    """Until its data file has all that was acknowledged: the next entry begins a lap of the log."""
    export(bank.store.url)


def book(bank, count, name="n"):
    """One after the other, a batch each, all with a key."""
    for number in range(count):
        assert bank.post(1, 1, key=f"{name}-{number}").status == 200


def entries(url):
    return [record for record in records(export(url)) if record["kind"] in ("credit", "debit")]


def as_nobody(bank):
    """A prefix for commands that are another user's, who may come to the folder."""
    for parent in bank.folder.parents[:3]:
        parent.chmod(0o755)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def refuses_to_start(bank, *words, **more):
    """Whoever opens it says the same, and changes nothing."""
    before = log_of(bank).read_bytes()
    for arguments in (["serve", "--listen", "127.0.0.1:0"], ["verify"], ["client", "show", "1"]):
        done = crebito(*arguments, "--database", bank.store.url, **more)
        assert done.returncode in (1, 2), done
        for word in (str(bank.folder), "wal", *words):
            assert word in done.stderr, done
    assert log_of(bank).read_bytes() == before
    return True


# ---- the file


def test_a_log_that_was_cut_short_is_booked_as_far_as_it_goes(new_bank):
    settle(new_bank)
    book(new_bank, 3)
    new_bank.kill()
    os.truncate(log_of(new_bank), lap_of(new_bank) + 3 * BLOCK)
    assert new_bank.start().balance(1) == 3


def test_a_log_for_which_there_is_no_room_takes_none(new_bank):
    """A part of it would take from the data file what is left, and be of no use."""
    new_bank.stop()
    log_of(new_bank).unlink()
    new_bank.options[:0] = ["prlimit", f"--fsize={1 << 20}"]
    new_bank.start()
    assert "serving without a log" in new_bank.log and log_of(new_bank).stat().st_size == 0
    assert new_bank.balance(1) == 0


@pytest.mark.parametrize("before", [0, 2], ids=["the first of a lap", "a later one"])
def test_no_entry_that_was_refused_for_want_of_room_is_booked_by_the_next_start(faulty_bank, before):
    """A flush may be what finds no room: then the page cache has the entry, and may not know how it ends."""
    settle(faulty_bank)
    book(faulty_bank, before)
    faulty_bank.fault("dsync_write error ENOSPC")
    answer = faulty_bank.post(1, 100)
    faulty_bank.kill()
    faulty_bank.fault()
    booked = faulty_bank.start().balance(1) - before
    if answer.status == 503:
        assert booked == 0
    else:
        assert is_problem(answer, 504, "resultado-desconhecido") and booked in (0, 100)


def test_a_log_that_may_not_be_read_is_not_passed_over(new_bank):
    if os.geteuid() != 0:
        pytest.skip("only root can give a log to somebody else")
    book(new_bank, 3)
    new_bank.kill()
    for path in [new_bank.folder, *new_bank.folder.iterdir()]:
        os.chown(path, NOBODY, NOBODY)
    os.chown(log_of(new_bank), 0, 0)
    assert refuses_to_start(new_bank, "Permission denied", prefix=as_nobody(new_bank))
    assert new_bank.start().balance(1) == 3


def test_the_log_belongs_to_whom_the_data_file_does(new_bank):
    if os.geteuid() != 0:
        pytest.skip("only root makes files beside those of others")
    new_bank.stop()
    log_of(new_bank).unlink()
    for path in [new_bank.folder, *new_bank.folder.iterdir()]:
        os.chown(path, NOBODY, NOBODY)
    new_bank.start()
    assert (log_of(new_bank).stat().st_uid, log_of(new_bank).stat().st_gid) == (NOBODY, NOBODY)


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("block", [0, 1])
def test_a_damaged_block_with_others_after_it_is_no_end_of_the_log(new_bank, block):
    settle(new_bank)
    with new_bank.connect() as connection:
        connection.ask_all((post(1, 1) for _ in range(3)), at_a_time=1)
    new_bank.kill()
    at = lap_of(new_bank) + block * BLOCK + 100
    flip(log_of(new_bank), at)
    assert refuses_to_start(new_bank, "is damaged", f"none that follows record {len(LIMITS) + block};")
    flip(log_of(new_bank), at)
    assert new_bank.start().balance(1) == 3


def test_the_last_block_may_be_torn_and_is_the_end(new_bank):
    """Of laps before, too: as a crash leaves it that comes in the middle of a write."""
    book(new_bank, 3)
    settle(new_bank)
    with new_bank.connect() as connection:
        connection.ask_all((post(1, 1) for _ in range(2)), at_a_time=1)
    new_bank.kill()
    flip(log_of(new_bank), lap_of(new_bank) + BLOCK + 100)
    assert new_bank.start().balance(1) == 4
    settle(new_bank)
    book(new_bank, 1, "later")
    new_bank.kill()
    flip(log_of(new_bank), lap_of(new_bank) + 100)
    assert is_sound(new_bank.store, "4 entries")
    assert new_bank.start().balance(1) == 4


def test_a_log_of_another_ledger_is_not_written_over(make_bank):
    """It may be all that there is of what that one acknowledged."""
    mine, other = make_bank(folder="mine"), make_bank(folder="other")
    book(mine, 2)
    mine.stop()
    book(other, 3)
    other.kill()
    log_of(other).rename(log_of(mine))
    assert refuses_to_start(mine, "another ledger's")
    log_of(mine).rename(log_of(other))
    assert mine.start().balance(1) == 2 and other.start().balance(1) == 3
    other.stop()
    mine.stop()
    log_of(mine).write_bytes(log_of(other).read_bytes())
    assert mine.start().balance(1) == 2, "that was closed, and nobody needs it"


def version(bank, half, number, blocks=HALF // BLOCK):
    """Makes its first blocks another version's, as far as it is told by a block."""
    data = bytearray(log_of(bank).read_bytes())
    for at in range(half * HALF, half * HALF + blocks * BLOCK, BLOCK):
        if data[at:at + 3] == b"CWA":
            data[at + 3] = number
    log_of(bank).write_bytes(data)


@pytest.mark.parametrize("half", [0, 1])
def test_a_log_of_another_version_is_left_to_that_one(new_bank, half):
    book(new_bank, 2)
    if half == 1:
        settle(new_bank)
        book(new_bank, 1, "later")
    new_bank.kill()
    assert lap_of(new_bank) == half * HALF
    version(new_bank, half, 2)
    assert refuses_to_start(new_bank, "another version")
    version(new_bank, half, 1)
    assert new_bank.start().balance(1) == 2 + half


@pytest.mark.parametrize("blocks", [1, HALF // BLOCK], ids=["ours behind its own", "nothing but its own"])
def test_a_log_that_another_version_closed_is_in_nobodys_way(new_bank, tmp_path, blocks):
    settle(new_bank)
    older = (new_bank.folder / "data.mdb").read_bytes()
    book(new_bank, 3)
    new_bank.stop()
    for half in range(2):
        version(new_bank, half, 2, blocks)
    assert is_sound(new_bank.store, "3 entries")
    (new_bank.folder / "data.mdb").write_bytes(older)
    assert new_bank.start().balance(1) == 0, "a copy from before was brought back"
    assert "serving without a log" not in new_bank.log
    assert b"CWA\2" not in log_of(new_bank).read_bytes(), "that one would find it beyond the end of the journal"
    book(new_bank, 1, "last")
    new_bank.kill()
    assert new_bank.start().balance(1) == 1


def test_no_new_bank_is_made_over_the_log_of_one_whose_data_file_is_gone(new_bank, tmp_path):
    book(new_bank, 3)
    new_bank.kill()
    (new_bank.folder / "data.mdb").rename(tmp_path / "data.mdb")
    for arguments in (["serve", "--listen", "127.0.0.1:0"], ["init"]):
        done = crebito(*arguments, "--database", new_bank.store.url)
        assert done.returncode == 1 and "data.mdb is gone" in done.stderr, done
    (tmp_path / "data.mdb").rename(new_bank.folder / "data.mdb")
    assert new_bank.start().balance(1) == 3


@pytest.mark.parametrize("crashed", [True, False])
def test_a_copy_that_is_brought_back_is_served_without_what_came_after_it(new_bank, tmp_path, crashed):
    """In the same folder, where the log goes on from the data file that is given up."""
    book(new_bank, 2)
    command(new_bank, "backup", str(tmp_path / "copy"))
    book(new_bank, 1, "later")
    settle(new_bank)
    book(new_bank, 1, "last")
    new_bank.kill() if crashed else new_bank.stop()
    (new_bank.folder / "data.mdb").unlink()
    if crashed:
        done = crebito("restore", str(tmp_path / "copy"), "--database", new_bank.store.url)
        assert done.returncode == 1 and "wal" in done.stderr, done
        log_of(new_bank).unlink()
    command(new_bank, "restore", str(tmp_path / "copy"))
    assert new_bank.start().balance(1) == 2


@pytest.mark.parametrize("garbage", [bytes(2 * HALF), b"this is no log\n" * 300000, b"", b"\n"],
                         ids=["zeros", "text", "nothing", "a byte"])
def test_what_is_no_log_is_made_one(new_bank, garbage):
    new_bank.stop()
    log_of(new_bank).write_bytes(garbage)
    new_bank.start()
    book(new_bank, 3)
    new_bank.kill()
    assert new_bank.start().balance(1) == 3


def test_a_log_that_is_deleted_while_it_is_served_loses_nothing_of_later(new_bank):
    book(new_bank, 3)
    log_of(new_bank).unlink()
    book(new_bank, 2, "later")
    new_bank.kill()
    assert new_bank.start().balance(1) == 5


@pytest.mark.parametrize("is_there", [True, False], ids=["a folder", "missing"])
def test_without_a_log_a_bank_serves_as_well(new_bank, is_there):
    """What has it cut off from a log that holds anything is another matter."""
    new_bank.stop()
    log_of(new_bank).unlink()
    if is_there:
        log_of(new_bank).mkdir()
    new_bank.start()
    assert ("serving without a log" in new_bank.log) == is_there
    book(new_bank, 3)
    new_bank.kill()
    assert is_sound(new_bank.store, "3 entries")
    assert new_bank.start().balance(1) == 3


def test_an_older_data_file_under_a_newer_log_is_refused(new_bank):
    book(new_bank, 1)
    settle(new_bank)
    older = (new_bank.folder / "data.mdb").read_bytes()
    for name in ("lost", "over"):  # the log has room for two laps, and both are written over
        book(new_bank, 1, name)
        settle(new_bank)
        book(new_bank, 1, f"{name}-too")
        settle(new_bank)
    book(new_bank, 1, "logged")
    new_bank.kill()
    newer = (new_bank.folder / "data.mdb").read_bytes()
    (new_bank.folder / "data.mdb").write_bytes(older)
    assert refuses_to_start(new_bank, "does not go with data.mdb")
    (new_bank.folder / "data.mdb").write_bytes(newer)
    assert new_bank.start().balance(1) == 6


# ---- beside a bank


def archives(bank, copy):
    """What each command that reads the whole ledger has of it: how many entries."""
    def backed_up():
        command(bank, "backup", str(copy))
        return len(entries(f"lmdb:{copy}"))

    def counted():
        done = crebito("status", "--json", "--database", bank.store.url, "--listen", bank.address)
        return json.loads(done.stdout)["store"]["records"] - len(LIMITS)

    return {
        "export": lambda: len(entries(bank.store.url)),
        "verify": lambda: int(re.search(r"(\d+) entries", command(bank, "verify"))[1]),
        "backup": backed_up,
        "status": counted,
    }


READERS = ["export", "verify", "backup", "status"]


class Load(threading.Thread):
    """Books on one client until it is told to stop, so that the log is never at rest."""

    def __init__(self, bank, client):
        super().__init__()
        self.bank, self.client, self.acknowledged = bank, client, 0
        self.enough = threading.Event()

    def run(self):
        with self.bank.connect() as connection:
            while not self.enough.is_set():
                assert connection.ask(post(self.client, 1)).status == 200
                self.acknowledged += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.join()


@pytest.mark.parametrize("reader", READERS)
def test_what_was_acknowledged_before_a_command_is_in_what_it_reads(new_bank, tmp_path, reader):
    """However little time it has had to get from the log to the data file."""
    with Load(new_bank, 2) as load:
        for number in range(3):
            book(new_bank, 1, f"n{number}")
            acknowledged = number + 1 + load.acknowledged
            assert archives(new_bank, tmp_path / f"copy-{number}")[reader]() >= acknowledged


@pytest.mark.parametrize("reader", ["export", "verify", "backup"])
def test_a_bank_whose_disk_is_full_is_read_all_the_same(faulty_bank, tmp_path, reader):
    """Somebody may want it elsewhere for that very reason."""
    book(faulty_bank, 3)
    faulty_bank.stop().fault("fallocate error ENOSPC")
    faulty_bank.start()
    assert is_problem(faulty_bank.post(1, 1), 503, "indisponivel")
    assert archives(faulty_bank, tmp_path / "copy")[reader]() == 3


@pytest.mark.parametrize("reader", READERS)
def test_a_bank_that_cannot_be_asked_is_read_all_the_same(new_bank, tmp_path, reader):
    """It has no socket, so that nobody can have it settle: it does without the log."""
    book(new_bank, 1)
    new_bank.kill()
    (new_bank.folder / "owner.sock").unlink()
    (new_bank.folder / "owner.sock").mkdir()
    new_bank.start()
    with Load(new_bank, 2) as load:
        book(new_bank, 2, "later")
        acknowledged = 3 + load.acknowledged
        assert archives(new_bank, tmp_path / "copy")[reader]() >= acknowledged
    new_bank.kill()
    assert new_bank.start().balance(1) == 3


# ---- after a crash


@pytest.mark.parametrize("reader", READERS)
def test_after_a_crash_a_command_reads_all_that_was_acknowledged(new_bank, tmp_path, reader):
    """Nobody serves; whoever comes first books what the log has."""
    book(new_bank, 20)
    new_bank.kill()
    assert archives(new_bank, tmp_path / "copy")[reader]() == 20
    assert is_sound(new_bank.store, "20 entries", "20 keys")


def test_after_a_crash_an_operator_sees_and_changes_what_was_acknowledged(new_bank):
    book(new_bank, 20)
    new_bank.kill()
    assert json.loads(command(new_bank, "client", "show", "1", "--json"))["balance_cents"] == 20
    new_bank.start()
    book(new_bank, 20, "later")
    new_bank.kill()
    command(new_bank, "client", "set-limit", "1", "--limit", "5")
    command(new_bank, "client", "add", "7", "--limit", "5")
    assert new_bank.start().balance(1) == 40
    assert new_bank.extrato(1)["saldo"]["limite"] == 5 and new_bank.balance(7) == 0


def test_after_a_crash_any_number_of_commands_may_come_at_once(new_bank, tmp_path):
    book(new_bank, 50)
    new_bank.kill()
    jobs = [archives(new_bank, tmp_path / f"copy-{number}")[READERS[number % 4]] for number in range(8)]
    assert together(jobs) == [50] * 8


def test_a_guest_has_all_that_its_owner_acknowledged_before_it_was_killed(make_bank):
    owner, guest = make_bank(name="-0"), make_bank(name="-1")
    for round in range(3):
        for number in range(10):
            owner.post(1, 1, key=f"{round}-{number}")
            guest.post(1, 1, key=f"{round}-{number}-too")
        owner.kill()
        assert guest.balance(1) == 20 * (round + 1)
        again = guest.post(1, 1, key=f"{round}-9")
        assert again.header("Idempotency-Replayed") == "true"
        assert again.json()["saldo"] == 20 * (round + 1) - 1
        owner, guest = guest, owner.begin()
    owner.kill()
    assert is_sound(guest.store, "60 entries", "60 keys")


@pytest.mark.parametrize("durability", ["full", "none"])
def test_every_post_is_booked_once_when_those_without_an_answer_are_repeated(make_bank, durability):
    bank = make_bank("--durability", durability)
    dice = random.Random(SEED)
    print(f"CREBITO_TEST_SEED={SEED}")
    asked = {client: 0 for client in LIMITS}

    def ask(client, first):
        """A few at a time until it goes; returns the requests, and how many had their answer."""
        requests, answered = [], 0
        with contextlib.suppress(Closed, OSError), bank.connect() as connection:
            while True:
                some = [post(client, first + len(requests) + number, key=f"{client}-{first + len(requests) + number}")
                        for number in range(8)]
                requests += some
                connection.send(b"".join(some))
                for _ in some:
                    assert connection.receive().status == 200
                    answered += 1
        return requests, answered

    def strike():
        time.sleep(dice.uniform(0.01, 0.3))
        bank.kill()

    for _ in range(8):
        *told, _ = together([*(lambda client=client: ask(client, asked[client] + 1) for client in LIMITS), strike])
        bank.start()
        for client, (requests, answered) in zip(LIMITS, told):
            with bank.connect() as connection:
                again = connection.ask_all(requests[max(0, answered - 20):])
            assert {answer.status for answer in again} <= {200}
            for answer in again[:min(20, answered)]:
                assert answer.header("Idempotency-Replayed") == "true"
            asked[client] += len(requests)
            assert bank.balance(client) == asked[client] * (asked[client] + 1) // 2
    bank.kill()
    assert is_sound(bank.store, f"{sum(asked.values())} entries", f"{sum(asked.values())} keys")


def test_killed_while_it_books_the_log_it_books_it_again(new_bank):
    with new_bank.connect() as connection:
        connection.ask_all((post(1, 1, key=f"n{number}") for number in range(400)), at_a_time=4)
    new_bank.kill()
    for attempt in range(20):
        new_bank.launch()
        time.sleep(attempt * 0.001)
        new_bank.kill()
    assert new_bank.start().balance(1) == 400
    new_bank.kill()
    assert is_sound(new_bank.store, "400 entries", "400 keys")


# ---- damage below


def with_damaged_keys(make_bank):
    """A bank that cannot look up keys of client 5. A copy, since no page of one holds what it has held before."""
    bank = make_bank()
    with bank.connect() as connection:
        connection.ask_all(post(5, 1, key=f"needle-{number:050}") for number in range(200))
    copy = make_bank(folder="copy", start=False)
    command(bank, "backup", str(copy.folder))
    path, size = copy.folder / "data.mdb", os.sysconf("SC_PAGE_SIZE")
    data = path.read_bytes()
    pages = [data[at:at + size] for at in range(0, len(data), size)]
    path.write_bytes(b"".join(bytes(size) if page.count(b"needle-") > 9 else page for page in pages))
    return copy.start()


def test_an_entry_that_meets_damage_takes_no_other_back(make_bank):
    """Its batch is as if it had not been; what was booked since the last checkpoint stays as it is."""
    new_bank = with_damaged_keys(make_bank)
    enough = threading.Event()

    def look():
        seen = 0
        with new_bank.connect() as connection:
            while not enough.is_set():
                now = connection.ask(request("GET", "/clientes/1/extrato")).json()["saldo"]["total"]
                assert now >= seen, "an entry that has been seen is gone"
                seen = now

    def meet_damage():
        try:
            with new_bank.connect() as connection:
                for number in range(10):
                    answers = connection.ask_all((post(1, 1) for _ in range(100)), at_a_time=1)
                    assert answers[-1].json()["saldo"] == 100 * (number + 1)
                    assert connection.ask(post(5, 1, key=f"needle-{number:050}")).status == 503
        finally:
            enough.set()

    together([look, look, meet_damage])
    assert new_bank.balance(1) == 1000


def test_a_log_that_was_closed_is_in_no_older_files_way(new_bank):
    """Somebody brings an older data.mdb back, under a log that ended well and has blocks of later records behind its end."""
    new_bank.post(1, 5)
    new_bank.stop()
    old = (new_bank.folder / "data.mdb").read_bytes()
    new_bank.start()
    for _ in range(5):
        assert new_bank.post(1, 1).status == 200
    new_bank.stop()
    (new_bank.folder / "data.mdb").write_bytes(old)
    assert new_bank.start().balance(1) == 5
    assert new_bank.post(1, 2).status == 200
    new_bank.kill()
    assert new_bank.start().balance(1) == 7
