# SPDX-License-Identifier: MIT
"""The challenge's load, as it comes whether or not the bank keeps up: 340 requests a second, or more, by vegeta.

Used by envelope.py; METHOD.md says why things are measured this way.
"""

import base64
import csv
import json
import math
import os
import random
import subprocess
import sys
import time
from collections import Counter

import harness

VEGETA = harness.ROOT / "build/deps/vegeta/vegeta"
DEBITS, CREDITS, STATEMENTS = 220, 110, 10  # a second, as the challenge holds them
RATE = DEBITS + CREDITS + STATEMENTS
AMOUNT_MAX = 10000
WORKERS_MAX = 1000  # so many requests may be under way; past it the generator is held back, and late
WARM_SECONDS = 1  # at the same rate, and not counted
PERCENTILES = (("p50", 50), ("p99", 99), ("p999", 99.9), ("max", 100))
PAGE_BYTES = 4096
RIGHT = (200, 422)  # a debit past the limit is refused, and should be


def requests(address, count, amount_max):
    """Kinds in each 340 as above; clients and amounts by chance, the same in every run. As the challenge has it there are
    twice as many debits as credits of one size, so accounts come to their limits, and then debits are refused."""
    chance = random.Random(2024)
    for _ in range(math.ceil(count / RATE)):
        kinds = ["d"] * DEBITS + ["c"] * CREDITS + [None] * STATEMENTS
        chance.shuffle(kinds)
        for kind in kinds:
            client = chance.randint(1, 5)
            one = {"method": "GET", "url": f"http://{address}/clientes/{client}/extrato"}
            if kind:
                body = json.dumps({"valor": chance.randint(1, amount_max), "tipo": kind, "descricao": "descricao"})
                one = {"method": "POST", "url": f"http://{address}/clientes/{client}/transacoes",
                       "header": {"Content-Type": ["application/json"]},
                       "body": base64.b64encode(body.encode()).decode()}
            yield json.dumps(one)


def percentile(ordered, percent):
    """The least that so many of them do not pass; of all there are, nothing estimated."""
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def summary(rows, rate=RATE):
    """Of vegeta's results (when sent in ns, status or 0, how long in ns …), all but the first second's."""
    results = sorted((int(row[0]), int(row[1]), int(row[2])) for row in rows)
    begin = results[0][0]
    # By the schedule the n-th is due n/rate after the first; the one that is earliest by it tells when that was.
    lead = min(sent - begin - number * 10**9 / rate for number, (sent, _, _) in enumerate(results))
    late = sorted(sent - begin - number * 10**9 / rate - lead for number, (sent, _, _) in enumerate(results))
    counted = [one for one in results if one[0] >= begin + WARM_SECONDS * 10**9]
    latencies = sorted(took for _, _, took in counted)
    statuses = Counter(status for _, status, _ in counted)
    seen = {f"{name}_us": percentile(latencies, percent) / 1000 for name, percent in PERCENTILES}
    span_s = (counted[-1][0] - counted[0][0]) / 1e9
    return {**seen, "late_p99_us": percentile(late, 99) / 1000, "late_max_us": late[-1] / 1000,
            "answers": len(counted), "per_second": (len(counted) - 1) / span_s, "microseconds": span_s * 1e6,
            "statuses": {str(status): count for status, count in sorted(statuses.items())},
            "failed": sum(count for status, count in statuses.items() if status not in RIGHT)}


def disk_alone(seconds, rate=RATE):
    """The least that an answer from the disk can take: a page written and flushed so often, and nothing else going on."""
    harness.RUN.mkdir(parents=True, exist_ok=True)
    path, pages, page = harness.RUN / "disk.bin", 1024, bytes(PAGE_BYTES)
    path.write_bytes(page * pages)
    took = []
    file = os.open(path, os.O_WRONLY | os.O_DSYNC)
    os.fsync(file)  # so that each write overwrites, and changes no metadata
    begin = time.monotonic()
    for number in range(rate * seconds):
        time.sleep(max(begin + number / rate - time.monotonic(), 0))
        sent = time.monotonic()
        os.pwrite(file, page, number % pages * PAGE_BYTES)
        took.append((time.monotonic() - sent) * 1e6)
    os.close(file)
    path.unlink()
    took.sort()
    return {f"{name}_us": percentile(took, percent) for name, percent in PERCENTILES}


def attack(address, seconds, rate=RATE, amount_max=AMOUNT_MAX, workers_max=WORKERS_MAX):
    """What its clients saw. A latency counts from when the request was sent; `late` is how long after its time that was."""
    harness.RUN.mkdir(parents=True, exist_ok=True)
    targets, results = harness.RUN / "targets.json", harness.RUN / "results.bin"
    targets.write_text("\n".join(requests(address, rate * (WARM_SECONDS + seconds), amount_max)))
    for command in ([VEGETA, "attack", "-format=json", f"-targets={targets}", f"-rate={rate}/1s", "-max-body=0",
                     f"-duration={WARM_SECONDS + seconds}s", "-timeout=10s", f"-max-workers={workers_max}", f"-output={results}"],
                    [VEGETA, "encode", "-to=csv", results]):
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"bench: vegeta failed:\n{run.stdout[:1000]}{run.stderr}")
    return summary(csv.reader(run.stdout.splitlines()), rate)
