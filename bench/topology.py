# SPDX-License-Identifier: MIT
"""The challenge's topology in its envelope: the compose files' stacks against a no-op API behind the same NGINX.

Rounds of all rows, in containers whose limits of CPU and memory are enforced; throughput as a ratio to the no-op of the
same round; medians over the rounds. wrk loads them from outside of the limits. Needs Docker with Compose v2.
"""

import argparse
from statistics import median

import harness
from containers import Stack, all_of

CONTEST_RATIO_MIN = 0.80
OK_SHARE_MIN = 0.99
NOISE_MAX = 0.1
CONNECTIONS = (64, 256)
POSTGRES, EMBEDDED = "docker-compose.yml", "compose.embedded.yml"
NOOP = "noop"

STACKS = {
    NOOP: Stack("noop", "bench/topology/noop.yml"),
    "PostgreSQL, contest": Stack("contest", POSTGRES, CREBITO_PROFILE="contest"),
    "PostgreSQL, durable": Stack("durable", POSTGRES, CREBITO_PROFILE="durable"),
    "embedded, durable": Stack("embedded", EMBEDDED),
    "embedded, none": Stack("none", EMBEDDED, CREBITO_DURABILITY="none"),
}
ROWS = [*STACKS, "noop again"]


def stack_of(row):
    return STACKS[NOOP if row == "noop again" else row]


def measure_round(seconds):
    return {(row, connections): stack_of(row).load(seconds, connections, "mix")
            for connections in CONNECTIONS for row in ROWS}


def ratios_of(rounds, row, connections):
    return [one[row, connections]["per_second"] / one[NOOP, connections]["per_second"] for one in rounds]


def show_speed(rounds, connections):
    print(f"\n{connections:3} connections        requests/s  ratio  (least, most)  p50 ms  p99 ms  not 200"
          "   CPU µs each: NGINX, instances, database")
    for row in ROWS:
        runs = [one[row, connections] for one in rounds]
        ratios = ratios_of(rounds, row, connections)
        cpu = {part: median(run["cpu_us"][part] for run in runs) for part in runs[0]["cpu_us"]}
        instances = cpu["webapi1-c"] + cpu["webapi2-c"]
        spread = f"({min(ratios):.2f}, {max(ratios):.2f})"
        database = f"{cpu['db']:6.1f}" if "db" in cpu else ""
        print(f"{row:19} {median(run['per_second'] for run in runs):13.0f} {median(ratios):6.2f} {spread:>14}"
              f" {median(run['p50_us'] for run in runs) / 1000:7.2f} {median(run['p99_us'] for run in runs) / 1000:7.1f}"
              f" {sum(run['above_399'] + run['socket_errors'] for run in runs):8}"
              f"   {cpu['nginx']:6.1f} {instances:6.1f} {database}")


def show_memory(rounds):
    """The most that was seen after a measurement."""
    print("\nMiB: RssAnon / its cgroup's count / of its limit")
    for row in STACKS:
        runs = [one[key] for one in rounds for key in one if key[0] == row]
        cells = []
        for service, part in stack_of(row).parts.items():
            anon, counted = (max(run[what][service] for run in runs) / 2**20
                             for what in ("rss_anon_bytes", "memory_bytes"))
            cells.append(f"{service} {anon:.1f} / {counted:.0f} / {part.limit_bytes / 2**20:.0f}")
        print(f"{row:19}  {',  '.join(cells)}")


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench topology", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement; at least 5")
    options = parser.parse_args()

    with all_of(STACKS.values()):
        rounds = []
        for number in range(1, options.rounds + 1):
            rounds.append(measure_round(options.seconds))
            speeds = ", ".join(f"{row} {rounds[-1][row, CONNECTIONS[-1]]['per_second']:.0f}" for row in ROWS)
            print(f"round {number} of {options.rounds}, requests/s: {speeds}", flush=True)
        for connections in CONNECTIONS:
            show_speed(rounds, connections)
        show_memory(rounds)
        limits = {row: [sum(part.cpus for part in stack.parts.values()),
                        sum(part.limit_bytes for part in stack.parts.values()) / 1e6]
                  for row, stack in STACKS.items()}

    print()
    verdict = harness.Verdict()
    for connections in CONNECTIONS:
        ratio = median(ratios_of(rounds, "PostgreSQL, contest", connections))
        verdict.judge(ratio >= CONTEST_RATIO_MIN, f"PostgreSQL, contest: {ratio:.2f} of the no-op's throughput at"
                      f" {connections} connections (at least {CONTEST_RATIO_MIN})")
    for row, (cpus, megabytes) in limits.items():
        verdict.judge(cpus <= 1.5001 and megabytes <= 550, f"{row}: limits of {cpus:.2f} CPU and {megabytes:.0f} MB")
    for row in STACKS:
        runs = [one[key] for one in rounds for key in one if key[0] == row]
        answers, refused = sum(run["answers"] for run in runs), sum(run["above_399"] for run in runs)
        verdict.judge(1 - refused / answers >= OK_SHARE_MIN, f"{row}: {answers - refused} of {answers} answers are 200")
    noise = median(ratios_of(rounds, "noop again", CONNECTIONS[-1]))
    if abs(noise - 1) > NOISE_MAX:
        print(f"  note  the no-op differs from itself by {abs(noise - 1):.0%}: a noisy machine, measure again")
    verdict.end()


if __name__ == "__main__":
    main()
