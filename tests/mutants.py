# SPDX-License-Identifier: MIT
"""The mutants of a C file: the same file with one operator, constant or statement changed.

No C parser: tokens, and as much of statements as it takes to know a condition, a returned value
and what may be left out. A change that makes no sense does not compile, and is none then.
"""

import re
from dataclasses import dataclass

BLANK = re.compile(r"/\*.*?\*/|//[^\n]*|^[ \t]*#(?:\\\n|[^\n])*", re.S | re.M)
TOKEN = re.compile(
    r'"(?:\\.|[^"\\])*"' r"|'(?:\\.|[^'\\])*'" r"|\w+|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\|"
    r"|[-+*/%&|^]=|\S")
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)")
CONSTANT = re.compile(r"[A-Z][A-Z0-9_]+")
TYPE = re.compile(r"\w+_t|int|char|unsigned|bool|void|size_t")
NO_VALUE = {"return", "sizeof", "case", "else", "struct", "enum", "const", "static"}

EITHER_SIDE = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
    "==": ("!=",), "!=": ("==",), "&&": ("||",), "||": ("&&",),
    "++": ("--",), "--": ("++",), "+=": ("-=",), "-=": ("+=",), ">>=": ("<<=",), "<<=": (">>=",),
    "|=": ("&=",), "&=": ("|=",), "^=": ("|=", "&="), "<<": (">>",), ">>": ("<<",),
}
BETWEEN_VALUES = {"+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("/",), "&": ("|",),
                  "|": ("&",), "^": ("|", "&")}
BEFORE_A_VALUE = {"!": "", "-": "", "~": ""}


@dataclass(frozen=True)
class Mutant:
    path: str
    function: str
    line: int
    before: str  # the lines that it changes, white space collapsed
    after: str
    text: str  # of the whole file

    @property
    def key(self):
        return self.path, self.function, self.before, self.after


def collapsed(text):
    return " ".join(text.split())


class Source:
    def __init__(self, path, text):
        self.path, self.text = path, text
        blanked = BLANK.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
        self.tokens = [(found[0], found.start(), found.end()) for found in TOKEN.finditer(blanked)]
        self.words = [word for word, _, _ in self.tokens] + [""]
        self.pairs = self.matching()
        self.changes = {}  # (start, end, replacement) -> function
        self.functions = []  # (first token, last token, name)

    def matching(self):
        pairs, opened = {}, []
        for at, word in enumerate(self.words):
            if word and word in "([{":
                opened.append(at)
            elif word and word in ")]}":
                start = opened.pop()
                pairs[start], pairs[at] = at, start
        return pairs

    def change(self, first, last, replacement):
        """Tokens `first` to `last`, both included."""
        start, end = self.tokens[first][1], self.tokens[last][2]
        lines = self.text.count("\n", start, end) - replacement.count("\n")
        if self.text[start:end] != replacement:
            self.changes.setdefault((start, end, replacement + "\n" * lines), self.function(first))

    def between(self, first, last):
        return self.text[self.tokens[first][1]:self.tokens[last][2]]

    def function(self, at):
        return next((name for first, last, name in self.functions if first <= at <= last), "")

    # ---- statements

    def find_functions(self):
        at = 0
        while self.words[at]:
            if self.words[at] == "{":
                if self.words[at - 1] == ")":
                    name = self.words[self.pairs[at - 1] - 1]
                    self.functions.append((self.pairs[at - 1] - 1, self.pairs[at], name))
                at = self.pairs[at]
            at += 1

    def statements(self, at, end):
        while at < end:
            at = self.statement(at)

    def statement(self, at):
        """Finds the changes of one; returns what is behind it."""
        word = self.words[at]
        if word == "{":
            self.statements(at + 1, self.pairs[at])
            return self.pairs[at] + 1
        if word in ("if", "while", "for", "switch"):
            closing = self.pairs[at + 1]
            self.condition(word, at + 2, closing - 1)
            after = self.statement(closing + 1)
            return self.statement(after + 1) if self.words[after] == "else" else after
        if word in ("case", "default"):
            return self.words.index(":", at) + 1
        last = at
        while self.words[last] != ";":
            last = self.pairs.get(last, last) + 1
        if word == "return" and last > at + 1:
            for value in ("0", "1"):
                self.change(at + 1, last - 1, value)
        elif last > at:
            self.change(at, last, ";")
        return last + 1

    def condition(self, word, first, last):
        if word == "switch":
            return
        if word == "for":
            semicolons = [at for at in range(first, last + 1) if self.words[at] == ";"]
            first, last = semicolons[0] + 1, semicolons[1] - 1
        if first <= last:
            self.change(first, last, f"!({self.between(first, last)})")

    # ---- operators and constants

    def is_value(self, at):
        word = self.words[at]
        if word in (")", "]"):
            return True
        return re.fullmatch(r"\w+", word) is not None and word not in NO_VALUE \
            and not TYPE.fullmatch(word) and self.words[at - 1] not in ("struct", "enum")

    def operator(self, at):
        word, after_value = self.words[at], self.is_value(at - 1)
        for other in EITHER_SIDE.get(word, ()):
            self.change(at, at, other)
        if after_value:
            for other in BETWEEN_VALUES.get(word, ()):
                self.change(at, at, other)
        elif word in BEFORE_A_VALUE:
            self.change(at, at, BEFORE_A_VALUE[word])

    def array_sizes(self):
        """The tokens between the brackets of declarations; of `uint8_t a[N], b[M];` all."""
        for at, word in enumerate(self.words):
            if TYPE.fullmatch(word):
                at += 2
                while self.words[at:at + 1] == ["["]:
                    yield from range(at, self.pairs[at])
                    at = self.pairs[at] + 1
                    at += 2 if self.words[at] == "," else 0

    def constant(self, at):
        word = self.words[at]
        number = NUMBER.fullmatch(word)
        if number:
            value = int(number[1], 0)
            self.change(at, at, f"{value + 1}{number[2]}")
            self.change(at, at, f"{value - 1}{number[2]}" if value > 0 else "(-1)")
        elif word in ("true", "false"):
            self.change(at, at, "false" if word == "true" else "true")
        elif CONSTANT.fullmatch(word) and self.words[at + 1] not in ("(", "="):
            self.change(at, at, f"({word} + 1)")
            self.change(at, at, f"({word} - 1)")

    # ---- all

    def mutants(self):
        self.find_functions()
        for _, last, _ in self.functions:
            self.statement(self.pairs[last])
        sizes = set(self.array_sizes())
        for at in range(len(self.tokens)):
            if at not in sizes:
                self.operator(at)
                self.constant(at)
        for (start, end, replacement), function in sorted(self.changes.items()):
            first = self.text.rfind("\n", 0, start) + 1
            last = self.text.find("\n", end)
            yield Mutant(self.path, function, self.text.count("\n", 0, start) + 1,
                         collapsed(self.text[first:last]),
                         collapsed(self.text[first:start] + replacement + self.text[end:last]),
                         self.text[:start] + replacement + self.text[end:])


def mutants(path, text):
    return list(Source(path, text).mutants())
