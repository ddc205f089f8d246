# SPDX-License-Identifier: MIT
"""PostgreSQL: the bank in front of it, against pgbench calling InsertTransacao() for each transaction.

Rounds of: pgbench with 8 connections, the bank with its default and with more connections, on a durable
server; the same on one in the contest profile. All of it on both cores. Transactions per second as
a ratio to the durable pgbench of the same round; medians over the rounds.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import harness

os.environ["TMPDIR"] = "/var/tmp"  # the servers' folders: a disk, where the server's user can go
sys.path.insert(0, str(harness.ROOT / "tests"))  # before this folder, whose postgres.py this is

import postgres  # noqa: E402  the tests' server

GAIN_MIN = 8
OK_SHARE_MIN = 0.99
CORES = {harness.SERVER_CORE, harness.LOAD_CORE}
PGBENCH_CONNECTIONS = 8
MORE_CONNECTIONS = 10
SETTINGS = {  # the server's defaults, where the tests' server has others
    "shared_buffers": "128MB", "max_wal_size": "1GB", "checkpoint_timeout": "5min",
}
CONTEST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

ROWS = ["pgbench, durable", "bank, durable", f"bank, durable, {MORE_CONNECTIONS}", "pgbench, contest", "bank, contest"]

# As api.lua's mix, but for the statements: one credit to two debits, over the five clients.
CALLS = {
    "credit": ("SELECT * FROM InsertTransacao(:id, 2 * :cents, 'c', 'deposito');", 1),
    "debit": ("SELECT * FROM InsertTransacao(:id, :cents, 'd', 'compra');", 2),
}


def cpu_seconds(cluster):
    """User and system time of the server and its processes, those that have ended included."""
    def fields(process):
        return list(map(int, Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[11:15]))

    ticks = sum(fields(cluster.process.pid))
    for child in postgres.children_of(cluster.process.pid):
        with contextlib.suppress(OSError):
            ticks += sum(fields(child)[:2])
    return ticks / harness.TICKS_PER_SECOND


@contextlib.contextmanager
def database(cluster, bank, profile):
    """A new bank's, gone afterwards; the server has nothing left to write when it is handed over."""
    made = cluster.create(template=None)
    run = subprocess.run([bank, "init", "--database", made.url, "--profile", profile], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"bench: `crebito init` failed:\n{run.stderr}")
    cluster.psql("CHECKPOINT")
    try:
        yield made
    finally:
        made.drop()


def entries(made):
    return int(made.psql('SELECT sum("UltimoId") - count(*) FROM "Clientes"'))


@contextlib.contextmanager
def measured(seen, cluster, made):
    """What happened meanwhile: transactions, and what each cost the server."""
    before = cpu_seconds(cluster)
    yield
    seen["entries"] = entries(made)
    seen["server_us"] = (cpu_seconds(cluster) - before) * 1e6 / seen["entries"]


def pgbench(cluster, made, seconds):
    command = ["pgbench", "--no-vacuum", "--protocol=prepared", f"--client={PGBENCH_CONNECTIONS}", "--jobs=2",
               f"--time={seconds}"]
    for name, (call, weight) in CALLS.items():
        file = harness.RUN / f"{name}.sql"
        file.write_text(f"\\set id random(1, 5)\n\\set cents random(1, 97)\n{call}\n")
        command.append(f"--file={file}@{weight}")
    seen = {}
    with measured(seen, cluster, made):
        words = postgres.run(*command, made.url)
    seen["per_second"] = float(re.search(r"tps = ([\d.]+)", words).group(1))
    return seen


def serve(cluster, made, bank, seconds, *options):
    with harness.serving(bank, made.url, *options, cores=CORES) as server:
        harness.get(server.port, "/clientes/1/extrato")  # connections are opened when they are needed
        seen = {}
        with measured(seen, cluster, made):
            load = server.load(seconds, "mix")
    # What wrk sent at the very end was committed, but its answers were not waited for.
    seen["unanswered"] = load["posts_sent"] - load["above_399"] - seen["entries"]
    seen["bank_us"] = load["cpu_us"] * load["answers"] / seen["entries"]
    seen["per_second"] = seen["entries"] / (load["microseconds"] / 1e6)
    return {**load, **seen}


def measure_round(durable, contest, bank, seconds):
    seen = {}
    for cluster, profile, rows in (
        (durable, "durable", {
            "pgbench, durable": None,
            "bank, durable": [],
            f"bank, durable, {MORE_CONNECTIONS}": ["--connections", MORE_CONNECTIONS],
        }),
        (contest, "contest", {"pgbench, contest": None, "bank, contest": ["--durability", "none"]}),
    ):
        for row, options in rows.items():
            with database(cluster, bank, profile) as made:
                if options is None:
                    seen[row] = pgbench(cluster, made, seconds)
                else:
                    seen[row] = serve(cluster, made, bank, seconds, *options)
    return seen


def show(rounds, ratios):
    print()
    print(f"{'':18} {'transactions/s':>14} {'ratio':>6} {'(least, most)':>14} {'server µs':>10} {'bank µs':>8}"
          f" {'p50 ms':>7} {'p99 ms':>7} {'answers':>9} {'not 200':>8} {'socket errors':>14}")
    for row in ROWS:
        runs = [one[row] for one in rounds]
        spread = f"({min(ratios[row]):.2f}, {max(ratios[row]):.2f})"
        print(f"{row:18} {median(run['per_second'] for run in runs):14.0f} {median(ratios[row]):6.2f} {spread:>14}"
              f" {median(run['server_us'] for run in runs):10.1f}", end="")
        if "bank_us" in runs[0]:
            print(f" {median(run['bank_us'] for run in runs):8.1f} {median(run['p50_us'] for run in runs) / 1000:7.2f}"
                  f" {median(run['p99_us'] for run in runs) / 1000:7.2f} {sum(run['answers'] for run in runs):9}"
                  f" {sum(run['above_399'] for run in runs):8} {sum(run['socket_errors'] for run in runs):14}", end="")
        print()
    print()


def judge(rounds, ratios):
    verdict = harness.Verdict()
    gain = median(ratios["bank, durable"])
    verdict.judge(gain >= GAIN_MIN, f"bank, durable: {gain:.1f} times the transactions of pgbench (at least {GAIN_MIN})")
    for row in ROWS:
        runs = [one[row] for one in rounds]
        if "answers" not in runs[0]:
            continue
        answers, refused = sum(run["answers"] for run in runs), sum(run["above_399"] for run in runs)
        verdict.judge(1 - refused / answers >= OK_SHARE_MIN,
                      f"{row}: {answers - refused} of {answers} answers are 200 (at least {OK_SHARE_MIN:.0%})")
        errors = sum(run["socket_errors"] for run in runs)
        verdict.judge(errors == 0, f"{row}: {errors} socket errors (none)")
        unanswered = [run["unanswered"] for run in runs]
        verdict.judge(0 <= min(unanswered) and max(unanswered) <= harness.CONNECTIONS + 1,
                      f"{row}: the ledger grew by the transactions sent less {min(unanswered)} to {max(unanswered)}"
                      f" a round (0 to {harness.CONNECTIONS + 1}: on their way at the end)")
    verdict.end()


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench postgres", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement; at least 5")
    parser.add_argument("--bank", default=harness.BANK, help="another crebito to measure")
    options = parser.parse_args()

    os.sched_setaffinity(0, CORES)
    harness.RUN.mkdir(parents=True, exist_ok=True)
    rounds = []
    origin = postgres.empty_cluster()
    with postgres.Cluster(origin=origin).configure(**SETTINGS) as durable, \
            postgres.Cluster(origin=origin).configure(**SETTINGS, **CONTEST) as contest:
        print(f"PostgreSQL {durable.psql('SHOW server_version')}")
        for number in range(1, options.rounds + 1):
            rounds.append(measure_round(durable, contest, options.bank, options.seconds))
            rates = ", ".join(f"{row} {rounds[-1][row]['per_second']:.0f}" for row in ROWS)
            print(f"round {number} of {options.rounds}, transactions/s: {rates}", flush=True)
    ratios = {row: [one[row]["per_second"] / one["pgbench, durable"]["per_second"] for one in rounds] for row in ROWS}
    show(rounds, ratios)
    judge(rounds, ratios)


if __name__ == "__main__":
    main()
