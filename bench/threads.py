# SPDX-License-Identifier: MIT
"""What --threads does: throughput and CPU per request of the bank with 1, 2 and 4, on all cores it may have.

The load has one core of its own only where there are more cores than two; with two the bank shares one with it.
Rounds of all of them; medians over the rounds. It judges nothing: what comes out depends on the machine.
"""

import argparse
import os
from statistics import median

import harness

THREADS = (1, 2, 4)
SCENARIOS = {"mix": ["mix"], "statement": ["statement", 1]}  # as api.lua has them


def bank_cores():
    """All that the machine has for us; without the load's, where that leaves two or more."""
    everywhere = set(range(os.cpu_count()))
    return everywhere - {harness.LOAD_CORE} if len(everywhere) > 2 else everywhere


def measure(bank, threads, scenario, seconds):
    with harness.new_store("threads-store") as store:
        with harness.serving(bank, f"lmdb:{store}", "--threads", threads, cores=bank_cores()) as server:
            return server.load(seconds, *SCENARIOS[scenario])


def show(scenario, rounds):
    print(f"\n{scenario:14} {'requests/s':>11} {'CPU µs each':>12} {'(least, most)':>16} {'p50 ms':>7} {'p99 ms':>7} {'socket errors':>14}")
    for threads in THREADS:
        runs = [one[threads, scenario] for one in rounds]
        costs = [run["cpu_us"] for run in runs]
        print(
            f"--threads {threads:<4} {median(run['per_second'] for run in runs):11.0f} {median(costs):12.2f}"
            f" {f'({min(costs):.2f}, {max(costs):.2f})':>16} {median(run['p50_us'] for run in runs) / 1000:7.2f}"
            f" {median(run['p99_us'] for run in runs) / 1000:7.2f} {sum(run['socket_errors'] for run in runs):14}"
        )


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench threads", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement")
    parser.add_argument("--bank", default=harness.BANK, help="another crebito to measure")
    options = parser.parse_args()
    rounds = [
        {
            (threads, scenario): measure(options.bank, threads, scenario, options.seconds)
            for threads in THREADS
            for scenario in SCENARIOS
        }
        for _ in range(options.rounds)
    ]
    for scenario in SCENARIOS:
        show(scenario, rounds)


if __name__ == "__main__":
    main()
