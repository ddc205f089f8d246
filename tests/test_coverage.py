# SPDX-License-Identifier: MIT
"""What all tests together have run (script/test --coverage), and whether that is judged as it should."""

import pytest

import covered

TEXT = """int act(int a)
{
    assert(a > 0 &&
           a < 9);
    if (a > 1)
        return work();
    return 0;
}
"""


@pytest.mark.coverage
def test_what_is_not_run_has_a_reason_and_is_little(shared_banks, capsys):
    for bank in shared_banks.values():
        bank.stop()  # a process tells its counts when it ends
    files = covered.measure()
    with capsys.disabled():
        print("", *covered.summary(files), sep="\n")
    problems = list(covered.problems(files, covered.REASONS.read_text(encoding="utf-8")))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def counted(path="src/bank/x.c", run=(1, 3, 4, 5, 6, 7), taken=(True, True)):
    branches = {3: (True, False), 4: (True, False), 5: taken}
    lines = [{"line_number": number, "count": int(number in run), "gcovr/noncode": False,
              "branches": [{"count": int(way)} for way in branches.get(number, ())]}
             for number in (1, 3, 4, 5, 6, 7)]
    return covered.File({"file": path, "lines": lines}, TEXT)


def problems(file, text=""):
    return [problem for problem in covered.problems([file], text) if "less than" not in problem]


def test_the_branches_of_asserts_do_not_count():
    assert problems(counted()) == []
    assert covered.share([counted()]) == (6, 6, 2, 2)


def test_a_line_that_is_not_run_needs_a_reason():
    file = counted(run=(1, 3, 4, 5, 7))
    assert len(problems(file)) == 1
    assert "src/bank/x.c:6" in problems(file)[0]
    reason = "src/bank/x.c act\n- return work();\nIt is Sunday.\n"
    assert problems(file, reason) == []
    assert problems(counted(path="src/http/x.c", run=())) == []


def test_a_branch_that_is_not_taken_needs_a_reason():
    file = counted(taken=(True, False))
    assert len(problems(file)) == 1
    assert problems(file, "# why\n\nsrc/bank/x.c act\n? if (a > 1)\nIt never is.\n") == []


@pytest.mark.parametrize("line", ["- return work();", "? if (a > 1)", "- gone();", "~ gone();"])
def test_a_reason_for_what_is_run_or_gone_is_a_problem(line):
    assert len(problems(counted(), f"src/bank/x.c act\n{line}\nIt was so once.\n")) == 1


def test_what_is_run_only_sometimes_may_be_either():
    text = "src/bank/x.c act\n~ return work();\nWhen it is slow.\n"
    assert problems(counted(), text) == problems(counted(run=(1, 3, 4, 5, 7)), text) == []


def test_a_reason_is_more_than_nothing():
    with pytest.raises(AssertionError):
        list(covered.reasons("src/bank/x.c act\n- return work();\n"))


def test_too_little_is_a_problem_with_every_reason_given():
    text = "src/bank/x.c act\n- return work();\nWhy not.\n"
    assert any("95 %" in problem for problem in covered.problems([counted(run=(1, 3, 4, 5, 7))], text))
    text = "src/bank/x.c act\n? if (a > 1)\nWhy not.\n"
    assert any("85 %" in problem
               for problem in covered.problems([counted(taken=(True, False))], text))
