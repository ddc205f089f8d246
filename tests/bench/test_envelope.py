# SPDX-License-Identifier: MIT
"""The arithmetic of script/bench, and what it judges, on figures that are made up. Nothing is measured here."""

import os
import sys
from importlib import import_module

import pytest

from bank import TESTS

NOOP_RATE = 1000
PARTS = {"nginx": {"cpus": 0.2, "bytes": 50 << 20}, "webapi1-c": {"cpus": 0.65, "bytes": 230 << 20},
         "webapi2-c": {"cpus": 0.65, "bytes": 230 << 20}}


@pytest.fixture(scope="module")
def bench():
    """Its modules, by name. To import them pins this process to a core, which is undone."""
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("the benchmarks need two cores")
    sys.path.append(str(TESTS.parent / "bench"))
    try:
        yield {name: import_module(name) for name in ("results", "openloop", "tables", "demands", "stacks")}
    finally:
        sys.path.remove(str(TESTS.parent / "bench"))
        os.sched_setaffinity(0, before)


def seen(row, load, rate, **more):
    """One measurement in which nothing is wrong."""
    return {"row": row, "load": load, "per_second": rate, "answers": 10000, "above_399": 0, "socket_errors": 0,
            "posts_sent": 9700, "entries": 9690, "batch": 4.0, "flushes_per_second": 500.0, "microseconds": 4000000,
            "p50_us": 300.0, "p99_us": 900.0, "p999_us": 2000.0, "max_us": 9000.0, "late_p99_us": 100.0, "late_max_us": 1000.0,
            "statuses": {"200": 9000, "422": 1000}, "failed": 0, "status_200": 10000,
            **{what: {part: 1 << 20 for part in PARTS} for what in ("cpu_us", "rss_anon_bytes", "memory_bytes")}, **more}


def results_of(bench, changes=(), rounds=3):
    """Everything just good enough, but for `changes`: (row, load, {figure: value}), in every round."""
    module = bench["results"]
    rates = {"no-op": 1.0, "embedded, durable": 0.95, "embedded, one account": 0.95, "embedded, none": 0.98,
             "no-op again": 1.0, "PostgreSQL, contest": 0.85}
    rows = [module.Row(name, name, limit="no-op", loads=(64, 256, module.OPEN)) for name in rates]
    one = {(row.name, load): seen(row.name, load, NOOP_RATE * rates[row.name]) for row in rows for load in row.loads}
    for name, load, figures in changes:
        one[name, load].update(figures)
    return module.Results(rows, [list(one.values())] * rounds, {row.stack: PARTS for row in rows},
                          [{f"{name}_us": 100.0 for name in ("p50", "p99", "p999", "max")}])


def verdict(bench, capsys, *changes, limits=None):
    """(the exit status, the demands that were not met)"""
    results = results_of(bench, changes)
    results.limits.update(limits or {})
    with pytest.raises(SystemExit) as end:
        bench["demands"].judge(results)
    return end.value.code, [line for line in capsys.readouterr().out.splitlines() if line.startswith("  FAIL")]


def test_what_holds_passes(bench, capsys):
    assert verdict(bench, capsys) == (0, [])


@pytest.mark.parametrize("row, load, figures, words", [
    ("embedded, durable", 256, {"per_second": 899}, "0.899 of the no-op's throughput at 256"),
    ("embedded, durable", 64, {"per_second": 749}, "0.749 of the no-op's throughput at 64"),
    ("embedded, none", 64, {"per_second": 969}, "0.969 of the no-op's throughput at 64"),
    ("embedded, none", 256, {"per_second": 969}, "0.969 of the no-op's throughput at 256"),
    ("PostgreSQL, contest", 64, {"per_second": 799}, "0.799 of the no-op's throughput at 64"),
    ("embedded, one account", 256, {"per_second": 850}, "0.89 of five accounts'"),
    ("embedded, durable", "open", {"failed": 1}, "3 of 30000 requests failed"),
    ("embedded, durable", "open", {"p99_us": 1001}, "p99 1.00 ms"),
    ("embedded, durable", "open", {"max_us": 15001}, "maximum 15.0 ms"),
    ("embedded, durable", "open", {"rss_anon_bytes": {"nginx": 8 << 20, "webapi1-c": 8 << 20, "webapi2-c": 8 << 20}}, "24.0 MiB"),
    ("embedded, none", 64, {"above_399": 201, "entries": 9490}, "answers are 200"),
    ("embedded, none", 64, {"entries": 9000}, "its ledger grew"),
    ("embedded, none", 64, {"entries": 9701}, "its ledger grew"),
])
def test_what_falls_short_fails_with_the_reason(bench, capsys, row, load, figures, words):
    status, failed = verdict(bench, capsys, (row, load, figures))
    assert status == 1 and len(failed) == 1 and words in failed[0], failed


@pytest.mark.parametrize("part", [{"cpus": 0.7, "bytes": 50 << 20}, {"cpus": 0.2, "bytes": 90 << 20}, {"cpus": 0, "bytes": 50 << 20}])
def test_a_stack_past_its_envelope_or_without_limits_fails(bench, capsys, part):
    status, failed = verdict(bench, capsys, limits={"embedded, none": {**PARTS, "nginx": part}})
    assert status == 1 and len(failed) == 1 and "limits of" in failed[0], failed


def test_an_answer_below_400_that_is_no_200_fails(bench, capsys):
    counted = bench["results"].COUNTED
    results = results_of(bench)
    for one in results.rounds:
        one["no-op", counted] = seen("no-op", counted, 900, status_200=9000)
    with pytest.raises(SystemExit) as end:
        bench["demands"].judge(results)
    assert end.value.code == 1 and "no 200" in capsys.readouterr().out


def test_a_ratio_is_to_the_same_round(bench):
    """A machine that is twice as fast in one round changes none."""
    module = bench["results"]
    rows = [module.Row("no-op", "a", "no-op", (64,)), module.Row("bank", "b", "no-op", (64,))]
    rounds = [[seen("no-op", 64, rate), seen("bank", 64, rate * share)] for rate, share in ((1000, 0.8), (2000, 0.9), (500, 0.7))]
    results = module.Results(rows, rounds, {}, [])
    assert results.ratios("bank", 64) == [0.8, 0.9, 0.7]
    assert next(line for line in results.medians() if line["row"] == "bank")["ratio"] == 0.8


def test_the_tables_fit_in_120_columns(bench, capsys):
    about = {"date": "2026-11-25T12:00:00+00:00", "commit": "0" * 40, "cores": 2, "cpu": "AMD EPYC", "kernel": "6.18.44", "docker": "20.10"}
    results = results_of(bench)
    for name in results.rows:
        for load in bench["results"].LADDER:
            results.rounds[0][name, load] = seen(name, load, 8000)
    bench["tables"].show(results, about)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 30 and [line for line in lines if len(line) > 120] == [], max(lines, key=len)


# ---- vegeta's results


def test_percentiles_are_of_all_there_are(bench):
    percentile = bench["openloop"].percentile
    hundred = list(range(1, 101))
    assert [percentile(hundred, percent) for percent in (50, 99, 99.9, 100)] == [50, 99, 100, 100]
    assert percentile([7], 50) == 7


def test_the_first_second_is_not_counted_and_the_rest_is(bench):
    """Ten a second; what is slow or fails at first is not seen."""
    at = [number * 10**8 for number in range(40)]
    rows = [(when, 503 if when < 10**9 else 422 if when == 2 * 10**9 else 200, 9 * 10**9 if when < 10**9 else 10**6) for when in at]
    seen = bench["openloop"].summary(rows[::-1], rate=10)
    assert seen["answers"] == 30 and seen["statuses"] == {"200": 29, "422": 1} and seen["failed"] == 0
    assert seen["per_second"] == pytest.approx(10) and seen["max_us"] == 1000 and seen["late_max_us"] == 0


def test_no_answer_is_a_failure(bench):
    rows = [(number * 10**8, 0 if number == 15 else 504 if number == 16 else 200, 10**6) for number in range(40)]
    assert bench["openloop"].summary(rows, rate=10)["failed"] == 2


def test_a_generator_that_is_late_says_so(bench):
    rows = [(number * 10**8 + (3 * 10**6 if number == 20 else 0), 200, 10**6) for number in range(40)]
    seen = bench["openloop"].summary(rows, rate=10)
    assert seen["late_max_us"] == pytest.approx(3000)


def test_the_load_is_the_challenges(bench):
    openloop = bench["openloop"]
    lines = list(openloop.requests("host", openloop.RATE, 10))
    assert len(lines) == 340
    assert sum('"GET"' in line for line in lines) == 10
    assert lines == list(openloop.requests("host", openloop.RATE, 10))


# ---- what a compose file becomes


def test_a_no_op_stands_behind_the_same_nginx(bench):
    services = {"nginx": {"image": "nginx", "deploy": {"cpus": 0.3}, "volumes": ["conf"]},
                **{name: {"image": "crebito:dev", "deploy": {"cpus": 0.6}} for name in bench["stacks"].INSTANCES}, "db": {}}
    made = bench["stacks"].in_front_of_nothing(services)
    assert made["nginx"]["deploy"] == services["nginx"]["deploy"] and made["nginx"]["volumes"] == ["conf"]
    assert set(made) == {"nginx", *bench["stacks"].INSTANCES} and made["webapi2-c"]["deploy"] == {"cpus": 0.6}
