# SPDX-License-Identifier: MIT
"""What a test says to fault/fault.c: which calls of a process fail, hang or lie, from now on."""

import atexit
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from once import once

SOURCE = Path(__file__).resolve().parent / "fault" / "fault.c"


@once
def fault_library():
    folder = tempfile.mkdtemp(prefix="crebito-fault-")
    os.chmod(folder, 0o755)  # Those who load it may be another user.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = os.path.join(folder, "fault.so")
    compiler = [*os.environ.get("CC", "cc").split(), "-std=c17", "-O1", "-Wall"]
    flags = ["-Wextra", "-Wconversion", "-Werror", "-shared", "-fPIC", "-o", library]
    subprocess.run([*compiler, *flags, str(SOURCE)], check=True)
    return library


class Faults:
    """Those of all processes that are started with this environment.

    `flush`: the call by which what is acknowledged gets to the disk.
    """

    def __init__(self, control, flush="fdatasync"):
        self.control = Path(control)
        self.flush = flush
        self.met_path = Path(f"{control}.met")

    @property
    def environment(self):
        return {"LD_PRELOAD": fault_library(), "CREBITO_FAULT": str(self.control)}

    def set(self, *lines):
        """These and no others. A line may begin with `flush`, whatever that is here."""
        lines = [line.replace("flush ", f"{self.flush} ") if line.startswith("flush ") else line for line in lines]
        self.met_path.unlink(missing_ok=True)
        new = self.control.with_suffix(".new")
        new.write_text("\n".join(lines))
        new.replace(self.control)

    @property
    def met(self):
        """Has one of them been met?"""
        return self.met_path.exists()
