# SPDX-License-Identifier: MIT
"""What a long history costs: the start, and an extrato, with 1,000,000 transactions in the store.

From exec to the first answers of /healthz and of an extrato, the median of some starts; and the
CPU per extrato of an account with all those transactions, against one that has ten.
"""

import argparse
import time
from statistics import median

import harness

START_MS_MAX = 50
STATEMENT_RATIO_MAX = 1.1
LONG, SHORT = 1, 2  # the clients with a long and with a short history
SHORT_HISTORY = 10


def post(port, client):
    body = b'{"valor":1,"tipo":"c","descricao":"deposito"}'
    head = f"POST /clientes/{client}/transacoes HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
    return harness.exchange(port, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def fill(bank, store, transactions):
    """At least so many of the one client, exactly ten of the other."""
    with harness.serving(bank, f"lmdb:{store}", "--durability", "none") as server:
        for _ in range(SHORT_HISTORY):
            if not harness.is_200(post(server.port, SHORT)):
                server.fail("refused a credit")
        accepted = 0
        while accepted < transactions:
            seen = server.load(5, "fill", LONG)
            if seen["above_399"]:
                server.fail(f"refused {seen['above_399']} requests")
            accepted += seen["answers"]
    return harness.entries(bank, store)


def start_ms(bank, store):
    """From before fork and exec to the end of the first 200 of each."""
    port = harness.free_port()
    command = harness.bank_command(bank, f"lmdb:{store}", port)
    began = time.monotonic()
    server = harness.Server("bank", command, port)
    try:
        server.wait_until_it_listens()
        times = []
        for path in ("/healthz", f"/clientes/{LONG}/extrato"):
            while not harness.is_200(harness.get(port, path)):
                if time.monotonic() - began > harness.START_SECONDS_MAX:
                    server.fail(f"answers no 200 to {path}")
            times.append((time.monotonic() - began) * 1000)
        return times
    finally:
        server.stop()


def statement_costs(bank, store, rounds, seconds):
    """(CPU µs of the long history's extrato, of the short one's) of each round, interleaved."""
    costs = []
    with harness.serving(bank, f"lmdb:{store}") as server:
        for _ in range(rounds):
            pair = []
            for client in (LONG, SHORT):
                seen = server.load(seconds, "statement", client)
                if seen["above_399"] or seen["socket_errors"]:
                    server.fail(f"refused {seen['above_399']}, broke {seen['socket_errors']}")
                pair.append(seen["cpu_us"])
            costs.append(pair)
    return costs


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench start", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--transactions", type=int, default=1_000_000)
    parser.add_argument("--starts", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=5, help="of extratos")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement; at least 5")
    parser.add_argument("--bank", default=harness.BANK, help="another crebito to measure")
    options = parser.parse_args()

    with harness.new_store("start-store") as store:
        print(f"filling a store with {options.transactions} transactions", flush=True)
        held = fill(options.bank, store, options.transactions)
        size_mib = sum(file.stat().st_blocks for file in store.iterdir()) / 2048
        print(f"it holds {held} in {size_mib:.0f} MiB; starting {options.starts} times", flush=True)
        starts = [start_ms(options.bank, store) for _ in range(options.starts)]
        print("measuring extratos", flush=True)
        costs = statement_costs(options.bank, store, options.rounds, options.seconds)

    healthz, statement = (sorted(times) for times in zip(*starts))
    ratio = median(long / short for long, short in costs)
    noise = max(short for _, short in costs) / min(short for _, short in costs)
    print()
    print(f"{'from exec to the first 200':32} {'median':>8} {'least':>8} {'most':>8}  ms")
    for name, times in (("/healthz", healthz), ("then an extrato", statement)):
        print(f"{name:32} {median(times):8.1f} {times[0]:8.1f} {times[-1]:8.1f}")
    print(f"{'CPU of an extrato':32} {'median':>8} {'least':>8} {'most':>8}  µs")
    for name, column in ((f"of {held - SHORT_HISTORY} transactions", 0), (f"of {SHORT_HISTORY}", 1)):
        values = sorted(pair[column] for pair in costs)
        print(f"{name:32} {median(values):8.2f} {values[0]:8.2f} {values[-1]:8.2f}")
    print()

    verdict = harness.Verdict()
    verdict.judge(held >= options.transactions, f"the store holds {held} transactions")
    first = median(statement)
    verdict.judge(first < START_MS_MAX, f"start to first answers: {first:.1f} ms (under {START_MS_MAX})")
    verdict.judge(
        ratio <= STATEMENT_RATIO_MAX,
        f"an extrato of a long history costs {ratio:.2f} times that of a short one"
        f" (at most {STATEMENT_RATIO_MAX}; the short one's rounds differ by {noise:.2f})",
    )
    verdict.end()


if __name__ == "__main__":
    main()
