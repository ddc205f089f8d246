# SPDX-License-Identifier: MIT
"""Shows what envelope.py has measured, in 120 columns."""

from collections import Counter
from statistics import median

from openloop import PERCENTILES, RATE
from results import CLOSED, COUNTED, LADDER, NEW, OPEN

TITLES = {**{load: f"{load} connections" for load in CLOSED}, NEW: "64, new each time"}
NAME = 22


def cell(value, width, digits=0, scale=1.0):
    """Blank where there is nothing to be known."""
    return " " * width if value is None else f"{value / scale:{width}.{digits}f}"


def show_speed(results, load):
    print(f"\n{TITLES[load]:{NAME}} requests/s  ratio  (least, most)  p50 ms  p99 ms  p99.9   max ms not 200 errors"
          "  batch flushes/s")
    for name in results.names(load):
        ratios, runs = results.ratios(name, load), results.runs(name, load)

        def middle(figure, width, digits=0, scale=1.0, name=name):
            return cell(results.middle(name, load, figure), width, digits, scale)

        spread = f"({min(ratios):.2f}, {max(ratios):.2f})"
        print(f"{name:{NAME}} {middle('per_second', 10)} {median(ratios):6.2f} {spread:>14}"
              f" {middle('p50_us', 7, 2, 1000)} {middle('p99_us', 7, 2, 1000)} {middle('p999_us', 6, 1, 1000)}"
              f" {middle('max_us', 8, 1, 1000)} {sum(run['above_399'] for run in runs):7}"
              f" {sum(run['socket_errors'] for run in runs):6} {middle('batch', 6, 1)} {middle('flushes_per_second', 9)}")


def show_open(results):
    print(f"\n{f'open loop, {RATE}/s':{NAME}}  sent/s     200     422  failed  p50 ms  p99 ms  p99.9   max ms  RssAnon MiB"
          "   batch flushes/s")
    for name in results.names(OPEN):
        statuses = sum((Counter(run["statuses"]) for run in results.runs(name, OPEN)), Counter())
        failed = sum(run["failed"] for run in results.runs(name, OPEN))

        def middle(figure, width, digits=0, scale=1.0, name=name):
            return cell(results.middle(name, OPEN, figure), width, digits, scale)

        print(f"{name:{NAME}} {middle('per_second', 7, 1)} {statuses['200']:7} {statuses['422']:7} {failed:7}"
              f" {middle('p50_us', 7, 2, 1000)} {middle('p99_us', 7, 2, 1000)} {middle('p999_us', 6, 1, 1000)}"
              f" {middle('max_us', 8, 1, 1000)} {rss_anon_mib(results, name):12.1f} {middle('batch', 7, 1)}"
              f" {middle('flushes_per_second', 9)}")
    for name in results.names(LADDER[0]):
        steps = [(results.middle(name, load, "per_second"), results.middle(name, load, "p50_us") / 1000,
                  results.middle(name, load, "p99_us") / 1000) for load in LADDER]
        print(f"{name:{NAME}} " + ";  ".join(f"{rate:.0f}/s {p50:.2f}, {p99:.1f}" for rate, p50, p99 in steps) + "  (p50, p99)")
    p50, p99, p999, most = (median(run[f"{name}_us"] for run in results.disk) / 1000 for name, _ in PERCENTILES)
    print(f"(the disk alone, a page written and flushed {RATE} times a second: p50 {p50:.2f} ms, p99 {p99:.2f},"
          f" p99.9 {p999:.1f}, max {most:.1f})")
    late = [(run["late_p99_us"], run["late_max_us"]) for name in results.names(OPEN) for run in results.runs(name, OPEN)]
    p99, most = (max(figures) / 1000 for figures in zip(*late))
    print(f"(the generator was at most {p99:.1f} ms late in 99 % of cases, {most:.1f} ms at worst; latencies count from the sending)")


def rss_anon_mib(results, name):
    """Of all processes together, after the challenge's load."""
    return max(sum(run["rss_anon_bytes"].values()) for run in results.runs(name, OPEN)) / 2**20


def show_cpu(results):
    loads = [load for load in (*CLOSED, NEW) if results.names(load)]
    heads = "".join(f"{TITLES[load]:>24}" for load in loads)
    print(f"\n{'CPU µs each':{NAME}}{heads}\n{'':{NAME}}" + "   NGINX    bank      db" * len(loads))
    for name in results.rows:
        line = ""
        for load in loads:
            cpu = results.cpu(name, load)
            banks = [value for part, value in cpu.items() if part not in ("nginx", "db")]
            line += (cell(cpu.get("nginx"), 9, 1) + cell(sum(banks) if banks else None, 8, 1)
                     + cell(cpu.get("db"), 7, 1))
        print(f"{name:{NAME}}{line}".rstrip())


def show_memory(results):
    """The most that was seen after a measurement."""
    print("\nMiB: RssAnon / what its cgroup counts / of its limit")
    for name, row in results.rows.items():
        anon, counted = results.most(name, "rss_anon_bytes"), results.most(name, "memory_bytes")
        cells = [f"{part} {anon[part] / 2**20:.1f} / {counted[part] / 2**20:.0f} / {limit['bytes'] / 2**20:.0f}"
                 for part, limit in results.limits[row.stack].items()]
        print(f"{name:{NAME}} {',  '.join(cells)}")


def show_statuses(results):
    print("\nEach answer's status, counted at 64 connections (a run of its own: counting slows the load)")
    for name in results.names(COUNTED):
        counted = Counter()
        for run in results.runs(name, COUNTED):
            counted.update({figure[7:]: count for figure, count in run.items() if figure.startswith("status_")})
        print(f"{name:{NAME}} " + ", ".join(f"{status}: {count}" for status, count in sorted(counted.items())))


def show(results, about):
    print(f"\n{about['date']}, commit {about['commit'][:12]}, {about['cores']} cores of {about['cpu']}, Linux {about['kernel']},"
          f" Docker {about['docker']};\nmedian of {len(results.rounds)} rounds")
    for load in (*CLOSED, NEW):
        if results.names(load):
            show_speed(results, load)
    if results.names(OPEN):
        show_open(results)
    show_cpu(results)
    show_memory(results)
    show_statuses(results)
