# SPDX-License-Identifier: MIT
"""client add, set-limit and show: accounts of one's own, beside a bank that serves and at rest."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile

import pytest

from bank import BINARY, LIMITS, PATIENCE_S, Bank, clean_environment, crebito, together

pytestmark = pytest.mark.only("lmdb", "a folder belongs to one process, which the others ask")


def client(folder, *arguments, **more):
    return crebito("client", *arguments, "--database", f"lmdb:{folder}", **more)


def done(folder, *arguments):
    """What it says when it works."""
    result = client(folder, *arguments)
    assert (result.returncode, result.stderr) == (0, ""), result
    return result.stdout


def refused(folder, *arguments, status=1):
    """What it says when it does not: one line."""
    result = client(folder, *arguments)
    assert (result.returncode, result.stdout) == (status, ""), result
    assert re.fullmatch(r"crebito: .+\n", result.stderr), result
    return result.stderr.removeprefix("crebito: ").strip()


def shown(folder, who):
    return json.loads(done(folder, "show", who, "--json"))


def exported(folder):
    result = crebito("export", "--format=jsonl", "--database", f"lmdb:{folder}")
    assert result.returncode == 0, result
    return [json.loads(line) for line in result.stdout.split("\n")[1:-2]]


def is_sound(folder):
    result = crebito("verify", "--database", f"lmdb:{folder}")
    assert result.returncode == 0, result
    return True


@pytest.fixture(params=["served", "at rest"])
def folder(request, new_bank):
    """A store with the challenge's clients, which somebody serves or nobody does."""
    if request.param == "at rest":
        new_bank.stop()
    yield new_bank.folder
    assert is_sound(new_bank.folder)


# ---- what they do


def test_an_account_is_opened_shown_and_its_limit_changed(folder):
    assert done(folder, "add", 7, "--limit", 50000, "--balance", -100) == (
        "client 7: opened, limit 50000, balance -100\n")
    assert done(folder, "show", 7) == "client    7\nlimit     50000\nbalance   -100\n"
    assert done(folder, "set-limit", 7, "--limit", 100) == "client 7: limit 100, balance -100\n"
    assert done(folder, "show", 7) == "client    7\nlimit     100\nbalance   -100\n"
    assert done(folder, "add", 2147483647, "--limit", 0) == (
        "client 2147483647: opened, limit 0, balance 0\n")
    assert [(record["client"], record["kind"], record["limit_cents"], record["balance_cents"])
            for record in exported(folder)[len(LIMITS):]] == [
        (7, "opening", 50000, -100), (7, "limit", 100, -100), (2147483647, "opening", 0, 0)]


def test_what_breaks_a_rule_is_refused_and_changes_nothing(folder):
    done(folder, "add", 7, "--limit", 1000, "--balance", -500)
    assert refused(folder, "add", 7, "--limit", 1000) == "client 7 exists already"
    assert refused(folder, "add", 1, "--limit", 1000) == "client 1 exists already"
    assert refused(folder, "set-limit", 7, "--limit", 400) == (
        "client 7: its debt is 500: the limit cannot be lowered to 400")
    assert refused(folder, "set-limit", 8, "--limit", 400) == "there is no client 8"
    assert refused(folder, "show", 8) == "there is no client 8"
    assert refused(folder, "add", 8, "--limit", 1000, "--balance", -1001, status=2) == (
        "a balance of -1001 is below a limit of 1000")
    assert len(exported(folder)) == len(LIMITS) + 1


def test_show_tells_the_last_entries_newest_first(new_bank):
    for number in range(1, 13):
        assert new_bank.post(1, number, "cd"[number % 2], f"n {number}").status == 200
    extrato = new_bank.extrato(1)
    facts = shown(new_bank.folder, 1)
    assert (facts["client"], facts["limit_cents"], facts["balance_cents"]) == (
        1, LIMITS[1], extrato["saldo"]["total"])
    assert facts["time"] >= extrato["saldo"]["data_extrato"]
    assert facts["entries"] == [
        {"kind": {"c": "credit", "d": "debit"}[entry["tipo"]], "amount_cents": entry["valor"],
         "time": entry["realizada_em"], "description": entry["descricao"]}
        for entry in extrato["ultimas_transacoes"]]
    lines = done(new_bank.folder, "show", 1).splitlines()[3:]
    assert [re.fullmatch(r'(\S+)  (\w+) +(\d+)  "(.*)"', line).groups() for line in lines] == [
        (entry["time"], entry["kind"], str(entry["amount_cents"]), entry["description"])
        for entry in facts["entries"]]


def test_a_description_writes_nothing_to_the_operators_terminal(new_bank):
    texts = ['\x1b[31mx', '\x9b31mx', 'a\x7fb\x80c', '"\\\n\t', "ação 😀", "\u00a0\u00c2"]
    for text in texts:
        assert new_bank.post(1, 1, "c", text).status == 200
    assert [entry["description"] for entry in shown(new_bank.folder, 1)["entries"]] == texts[::-1]
    said = done(new_bank.folder, "show", 1)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said), said
    assert [re.search('"(.*)"', line)[1] for line in said.splitlines()[3:]] == [
        "\u00a0\u00c2", "ação 😀", '\\"\\\\\\u000a\\u0009', "a?b??c", "??31mx", "\\u001b[31mx"]


# ---- beside a bank that serves


def test_a_new_client_and_a_new_limit_are_there_for_http_at_once(new_bank):
    for who in range(6, 30):
        assert new_bank.post(who, 1).status == 404
        done(new_bank.folder, "add", who, "--limit", 10, "--balance", 5)
        assert new_bank.post(who, 15, "d").json() == {"limite": 10, "saldo": -10}
        assert new_bank.post(who, 1, "d").status == 422
        refused(new_bank.folder, "set-limit", who, "--limit", 9)
        done(new_bank.folder, "set-limit", who, "--limit", 11)
        assert new_bank.post(who, 1, "d").json() == {"limite": 11, "saldo": -11}
        assert new_bank.extrato(who)["saldo"]["limite"] == 11
    before = {who: shown(new_bank.folder, who)["balance_cents"] for who in range(1, 30)}
    new_bank.kill().start()
    assert {who: new_bank.balance(who) for who in range(1, 30)} == before


def test_of_many_who_open_the_same_account_one_does(folder):
    results = together([lambda limit=limit: client(folder, "add", 7, "--limit", limit)
                        for limit in range(8)])
    assert sorted(result.returncode for result in results) == [0] + [1] * 7, results
    first = next(limit for limit, result in enumerate(results) if result.returncode == 0)
    assert shown(folder, 7)["limit_cents"] == first


def test_a_path_may_be_longer_than_a_sockets_name(make_bank):
    bank = make_bank(folder="d" * 150)
    done(bank.folder, "add", 7, "--limit", 5)
    assert bank.balance(7) == 0
    bank.stop()
    assert shown(bank.folder, 7)["limit_cents"] == 5


def test_what_a_dead_bank_left_is_in_nobodys_way(new_bank):
    new_bank.kill()
    assert (new_bank.folder / "owner.sock").is_socket()
    done(new_bank.folder, "add", 7, "--limit", 5)
    assert not (new_bank.folder / "owner.sock").exists()
    new_bank.start()
    assert new_bank.balance(7) == 0
    done(new_bank.folder, "add", 8, "--limit", 5)
    new_bank.stop()
    assert sorted(path.name for path in new_bank.folder.iterdir()) == [
        "data.mdb", "lock.mdb", "owner.lock", "wal"]


def test_a_bank_that_cannot_have_a_socket_serves_and_says_so(new_bank):
    new_bank.stop()
    (new_bank.folder / "owner.sock").mkdir()
    new_bank.start()
    assert "level=warn" in new_bank.log and "owner.sock: Is a directory" in new_bank.log
    assert new_bank.post(1, 1).status == 200
    said = refused(new_bank.folder, "show", 1, status=2)
    assert str(new_bank.folder) in said and f"in use by process {new_bank.process.pid} " in said


def test_a_bank_of_another_version_is_not_asked(new_bank):
    new_bank.stop()
    name = str(new_bank.folder / "owner.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(name)
        other.listen()

        def greet():
            peer, _ = other.accept()
            with peer:
                peer.send(b"crebito\x02")
                return peer.recv(1000)

        said, heard = together([lambda: refused(new_bank.folder, "add", 7, "--limit", 5, status=2),
                                greet])
    assert "another version" in said and heard == b"", (said, heard)


def test_a_bank_that_dies_before_it_answers_leaves_it_unknown(faulty_bank):
    command = [BINARY, "client", "add", "7", "--limit", "5", "--database",
               f"lmdb:{faulty_bank.folder}"]
    faulty_bank.fault("fdatasync wait")
    with subprocess.Popen(command, env=clean_environment(), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as asking:
        faulty_bank.await_fault()
        faulty_bank.kill()
        out, err = asking.communicate(timeout=PATIENCE_S)
    assert (asking.returncode, out) == (1, ""), (out, err)
    assert "it is not known whether it was done" in err and "crebito client show 7" in err, err
    result = client(faulty_bank.folder, "show", 7)  # Nothing was flushed, but nothing is promised.
    assert result.returncode in (0, 1), result
    assert is_sound(faulty_bank.folder)


def test_what_is_under_way_when_the_bank_is_told_to_stop_is_done(faulty_bank):
    faulty_bank.fault("fdatasync wait")

    def stop():
        faulty_bank.await_fault()
        faulty_bank.process.send_signal(signal.SIGTERM)
        faulty_bank.fault()
        assert faulty_bank.wait() == 0

    said, _ = together([lambda: done(faulty_bank.folder, "add", 7, "--limit", 5), stop])
    assert said == "client 7: opened, limit 5, balance 0\n"
    assert shown(faulty_bank.folder, 7)["limit_cents"] == 5


@pytest.mark.background
def test_a_bank_that_is_stopped_is_not_waited_for_for_ever():
    with tempfile.TemporaryDirectory() as parent, Bank(f"{parent}/data") as bank:
        os.kill(bank.process.pid, signal.SIGSTOP)
        said = refused(bank.folder, "add", 7, "--limit", 5, status=2)
        os.kill(bank.process.pid, signal.SIGCONT)
        assert said.endswith("which does not answer"), said
        assert refused(bank.folder, "show", 7) == "there is no client 7"  # It was not asked.


# ---- where there is nothing to ask


def test_no_store_is_made_for_a_client(tmp_path):
    for arguments in (["add", 7, "--limit", 5], ["set-limit", 1, "--limit", 5], ["show", 1]):
        said = refused(tmp_path / "none", *arguments, status=2)
        assert said == f"{tmp_path}/none: no store there: No such file or directory"
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "add", 7, "--limit", 5, status=2)
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_database_that_no_build_knows_is_named_by_its_source():
    result = crebito("client", "show", 1, "--database", "other:x")
    assert result.returncode == 2 and "--database" in result.stderr and "other" in result.stderr
