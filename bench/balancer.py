# SPDX-License-Identifier: MIT
"""What NGINX costs in front of two instances: by stream or http, over Unix sockets or TCP.

Behind it are two servers that do nothing, so the difference between two rows is NGINX's own. Rounds of all
rows; CPU per request of NGINX, as a ratio to deploy/nginx/stream.conf in the same round; medians over the rounds.
"""

import argparse
import contextlib
import re
import shutil
from statistics import median

import harness

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
STREAM = harness.ROOT / "deploy/nginx/stream.conf"
ROWS = ["stream, Unix", "stream, TCP", "http, Unix", "stream, Unix again"]
CONNECTIONS = (64, 256)
NOISE_MAX = 0.1

HTTP = """
http {{
    access_log off;
    upstream bank {{ least_conn; {servers} keepalive 256; }}
    server {{
        listen {port};
        keepalive_requests 10000000;
        location / {{ proxy_pass http://bank; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


def configuration(row, port, instances):
    text = re.sub(r"/tmp/nginx\.pid", str(harness.RUN / "nginx.pid"), STREAM.read_text())
    if row.startswith("http"):
        servers = " ".join(f"server {instance};" for instance in instances)
        return text[:text.index("stream {")] + HTTP.format(port=port, servers=servers)
    for number, instance in enumerate(instances, 1):
        text = text.replace(f"unix:/run/crebito/{number}.sock", instance)
    return text.replace("listen 9999", f"listen {port}")


@contextlib.contextmanager
def two_noops(unix):
    with contextlib.ExitStack() as stack:
        instances = []
        for number in (1, 2):
            path = harness.RUN / f"{number}.sock"
            path.unlink(missing_ok=True)
            port = harness.free_port()
            command = [harness.NOOP, f"unix:{path}" if unix else port]
            server = harness.Server(f"noop{number}", command, port, cores={harness.LOAD_CORE})
            stack.callback(server.stop)
            if not unix:
                server.wait_until_it_listens()
            instances.append(f"unix:{path}" if unix else f"127.0.0.1:{port}")
        yield instances


def measure(row, seconds, connections):
    with two_noops("Unix" in row) as instances:
        port = harness.free_port()
        file = harness.RUN / "nginx.conf"
        file.write_text(configuration(row, port, instances))
        # Without a master all of its work is in one process, which is the one that is looked at.
        command = [NGINX, "-c", file, "-g", "daemon off; master_process off;"]
        server = harness.Server("nginx", command, port)
        try:
            server.wait_until_it_listens()
            return server.load(seconds, "mix", connections=connections)
        finally:
            server.stop()


def show(rounds, connections):
    ratios = {row: [one[row]["cpu_us"] / one[ROWS[0]]["cpu_us"] for one in rounds] for row in ROWS}
    print(f"\n{connections:3} connections     requests/s  NGINX µs each  ratio  (least, most)  p50 ms  p99 ms")
    for row in ROWS:
        def middle(name, row=row):
            return median(one[row][name] for one in rounds)

        spread = f"({min(ratios[row]):.2f}, {max(ratios[row]):.2f})"
        print(f"{row:19} {middle('per_second'):10.0f} {middle('cpu_us'):14.2f} {median(ratios[row]):6.2f} {spread:>14}"
              f" {middle('p50_us') / 1000:7.2f} {middle('p99_us') / 1000:7.2f}")
    return median(ratios[ROWS[-1]])


def main():
    parser = argparse.ArgumentParser(
        prog="script/bench balancer", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement; at least 5")
    options = parser.parse_args()

    verdict = harness.Verdict()
    for connections in CONNECTIONS:
        rounds = []
        for _ in range(options.rounds):
            rounds.append({row: measure(row, options.seconds, connections) for row in ROWS})
        noise = show(rounds, connections)
        runs = [one[row] for one in rounds for row in ROWS]
        verdict.judge(not any(run["socket_errors"] or run["above_399"] for run in runs),
                      f"{connections} connections: every request was answered")
        if abs(noise - 1) > NOISE_MAX:
            print(f"  note  it differs from itself by {abs(noise - 1):.0%}: a noisy machine, measure again")
    verdict.end()


if __name__ == "__main__":
    main()
