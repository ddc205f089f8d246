# SPDX-License-Identifier: MIT
"""The main one: the challenge's topology in its envelope, against a no-op API behind the same NGINX.

Rounds of all rows, in containers whose limits of CPU and memory are enforced; throughput as a ratio to the no-op of the
same round; medians over the rounds. wrk and vegeta load them from outside of the limits. Needs Docker with Compose v2.
Writes all figures of all rounds (results.json) and a picture (latency.svg) beside the tables that it prints.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import harness
import openloop
import plot
import tables
from demands import judge
from results import CLOSED, COUNTED, LADDER, NEW, OPEN, Results, Row
from stacks import (PORT, Stack, all_of, alone, in_front_of_nothing, in_front_of_one_owner,
                    in_front_of_one_owner_that_flushes)

CORES = {harness.SERVER_CORE, harness.LOAD_CORE}
OPEN_ROUNDS = 3
COUNTED_SECONDS = 2
LADDER_SECONDS, LADDER_AMOUNT_MAX = 3, 10  # amounts that come to no limit in this time
CONNECTIONS = {**{load: load for load in CLOSED}, NEW: 64, COUNTED: 64}
WORDS = {NEW: ["close"], COUNTED: ["counted"]}

POSTGRES, EMBEDDED = "docker-compose.yml", "compose.embedded.yml"
STACKS = {
    "noop": Stack("noop", EMBEDDED, in_front_of_nothing),
    "one-owner": Stack("one-owner", EMBEDDED, in_front_of_one_owner),
    "flushing": Stack("flushing", EMBEDDED, in_front_of_one_owner_that_flushes),
    "durable": Stack("durable", EMBEDDED),
    "none": Stack("none", EMBEDDED, CREBITO_DURABILITY="none"),
    "alone": Stack("alone", EMBEDDED, alone),
    "noop-postgres": Stack("noop-postgres", POSTGRES, in_front_of_nothing),
    "contest": Stack("contest", POSTGRES, CREBITO_PROFILE="contest"),
    "postgres": Stack("postgres", POSTGRES, CREBITO_PROFILE="durable"),
}
ALL = (*CLOSED, NEW, COUNTED)
ROWS = {row.name: row for row in (
    Row("no-op", "noop", limit="no-op", loads=(*ALL, OPEN, *LADDER)),
    Row("one owner, no-op", "one-owner", limit="no-op", loads=CLOSED),
    Row("one owner, flushing", "flushing", limit="no-op", loads=(*CLOSED, OPEN)),
    Row("embedded, durable", "durable", limit="no-op", loads=(*ALL, OPEN, *LADDER)),
    Row("embedded, one account", "durable", limit="no-op", loads=CLOSED[1:], mix=("mix", 1)),
    Row("embedded, none", "none", limit="no-op", loads=ALL),
    Row("one process, no NGINX", "alone", limit="no-op", loads=ALL),
    Row("no-op again", "noop", limit="no-op", loads=CLOSED),
    Row("no-op, PostgreSQL's", "noop-postgres", limit="no-op, PostgreSQL's", loads=ALL),
    Row("PostgreSQL, contest", "contest", limit="no-op, PostgreSQL's", loads=(*ALL, *LADDER)),
    Row("PostgreSQL, durable", "postgres", limit="no-op, PostgreSQL's", loads=(*ALL, OPEN, *LADDER)),
)}


def measure(row, load, options):
    seen = {"row": row.name, "load": load}
    with STACKS[row.stack].awake() as stack, stack.observed(seen):
        address = f"{stack.address}:{PORT}"
        if load == OPEN:
            seen.update(openloop.attack(address, options.open_seconds))
        elif load in LADDER:
            seen.update(openloop.attack(address, LADDER_SECONDS, int(load.split()[1]), LADDER_AMOUNT_MAX,
                                        CLOSED[-1]))  # no more connections than wrk has: NGINX keeps the memory
        else:
            seconds = COUNTED_SECONDS if load == COUNTED else options.seconds
            seen.update(harness.wrk(f"http://{address}", seconds, CONNECTIONS[load],
                                    *row.mix, *WORDS.get(load, [])))
    if load in (OPEN, *LADDER) and stack.has_ledger:
        with stack.awake():
            stack.level()
    return seen


def measure_round(number, rows, options):
    """Row by row at each load, so that what a ratio compares is seconds apart."""
    loads = [*CLOSED, NEW, *([OPEN] if number <= OPEN_ROUNDS else []), *([*LADDER, COUNTED] if number == 1 else [])]
    return [measure(row, load, options) for load in loads for row in rows if load in row.loads]


def machine():
    def first(path, name):
        lines = Path(path).read_text().splitlines()
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "unknown")

    def git(*words):
        return subprocess.run(["git", "-C", harness.ROOT, *words], capture_output=True, text=True).stdout.strip()

    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD") + (" and changes" if git("status", "--porcelain") else ""),
        "cpu": first("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
        "memory": first("/proc/meminfo", "MemTotal"), "kernel": platform.release(),
        "docker": subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True,
                                 text=True).stdout.strip(),
    }


def chosen(text):
    """Rows by the beginnings of their names, and the limits that they are compared with."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if not any(name.startswith(word) for name in ROWS):
            sys.exit(f"bench: no row begins with \"{word}\"; there are: {'; '.join(ROWS)}")
    rows = [row for row in ROWS.values() if not words or any(row.name.startswith(word) for word in words)]
    wanted = {row.name for row in rows} | {row.limit for row in rows}
    return [row for row in ROWS.values() if row.name in wanted]


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement of throughput")
    parser.add_argument("--open-seconds", type=int, default=30,
                        help=f"of each at the challenge's rate, in the first {OPEN_ROUNDS} rounds")
    parser.add_argument("--rows", default="", metavar="NAME,…",
                        help="only those whose names begin so, and their limits; what is not measured is not judged:\n"
                             + "\n".join(ROWS))
    parser.add_argument("--output", type=Path, default=harness.ROOT / "build-bench/envelope", metavar="FOLDER",
                        help="for results.json and latency.svg (default: build-bench/envelope)")
    options = parser.parse_args()
    rows = chosen(options.rows)
    options.output.mkdir(parents=True, exist_ok=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and nothing is left running
    os.sched_setaffinity(0, CORES)  # the load too: the scheduler is part of what is measured
    about = machine()
    with all_of([STACKS[name] for name in dict.fromkeys(row.stack for row in rows)]):
        rounds, disk = [], []
        for number in range(1, options.rounds + 1):
            rounds.append(measure_round(number, rows, options))
            if number <= OPEN_ROUNDS:
                disk.append(openloop.disk_alone(options.open_seconds))
            speeds = ", ".join(f"{seen['row']} {seen['per_second']:.0f}" for seen in rounds[-1]
                               if seen["load"] == CLOSED[-1])
            print(f"round {number} of {options.rounds}, requests/s: {speeds}", flush=True)
        limits = {name: stack.limits() for name, stack in STACKS.items() if stack.parts}
    results = Results(rows, rounds, limits, disk)
    (options.output / "results.json").write_text(json.dumps({
        **about, "rounds": options.rounds, "seconds": options.seconds, "open_seconds": options.open_seconds,
        "limits": limits, "disk_alone": disk, "medians": results.medians(),
        "measurements": [{"round": number, **seen} for number, one in enumerate(rounds, 1) for seen in one],
    }, indent=1) + "\n")
    tables.show(results, about)
    plot.draw(results, about, options.output / "latency.svg")
    print(f"\nwritten: {options.output}/results.json, latency.svg\n")
    judge(results)


if __name__ == "__main__":
    main()
