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
import re
import selectors
import socket
import subprocess
import threading
import time
from pathlib import Path
from statistics import median

import harness

RSS_ANON_MIB_MAX = 32
P99_RATIO_MAX = 3.0
CLIENTS = (1, 2, 3, 4, 5)
LIMIT_CENTS = 10_000_000
TICK_S = 0.02
SECONDS = 10  # of requests, alone or beside the tools
EPOCH = "2026-01-01T"


# ---- the store


def export_lines(transactions):
    """An export, as the bank would have written it: credits and debits of five clients in turn."""
    yield '{"kind":"ledger","format":1,"created":"2026-01-01T00:00:00.000000Z","complete":true}\n'
    sequence = 0

    def moment():
        seconds, micros = divmod(sequence * 100, 1_000_000)
        return f"{EPOCH}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}Z"

    for client in CLIENTS:
        sequence += 1
        yield (f'{{"sequence":{sequence},"client":{client},"kind":"opening","balance_cents":0,'
               f'"limit_cents":{LIMIT_CENTS},"time":"{moment()}"}}\n')
    balances = dict.fromkeys(CLIENTS, 0)
    for number in range(transactions):
        sequence += 1
        client = 1 + number % len(CLIENTS)
        cents = 1 + number % 97
        kind = "credit" if balances[client] <= 0 else "debit"
        balances[client] += cents if kind == "credit" else -cents
        yield (f'{{"sequence":{sequence},"client":{client},"kind":"{kind}","amount_cents":{cents},'
               f'"balance_cents":{balances[client]},"limit_cents":{LIMIT_CENTS},'
               f'"time":"{moment()}","description":"descricao"}}\n')
    yield f'{{"kind":"end","records":{sequence}}}\n'


def import_store(bank, store, transactions):
    """Seconds that the import took."""
    command = [bank, "import", "--database", f"lmdb:{store}"]
    began = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        lines = []
        for line in export_lines(transactions):
            lines.append(line)
            if len(lines) == 10000:
                process.stdin.write("".join(lines))
                lines.clear()
        process.stdin.write("".join(lines))
        process.stdin.close()
        if process.wait() != 0:
            raise SystemExit("bench: the import failed")
    return time.monotonic() - began


# ---- a tool at work


def rss_anon_kib(pid):
    """Of a process and its children."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"^RssAnon:\s+(\d+) kB", text, re.M)
    return int(found[1] if found else 0) + sum(rss_anon_kib(child) for child in children)


class Tool:
    """Runs a command to its end, on any core; seconds and the most RssAnon, all processes added."""

    def __init__(self, *command):
        self.command = [str(word) for word in command]

    def run(self):
        began = time.monotonic()
        process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {harness.SERVER_CORE, harness.LOAD_CORE}))
        self.rss_kib = 0
        while process.poll() is None:
            self.rss_kib = max(self.rss_kib, rss_anon_kib(process.pid))
            time.sleep(TICK_S)
        self.seconds = time.monotonic() - began
        if process.returncode != 0:
            raise SystemExit(f"bench: {' '.join(self.command)}: {process.stderr.read()}")
        return self


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
            connection.sendall(body_of(1 + sent % len(CLIENTS)))
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
        seconds = import_store(bank, store, options.transactions)
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
