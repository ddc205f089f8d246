# SPDX-License-Identifier: MIT
"""Requests with random faults: each is answered or refused, alike however its bytes are cut."""

import os
import random
import socket

import pytest

from bank import Closed, chunked, post, request, transaction

COUNT = int(os.environ.get("CREBITO_TEST_NOISE", "120"))
POST = "/clientes/1/transacoes"
STREAMS = [
    post(1, 1, key="k") + request("GET", "/clientes/1/extrato"),
    chunked("POST", POST, [(transaction()[:9], b";a=b"), (transaction()[9:], b"")],
            trailers="X: y\r\n")
    + request("GET", "/healthz?a=b", None, ["Connection: close"]),
    request("GET", "/healthz", None, ["Connection: keep-alive"], version="1.0") * 3,
    request("PUT", "/clientes/6/extrato", b"x" * 300) + post(6) + request("GET", "/healthz"),
]
PIECES = [b"\r", b"\n", b"\r\n", b"\0", b" ", b":", b";", b"\t", b"\xff", b"0\r\n\r\n",
          b"Host: b\r\n", b"GET ",
          b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
          b"HTTP/1.0", b"Expect: 100-continue\r\n", b"Upgrade: x\r\n", b"/", b"%", b"?",
          b"x" * 3000]


def spoiled(dice):
    stream = bytearray(dice.choice(STREAMS))
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(stream))
        match dice.randrange(4):
            case 0:
                stream[at:at + dice.randint(1, 5)] = b""
            case 1:
                stream[at:at] = dice.choice(PIECES)
            case 2:
                stream[at] = dice.randrange(256)
            case 3:
                stream[at:at] = stream[at:at + dice.randint(1, 100)]
    return bytes(stream)


def statuses(bank, stream, how):
    """Of all replies until the server, which hears nothing more, closes."""
    seen = []
    with bank.connect() as connection:
        connection.send(stream, how)
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The server was faster.
        try:
            while True:
                seen.append(connection.receive().status)
        except Closed:
            return [status for status in seen if status != 100]


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_refused_alike_however_it_is_cut(bank, seed):
    dice = random.Random(seed)
    for _ in range(COUNT):
        stream = spoiled(dice)
        at_once = statuses(bank, stream, "at once")
        for how in ("byte by byte", "in pieces"):
            assert statuses(bank, stream, how) == at_once, stream
