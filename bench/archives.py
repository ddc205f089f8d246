# SPDX-License-Identifier: MIT
"""What an operator's tools cost: verify, backup, export of 10,000,000 transactions, and the bank beside them.

A store is imported; then each tool runs on it at rest, for its rate and the most memory it held.
Then the bank serves it, with requests at a steady rate, alone and beside a backup and an audit in
turns, for how much longer the slowest hundredth of the answers took.
"""

import argparse
import glob
import itertools
import os
import selectors
import socket
import subprocess
import threading
import time
from statistics import median

import harness
import ledger
from tool import Tool

RSS_ANON_MIB_MAX = 32
P99_RATIO_MAX = 3.0
SECONDS = 10  # of requests, alone or beside the tools


# ---- requests at a steady rate


def body_of(client):
    body = b'{"valor":1,"tipo":"c","descricao":"beside"}'
    return (f"POST /clientes/{client}/transacoes HTTP/1.1\r\nHost: bench\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def latencies(port, per_second, enough):
    """Of transactions sent on time, whether or not the one before was answered: seconds from when
    each was due to its answer, until `enough` is set."""
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
    selector = selectors.DefaultSelector()
    idle, due, taken = list(connections), {}, []
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
    began, sent = time.monotonic(), 0
    while not enough.is_set() or due:
        now = time.monotonic()
        next_due = began + sent / per_second
        if now >= next_due and idle and not enough.is_set():
            connection = idle.pop()
            connection.sendall(body_of(1 + sent % len(ledger.HOT)))
            due[connection] = next_due
            sent += 1
            continue
        for key, _ in selector.select(max(0.0, min(next_due - now, 0.05))):
            answer = key.fileobj.recv(4096)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"bench: the bank answered {answer!r}")
            taken.append(time.monotonic() - due.pop(key.fileobj))
            idle.append(key.fileobj)
    for connection in connections:
        connection.close()
    return taken


def p99_ms(taken):
    taken = sorted(taken)
    return taken[int(len(taken) * 0.99)] * 1000


def quiet_p99(port, per_second, seconds):
    enough = threading.Event()
    threading.Timer(seconds, enough.set).start()
    return p99_ms(latencies(port, per_second, enough))


def busy_p99(port, per_second, seconds, backup, verify, copy):
    """While a backup and an audit run side by side, again and again, for so long at least."""
    enough = threading.Event()

    def repeat(tool, end):
        for number in itertools.count():
            if tool is backup:  # each to its own folder: to remove them would be work for the disk
                tool.command[2] = f"{copy}-{number}"
            tool.run()
            if time.monotonic() >= end:
                break

    def work():
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=repeat, args=(tool, end)) for tool in (backup, verify)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        enough.set()

    worker = threading.Thread(target=work)
    worker.start()
    taken = latencies(port, per_second, enough)
    worker.join()
    return p99_ms(taken)


# ---- all of it


def remove(store):
    subprocess.run(["rm", "-rf", store], check=True)


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench archives", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--transactions", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3, help="of each tool")
    parser.add_argument("--rounds", type=int, default=5, help="of quiet and busy in turn")
    parser.add_argument("--per-second", type=int, default=340, help="requests; the challenge's")
    parser.add_argument("--bank", default=harness.BANK, help="another crebito to measure")
    options = parser.parse_args()
    bank, copy = options.bank, harness.RUN / "archives-copy"
    verdict = harness.Verdict()

    with harness.new_store("archives-store") as store:
        database = ("--database", f"lmdb:{store}")
        tools = {"verify": Tool(bank, "verify", *database),
                 "backup": Tool(bank, "backup", copy, *database),
                 "export": Tool(bank, "export", *database)}
        print(f"importing {options.transactions} transactions", flush=True)
        seconds = ledger.import_store(bank, store, len(ledger.HOT), options.transactions,
                                      ledger.in_turn(ledger.HOT))
        mib = (store / "data.mdb").stat().st_size / (1 << 20)
        print(f"\n{'':8} {'seconds':>8} {'records/s':>10} {'MiB/s':>7} {'RssAnon MiB':>12}"
              f"   of {mib:.0f} MiB")
        print(f"{'import':8} {seconds:8.1f} {options.transactions / seconds:10.0f}"
              f" {mib / seconds:7.0f}")
        for name, tool in tools.items():
            runs = []
            for _ in range(options.runs):
                remove(copy)
                tool.run()
                runs.append((tool.seconds, tool.rss_kib))
            took = median(seconds for seconds, _ in runs)
            most = max(rss for _, rss in runs) / 1024
            print(f"{name:8} {took:8.1f} {options.transactions / took:10.0f} {mib / took:7.0f}"
                  f" {most:12.1f}", flush=True)
            verdict.judge(most < RSS_ANON_MIB_MAX,
                          f"{name} holds {most:.1f} MiB of its own (under {RSS_ANON_MIB_MAX})")

        print(f"\np99 of {options.per_second} transactions a second, in ms", flush=True)
        rounds = []
        with harness.serving(bank, f"lmdb:{store}") as server:
            quiet_p99(server.port, options.per_second, 3)  # to warm up
            for _ in range(options.rounds):
                os.sync()  # what the import and the last round left to be written
                quiet = quiet_p99(server.port, options.per_second, SECONDS)
                busy = busy_p99(server.port, options.per_second, SECONDS, tools["backup"],
                                tools["verify"], copy)
                rounds.append((quiet, busy, busy / quiet))
                for folder in glob.glob(f"{copy}*"):
                    remove(folder)
                time.sleep(2)
                print(f"  quiet {quiet:6.2f}   beside a backup and a verify {busy:6.2f}"
                      f"   ratio {busy / quiet:5.2f}", flush=True)
        remove(copy)
        remove(copy.with_name(copy.name + ".partial"))

    ratio = median(round[2] for round in rounds)
    verdict.judge(ratio <= P99_RATIO_MAX,
                  f"p99 beside a backup and a verify: {ratio:.2f} times the quiet one"
                  f" (at most {P99_RATIO_MAX})")
    verdict.end()


if __name__ == "__main__":
    main()
