# SPDX-License-Identifier: MIT
"""Shell completions: they offer every command and option that --help shows, and nothing else."""

import re
import shutil
import subprocess

import pytest

import usage
from bank import TESTS

COMPLETIONS = TESTS.parent / "completions"
GROUPS = {"client"}


def firsts():
    return {command.split()[0] for command in usage.commands()}


def seconds(group):
    return {command.split()[1] for command in usage.commands() if command.startswith(group + " ")}


def test_there_are_commands_of_one_word_and_of_two():
    """So that the tests below test something."""
    assert {"serve", "status", "client add", "import"} <= set(usage.commands())
    assert {group for group in firsts() if seconds(group)} == GROUPS
    assert "--map-size" in usage.options("serve") and "--help" in usage.options("client add")


# ---- bash, by asking it


def bash(*words, folder="."):
    """What Tab offers for the last word; the words are as bash splits them, "=" and ":" apart."""
    script = f'''source "{COMPLETIONS}/crebito.bash"
        complete -p crebito >/dev/null || exit
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _crebito && printf '%s\\n' "${{COMPREPLY[@]}}"'''
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", "crebito", *words], cwd=folder,
                          capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(filter(None, done.stdout.split("\n")))


def test_bash_completes_commands():
    assert bash("") == firsts() | {"--help", "--version"}
    assert bash("re") == {"restore"}
    assert bash("nosuch", "") == bash("nosuch", "--") == set()
    for group in GROUPS:
        assert bash(group, "") == seconds(group) | {"--help"}
        assert bash(group, "nosuch", "--") == set()


def test_bash_completes_the_options_of_each_command_and_no_others():
    for command in usage.commands():
        assert bash(*command.split(), "--") == usage.options(command), command
        assert bash(*command.split(), "--database", "lmdb", ":", "x", "--") == usage.options(command)
        assert bash(*command.split(), "--he") == {"--help"}


def test_bash_completes_values():
    for before in (["--format"], ["--format", "="]):
        end = [] if before[-1] == "=" else [""]
        assert bash("export", *before, *end) == {"jsonl", "csv"}
        assert bash("export", *before, "c") == {"csv"}
    assert bash("serve", "--durability", "") == {"full", "none"}
    assert bash("serve", "--listen", "u") == {"unix:"}
    assert bash("serve", "--database", "") == {"lmdb:", "postgres://"}
    assert bash("serve", "--map-size", "") == bash("client", "add", "1", "--limit", "") == set()
    assert bash("status", "--json", "") == usage.options("status")


def test_bash_completes_files_and_folders(tmp_path):
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file").touch()
    (tmp_path / "b").touch()

    def asked(*words):
        return bash(*words, folder=tmp_path)

    folders, both = {"a folder"}, {"a folder", "a file"}
    assert asked("backup", "a") == asked("restore", "a") == folders
    assert asked("import", "a") == asked("init", "--clients", "a") == both
    assert asked("init", "--clients", "=", "a") == both
    for more in ([], ["="]):
        assert asked("verify", "--database", *more, "lmdb", ":", "a") == folders
        assert asked("verify", "--database", *more, "lmdb", ":") == folders
        assert asked("serve", "--listen", *more, "unix", ":", "a") == both
    assert asked("serve", "--listen", "127.0.0.1", ":") == set()
    assert asked("backup", "--database", "lmdb", ":", "x", "a") == folders
    assert asked("verify", "a") == set()


# ---- zsh and fish, by reading them, and by asking fish where there is one


def test_zsh_names_every_command_and_option_and_nothing_else():
    text = (COMPLETIONS / "_crebito").read_text()
    assert text.startswith("#compdef crebito\n")
    listed = {name: set(re.findall(r"""^    ['"]([a-z-]+):""", block, re.M))
              for name, block in re.findall(r"local -a (\w*commands)=\(\n(.*?)\n\)", text, re.S)}
    assert listed.pop("commands") == firsts()
    for group in GROUPS:
        assert listed.pop(f"{group}_commands") == seconds(group)
    assert listed == {}
    branches = dict(re.findall(r"^\('?([a-z -]+)'?\)\s+options\+=\(([^)]*)\)", text, re.M))
    assert set(branches) == set(usage.commands())
    specs = dict(re.findall(r"^    (--[a-z-]+) '(?:\(.*\)|\*)?(--[a-z-]+)=?\[", text, re.M))
    assert all(name == flag for name, flag in specs.items())
    for command, options in branches.items():
        assert set(options.split()) | {"--help"} == usage.options(command), command
    assert set(specs) == {"--version"}.union(*map(usage.options, usage.commands()))


def test_fish_names_every_command_and_option_and_nothing_else():
    text = (COMPLETIONS / "crebito.fish").read_text()
    rows = re.findall(r"^complete -c crebito -n '__crebito_is ([^']*)'(?: -l ([a-z-]+))?(.*)", text, re.M)
    of_command = {command: {"--help"} for command in usage.commands()}
    named = {}
    for conditions, option, rest in rows:
        for condition in conditions.replace('""', "-none").split():
            if option and condition != "-none":
                of_command[condition.replace("client-", "client ")].add(f"--{option}")
            elif word := re.match(r" -a ([a-z-]+) ", rest):
                named.setdefault(condition, set()).add(word[1])
    assert named.pop("-none") == firsts()
    assert named == {group: seconds(group) for group in GROUPS}
    for command, options in of_command.items():
        assert options == usage.options(command), command


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes():
    def asked(line):
        script = f"source {COMPLETIONS}/crebito.fish; complete -C '{line}'"
        done = subprocess.run(["fish", "-N", "-c", script], capture_output=True, text=True, check=True)
        return {offer.split("\t")[0] for offer in done.stdout.splitlines()}

    assert asked("crebito ") == firsts()
    for group in GROUPS:
        assert asked(f"crebito {group} ") == seconds(group)
    for command in usage.commands():
        assert asked(f"crebito {command} --") == usage.options(command)
    assert asked("crebito export --format ") == {"jsonl", "csv"}


@pytest.mark.parametrize("shell, name", [("bash", "crebito.bash"), ("zsh", "_crebito"),
                                         ("fish", "crebito.fish")])
def test_a_shell_finds_no_error_in_its_file(shell, name):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n", COMPLETIONS / name], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
