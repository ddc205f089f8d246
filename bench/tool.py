# SPDX-License-Identifier: MIT
"""An operator's tool at work, its time and its memory. Used by archives.py and scale.py."""

import os
import re
import subprocess
import time
from pathlib import Path

import harness

TICK_S = 0.02


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
