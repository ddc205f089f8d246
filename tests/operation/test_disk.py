# SPDX-License-Identifier: MIT
"""Disks that are full, read-only or damaged: a clear error, never a crash or a false 200."""

import os
import random
import resource
import subprocess

import pytest

from bank import BINARY, clean_environment, crebito, is_problem, post, together


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


def serves_all_but_entries(bank, balance):
    for _ in range(3):
        assert is_full(bank.post(1, 1, key="k"))
        assert is_full(bank.post(5, 1, "d"))
    assert bank.balance(1) == balance
    assert bank.post(1, 0).status == 422 and bank.post(6).status == 404
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
    faulty_bank.fault(*faults)
    assert serves_all_but_entries(faulty_bank, 5)
    faulty_bank.fault()
    assert goes_on(faulty_bank, 5)


def test_a_disk_that_was_full_at_the_start_is_503_until_there_is_room(faulty_bank):
    """The store is there already: what it holds can be read."""
    faulty_bank.post(1, 5)
    faulty_bank.stop()
    faulty_bank.fault("fallocate error ENOSPC")
    faulty_bank.start()
    assert serves_all_but_entries(faulty_bank, 5)
    faulty_bank.fault()
    assert goes_on(faulty_bank, 5)


def test_a_file_that_may_not_grow_is_503_until_it_may(make_bank):
    """The limit of the process on file sizes, which also sends it a signal."""
    bank = make_bank(prefix=["prlimit", "--fsize=1048576:unlimited"])
    taken = fill(bank)
    assert taken > 100
    assert serves_all_but_entries(bank, taken)
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(bank.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    bank.options = bank.options[2:]
    assert goes_on(bank, taken)


def test_a_full_map_is_503_and_a_restart_with_a_larger_one_goes_on(make_bank):
    bank = make_bank("--map-size", "1MiB")
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
