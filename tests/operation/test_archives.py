# SPDX-License-Identifier: MIT
"""verify, backup and restore: at rest and beside a bank that serves, whole or not at all."""

import random
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

import pytest

from bank import (BINARY, PATIENCE_S, SANITIZERS, Bank, clean_environment, crebito, post, request,
                  together)

pytestmark = pytest.mark.only("lmdb", "copies of a folder, and damage to its file")

# Damaged pages end the worker with a signal, which is the answer; ASan would make its own of it.
SIGNALS = {"ASAN_OPTIONS": "handle_segv=0:handle_sigbus=0:handle_abort=0:verify_asan_link_order=0"}


def verify(folder, **more):
    return crebito("verify", "--database", f"lmdb:{folder}", **more)


def is_sound(folder, *says):
    done = verify(folder)
    assert done.returncode == 0, done
    for words in ("sound", *says):
        assert words in done.stdout, done
    return True


def backup(folder, to, **more):
    return crebito("backup", to, "--database", f"lmdb:{folder}", **more)


def restore(copy, folder):
    return crebito("restore", copy, "--database", f"lmdb:{folder}")


def book_some(bank, count=50):
    with bank.connect() as connection:
        answers = connection.ask_all(
            post(1 + number % 5, 1 + number, "cd"[number % 2], key=f"k{number}" if number % 3 else None)
            for number in range(count))
    assert {answer.status for answer in answers} == {200}


class Load(threading.Thread):
    """Books on all five clients until it is told to stop; counts what was acknowledged."""

    def __init__(self, bank, pause_s=0):
        super().__init__()
        self.bank, self.pause_s, self.acknowledged = bank, pause_s, 0
        self.enough = threading.Event()

    def run(self):
        with self.bank.connect() as connection:
            while not self.enough.is_set():
                requests = [post(client, 1, "c", key=f"{id(self)}-{self.acknowledged}-{client}")
                            for client in range(1, 6)]
                answers = connection.ask_all(requests)
                assert {answer.status for answer in answers} == {200}
                self.acknowledged += len(answers)
                time.sleep(self.pause_s)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.join()


# ---- verify


def test_a_sound_store_is_verified_at_rest_and_beside_its_owner(new_bank):
    book_some(new_bank)
    assert is_sound(new_bank.folder, "5 accounts, 50 entries")
    assert new_bank.post(1).status == 200
    new_bank.stop()
    assert is_sound(new_bank.folder, "5 accounts, 51 entries")


def test_no_store_is_not_a_wrong_store(tmp_path):
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "diary.txt").write_text("Dear diary")
    for folder in (tmp_path / "missing", tmp_path / "diary", tmp_path):
        done = verify(folder)
        assert done.returncode == 2 and str(folder) in done.stderr, done
    assert not (tmp_path / "missing").exists()
    assert [path.name for path in (tmp_path / "diary").iterdir()] == ["diary.txt"]


def test_a_store_that_cannot_be_opened_is_not_a_wrong_one(tmp_path):
    (tmp_path / "data.mdb").mkdir()
    done = verify(tmp_path)
    assert done.returncode == 2 and "Is a directory" in done.stderr, done


def test_a_store_cut_short_is_wrong(new_bank):
    book_some(new_bank)
    new_bank.stop()
    data = new_bank.folder / "data.mdb"
    whole = data.read_bytes()
    for size in (0, 1, 4096, 8192, 5 * 4096):
        data.write_bytes(whole[:size])
        done = verify(new_bank.folder)
        assert done.returncode == 1 and "damaged" in done.stderr, (size, done)


def test_a_folder_that_is_read_only_is_verified(new_bank, tmp_path):
    book_some(new_bank)
    new_bank.stop()
    (new_bank.folder / "lock.mdb").unlink()
    new_bank.folder.chmod(0o500)
    try:
        assert is_sound(new_bank.folder, "50 entries")
    finally:
        new_bank.folder.chmod(0o700)


def pages(folder):
    return (folder / "data.mdb").stat().st_size // 4096


def test_a_damaged_file_never_crashes_an_audit(new_bank):
    """Every outcome but a crash: sound (free space was hit), wrong, or not a store any more."""
    book_some(new_bank, 2000)
    new_bank.stop()
    data = new_bank.folder / "data.mdb"
    whole = data.read_bytes()
    used = 4096 * min(pages(new_bank.folder), 200)
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    print("seed", seed)
    ends = []
    for trial in range(42):
        bytes_ = bytearray(whole)
        for _ in range(dice.choice((1, 8, 64))):
            at = dice.randrange(used)
            if trial % 3 == 0:  # Page headers and pointers are where it hurts.
                at = at // 4096 * 4096 + dice.randrange(32)
            bytes_[at] ^= 1 << dice.randrange(8)
        data.write_bytes(bytes_)
        done = verify(new_bank.folder, environment=SIGNALS)
        ends.append(done.returncode)
        assert done.returncode in (0, 1, 2), (trial, done)
        if done.returncode:
            assert done.stderr.startswith("crebito: ") and done.stderr.count("\n") == 1, done
        copy = new_bank.folder.with_name("copy")
        done = backup(new_bank.folder, copy, environment=SIGNALS)
        assert (done.returncode == 0) == copy.exists(), (trial, done)
        shutil.rmtree(copy, ignore_errors=True)
        assert not copy.with_name("copy.partial").exists(), (trial, done)
    assert 1 in ends


def test_each_flipped_bit_of_a_record_is_found(new_bank):
    book_some(new_bank, 60)
    new_bank.stop()
    data = new_bank.folder / "data.mdb"
    whole = data.read_bytes()
    # Descriptions stand in the journal and in the accounts, and in pages no longer used.
    places = [place.start() for place in re.finditer(b"teste", whole)]
    seed = random.randrange(2**32)
    print("seed", seed)
    found = 0
    for place in random.Random(seed).sample(places, 40):
        bytes_ = bytearray(whole)
        bytes_[place] ^= 1
        data.write_bytes(bytes_)
        done = verify(new_bank.folder, environment=SIGNALS)
        assert done.returncode in (0, 1), done
        if done.returncode == 1:
            found += 1
            assert re.search(r"(record|account) \d+", done.stderr), done
    assert found > 0


def account_separators(data):
    """Where in LMDB's branch pages a client divides two pages of accounts, and which."""
    for page in range(0, len(data), 4096):
        flags, lower = struct.unpack_from("<HH", data, page + 10)
        if flags != 1:  # P_BRANCH
            continue
        nodes = [page + node for node in
                 struct.unpack_from(f"<{(lower - 16) // 2}H", data, page + 16)][1:]
        if all(struct.unpack_from("<H", data, node + 6) == (4,) for node in nodes):
            node = nodes[len(nodes) // 2]
            yield node + 8, int.from_bytes(data[node + 8:node + 12], "big")


def test_an_account_that_cannot_be_looked_up_is_wrong(tmp_path):
    """A branch page's separator leads the bank past accounts that a walk through all of them meets."""
    (tmp_path / "clients.csv").write_text("".join(f"{client},0\n" for client in range(1, 3001)))
    store, data = tmp_path / "store", tmp_path / "store" / "data.mdb"
    assert crebito("init", "--clients", tmp_path / "clients.csv", "--database",
                   f"lmdb:{store}").returncode == 0
    sound = data.read_bytes()
    lost = 0
    for at, client in account_separators(sound):
        damaged = bytearray(sound)
        damaged[at:at + 4] = (client + 1).to_bytes(4, "big")
        data.write_bytes(damaged)
        shown = crebito("client", "show", client, "--database", f"lmdb:{store}")
        if shown.returncode != 0:
            lost += 1
            done = verify(store)
            assert done.returncode == 1, (client, shown, done)
    assert lost > 0


def test_an_audit_does_not_make_a_store_grow(make_bank):
    """Were one snapshot held for the whole audit, each commit would take some 12 new pages."""
    bank = make_bank(folder="live")
    book_some(bank, 5000)
    before = (bank.folder / "data.mdb").stat().st_size
    with Load(bank) as load:
        while load.acknowledged < 5000:
            assert is_sound(bank.folder)
    grown = (bank.folder / "data.mdb").stat().st_size - before
    # The file grows in steps of 16 MiB, of which one may be due anyway.
    assert grown <= (17 << 20) + load.acknowledged * 300, (grown, load.acknowledged)


def test_readers_that_were_killed_are_forgotten(new_bank):
    """Or their last snapshot would hold on to pages for ever, and there are only 16 places."""
    book_some(new_bank, 2000)
    for _ in range(20):
        process = subprocess.Popen([BINARY, "verify", "--database", f"lmdb:{new_bank.folder}"],
                                   env=clean_environment(), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(0.01)
        process.kill()
        process.wait()
        assert new_bank.post(1).status == 200
        time.sleep(0.05)
    time.sleep(1.1)
    assert new_bank.post(1).status == 200
    assert is_sound(new_bank.folder)


# ---- backup and restore


def test_a_backup_of_a_live_bank_is_a_bank(make_bank, tmp_path):
    bank = make_bank(folder="live")
    book_some(bank)
    before = bank.state()
    done = backup(bank.folder, tmp_path / "copy")
    assert done.returncode == 0 and "5 accounts, 50 entries" in done.stdout, done
    assert done.stderr == "", done
    assert is_sound(tmp_path / "copy", "50 entries")
    bank.post(1, 99)
    copy = make_bank(folder="copy")
    assert copy.state() == before
    # A retry is known there as well.
    assert copy.ask(post(2, 2, "d", key="k1")).header("Idempotency-Replayed") == "true"
    assert copy.post(1, 1).status == 200
    assert is_sound(copy.folder, "51 entries")


def test_backups_under_load_are_each_a_moment_of_the_bank(make_bank, tmp_path):
    bank = make_bank(folder="live")
    with Load(bank) as load:
        for number in range(8):
            least = load.acknowledged
            done = backup(bank.folder, tmp_path / str(number))
            assert done.returncode == 0, done
            entries = int(re.search(r"(\d+) entries", done.stdout)[1])
            assert least <= entries <= load.acknowledged + 5
            assert is_sound(tmp_path / str(number), f"{entries} entries")
    assert is_sound(bank.folder)


def test_a_backup_that_is_interrupted_leaves_nothing(make_bank, tmp_path):
    bank = make_bank(folder="live")
    book_some(bank, 4000)
    for sign, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        ended = []
        for delay_ms in range(0, 60, 4):
            copy = tmp_path / f"copy-{sign}-{delay_ms}"
            process = subprocess.Popen(
                [BINARY, "backup", copy, "--database", f"lmdb:{bank.folder}"],
                env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(delay_ms / 1000)
            process.send_signal(sign)
            out, err = process.communicate(timeout=PATIENCE_S)
            assert not any(words in err for words in SANITIZERS), err
            ended.append(process.returncode)
            if process.returncode == 0 or (process.returncode == -sign and copy.exists()):
                assert is_sound(copy)  # It was done, if only just.
                continue
            assert process.returncode in (status, -sign), (out, err)
            assert not copy.exists() and (process.returncode == -sign
                                          or not copy.with_name(copy.name + ".partial").exists())
        assert status in ended, ended


def test_a_backup_that_is_killed_leaves_no_copy_under_its_name_and_is_repeated(make_bank, tmp_path):
    bank = make_bank(folder="live")
    book_some(bank, 4000)
    copy = tmp_path / "copy"
    for delay_ms in range(0, 60, 4):
        process = subprocess.Popen([BINARY, "backup", copy, "--database", f"lmdb:{bank.folder}"],
                                   env=clean_environment(), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(delay_ms / 1000)
        process.kill()
        process.wait()
        if (copy / "data.mdb").exists():
            assert is_sound(copy, "4000 entries")
            shutil.rmtree(copy)
        elif copy.exists():  # Between the folder's name and the file's.
            assert (copy / "data.mdb.partial").exists()
            assert verify(copy).returncode == 2
    give_up = time.monotonic() + PATIENCE_S
    while (done := backup(bank.folder, copy)).returncode != 0:  # The last worker may be dying yet.
        assert "in use" in done.stderr and time.monotonic() < give_up, done
    assert is_sound(copy, "4000 entries")


def test_a_restore_refuses_to_overwrite(make_bank, tmp_path):
    bank = make_bank(folder="live")
    book_some(bank)
    backup(bank.folder, tmp_path / "copy")
    bank.post(1, 7)
    for _ in range(2):  # Beside an owner, then at rest.
        done = restore(tmp_path / "copy", bank.folder)
        assert done.returncode == 1, done
        assert "in use by" in done.stderr or "there is a store already" in done.stderr, done
        if bank.alive:
            bank.stop()
    assert is_sound(bank.folder, "51 entries")


def test_a_restored_bank_is_the_one_that_was_backed_up(make_bank, tmp_path):
    bank = make_bank(folder="live")
    book_some(bank)
    before = bank.state()
    assert backup(bank.folder, tmp_path / "copy").returncode == 0
    bank.stop()
    (tmp_path / "live").rename(tmp_path / "lost")
    done = restore(tmp_path / "copy", tmp_path / "live")
    assert done.returncode == 0, done
    with Bank(tmp_path / "live") as again:
        assert again.state() == before


def test_an_unfinished_restore_is_not_served_as_a_new_bank(tmp_path):
    for left in ("bank.partial/owner.lock", "bank/data.mdb.partial"):
        shutil.rmtree(tmp_path / "bank", ignore_errors=True)
        path = tmp_path / left
        path.parent.mkdir()
        path.write_text("half of it")
        for command in ("serve", "init"):
            done = crebito(command, "--database", f"lmdb:{tmp_path / 'bank'}")
            assert done.returncode == 1 and "interrupted" in done.stderr, (left, done)
        shutil.rmtree(path.parent)


def test_a_backup_without_room_says_so_and_leaves_nothing(make_bank, tmp_path):
    bank = make_bank(folder="live")
    book_some(bank, 2000)

    def small():
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run([BINARY, "backup", tmp_path / "copy", "--database",
                           f"lmdb:{bank.folder}"], capture_output=True, text=True,
                          env=clean_environment(), preexec_fn=small, timeout=PATIENCE_S)
    assert done.returncode == 1 and "is the disk full?" in done.stderr, done
    assert not (tmp_path / "copy").exists() and not (tmp_path / "copy.partial").exists()


def test_a_copy_never_takes_its_source_for_what_an_earlier_one_left(make_bank, tmp_path):
    """After a power cut a copy may be whole, and still have the name of one that is being made."""
    bank = make_bank(folder="copy.partial")
    book_some(bank)
    bank.stop()
    data = bank.folder / "data.mdb"
    data.write_bytes(data.read_bytes()[:5 * 4096])  # It can be neither copied nor done without.
    for command in (backup(bank.folder, tmp_path / "copy"), restore(bank.folder, tmp_path / "copy")):
        assert command.returncode != 0, command
        assert data.exists(), command


def test_a_backup_into_the_store_itself_is_refused(make_bank):
    """With a folder in it, it would be no store any more, and not be served again."""
    bank = make_bank()
    done = backup(bank.folder, bank.folder / "backup")
    bank.stop()
    assert done.returncode != 0 and not (bank.folder / "backup").exists(), done
    bank.start()


def test_two_backups_at_once_to_one_place_do_not_mix(make_bank, tmp_path):
    bank = make_bank(folder="live")
    book_some(bank, 2000)
    done = together([lambda: backup(bank.folder, tmp_path / "copy")] * 3)
    assert 1 <= [one.returncode for one in done].count(0)
    assert is_sound(tmp_path / "copy", "2000 entries")


def test_what_is_asked_of_a_bank_beside_an_audit_is_answered(new_bank):
    book_some(new_bank, 2000)
    stop = threading.Event()

    def audits():
        while not stop.is_set():
            assert is_sound(new_bank.folder)

    auditor = threading.Thread(target=audits)
    auditor.start()
    try:
        for number in range(200):
            assert new_bank.post(1, 1, "c").status == 200
            assert new_bank.ask(request("GET", "/clientes/1/extrato")).status == 200
    finally:
        stop.set()
        auditor.join()
