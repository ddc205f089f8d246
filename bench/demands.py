# SPDX-License-Identifier: MIT
"""What is demanded of what envelope.py has measured. What was not measured is not judged."""

from statistics import median

import harness
import tables
from results import CLOSED, COUNTED, NEW, OPEN
from stacks import CPUS_MAX, MEGABYTES_MAX

RATIOS_MIN = {  # of the no-op's throughput, by row and connections
    "embedded, durable": {64: 0.75, 256: 0.90},
    "embedded, none": {64: 0.97, 256: 0.97},
    "PostgreSQL, contest": {64: 0.80, 256: 0.80},
}
ONE_ACCOUNT_MIN = 0.9  # of the throughput of five; more is no fault
OK_SHARE_MIN = 0.99
OPEN_P99_MS_MAX = 1
OPEN_MAX_MS_MAX = 15
OPEN_RSS_ANON_MIB_MAX = 24
NOISE_MAX = 0.1
CONNECTIONS_MAX = 256

DURABLE, ONE_ACCOUNT, NOOP, NOOP_AGAIN = "embedded, durable", "embedded, one account", "no-op", "no-op again"


def judge_ratios(verdict, results):
    for name, least in RATIOS_MIN.items():
        for load, ratio_min in least.items():
            if name in results.rows and results.names(load):
                ratio = median(results.ratios(name, load))
                verdict.judge(ratio >= ratio_min, f"{name}: {ratio:.3f} of the no-op's throughput at {load} connections"
                              f" (at least {ratio_min:.2f})")


def judge_one_account(verdict, results):
    for load in CLOSED:
        ratios = results.ratios(ONE_ACCOUNT, load, to=DURABLE) if ONE_ACCOUNT in results.rows else []
        if ratios:
            ratio = median(ratios)
            verdict.judge(ratio >= ONE_ACCOUNT_MIN, f"{ONE_ACCOUNT}: {ratio:.2f} of five accounts' throughput"
                          f" at {load} connections (at least {ONE_ACCOUNT_MIN})")


def judge_open(verdict, results):
    if DURABLE not in results.names(OPEN):
        return
    runs = results.runs(DURABLE, OPEN)
    failed, answers = sum(run["failed"] for run in runs), sum(run["answers"] for run in runs)
    p99, most = (results.middle(DURABLE, OPEN, figure) / 1000 for figure in ("p99_us", "max_us"))
    floor, floor_p99 = (results.middle(NOOP, OPEN, figure) / 1000 for figure in ("max_us", "p99_us"))
    disk = median(run["p99_us"] for run in results.disk) / 1000
    memory = tables.rss_anon_mib(results, DURABLE)
    verdict.judge(failed == 0, f"the challenge's load: {failed} of {answers} requests failed (none)")
    verdict.judge(p99 <= OPEN_P99_MS_MAX, f"the challenge's load: p99 {p99:.2f} ms (at most {OPEN_P99_MS_MAX};"
                  f" the no-op's is {floor_p99:.2f}, the disk's by itself {disk:.2f})")
    verdict.judge(most <= OPEN_MAX_MS_MAX, f"the challenge's load: maximum {most:.1f} ms, of {len(runs)} runs the median"
                  f" (at most {OPEN_MAX_MS_MAX}; the no-op's is {floor:.1f})")
    verdict.judge(memory < OPEN_RSS_ANON_MIB_MAX, f"the challenge's load: {memory:.1f} MiB of RssAnon in all processes together"
                  f" (under {OPEN_RSS_ANON_MIB_MAX})")


def judge_envelopes(verdict, results):
    for stack, parts in results.limits.items():
        cpus = sum(part["cpus"] for part in parts.values())
        megabytes = sum(part["bytes"] for part in parts.values()) / 1e6
        limited = all(part["cpus"] and part["bytes"] for part in parts.values())
        verdict.judge(limited and cpus <= CPUS_MAX + 1e-6 and megabytes <= MEGABYTES_MAX,
                      f"{stack}: limits of {cpus:.2f} CPU and {megabytes:.0f} MB (at most {CPUS_MAX} and {MEGABYTES_MAX})")


def judge_answers(verdict, results):
    """wrk tells answers up to 399 from those above; the bank knows no other below 400 than 200, as the counted ones show."""
    for name in results.rows:
        runs = results.closed_runs(name)
        answers, refused = sum(run["answers"] for run in runs), sum(run["above_399"] for run in runs)
        verdict.judge(refused <= (1 - OK_SHARE_MIN) * answers,
                      f"{name}: {answers - refused} of {answers} answers are 200 (at least {OK_SHARE_MIN:.0%})")
        counted = results.runs(name, COUNTED)
        others = sum(run["answers"] - run["above_399"] - run.get("status_200", 0) for run in counted)
        if abs(others) > CONNECTIONS_MAX:  # the last ones of a run are counted here and not there
            verdict.judge(False, f"{name}: {others} answers below 400 are no 200")
        unanswered = [run["posts_sent"] - run["above_399"] - run["entries"] for run in runs if "entries" in run]
        if unanswered:
            verdict.judge(0 <= min(unanswered) and max(unanswered) <= CONNECTIONS_MAX + 1,
                          f"{name}: its ledger grew by what was sent less {min(unanswered)} to {max(unanswered)} a run"
                          f" (0 to {CONNECTIONS_MAX + 1}: on their way at the end)")


def note_noise(results):
    for load in (*CLOSED, NEW):
        noise = median(results.ratios(NOOP_AGAIN, load) or [1]) if NOOP_AGAIN in results.rows else 1
        if abs(noise - 1) > NOISE_MAX:
            print(f"  note  the no-op differs from itself by {abs(noise - 1):.0%} ({tables.TITLES[load]}):"
                  " a noisy machine, measure again")


def judge(results):
    """Prints each demand and what came of it; ends with the exit status."""
    verdict = harness.Verdict()
    judge_ratios(verdict, results)
    judge_one_account(verdict, results)
    judge_open(verdict, results)
    judge_envelopes(verdict, results)
    judge_answers(verdict, results)
    note_noise(results)
    verdict.end()
