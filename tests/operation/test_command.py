# SPDX-License-Identifier: MIT
"""The command line: what it accepts, what it refuses, what it says."""

import json
import os
import re
import socket
import subprocess
import threading

import pytest

from bank import BINARY, LIMITS, Bank, crebito, post, together

SERVE_OPTIONS = ["listen", "socket-mode", "database", "durability", "map-size", "max-connections",
                 "max-pending", "threads", "key-retention"]

# Every command, as somebody would give it.
COMMANDS = [["serve"], ["init"], ["status"], ["verify"], ["backup", "copy"], ["restore", "copy"],
            ["export"], ["import"], ["client", "add", "7", "--limit", "0"],
            ["client", "set-limit", "7", "--limit", "0"], ["client", "show", "7"]]


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path, monkeypatch):
    """So that no default touches this one's data, and what was left behind shows."""
    monkeypatch.chdir(tmp_path)


USAGE_ERRORS = [
    [], ["frobnicate"], ["--frobnicate"], ["-x"], ["client"], ["client", "frobnicate"],
    *[[*command, "--frobnicate"] for command in COMMANDS],
    *[[*command, "extra", "extra"] for command in COMMANDS],
    *[[*command, "--database", ""] for command in COMMANDS],
    *[command[:-1] for command in COMMANDS if len(command) > 1],
    *[["client", "show", value] for value in ("0", "2147483648", "x", "01x", "")],
    *[["client", "add", "7", "--limit", value] for value in ("-1", "9007199254740992", "1.5", "")],
    ["export", "--format", "xml"], ["export", "--since", "yesterday"], ["export", "--client", "0"],
    ["init", "--clients", ""],
    *[["serve", f"--{option}"] for option in SERVE_OPTIONS],
    *[["serve", f"--{option}", ""] for option in SERVE_OPTIONS],
    *[["serve", "--listen", value] for value in (
        "nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536",
        ":", "unix:", "127.0.0.1:99999999999", "[::1:80", "999.0.0.1:80", "tcp:127.0.0.1:80",
        "unix:" + "x" * 200)],
    *[["serve", "--socket-mode", value] for value in ("x", "0999", "-1", "077777", "0o660")],
    *[["serve", "--database", value] for value in ("data", "lmdb:", "mysql://x", "lmdb", ":x")],
    *[["init", "--database", value] for value in ("data", "lmdb:", "mysql://x")],
    *[["status", "--database", value] for value in ("data", "lmdb:", "mysql://x")],
    *[["serve", "--durability", value] for value in ("x", "FULL", "fast", "0")],
    *[["serve", "--map-size", value] for value in ("0", "1", "x", "-1", "64XiB", "64 MiB x", "1KiB",
                                                   "99999999999999999999", "9999999TiB", "1e9")],
    *[["serve", f"--{option}", value] for option in ("max-connections", "max-pending",
                                                     "threads", "key-retention")
      for value in ("0", "-1", "x", "1x", "1.5", "99999999999999999999")],
    ["serve", "--key-retention", "23"]]


@pytest.mark.parametrize("arguments", USAGE_ERRORS, ids=" ".join)
def test_a_usage_error_is_a_message_and_exit_2(tmp_path, arguments):
    done = crebito(*arguments)
    assert done.returncode == 2, done
    assert done.stdout == "" and done.stderr.strip()
    named = [word for word in arguments[1:] if word.startswith("--") or word == "extra"]
    assert not named or named[-1] in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, value", [
    ("CREBITO_LISTEN", "nonsense"), ("CREBITO_LISTEN", "127.0.0.1:0,nonsense"),
    ("CREBITO_SOCKET_MODE", "x"), ("CREBITO_DATABASE", "mysql://x"), ("DATABASE_URL", "mysql://x"),
    ("CREBITO_DURABILITY", "x"), ("CREBITO_MAP_SIZE", "1"), ("CREBITO_MAX_CONNECTIONS", "0"),
    ("CREBITO_MAX_PENDING", "x"), ("CREBITO_THREADS", "33"),
    ("CREBITO_KEY_RETENTION", "23")])
def test_a_wrong_environment_variable_is_named_and_exit_2(tmp_path, name, value):
    done = crebito("serve", environment={name: value})
    assert done.returncode == 2 and name in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["serve", "status"])
@pytest.mark.parametrize("value", [",", " ", " , ,", "nonsense", ",nonsense"])
def test_a_variable_without_a_valid_address_is_named_and_exit_2(tmp_path, command, value):
    done = crebito(command, environment={"CREBITO_LISTEN": value})
    assert done.returncode == 2 and "CREBITO_LISTEN" in done.stderr
    assert list(tmp_path.iterdir()) == []


def name_of(command):
    """The one or two words that name it."""
    return command[:2] if command[0] == "client" else command[:1]


def test_a_message_begins_with_the_command():
    for command in COMMANDS:
        for wrong in (["--frobnicate"], ["--database"]):
            done = crebito(*command, *wrong)
            assert done.stderr.startswith(f"crebito {' '.join(name_of(command))}: "), done
            assert f"`crebito {' '.join(name_of(command))} --help`" in done.stderr


def test_the_password_in_a_url_is_never_printed(tmp_path):
    url = "postgres://bank:hunter2@127.0.0.1:1/bank"  # where nobody listens
    quick = {"CREBITO_CONNECT_TIMEOUT": "1"}
    for command in ("serve", "init", "status"):
        for done in (crebito(command, environment={"DATABASE_URL": url, **quick}),
                     crebito(command, environment={"CREBITO_DATABASE": url, **quick}),
                     crebito(command, "--database", url, environment=quick)):
            assert done.returncode in (1, 2) and "127.0.0.1:1/bank" in done.stderr
            assert "hunter2" not in done.stdout + done.stderr


def test_help_mentions_every_option_and_its_environment_variable():
    help = crebito("serve", "--help").stdout
    for option in SERVE_OPTIONS:
        assert f"--{option}" in help
        assert "CREBITO_" + option.upper().replace("-", "_") in help
    assert "DATABASE_URL" in help
    assert "127.0.0.1:9999" in help and "lmdb:./data" in help


@pytest.mark.parametrize("words", [[], ["client"], *map(name_of, COMMANDS)], ids=" ".join)
def test_help_goes_to_stdout_and_exits_0(tmp_path, words):
    done = crebito(*words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert " ".join(["Usage: crebito", *words]) in done.stdout
    assert list(tmp_path.iterdir()) == []
    if words in map(name_of, COMMANDS):
        assert "--database" in done.stdout and "CREBITO_DATABASE" in done.stdout
    else:
        listed = re.findall(r"^  ([a-z-]+(?: [a-z-]+)?)", done.stdout, re.M)
        names = [" ".join(name_of(command)) for command in COMMANDS]
        assert sorted(listed) == sorted(name for name in names if name.split()[:len(words)] == words)


def test_version_is_one_line():
    done = crebito("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"crebito \d+\.\d+\.\d+\S*\n", done.stdout)


# ---- init and status


def test_init_makes_a_store_that_serve_goes_on_with(tmp_path):
    done = crebito("init", "--database", f"lmdb:{tmp_path}/data")
    assert done.returncode == 0, done
    with Bank(tmp_path / "data") as bank:
        assert {client: bank.extrato(client)["saldo"]["limite"] for client in LIMITS} == LIMITS


def test_init_again_changes_nothing(make_bank):
    bank = make_bank()
    bank.post(1, 5, key="k")
    state = bank.state()
    bank.stop()
    for _ in range(2):
        assert crebito("init", "--database", bank.store.url).returncode == 0
    bank.start()
    assert bank.state() == state


def test_of_many_that_start_at_once_on_a_new_folder_none_does_harm(tmp_path):
    done = together([lambda: crebito("init", "--database", f"lmdb:{tmp_path}/data")] * 8)
    assert {each.returncode for each in done} <= {0, 1}
    assert all("in use" in each.stderr for each in done if each.returncode == 1)
    with Bank(tmp_path / "data") as bank:
        assert [bank.balance(client) for client in LIMITS] == [0] * 5


def test_init_takes_the_default_folder_and_the_environment(tmp_path):
    assert crebito("init").returncode == 0
    assert (tmp_path / "data" / "data.mdb").exists()
    other = {"CREBITO_DATABASE": f"lmdb:{tmp_path}/other", "DATABASE_URL": f"lmdb:{tmp_path}/url"}
    assert crebito("init", environment=other).returncode == 0
    assert (tmp_path / "other" / "data.mdb").exists() and not (tmp_path / "url").exists()
    del other["CREBITO_DATABASE"]
    assert crebito("init", environment=other).returncode == 0
    assert (tmp_path / "url" / "data.mdb").exists()
    assert crebito("init", "--database", "lmdb:last", environment=other).returncode == 0
    assert (tmp_path / "last" / "data.mdb").exists()


def status(bank, *more):
    return crebito("status", "--database", bank.store.url, "--listen", bank.address, *more)


MAP = pytest.mark.only("lmdb", "about the map and the owner of a folder")


def test_status_is_0_while_the_bank_serves(make_bank):
    bank = make_bank(listen=("127.0.0.1:0", "unix:socket"))
    bank.post(1, 5)
    for _ in bank.addresses:
        done = status(bank)
        assert done.returncode == 0 and done.stdout.strip(), done
        bank.addresses.reverse()
    assert bank.balance(1) == 5


def test_status_is_1_when_nobody_serves(make_bank):
    bank = make_bank().stop()
    done = status(bank)
    assert done.returncode == 1 and (done.stdout + done.stderr).strip(), done
    assert bank.start().balance(1) == 0


def test_status_is_1_when_the_bank_cannot_serve(faulty_bank):
    faulty_bank.fault("flush error EIO")
    assert faulty_bank.post(1).status == 504
    faulty_bank.fault()
    # PostgreSQL gives up after a flush that failed: then its store cannot be read either, which is 2.
    assert status(faulty_bank).returncode == (1 if faulty_bank.store.kind == "lmdb" else 2)


@MAP
@pytest.mark.parametrize("size", ["1MiB", "3GiB"])
def test_status_shows_the_map_size_that_the_server_was_started_with(make_bank, size):
    done = status(make_bank("--map-size", size))
    shown = re.search(r"used of (\d+) MiB", done.stdout)
    assert int(shown[1]) == {"1MiB": 1, "3GiB": 3 << 10}[size], done


def test_status_of_a_bank_that_is_busy_is_0(make_bank):
    """It looks at a store that is being written to, beside its owner and without a lock."""
    bank, over = make_bank("--durability", "none"), threading.Event()

    def write(client):
        with bank.connect() as connection:
            while not over.is_set():
                connection.ask_all([post(client, 1)] * 20)

    def look():
        try:
            return [status(bank) for _ in range(40)]
        finally:
            over.set()

    *_, looks = together([*[lambda client=client: write(client) for client in (1, 2, 3)], look])
    assert {done.returncode for done in looks} == {0}, [done for done in looks if done.returncode]
    records = [int(re.search(r"records +(\d+)", done.stdout)[1]) for done in looks]
    assert records == sorted(records) and records[0] < records[-1]


@MAP
def test_status_in_json_is_one_object_with_what_the_text_says(make_bank):
    bank = make_bank("--map-size", "64MiB")
    bank.post(1, 5, key="k")
    bank.post(1, 5)
    before = os.statvfs(bank.folder)
    done = status(bank, "--json")
    after = os.statvfs(bank.folder)
    assert done.returncode == 0 and done.stdout.endswith("}\n") and done.stderr == ""
    found = json.loads(done.stdout)
    assert list(found) == ["server", "store"]
    assert found["server"] == {"address": bank.address, "healthy": True, "answer": "Healthy"}
    store = found["store"]
    assert store["owner"].startswith("process ")
    free = [each.f_bavail * each.f_frsize for each in (before, after)]
    others_wrote = 1 << 28
    assert min(free) - others_wrote <= store.pop("free_bytes") <= max(free) + others_wrote
    used = store.pop("used_bytes")
    assert 0 < used <= (bank.folder / "data.mdb").stat().st_size
    text = status(bank).stdout
    assert f"{used / (1 << 20):.2f} MiB used" in text and re.search(r"^disk +\d+ MiB free$", text, re.M)
    assert store.pop("capacity_bytes") == 64 << 20
    for name in ("database", "layout", "owner", "accounts", "records", "keys", "commits"):
        assert str(store[name]) in text
    assert {name: store[name] for name in ("accounts", "records", "keys")} == {
        "accounts": 5, "records": 7, "keys": 1}


@MAP
def test_status_counts_the_commits_of_a_folder(make_bank):
    bank = make_bank()

    def commits():
        found = json.loads(status(bank, "--json").stdout)["store"]["commits"]
        assert re.search(rf"^commits +{found}, \d+ of the data file$", status(bank).stdout, re.M)
        return found

    before = commits()
    for _ in range(3):  # one at a time, so each is a batch of its own
        assert bank.post(1, 5).status == 200
    assert bank.post(1, 10**9, "d").status == 422  # and this changes nothing
    assert commits() == before + 3


@MAP
def test_status_in_json_says_what_is_not_well_too(make_bank):
    bank = make_bank().stop()
    done = status(bank, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["server"]["healthy"] is False and found["server"]["answer"]
    assert found["store"]["owner"] is None


def test_status_in_json_of_a_folder_whose_name_is_no_text(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff\xc3\xa3\"\\"
    url = os.fsdecode(b"lmdb:" + folder)
    assert crebito("init", "--database", url, errors="surrogateescape").returncode == 0
    done = crebito("status", "--json", "--listen", "127.0.0.1:1", "--database", url)
    assert json.loads(done.stdout)["store"]["database"] == f'lmdb:{tmp_path}/???"\\'


def test_output_that_does_not_arrive_is_a_failure(tmp_path):
    assert crebito("init").returncode == 0
    for arguments in (["--help"], ["--version"], ["client", "--help"], ["verify", "--help"], ["init"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([BINARY, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1, arguments
        assert done.stderr == "crebito: cannot write: No space left on device\n"


def test_status_of_a_missing_store_fails_and_makes_none(tmp_path):
    done = crebito("status", "--database", f"lmdb:{tmp_path}/nowhere", "--listen", "127.0.0.1:1")
    assert done.returncode == 2 and "nowhere" in done.stderr
    assert list(tmp_path.iterdir()) == []


# ---- the environment and several listeners


def test_every_setting_may_come_from_the_environment(tmp_path):
    folder = tmp_path / "data"
    environment = {
        "CREBITO_LISTEN": f"127.0.0.1:0,unix:{tmp_path}/socket", "CREBITO_SOCKET_MODE": "0600",
        "CREBITO_DATABASE": f"lmdb:{folder}", "CREBITO_DURABILITY": "none",
        "CREBITO_MAP_SIZE": "64MiB", "CREBITO_MAX_CONNECTIONS": "2", "CREBITO_MAX_PENDING": "100",
        "CREBITO_THREADS": "2", "CREBITO_KEY_RETENTION": "48", "DATABASE_URL": "mysql://ignored"}
    bank = Bank(folder, listen=("", ""), environment=environment)
    bank.options = bank.options[:2]
    with bank:
        assert bank.addresses[1] == f"unix:{tmp_path}/socket"
        assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o600
        assert "level=warn" in bank.log
        with bank.connect() as one, bank.connect() as two:
            assert one.ask(post(1)).json() == two.ask(post(1, 1, "d")).json() | {"saldo": 1}
            assert bank.get("/healthz").status == 503


def test_an_option_counts_more_than_the_environment(make_bank, tmp_path):
    bank = make_bank(environment={"CREBITO_DATABASE": f"lmdb:{tmp_path}/other",
                                  "CREBITO_LISTEN": "127.0.0.1:1", "CREBITO_MAX_PENDING": "7"})
    assert bank.post(1).status == 200
    assert not (tmp_path / "other").exists()


def test_all_listeners_serve_the_same_bank(make_bank, tmp_path):
    bank = make_bank(listen=("127.0.0.1:0", f"unix:{tmp_path}/a", "127.0.0.1:0",
                             f"unix:{tmp_path}/b"))
    assert len(set(bank.addresses)) == 4
    for count in range(1, 9):
        assert bank.post(1, 1).json()["saldo"] == count
        bank.addresses.append(bank.addresses.pop(0))


def test_ipv6_is_served(make_bank):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    bank = make_bank(listen=("[::1]:0", "127.0.0.1:0"))
    for count in (1, 2):
        assert bank.ask(post(1, 1)).json()["saldo"] == count
        bank.addresses.reverse()


def test_localhost_is_an_address(make_bank):
    bank = make_bank(listen=("localhost:0",))
    assert bank.get("/healthz").status == 200


def test_a_port_in_use_is_a_clear_message_and_exit_1(new_bank, tmp_path):
    done = crebito("serve", "--listen", new_bank.address, "--database", f"lmdb:{tmp_path}/other")
    assert done.returncode == 1 and new_bank.address in done.stderr
    assert new_bank.get("/healthz").status == 200


def test_an_address_that_is_not_ours_is_a_clear_message_and_exit_1(tmp_path):
    done = crebito("serve", "--listen", "192.0.2.1:0", "--database", f"lmdb:{tmp_path}/data")
    assert done.returncode == 1 and "192.0.2.1" in done.stderr


def test_every_line_of_the_log_is_logfmt(make_bank):
    bank = make_bank("--durability", "none")
    bank.post(1)
    bank.stop()
    pair = r'[a-z_]+=(?:"(?:[^"\\]|\\.)*"|[^\s"=]*)'
    for line in bank.log.splitlines():
        assert re.fullmatch(rf"{pair}(?: {pair})*", line), line
        assert re.search(r"\blevel=(debug|info|warn|error)\b", line) and " msg=" in line
