# SPDX-License-Identifier: MIT
"""The release build is hardened: what the compiler was asked for is in the binary."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "build" / "crebito"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


@pytest.fixture(scope="module")
def release():
    output("script/build")
    return RELEASE


def test_the_release_is_position_independent(release):
    assert "DYN (Position-Independent Executable" in output("readelf", "-h", release)


def test_its_relocations_are_read_only_and_bound_at_the_start(release):
    assert "GNU_RELRO" in output("readelf", "-lW", release)
    assert "BIND_NOW" in output("readelf", "-dW", release)


def test_its_stack_is_not_executable(release):
    stack = next(line for line in output("readelf", "-lW", release).splitlines() if "GNU_STACK" in line)
    assert " RWE " not in stack and " RW " in stack


def test_its_buffers_and_stacks_are_guarded(release):
    symbols = output("nm", "-D", release)
    assert "__stack_chk_fail" in symbols and "__snprintf_chk" in symbols


@pytest.mark.skipif("x86_64" not in output("uname", "-m"), reason="CET is x86's")
def test_its_functions_are_landing_pads(release):
    code = output("objdump", "-d", "--no-show-raw-insn", release)
    main = code.split("<main>:")[1].split("\n")[1] if "<main>:" in code else code
    assert "endbr64" in main


def test_it_is_fortified_at_level_3():
    commands = (ROOT / "build" / "compile_commands.json").read_text()
    assert "-D_FORTIFY_SOURCE=3" in commands and "-fstack-clash-protection" in commands
