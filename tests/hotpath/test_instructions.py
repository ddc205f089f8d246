# SPDX-License-Identifier: MIT
"""What a request costs in instructions, so that no change makes the hot path slower unnoticed.

Callgrind counts them, of every thread of the release build, whatever else the machine does: those of our own code and of LMDB.
(libuv spins while another thread is about to wake it, for as long as callgrind keeps that one waiting.) Two runs that
differ in nothing but the number of requests tell what one costs. The figures that were measured last stand in instructions.json,
for the compiler and machine that they were measured with; elsewhere this is skipped. Who has changed the cost for good reason:

    CREBITO_RECORD=1 script/test hotpath     writes what it measures there
"""

import json
import os
import platform
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bank import Connection, clean_environment, post, request

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "build/crebito"
FIGURES = Path(__file__).with_name("instructions.json")
COUNTED = re.compile(r"/(crebito|liblmdb\.so\S*)$")
TOLERANCE = 0.01
FEW, MANY = 200, 1200
PATIENCE_S = 120

REQUESTS = {
    "transaction": lambda count: post(1 + count % 5, 1 + count % 9, "cd"[count % 2], "compra"),
    "transaction with a key": lambda count: post(1 + count % 5, 1 + count % 9, "cd"[count % 2], "compra", key=f"k{count:06}"),
    "refused by the limit": lambda count: post(2, 80001 + count, "d", "compra"),
    "statement": lambda count: request("GET", f"/clientes/{1 + count % 5}/extrato"),
}


def built_with():
    compiler = subprocess.run([os.environ.get("CC", "cc"), "-dumpfullversion"], capture_output=True, text=True).stdout
    with open("/etc/os-release") as file:
        system = re.search(r'^PRETTY_NAME="?([^"\n]*)', file.read(), re.M)[1]
    return f"{platform.machine()}, gcc {compiler.strip()}, {system}"


def instructions(folder, kind, count):
    """Of a whole life: start, so many requests on one connection, stop."""
    counted = folder / f"{count}.callgrind"
    log = folder / f"{count}.log"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counted}", RELEASE, "serve", "--listen", "127.0.0.1:0",
               "--database", f"lmdb:{folder}/{count}", "--map-size", "1GiB"]
    with open(log, "wb") as output:
        bank = subprocess.Popen(command, stderr=output, stdin=subprocess.DEVNULL, env=clean_environment())
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not (listens := re.search(r"msg=\"?listening\"? address=(\S+)", log.read_text())):
            assert bank.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.01)
        with Connection(listens[1], timeout=PATIENCE_S) as connection:
            expected = 422 if kind.startswith("refused") else 200
            for number in range(count):
                assert connection.ask(REQUESTS[kind](number)).status == expected
        bank.send_signal(signal.SIGTERM)
        assert bank.wait(PATIENCE_S) == 0, log.read_text()
    finally:
        bank.kill()
        bank.wait()
    functions = subprocess.run(["callgrind_annotate", "--threshold=100", "--show-percs=no", counted], check=True,
                               capture_output=True, text=True).stdout
    return sum(int(number.replace(",", "")) for number, library in
               re.findall(r"^ *([\d,]+) +\S.*\[(\S+)\]$", functions, re.M) if COUNTED.search(library))


@pytest.fixture(scope="module", autouse=True)
def release_build():
    subprocess.run([ROOT / "script/build"], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_costs_no_more_instructions_than_it_did(kind, tmp_path):
    each = (instructions(tmp_path, kind, MANY) - instructions(tmp_path, kind, FEW)) / (MANY - FEW)
    known = json.loads(FIGURES.read_text())
    if os.environ.get("CREBITO_RECORD"):
        known.setdefault(built_with(), {})[kind] = round(each)
        FIGURES.write_text(json.dumps(known, indent=2) + "\n")
    if built_with() not in known:
        pytest.skip(f"nobody has measured it yet with {built_with()}")
    before = known[built_with()][kind]
    print(f"{kind}: {each:.0f} instructions, {before} before")
    assert each <= before * (1 + TOLERANCE), f"{each:.0f} instructions, and {before} before"
    assert each >= before * (1 - 3 * TOLERANCE), f"{each:.0f} instructions, and {before} before: better; record it"
