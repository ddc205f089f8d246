# SPDX-License-Identifier: MIT
"""Disks that are full, read-only or damaged: a clear error, never a crash or a false 200."""

import contextlib
import os
import random
import resource
import shutil
import subprocess

import pytest

from bank import (BINARY, LIMITS, clean_environment, crebito, is_problem, post, request, stuck,
                  together)

pytestmark = pytest.mark.only("lmdb", "files of a folder; those of a server are its own matter")


def serve(folder, *more, **settings):
    """A start that should fail."""
    return crebito("serve", "--listen", "127.0.0.1:0", "--database", f"lmdb:{folder}", *more,
                   **settings)


def is_full(response):
    assert is_problem(response, 503, "indisponivel")
    return int(response.header("Retry-After")) >= 0


def fill(bank):
    """Books until the bank has no room; returns how many transactions it took."""
    def book(thread):
        with bank.connect() as connection:
            for count in range(10000):
                data = post(1, 1, "c", "😀" * 10, key=f"{thread}-{count:060}")
                answer = connection.ask(data)
                if answer.status != 200:
                    assert is_full(answer)
                    return count
        raise AssertionError("it never gets full")

    taken = sum(together([lambda thread=thread: book(thread) for thread in range(8)]))
    while (answer := bank.post(1, 1)).status == 200:  # One that is smaller may still fit.
        taken += 1
    assert is_full(answer)
    return taken


# What a full store still has an answer for. The first is booked before it gets full.
BOOKED = post(2, 5, "c", "antes", key="antes")
JUDGED = {
    "repeat": (BOOKED, lambda answer: answer.header("Idempotency-Replayed") == "true"
               and answer.json() == {"limite": LIMITS[2], "saldo": 5}),
    "key used again": (post(2, 6, "c", "antes", key="antes"),
                       lambda answer: is_problem(answer, 422, "chave-reutilizada")),
    "limit": (post(5, LIMITS[5] + 1, "d", key="l"),
              lambda answer: is_problem(answer, 422, "limite-excedido")),
    "greatest balance": (post(2, 2**53 - 1),
                         lambda answer: is_problem(answer, 422, "saldo-maximo")),
    "client": (post(6), lambda answer: is_problem(answer, 404, "cliente-desconhecido")),
    "field": (post(1, 0), lambda answer: is_problem(answer, 422, "campo-invalido")),
    "extrato": (request("GET", "/clientes/2/extrato"),
                lambda answer: answer.json()["saldo"]["total"] == 5),
}
REFUSED = {"credit": (post(1, 1, key="k"), is_full), "debit": (post(5, 1, "d"), is_full)}


def serves_all_but_entries(bank, balance):
    for _ in range(3):
        for data, is_right in [*JUDGED.values(), *REFUSED.values()]:
            assert is_right(bank.ask(data))
    assert bank.balance(1) == balance and bank.balance(5) == 0
    return True


def goes_on(bank, balance):
    answer = bank.post(1, 1, key="k")
    assert answer.json()["saldo"] == balance + 1
    assert answer.header("Idempotency-Replayed") is None
    assert bank.get("/healthz").status == 200
    bank.kill()
    assert bank.start().balance(1) == balance + 1
    return True


FULL = ["fallocate error ENOSPC", "pwrite error ENOSPC", "writev error ENOSPC",
        "pwritev error ENOSPC", "write error ENOSPC"]


@pytest.mark.parametrize("faults", [FULL, FULL[1:], [line.replace("ENOSPC", "EDQUOT")
                                                     for line in FULL]],
                         ids=["no room", "no writes", "quota"])
def test_a_disk_that_fills_up_while_it_runs_is_503_until_there_is_room(faulty_bank, faults):
    faulty_bank.post(1, 5)
    faulty_bank.ask(BOOKED)
    faulty_bank.fault(*faults)
    assert serves_all_but_entries(faulty_bank, 5)
    faulty_bank.fault()
    assert goes_on(faulty_bank, 5)


@pytest.mark.parametrize("faults", [FULL[:1], FULL[:2]], ids=["no room", "no room, no writes"])
def test_a_disk_that_was_full_at_the_start_is_503_until_there_is_room(faulty_bank, faults):
    """The store is there already: what it holds can be read."""
    faulty_bank.post(1, 5)
    faulty_bank.ask(BOOKED)
    faulty_bank.stop()
    faulty_bank.fault(*faults)
    faulty_bank.start()
    assert serves_all_but_entries(faulty_bank, 5)
    faulty_bank.fault()
    assert goes_on(faulty_bank, 5)


def of_one_batch(bank, cases, faults=()):
    """Asks them all while another's commit hangs, then lets that end; returns the answers.

    What hangs is the commit's last write, so that the faults are the batch's alone.
    """
    with stuck(bank, post(3, 1), *cases, fault="dsync_write wait") as [first, *connections]:
        assert connections[-1].silent(0.2)
        bank.fault(*faults)
        assert first.receive().status == 200
        return [connection.receive() for connection in connections]


@pytest.mark.parametrize("faults", [FULL, FULL[1:]], ids=["no room", "no writes"])
def test_a_repeat_a_key_used_again_and_a_broken_limit_are_told_so_also_when_the_store_is_full(
        faulty_bank, faults):
    """Whoever is in one batch with them."""
    faulty_bank.ask(BOOKED)
    waiting = {name: case for name, case in {**JUDGED, **REFUSED}.items()
               if name not in ("client", "field", "extrato")}
    requests = [data for data, _ in waiting.values()]
    answers = of_one_batch(faulty_bank, requests, faults)
    for (_, is_right), answer in zip(waiting.values(), answers):
        assert is_right(answer)
    faulty_bank.fault()
    assert goes_on(faulty_bank, 0)


def bursts(bank):
    """Sends 200 transactions at once, again and again until none is taken; yields how many were."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(bank.connect()) for _ in range(200)]
        taken = len(connections)
        for burst in range(1000):
            for number, connection in enumerate(connections):
                connection.send(post(1, 1, "c", "😀" * 10, key=f"{burst}-{number:060}"))
            answers = [connection.receive() for connection in connections]
            assert all(answer.status == 200 or is_full(answer) for answer in answers)
            taken = sum(answer.status == 200 for answer in answers)
            yield taken
            if taken == 0:
                return
    raise AssertionError("it never gets full")


def test_bursts_are_booked_while_there_is_room_for_some_of_them(make_bank):
    """A burst is reserved more room than it takes; where that much is not left, its parts are."""
    bank = make_bank(prefix=["prlimit", f"--fsize={2 << 20}:unlimited"])
    before = len(bank.log.splitlines())
    taken = list(bursts(bank))
    assert taken[:4] == [200] * 4 and sum(taken) > 1500, taken
    assert bank.balance(1) == sum(taken)
    lines = bank.log.splitlines()[before:]
    assert 1 <= len(lines) <= 6, lines


def test_a_file_that_may_not_grow_is_503_until_it_may(make_bank):
    """The limit of the process on file sizes, which also sends it a signal."""
    bank = make_bank(prefix=["prlimit", "--fsize=1048576:unlimited"])
    bank.ask(BOOKED)
    taken = fill(bank)
    assert taken > 100
    assert serves_all_but_entries(bank, taken)
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(bank.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    bank.options = bank.options[2:]
    assert goes_on(bank, taken)


def test_a_full_map_is_503_and_a_restart_with_a_larger_one_goes_on(make_bank):
    bank = make_bank("--map-size", "1MiB")
    bank.ask(BOOKED)
    taken = fill(bank)
    assert taken > 100
    assert serves_all_but_entries(bank, taken)
    assert "map" in bank.log
    assert serves_all_but_entries(bank.restart(), taken)
    bank.stop()
    bank.options[-1] = "2MiB"
    bank.start()
    again = bank.post(1, 1, "c", "😀" * 10, key=f"0-{0:060}")
    assert again.header("Idempotency-Replayed") == "true"
    assert goes_on(bank, taken)


def test_of_a_batch_that_the_map_has_no_room_for_as_many_are_booked_as_fit(make_bank):
    """Each is told its own end, and a retry of each is answered accordingly."""
    bank = make_bank("--map-size", "1MiB", faults=True)
    bank.ask(BOOKED)
    total = sum(taken for _, taken in zip(range(10), bursts(bank)))
    for batch in range(100):
        requests = [post(1, 1, "c", "😀" * 10, key=f"b{batch}-{number:060}")
                    for number in range(100)]
        answers = of_one_batch(bank, requests)
        statuses = {answer.status for answer in answers}
        total += sum(answer.status == 200 for answer in answers)
        if statuses != {200}:
            break
    assert statuses == {200, 503}, "a batch was refused as a whole, or it never gets full"
    assert bank.balance(1) == total
    for data, answer in zip(requests, answers):
        again = bank.ask(data)
        replayed = again.header("Idempotency-Replayed") == "true"
        assert replayed == (answer.status == 200) and (again.status == 200 or is_full(again))
        total += again.status == 200 and not replayed  # Alone it may fit.
    for data, is_right in JUDGED.values():
        assert is_right(bank.ask(data))
    assert bank.restart().balance(1) == total


def test_a_disk_that_is_full_at_the_start_is_a_clear_message_and_exit_1(tmp_path):
    def nothing_fits():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    for command in (["serve", "--listen", "127.0.0.1:0"], ["init"]):
        done = subprocess.run([BINARY, *command, "--database", f"lmdb:{tmp_path}/data"], timeout=60,
                              env=clean_environment(), capture_output=True, text=True,
                              preexec_fn=nothing_fits)
        assert done.returncode == 1 and f"{tmp_path}/data" in done.stderr, done
    assert crebito("init", "--database", f"lmdb:{tmp_path}/data").returncode == 0


@pytest.mark.parametrize("fault", ["fdatasync error EIO", "fsync error EIO", *FULL[:2]])
def test_a_disk_that_fails_at_the_start_leaves_no_half_store(make_bank, tmp_path, fault):
    bank = make_bank(start=False, faults=True)
    bank.fault(fault)
    faults = {name: bank.environment[name] for name in ("LD_PRELOAD", "CREBITO_FAULT")}
    done = crebito("init", "--database", f"lmdb:{bank.folder}", environment=faults)
    assert done.returncode in (0, 1)
    if done.returncode == 1:
        assert str(bank.folder) in done.stderr
        assert not (bank.folder / "data.mdb").exists()
    bank.fault()
    assert bank.start().post(1, 1).json()["saldo"] == 1


def test_what_the_last_owner_may_not_have_flushed_is_flushed_before_it_is_seen(make_bank):
    bank = make_bank("--durability", "none", faults=True)
    bank.post(1, 5)
    bank.kill()
    durable = make_bank(start=False, faults=True)
    durable.fault("fdatasync error EIO")
    faults = {name: durable.environment[name] for name in ("LD_PRELOAD", "CREBITO_FAULT")}
    done = crebito("serve", "--listen", "127.0.0.1:0", "--database", f"lmdb:{bank.folder}", environment=faults)
    assert done.returncode == 1 and "cannot flush it" in done.stderr, done
    durable.fault()
    assert durable.start().balance(1) == 5


@pytest.mark.parametrize("delete", [shutil.rmtree, lambda folder: (folder / "data.mdb").unlink()],
                         ids=["folder", "file"])
def test_a_store_that_is_deleted_while_it_is_served_is_503(new_bank, delete):
    """What is written to it now is lost with the process: no 200 may say otherwise."""
    new_bank.post(1, 5, key="k")
    delete(new_bank.folder)
    for _ in range(2):
        assert is_problem(new_bank.post(1, 1), 503, "indisponivel")
        assert new_bank.get("/healthz").status == 503
    assert new_bank.post(6).status == 404 and new_bank.post(1, 0).status == 422
    assert "level=error" in new_bank.log and "deleted" in new_bank.log


# ---- read-only


def read_only(folder):
    """A prefix for commands that see the folder read-only, whoever they run as."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        return []
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", mount, str(folder)]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("root writes everywhere, and may not mount here")
    return prefix


def test_a_read_only_folder_is_a_clear_message_and_exit_1(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    done = serve(folder, prefix=read_only(folder))
    folder.chmod(0o755)
    assert done.returncode == 1 and str(folder) in done.stderr
    assert list(folder.iterdir()) == []


def test_a_read_only_store_is_a_clear_message_and_exit_1(new_bank):
    new_bank.post(1, 5)
    new_bank.stop()
    for path in new_bank.folder.iterdir():
        path.chmod(0o444)
    done = serve(new_bank.folder, prefix=read_only(new_bank.folder))
    new_bank.folder.chmod(0o755)
    for path in new_bank.folder.iterdir():
        path.chmod(0o644)
    assert done.returncode == 1 and str(new_bank.folder) in done.stderr
    assert new_bank.start().balance(1) == 5


# ---- damage


def noise(size):
    return random.Random(size).randbytes(size)


DAMAGE = {
    "nothing": lambda data: b"",
    "one byte": lambda data: data[:1],
    "100 bytes": lambda data: data[:100],
    "one page": lambda data: data[:4096],
    "two pages": lambda data: data[:8192],
    "three pages": lambda data: data[:12288],
    "half a page more": lambda data: data[:14336],
    "noise": lambda data: noise(len(data)),
    "short noise": lambda data: noise(5000),
    "noise at the start": lambda data: noise(8192) + data[8192:],
    "noise after the start": lambda data: data[:8192] + noise(len(data) - 8192),
    "zeros": lambda data: bytes(len(data)),
    "zeros after the start": lambda data: data[:8192] + bytes(len(data) - 8192),
    "text": lambda data: b"this is no database\n" * 1000,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_store_is_a_clear_message_and_exit_1(new_bank, damage):
    for client in (1, 2, 3):
        new_bank.post(client, 5, key="k")
    new_bank.stop()
    path = new_bank.folder / "data.mdb"
    damaged = DAMAGE[damage](path.read_bytes())
    path.write_bytes(damaged)
    for command in (["serve", "--listen", "127.0.0.1:0"], ["init"]):
        done = crebito(*command, "--database", f"lmdb:{new_bank.folder}")
        assert done.returncode == 1, done
        assert str(new_bank.folder) in done.stderr
        assert path.read_bytes() == damaged, "it wrote to what it cannot read"
    done = crebito("status", "--database", f"lmdb:{new_bank.folder}", "--listen", "127.0.0.1:1")
    assert done.returncode == 2 and str(new_bank.folder) in done.stderr, done


def test_a_damaged_page_of_old_keys_refuses_no_entry(new_bank):
    """Each start looks for keys to clear; that a page of theirs is gone is no client's business."""
    assert new_bank.post(1, 5, key="needle-of-this-test").status == 200
    new_bank.stop()
    path, size = new_bank.folder / "data.mdb", os.sysconf("SC_PAGE_SIZE")
    data = path.read_bytes()
    pages = [data[at:at + size] for at in range(0, len(data), size)]
    path.write_bytes(b"".join(bytes(len(page)) if b"needle-of-this-test" in page else page
                              for page in pages))
    new_bank.start()
    for client in (1, 2, 3):
        assert new_bank.post(client, 5).status == 200
    assert new_bank.balance(1) == 10
    new_bank.stop()
    assert new_bank.log.count("old keys are no longer cleared") == 1
    assert new_bank.start().balance(1) == 10
