# SPDX-License-Identifier: MIT
"""What growth costs: the bank with up to 1,000,000 clients and 50,000,000 transactions in its folder.

Each store is imported once and kept. The operator's tools run on it; then the bank serves a copy
of it, asked for the challenge's five clients, for all its clients by Zipf's law (s = 1), and for
all of them alike; each beside a fresh store of five clients in the same round.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from statistics import median

import harness
import ledger
from tool import Tool

HOT_RATIO_MIN = 0.9
ZIPF_RATIO_MIN = 0.5
OK_SHARE_MIN = 0.99
CONNECTIONS = (harness.CONNECTIONS, 64)
DRAWS = 175 * 530  # clients that wrk is given to ask for; api.lua makes 1500 requests of each 530

PAGE_BYTES = 4096  # a copy is written by pages, as a bank writes: METHOD.md
SETTLE_S = 1  # for the disk to forget the copy that was here before

STORES = harness.RUN / "scale"  # kept: to make them takes longer than to measure
COPIES = harness.RUN / "scale-copies"
CLIENTS_FILE = harness.RUN / "scale-clients"

FRESH, HOT, ZIPF, UNIFORM = "fresh", "five hot", "Zipf", "uniform"
CHOICES = {
    HOT: lambda clients: ledger.in_turn(ledger.HOT),
    ZIPF: ledger.zipf,
    UNIFORM: ledger.uniform,
}


class Size:
    """A store of so many clients and transactions."""

    def __init__(self, clients, transactions):
        self.clients = clients
        self.transactions = transactions
        self.name = f"{clients:,} clients, {transactions:,} transactions"
        self.kept = STORES / f"{clients}-{transactions}"
        self.served = COPIES / self.kept.name
        self.choices = [HOT] if clients == len(ledger.HOT) else [HOT, ZIPF, UNIFORM]

    def make(self, bank):
        """Seconds that its import took; None if it was here."""
        if self.kept.exists():
            return None
        print(f"importing {self.name}", flush=True)
        STORES.mkdir(parents=True, exist_ok=True)
        return ledger.import_store(bank, self.kept, self.clients, self.transactions,
                                   ledger.zipf(self.clients))

    def copy(self):
        shutil.rmtree(self.served, ignore_errors=True)
        self.served.mkdir(parents=True)
        subprocess.run(["dd", f"if={self.kept}/data.mdb", f"of={self.served}/data.mdb",
                        f"bs={PAGE_BYTES}", "status=none"], check=True)
        os.sync()  # or the bank's own flushes would have to carry it
        time.sleep(SETTLE_S)


# ---- at rest


def run_tools(bank, size):
    backup = harness.RUN / "scale-backup"
    database = ("--database", f"lmdb:{size.kept}")
    Tool("cat", size.kept / "data.mdb").run()  # into the page cache, as far as it fits
    seen = {}
    shutil.rmtree(backup, ignore_errors=True)
    for name, words in (("verify", ()), ("backup", (backup,)), ("export", ())):
        tool = Tool(bank, name, *words, *database).run()
        seen[name] = {"seconds": tool.seconds, "rss_anon_mib": tool.rss_kib / 1024}
    seen["backup_bytes"] = harness.facts(bank, backup)["used_bytes"]
    shutil.rmtree(backup)
    return seen


def at_rest(bank, size):
    import_seconds = size.make(bank)
    seen = {"import_seconds": import_seconds,
            "used_bytes": harness.facts(bank, size.kept)["used_bytes"]}
    if size.transactions:
        seen.update(run_tools(bank, size))
    return seen


# ---- under load


def measure(bank, size, choice, seconds, connections):
    clients = itertools.islice(CHOICES[choice](size.clients), DRAWS)
    CLIENTS_FILE.write_text("".join(f"{client}\n" for client in clients))
    before = harness.facts(bank, size.served)
    with harness.serving(bank, f"lmdb:{size.served}") as server:
        counted = [*server.page_faults(), harness.written_bytes()]
        seen = server.load(seconds, "mix", CLIENTS_FILE, connections=connections)
        counted = [now - then for now, then in
                   zip([*server.page_faults(), harness.written_bytes()], counted)]
        seen["rss_anon_mib"] = server.rss_anon_kib_max / 1024
    after = harness.facts(bank, size.served)
    entries = after["records"] - before["records"]
    # What wrk sent at the very end was committed, but its answers were not waited for.
    seen["unanswered"] = seen["posts_sent"] - seen["above_399"] - entries
    seen["busy"] = seen["cpu_us"] * seen["per_second"] / 1e6
    seen["minor_faults"], seen["major_faults"] = (count / seen["answers"] for count in counted[:2])
    seen["written_bytes"] = counted[2] / entries
    seen["grown_bytes"] = (after["used_bytes"] - before["used_bytes"]) / entries
    return seen


def measure_round(bank, size, fresh, seconds, connections):
    fresh.copy()
    seen = {FRESH: measure(bank, fresh, HOT, seconds, connections)}
    for choice in size.choices:
        if not size.transactions:
            size.copy()  # so that it is empty each time; what a full one grows by is little
        seen[choice] = measure(bank, size, choice, seconds, connections)
    return seen


def under_load(bank, size, fresh, options):
    size.copy()
    rounds = {connections: [] for connections in CONNECTIONS}
    for number in range(1, options.rounds + 1):
        for connections, done in rounds.items():
            done.append(measure_round(bank, size, fresh, options.seconds, connections))
            rates = ", ".join(f"{name} {seen['per_second']:.0f}" for name, seen in done[-1].items())
            print(f"  round {number} of {options.rounds}, {connections} connections,"
                  f" requests/s: {rates}", flush=True)
    shutil.rmtree(COPIES)
    return rounds


# ---- what came of it


def middle(runs, name):
    return median(run[name] for run in runs)


def summarised(rounds, choice):
    """The medians of one row, with its ratios to the fresh store of the same round."""
    runs = [one[choice] for one in rounds]
    row = {name: middle(runs, name) for name in runs[0]}
    for name in ("per_second", "cpu_us"):
        ratios = [one[choice][name] / one[FRESH][name] for one in rounds]
        row[f"{name}_ratio"] = median(ratios)
        row[f"{name}_ratios"] = [min(ratios), max(ratios)]
    row["rss_anon_mib"] = max(run["rss_anon_mib"] for run in runs)
    return row


def show_rest(results):
    print(f"\n{'at rest':42} {'MiB':>7} {'bytes each':>11} {'backup MiB':>11} {'import s':>9}"
          f" {'verify s':>9} {'MiB/s':>6} {'backup s':>9} {'MiB/s':>6} {'export s':>9} {'MiB/s':>6}"
          f" {'RssAnon MiB':>12}")
    empty = {size.clients: rest["used_bytes"] for size, rest, _ in results if not size.transactions}
    for size, rest, _ in results:
        mib = rest["used_bytes"] / (1 << 20)
        line = f"{size.name:42} {mib:7.0f}"
        if size.transactions:
            took = [rest[name]["seconds"] for name in ("verify", "backup", "export")]
            imported = f"{rest['import_seconds']:.1f}" if rest["import_seconds"] else "made before"
            memory = max(rest[name]["rss_anon_mib"] for name in ("verify", "backup", "export"))
            each = (rest["used_bytes"] - empty[size.clients]) / size.transactions
            line += (f" {each:11.1f}"
                     f" {rest['backup_bytes'] / (1 << 20):11.0f} {imported:>9}")
            line += "".join(f" {seconds:9.1f} {mib / seconds:6.0f}" for seconds in took)
            line += f" {memory:12.1f}"
        print(line)


def show_load(results, connections):
    print(f"\n{f'{connections} connections':42} {'':8} {'requests/s':>10} {'ratio':>6}"
          f" {'(least, most)':>14} {'CPU µs':>7} {'ratio':>6} {'busy':>5} {'p50 ms':>7} {'p99 ms':>7}"
          f" {'written B':>10} {'grown B':>8} {'faults':>7} {'major':>6} {'RssAnon MiB':>12}")
    for size, _, rounds in results:
        for choice in size.choices:
            row = summarised(rounds[connections], choice)
            spread = "({:.2f}, {:.2f})".format(*row["per_second_ratios"])
            print(f"{size.name:42} {choice:8} {row['per_second']:10.0f} {row['per_second_ratio']:6.2f}"
                  f" {spread:>14} {row['cpu_us']:7.2f} {row['cpu_us_ratio']:6.2f} {row['busy']:5.0%}"
                  f" {row['p50_us'] / 1000:7.2f} {row['p99_us'] / 1000:7.2f}"
                  f" {row['written_bytes']:10.0f} {row['grown_bytes']:8.0f}"
                  f" {row['minor_faults']:7.3f} {row['major_faults']:6.3f} {row['rss_anon_mib']:12.1f}")


def judge(results):
    verdict = harness.Verdict()
    runs = [seen for _, _, rounds in results for done in rounds.values() for one in done
            for seen in one.values()]
    answers = sum(run["answers"] for run in runs)
    refused = sum(run["above_399"] for run in runs)
    errors = sum(run["socket_errors"] for run in runs)
    verdict.judge(1 - refused / answers >= OK_SHARE_MIN,
                  f"{answers - refused} of {answers} answers are 200 (at least {OK_SHARE_MIN:.0%})")
    verdict.judge(errors == 0, f"{errors} socket errors (none)")
    lost = [run["unanswered"] for run in runs]
    verdict.judge(0 <= min(lost) and max(lost) <= max(CONNECTIONS) + 1,
                  f"each ledger grew by the transactions sent less {min(lost)} to {max(lost)}"
                  f" (0 to {max(CONNECTIONS) + 1}: on their way at the end)")
    size, _, rounds = results[-1]
    for connections in CONNECTIONS:
        for choice, least in ((HOT, HOT_RATIO_MIN), (ZIPF, ZIPF_RATIO_MIN), (UNIFORM, None)):
            row = summarised(rounds[connections], choice)
            text = (f"{size.name}, {choice}, {connections} connections: {row['per_second_ratio']:.2f}"
                    f" times the fresh store's throughput")
            if least:
                verdict.judge(row["per_second_ratio"] >= least, f"{text} (at least {least})")
                continue
            print(f"  note  {text}; its core is busy for {row['busy']:.0%} of the time, else it waits"
                  f" for the disk, which takes {row['written_bytes']:.0f} bytes for each transaction,"
                  f" {row['written_bytes'] * row['per_second'] / (1 << 20):.0f} MiB/s")
    verdict.end()


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench scale", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=1_000_000, help="of the large banks")
    parser.add_argument("--transactions", type=int, nargs=2, default=(10_000_000, 50_000_000),
                        metavar=("SOME", "MANY"), help="of the full stores")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement; at least 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all that was measured")
    parser.add_argument("--bank", default=harness.BANK, help="another crebito to measure")
    options = parser.parse_args()

    fresh = Size(len(ledger.HOT), 0)
    some, many = options.transactions
    sizes = [fresh, Size(fresh.clients, some), Size(fresh.clients, many), Size(1000, 0),
             *(Size(options.clients, transactions) for transactions in (0, some, many))]
    results = []
    for size in sizes:
        rest = at_rest(options.bank, size)
        print(f"measuring {size.name}", flush=True)
        results.append((size, rest, under_load(options.bank, size, fresh, options)))
        if options.json:  # each time: what comes next takes minutes, and may fail
            options.json.write_text(json.dumps(
                [{"clients": size.clients, "transactions": size.transactions, "at_rest": rest,
                  "rounds": rounds} for size, rest, rounds in results], indent=1))

    show_rest(results)
    for connections in CONNECTIONS:
        show_load(results, connections)
    print()
    judge(results)


if __name__ == "__main__":
    main()
