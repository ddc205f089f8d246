# SPDX-License-Identifier: MIT
"""What --help shows: the commands, and each one's options and variables."""

import functools
import re

from bank import crebito


@functools.cache
def commands():
    """Their names, of one word or two: "serve", "client add"."""
    return re.findall(r"^  ([a-z-]+(?: [a-z-]+)?)", crebito("--help").stdout, re.M)


@functools.cache
def shown(command):
    return crebito(*command.split(), "--help").stdout


def options(command):
    return set(re.findall(r"^  (--[a-z-]+)", shown(command), re.M))


def variables(command):
    return {name for line in re.findall(r"Variable: (.*)", shown(command))
            for name in re.findall(r"[A-Z_]{2,}", line)}
