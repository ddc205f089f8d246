# SPDX-License-Identifier: MIT
"""The contract's page promises nothing that no test tries."""

import re

import pytest

from bank import TESTS


def sentences():
    page = (TESTS.parent / "docs" / "contract.md").read_text()
    bullets = re.findall(r"^- (.+(?:\n  .+)*)", page, re.M)
    return [" ".join(bullet.split()) for bullet in bullets]


def name_of(sentence):
    return "test_" + re.sub(r"[^a-z0-9]+", "_", sentence.lower()).strip("_")


def names_of_tests():
    files = (TESTS).glob("*/test_*.py")
    return {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(),
                                                          re.M)}


def test_every_sentence_of_the_contract_is_the_name_of_a_test():
    missing = [f"{name_of(sentence)}  # {sentence}" for sentence in sentences()
               if name_of(sentence) not in names_of_tests()]
    if missing:
        pytest.fail("No test has the name of:\n" + "\n".join(missing), pytrace=False)


def test_no_sentence_of_the_contract_stands_there_twice():
    names = [name_of(sentence) for sentence in sentences()]
    assert len(names) > 80 and len(names) == len(set(names))


def test_no_two_tests_in_a_file_have_the_same_name():
    for file in TESTS.glob("*/test_*.py"):
        names = re.findall(r"^def (test_\w+)", file.read_text(), re.M)
        assert len(names) == len(set(names)), file.name
