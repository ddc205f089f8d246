# SPDX-License-Identifier: MIT
"""What no file says: leftovers, places of one machine, Portuguese inside; and how scripts begin."""

import glob
import os
import re
from pathlib import Path

import tree

C_LINES_MAX = 600

# Words that must not stand in the tree are put together here, so that this file stays clean.
LEFTOVER = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
MACHINE = re.compile(r"(?<![\w.$}~-])/(" + "|".join(["wo" + "rk", "ro" + "ot"]) + r")(?![\w.-])")

WIRE_NAMES = re.compile(
    r"(?i)(?<![a-z])(clientes?|transacao|transacoes|extratos?|saldos?|limites?|valor|valores|tipos?"
    r"|descricao|descricoes|realizada|ultimas|chave|campo)(?![a-z])"
)
SPEAK_PORTUGUESE = ("src/http/", "src/store/postgres/")  # the JSON edge, and the SQL edge


def line_problems(pattern, what):
    def check(_path, content):
        for number, line in enumerate(content.splitlines(), 1):
            if found := pattern.search(line):
                yield f"line {number}: {what} {found.group(0)!r}"

    return check


leftover_problems = line_problems(LEFTOVER, "left to do:")
machine_problems = line_problems(MACHINE, "a path of one machine:")


def registry_hosts():
    """The hosts this machine takes packages from, and the well-known ones."""
    names = [("deb", "debian"), ("security", "debian"), ("snapshot", "debian"), ("proxy", "golang")]
    hosts = {".".join((*name, "org")) for name in names}
    hosts |= {".".join(("registry", "npmjs", "org")), ".".join(("files", "pythonhosted", "org"))}
    home = os.path.expanduser("~")
    for place in (
        "/etc/apt/sources.list",
        "/etc/apt/sources.list.d/*",
        "/etc/pip.conf",
        f"{home}/.config/pip/pip.conf",
        f"{home}/.npmrc",
        f"{home}/.cargo/config.toml",
    ):
        for file in glob.glob(place):
            words = Path(file).read_text(encoding="utf-8", errors="replace")
            words = re.sub(r"^\s*#.*", "", words, flags=re.M)
            hosts |= set(re.findall(r"://(?:[^/@\s]+@)?([\w.-]+)", words))
    hosts |= set(re.findall(r"://(?:[^/@\s]+@)?([\w.-]+)", os.environ.get("GOPROXY", "")))
    return {host for host in hosts if host != "localhost" and not host.startswith("127.")}


def host_problems(_path, content):
    for host in registry_hosts():
        if re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", content):
            yield f"names the package registry {host}"


def length_problems(_path, content):
    lines = content.count("\n")
    if lines > C_LINES_MAX:
        yield f"{lines} lines, at most {C_LINES_MAX}"


def portuguese_problems(path, content):
    if path.as_posix().startswith(SPEAK_PORTUGUESE):
        return
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", content, flags=re.S)
    for found in WIRE_NAMES.finditer(code):
        yield f"Portuguese outside the edge: {found.group(0)!r}"


def script_problems(_path, content):
    shebang = content.splitlines()[0]
    wanted = "set -euo pipefail" if shebang.endswith("bash") else "set -eu"
    first = next((line for line in content.splitlines() if not re.match(r"#|\s*$", line)), "")
    if first != wanted:
        yield f"begins with {first!r}, should be {wanted!r}"


def scripts():
    return [
        (path, text)
        for path, text in tree.texts()
        if re.match(r"#!\S*[/ ](env )?(sh|bash)\n", text)
    ]


def src():
    return [(path, text) for path, text in tree.texts(".c", ".h") if path.parts[0] == "src"]


def test_nothing_is_left_to_do_in_the_code():
    assert tree.problems(leftover_problems, tree.texts()) == []


def test_a_leftover_is_caught():
    assert list(leftover_problems(Path("a.c"), "/* TO" + "DO: later */"))
    assert list(leftover_problems(Path("a.py"), "ok = 1\n# FIX" + "ME\n"))
    assert not list(leftover_problems(Path("a.sh"), "mktemp crebito.XX" + "XXXX"))


def test_no_file_names_a_path_of_one_machine():
    assert tree.problems(machine_problems, tree.texts()) == []


def test_a_path_of_one_machine_is_caught():
    home = "/ro" + "ot"
    for bad in (f"cd {home}/x", f'"{home}"', "see /wo" + "rk/main"):
        assert list(machine_problems(Path("a"), bad)), bad
    for good in (f"$dir{home}/x", f"a{home}/b", home + "s", "the root/ folder"):
        assert not list(machine_problems(Path("a"), good)), good


def test_no_file_names_a_package_registry():
    pairs = [(path, text) for path, text in tree.texts() if "lock" not in path.name]
    assert tree.problems(host_problems, pairs) == []


def test_a_package_registry_is_caught():
    host = ".".join(("deb", "debian", "org"))
    assert list(host_problems(Path("a"), f"deb http://{host}/debian stable main"))
    assert not list(host_problems(Path("a"), "https://www.debian.org"))


def test_a_c_file_is_at_most_600_lines():
    assert tree.problems(length_problems, tree.texts(".c", ".h")) == []


def test_a_c_file_of_601_lines_is_caught():
    assert not list(length_problems(Path("a.c"), "\n" * 600))
    assert list(length_problems(Path("a.c"), "\n" * 601))


def test_portuguese_stays_at_the_json_and_sql_edge():
    assert tree.problems(portuguese_problems, src()) == []


def test_portuguese_inside_is_caught():
    bank = Path("src/bank/ledger.c")
    for bad in ("int64_t saldo;", 'puts("extrato");', "struct op_transacao t;", "LIMITE_MAX"):
        assert list(portuguese_problems(bank, bad)), bad
        assert not list(portuguese_problems(Path("src/http/json.c"), bad)), bad
    for good in ("int limited;", "/* the extrato of the\n contract */", "// saldo", "valoration"):
        assert not list(portuguese_problems(bank, good)), good


def test_every_script_stops_at_the_first_error():
    assert scripts()
    assert tree.problems(script_problems, scripts()) == []


def test_a_script_that_goes_on_after_an_error_is_caught():
    for bad in ("#!/bin/sh\n", "#!/bin/sh\n# set -eu\necho\n", "#!/bin/bash\nset -eu\n"):
        assert list(script_problems(Path("a"), bad)), bad
    assert not list(script_problems(Path("a"), "#!/bin/sh\n# a\n\nset -eu\n"))
