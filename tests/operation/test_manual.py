# SPDX-License-Identifier: MIT
"""The manual page, as groff shows it, says of every command and option what --help says."""

import functools
import re
import subprocess

import usage
from bank import TESTS, crebito

PAGE = TESTS.parent / "docs" / "crebito.1"


@functools.cache
def rendered():
    """Plain text on very wide paper, so that no line is broken; and what groff complains about."""
    done = subprocess.run(["groff", "-mdoc", "-ww", "-Tascii", "-P-cbou", "-rLL=2000n", PAGE],
                          capture_output=True, text=True)
    return done.stdout, done.stderr


def section(name):
    return re.search(rf"^{name}\n(.*?)(?=^\S|\Z)", rendered()[0], re.M | re.S)[1]


def items(name):
    """{tag: what is said of it} of a section's list."""
    return dict(re.findall(r"^     (\S+(?: \S+)*)(?<!\.)(?:\n {9,}|  +)(\S.*)$", section(name), re.M))


def flag_items():
    """{flag: (the commands that have it, what is said of it)}"""
    return {tag.split()[0]: re.match(r"(?:\((.*?)\) )?(.*)", text).groups()
            for tag, text in items("OPTIONS").items()}


def rules(command):
    """{flag: (rule, default)} as --help has them."""
    pattern = r"^  (--[a-z-]+)(?: [A-Z]+)? .*?Values[a-z ]*: (.*?)\n +Default: (.*?)\n +Variable: "
    found = re.findall(pattern, usage.shown(command), re.M | re.S)
    return {flag: (" ".join(rule.split()), " ".join(default.split())) for flag, rule, default in found}


def test_the_page_is_rendered_without_a_warning():
    page, warnings = rendered()
    assert warnings == "" and page.startswith("CREBITO(1)")


def test_the_synopsis_has_the_usage_of_every_command_and_no_other():
    lines = section("SYNOPSIS").split("\n")
    usages = [line.strip() for line in lines if re.match(r" +crebito [a-z]", line)]
    assert len(usages) == len(usage.commands())
    for command in usage.commands():
        first_line = usage.shown(command).splitlines()[0]
        must = first_line.removeprefix("Usage: ").removesuffix(" [OPTION]...")
        fitting = [line for line in usages if re.match(re.escape(must) + r"(?: \[.*)?$", line)]
        assert len(fitting) == 1, must
        assert set(re.findall(r"--[a-z-]+", fitting[0])) <= usage.options(command)


def test_every_command_is_described_and_no_other():
    tags = [re.match(r"[a-z-]+(?: [a-z-]+)?", tag) for tag in items("DESCRIPTION")]
    assert sorted(tag[0] for tag in tags if tag) == sorted(usage.commands())


def test_every_option_is_described_with_the_commands_that_have_it():
    described = flag_items()
    assert described.pop("--version")[0] is None
    assert set(described) == set().union(*map(usage.options, usage.commands()))
    for flag, (belongs, _) in described.items():
        having = [command for command in usage.commands() if flag in usage.options(command)]
        wanted = usage.commands() if belongs == "every command" else belongs.split(", ")
        assert sorted(having) == sorted(wanted), flag


def test_every_default_and_every_bound_is_the_one_of_help():
    described = flag_items()
    seen = {"--help", "--version"}
    for command in usage.commands():
        for flag, (rule, default) in rules(command).items():
            seen.add(flag)
            text = described[flag][1]
            if default == "none, it is required":
                assert text.endswith(" Required."), flag
            elif default != "no":
                assert text.endswith(f" Default: {default}."), flag
            for bounds in re.findall(r"-?\d+[A-Za-z]* to \d+[A-Za-z]*", rule):
                assert bounds in text, flag
            for word in re.findall(r"[a-z]+:[A-Z/]\w+|\bjsonl\b|\bcsv\b|\bnone\b|\bfull\b", rule):
                assert word in text, flag
    assert seen == set(described)


def test_every_variable_is_described():
    described = items("ENVIRONMENT")
    assert set(described) == set().union(*map(usage.variables, usage.commands()))
    for name, text in described.items():
        flag = "--" + name.replace("_URL", "").removeprefix("CREBITO_").lower().replace("_", "-")
        assert re.match(rf"{flag}\b", text), name


def test_the_exit_statuses_are_described():
    statuses = [int(number) for tag in items("EXIT STATUS") for number in tag.split(", ")]
    assert statuses == [0, 1, 2, 129, 130, 143]


def test_every_file_of_a_store_is_described():
    folder = (TESTS.parent / "src" / "store" / "lmdb" / "folder.h").read_text()
    names = set(re.findall(r'#define FOLDER_\w+ +"([^"]+)"', folder))
    assert names and names <= set(items("FILES"))


def test_every_example_is_a_command_line_that_is_understood():
    """Asked for help at its end, it gives help: no word before that was wrong."""
    lines = re.findall(r"crebito ([a-z][^\n|]*)", section("EXAMPLES"))
    assert len(lines) > 5
    for line in lines:
        done = crebito(*re.sub(r"\$\(.*?\)", "x", line).split(), "--help")
        assert done.returncode == 0 and done.stdout.startswith("Usage: crebito "), line
