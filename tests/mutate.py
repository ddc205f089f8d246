# SPDX-License-Identifier: MIT
"""Each mutant of some C files is built and given to the unit tests of its file; see script/mutate.

A file's tests are the programs test_NAME*.c of its name: what a file promises, its own tests have to
hold. All happens in copies of the tree in a temporary folder, one for each of two workers.
"""

import concurrent.futures
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from mutants import mutants

ROOT = Path(__file__).resolve().parents[1]
FILES = ["src/bank/journal.c", "src/bank/ledger.c", "src/store/lmdb/record.c",
         "src/store/lmdb/bytes.h", "src/store/lmdb/crc32c.c"]
HOME = {"src/store/lmdb/bytes.h": "src/store/lmdb/record.c"}  # whose code a header's functions become
EQUIVALENT = ROOT / "tests" / "equivalent_mutants.txt"
NEEDED = ["meson.build", "meson_options.txt", "src", "sql", "tests/unit", "completions", "docs/crebito.1"]
# What is not set is not what it should be by chance.
ARGS = "-Dc_args=-w -ftrivial-auto-var-init=pattern"
SETUP = ["--buildtype=plain", "-Doptimization=1", "-Dwerror=false", ARGS, "-Dtests=true"]
WORKERS = 2
PATIENCE = 20  # A mutant that takes so many times what the tests take has hung: it is noticed.
PATIENCE_S_MIN = 5

lock = threading.Lock()


def die(sentence):
    sys.exit(f"mutate: {sentence}")


# ---- the list of mutants that no test can notice


def equivalents():
    """{(path, function, before, after)} of blocks of five lines; see the head of the list."""
    listed = {}
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines()
    blocks = "\n".join(line for line in lines if not line.startswith("#")).split("\n\n")
    for block in filter(None, (block.strip("\n") for block in blocks)):
        place, before, after, *reason = block.split("\n")
        if not (before.startswith("- ") and after.startswith("+ ") and "".join(reason).strip()):
            die(f"{EQUIVALENT.name}: not a place, `- before`, `+ after` and a reason:\n{block}")
        path, _, function = place.partition(" ")
        listed[path, function, before[2:], after[2:]] = block
    return listed


def library(path):
    return "libpostgres.a" if path.startswith("src/store/postgres/") else "libbank.a"


# ---- a copy of the tree, built again and again


class Worker:
    def __init__(self, folder):
        self.tree, self.build = folder, folder / "build-mutants"
        self.environment = {**os.environ, "UNIT_SEED": "1", "TMPDIR": str(folder / "tmp")}
        (folder / "tmp").mkdir(parents=True)
        for name in NEEDED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (folder / name).parent.mkdir(exist_ok=True)
            copy(ROOT / name, folder / name)
        if (ROOT / "build" / "deps").exists():  # what script/bootstrap has unpacked
            (folder / "build").mkdir()
            (folder / "build" / "deps").symlink_to(ROOT / "build" / "deps")
        self.run(["meson", "setup", self.build, folder, *SETUP], check=True)

    def run(self, command, timeout=None, **more):
        return subprocess.run([str(word) for word in command], timeout=timeout, cwd=self.build.parent,
                              env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)

    def ninja(self, *targets):
        return self.run(["ninja", "-C", self.build, "-j1", *targets]).returncode == 0

    def object(self, path):
        path = HOME.get(path, path)
        return (self.build / f"{library(path)}.p" / (path.replace("/", "_") + ".o")).read_bytes()

    def passes(self, program, timeout):
        try:
            return self.run([self.build / "tests" / "unit" / program], timeout).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def measure(self, programs):
        """The seconds that each program takes; all of them have to pass as things are."""
        if not self.ninja(*(f"tests/unit/{program}" for program in programs)):
            die("the tree does not compile")
        seconds = {}
        for program in programs:
            start = time.monotonic()
            if not self.passes(program, None):
                die(f"{program} fails without any mutant")
            seconds[program] = time.monotonic() - start
        return seconds

    def fate(self, mutant, programs, seconds, seen):
        """None if it does not compile, else what it compiles to, and whether it was noticed; that is
        not asked again of what is the same code as something `seen`."""
        file = self.tree / mutant.path
        before = file.read_text(encoding="utf-8")
        file.write_text(mutant.text, encoding="utf-8")
        try:
            if not self.ninja(library(mutant.path)):
                return None
            code = self.object(mutant.path)
            with lock:
                if code in seen:
                    return code, None
                seen.add(code)
            for program in programs:
                timeout = max(PATIENCE_S_MIN, PATIENCE * seconds[program])
                if not self.ninja(f"tests/unit/{program}") or not self.passes(program, timeout):
                    return code, True
            return code, False
        finally:
            file.write_text(before, encoding="utf-8")


# ---- all of them


def programs_of(path):
    unit, stem = ROOT / "tests" / "unit", Path(HOME.get(path, path)).stem
    found = [*unit.glob(f"test_{stem}.c"), *sorted(unit.glob(f"test_{stem}_*.c"))]
    return [file.stem for file in found] or die(f"{path} has no unit test test_{stem}.c")


def judge(path, workers):
    """Yields the mutants that differ from the file and from each other, each as (those of the same
    code, was it noticed)."""
    programs, idle = programs_of(path), queue.SimpleQueue()
    for worker in workers:
        seconds = worker.measure(programs)
        idle.put(worker)
    original = workers[0].object(path)
    seen = {original}

    def one(mutant):
        worker = idle.get()
        try:
            return mutant, worker.fate(mutant, programs, seconds, seen)
        finally:
            idle.put(worker)

    alike, noticed = {}, {}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for mutant, fate in pool.map(one, mutants(path, (ROOT / path).read_text("utf-8"))):
            if fate is None or fate[0] == original:
                continue
            code, verdict = fate
            alike.setdefault(code, []).append(mutant)
            if verdict is not None:
                noticed[code] = verdict
    return [(group, noticed[code]) for code, group in alike.items()]


def show(mutant):
    print(f"\n{mutant.path}:{mutant.line}: survived\n{mutant.path} {mutant.function}\n"
          f"- {mutant.before}\n+ {mutant.after}\n", flush=True)


def main(arguments):
    files = [os.path.relpath(os.path.abspath(name), ROOT) for name in arguments] or FILES
    for path in files:
        if not (ROOT / path).is_file() or not path.startswith("src/"):
            die(f"{path} is no file of src/")
    listed, met = equivalents(), set()
    killed = survived = equivalent = 0
    with tempfile.TemporaryDirectory(prefix="crebito-mutate-") as folder:
        workers = [Worker(Path(folder) / str(number)) for number in range(WORKERS)]
        for path in files:
            print(f"mutate: {path}", flush=True)
            for group, noticed in judge(path, workers):
                known = {mutant.key for mutant in group} & listed.keys()
                if noticed:
                    killed += 1
                elif known:
                    equivalent += 1
                    met |= known
                else:
                    survived += 1
                    show(group[0])
    stale = [block for key, block in listed.items() if key[0] in files and key not in met]
    for block in stale:
        print(f"\n{EQUIVALENT.name}: stale (there is no such mutant, or it is killed):\n{block}\n")
    print(f"{killed + survived + equivalent} mutants, {killed} killed, {survived} survived "
          f"({equivalent} equivalent)")
    return 1 if survived or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
