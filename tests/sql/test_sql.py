# SPDX-License-Identifier: MIT
"""The procedures called as another program would: in SQL, tested in SQL, with pgTAP.

A test is what stands below `-- ## its name` in one of the *.sql beside this file. It runs in a transaction of
its own, in a bank with the five clients, and is rolled back.
"""

import re
import subprocess
from pathlib import Path

import pytest

from once import once
from postgres import PATIENCE_S, PSQL, TEMPLATE, programs, shared_cluster

HERE = Path(__file__).resolve().parent


def sections():
    for file in sorted(HERE.glob("*.sql")):
        _, *named = re.split(r"^-- ## (.+)\n", file.read_text(), flags=re.M)
        assert named, f"{file} has no tests"
        for name, body in zip(named[::2], named[1::2]):
            yield pytest.param(body, id=f"{file.stem}: {name}")


@once
def bank_with_pgtap():
    cluster = shared_cluster()
    if cluster.psql("SELECT count(*) FROM pg_available_extensions WHERE name = 'pgtap'") == "0":
        pytest.skip("pgTAP is not installed for this PostgreSQL: script/bootstrap test, where the system has it")
    database = cluster.create(TEMPLATE)
    database.psql("CREATE EXTENSION pgtap")
    return database


def run(body):
    """The lines that a test prints."""
    script = f"BEGIN;\nSELECT no_plan();\n{body}\nSELECT * FROM finish();\nROLLBACK;\n"
    done = subprocess.run([programs() / PSQL[0], *PSQL[1:], "--dbname", bank_with_pgtap().url], input=script,
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("body", sections())
def test_sql(body):
    lines = run(body)
    verdicts = [line for line in lines if re.match(r"(not )?ok \d+", line)]
    failed = [line for line in lines if re.match(r"not ok|#", line)]
    assert not failed, "\n".join(lines)
    assert verdicts and lines[-1] == f"1..{len(verdicts)}", f"it has not come to its end: {lines}"


def test_a_sentence_that_is_not_true_is_noticed():
    assert any(line.startswith("not ok") for line in run("SELECT ok(false, 'it is');"))
    with pytest.raises(AssertionError):
        run("SELECT ok(true, 'it is'); SELECT 1 / 0;")
