# SPDX-License-Identifier: MIT
"""Unix sockets: their mode, and what lies where they should be."""

import os
import socket
import stat

import pytest

from bank import crebito


@pytest.fixture
def path(tmp_path):
    return tmp_path / "socket"


def serve(path, tmp_path):
    return crebito("serve", "--listen", f"unix:{path}", "--database", f"lmdb:{tmp_path}/other")


@pytest.mark.parametrize("mode", [None, "0600", "0660", "0666", "0777"])
@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_the_socket_has_the_mode_that_was_asked_for(make_bank, path, mode, umask):
    before = os.umask(umask)
    try:
        bank = make_bank(*(["--socket-mode", mode] if mode else []), listen=[f"unix:{path}"])
    finally:
        os.umask(before)
    found = path.stat().st_mode
    assert stat.S_ISSOCK(found) and stat.S_IMODE(found) == int(mode or "0660", 8)
    assert bank.address == f"unix:{path}"
    assert bank.post(1).status == 200


def test_the_socket_is_removed_on_exit(make_bank, path):
    bank = make_bank(listen=[f"unix:{path}"])
    assert path.exists()
    bank.stop()
    assert not path.exists()


def test_the_socket_of_a_killed_server_is_replaced(make_bank, path):
    bank = make_bank(listen=[f"unix:{path}"])
    bank.post(1, 5)
    bank.kill()
    assert path.exists()
    assert bank.start().balance(1) == 5


def test_a_socket_that_another_server_listens_on_is_refused(make_bank, path, tmp_path):
    bank = make_bank(listen=[f"unix:{path}"])
    done = serve(path, tmp_path)
    assert done.returncode == 1 and str(path) in done.stderr
    assert bank.post(1, 5).status == 200
    bank.restart()
    assert bank.balance(1) == 5


def test_a_socket_of_another_program_is_refused_while_it_listens(path, tmp_path):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert serve(path, tmp_path).returncode == 1
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


@pytest.mark.parametrize("make", [
    lambda path: path.write_text("precious"), lambda path: path.mkdir(), os.mkfifo,
    lambda path: path.symlink_to("/dev/null")], ids=["file", "folder", "pipe", "link"])
def test_what_is_no_socket_is_refused_and_not_deleted(make, path, tmp_path):
    make(path)
    before = path.lstat()
    done = serve(path, tmp_path)
    assert done.returncode == 1 and str(path) in done.stderr
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    if stat.S_ISREG(before.st_mode):
        assert path.read_text() == "precious"


def test_a_socket_in_a_missing_folder_is_a_clear_message_and_exit_1(tmp_path):
    done = serve(tmp_path / "missing" / "socket", tmp_path)
    assert done.returncode == 1 and "missing/socket" in done.stderr


def test_a_socket_that_somebody_put_in_our_place_is_not_removed_on_exit(make_bank, path):
    bank = make_bank(listen=[f"unix:{path}"])
    path.unlink()
    path.write_text("precious")
    bank.stop()
    assert path.read_text() == "precious"
