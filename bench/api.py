# SPDX-License-Identifier: MIT
"""What a request costs: the bank under the challenge's mix, against a server that does nothing.

Rounds of: no-op server, bank with durable answers, bank with --durability=none, no-op again (the
noise). CPU per request, as a ratio to the no-op of the same round; medians over the rounds.
"""

import argparse
from statistics import median

import harness

DURABLE_RATIO_MAX = 2.0
NONE_RATIO_MAX = 1.7
RSS_ANON_MIB_MAX = 8
OK_SHARE_MIN = 0.99
NOISE_MAX = 0.1  # beyond it the machine was too busy with other things

ROWS = ["noop", "bank, durable", "bank, none", "noop again"]


def measure_noop(seconds):
    with harness.noop() as server:
        return server.load(seconds, "mix")


def measure_bank(bank, seconds, *options):
    with harness.new_store("api-store") as store:
        with harness.serving(bank, f"lmdb:{store}", *options) as server:
            seen = server.load(seconds, "mix")
            seen["rss_anon_mib"] = server.rss_anon_kib_max / 1024
        seen["entries"] = harness.entries(bank, store)
    # What wrk sent at the very end was committed, but its answers were not waited for.
    seen["unanswered"] = seen["posts_sent"] - seen["above_399"] - seen["entries"]
    return seen


def measure_round(bank, seconds):
    return {
        "noop": measure_noop(seconds),
        "bank, durable": measure_bank(bank, seconds),
        "bank, none": measure_bank(bank, seconds, "--durability", "none"),
        "noop again": measure_noop(seconds),
    }


def show(rounds, ratios):
    print()
    print(
        f"{'':14} {'requests/s':>11} {'CPU µs each':>12} {'ratio':>6} {'(least, most)':>14}"
        f" {'p50 ms':>7} {'p99 ms':>7} {'answers':>9} {'not 200':>8} {'socket errors':>14} {'RssAnon MiB':>12}"
    )
    for row in ROWS:
        runs = [one[row] for one in rounds]

        def middle(name, runs=runs):
            return median(run[name] for run in runs)

        def total(name, runs=runs):
            return sum(run[name] for run in runs)

        spread = f"({min(ratios[row]):.2f}, {max(ratios[row]):.2f})"
        memory = f"{max(run['rss_anon_mib'] for run in runs):.1f}" if "rss_anon_mib" in runs[0] else ""
        print(
            f"{row:14} {middle('per_second'):11.0f} {middle('cpu_us'):12.2f} {median(ratios[row]):6.2f}"
            f" {spread:>14} {middle('p50_us') / 1000:7.2f} {middle('p99_us') / 1000:7.2f}"
            f" {total('answers'):9} {total('above_399'):8} {total('socket_errors'):14} {memory:>12}"
        )
    print()


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench api", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement; at least 5")
    parser.add_argument("--bank", default=harness.BANK, help="another crebito to measure")
    options = parser.parse_args()

    rounds = []
    for number in range(1, options.rounds + 1):
        rounds.append(measure_round(options.bank, options.seconds))
        costs = ", ".join(f"{row} {rounds[-1][row]['cpu_us']:.2f}" for row in ROWS)
        print(f"round {number} of {options.rounds}, CPU µs per request: {costs}", flush=True)

    ratios = {row: [one[row]["cpu_us"] / one["noop"]["cpu_us"] for one in rounds] for row in ROWS}
    show(rounds, ratios)

    verdict = harness.Verdict()
    for row, most in (("bank, durable", DURABLE_RATIO_MAX), ("bank, none", NONE_RATIO_MAX)):
        runs = [one[row] for one in rounds]
        ratio = median(ratios[row])
        verdict.judge(ratio <= most, f"{row}: {ratio:.2f} times the no-op's CPU (at most {most})")
        answers = sum(run["answers"] for run in runs)
        refused = sum(run["above_399"] for run in runs)
        verdict.judge(
            1 - refused / answers >= OK_SHARE_MIN,
            f"{row}: {answers - refused} of {answers} answers are 200 (at least {OK_SHARE_MIN:.0%})",
        )
        errors = sum(run["socket_errors"] for run in runs)
        verdict.judge(errors == 0, f"{row}: {errors} socket errors (none)")
        unanswered = [run["unanswered"] for run in runs]
        verdict.judge(
            0 <= min(unanswered) and max(unanswered) <= harness.CONNECTIONS + 1,
            f"{row}: the ledger grew by {sum(run['entries'] for run in runs)}, the transactions sent less"
            f" {min(unanswered)} to {max(unanswered)} a round (0 to {harness.CONNECTIONS + 1}: on their way at the end)",
        )
        memory = max(run["rss_anon_mib"] for run in runs)
        verdict.judge(
            memory < RSS_ANON_MIB_MAX,
            f"{row}: RssAnon at most {memory:.1f} MiB at {harness.CONNECTIONS} connections (under {RSS_ANON_MIB_MAX})",
        )
    noise = median(ratios["noop again"])
    if abs(noise - 1) > NOISE_MAX:
        print(f"  note  the no-op differs from itself by {abs(noise - 1):.0%}: a noisy machine, measure again")
    verdict.end()


if __name__ == "__main__":
    main()
