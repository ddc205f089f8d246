# SPDX-License-Identifier: MIT
"""What script/mutate changes: were it to change too little, no survivor would mean nothing."""

from mutants import mutants

FUNCTION = """
static int64_t judge(const struct entry *entry, int64_t balance)
{
    int64_t after = balance - entry->amount; /* not this: a - b */
    if (after < -LIMIT && !entry->free)
        return REFUSED;
    for (int i = 0; i < 10; i++)
        keep(entry);
    return after;
}
"""


def changed(text=FUNCTION):
    return {(mutant.before, mutant.after) for mutant in mutants("src/x.c", text)}


def expect(before, *afters):
    found = {after for line, after in changed() if line == before}
    assert found == set(afters), found ^ set(afters)


def test_operators_constants_and_conditions_are_changed():
    expect("if (after < -LIMIT && !entry->free)",
           "if (after <= -LIMIT && !entry->free)", "if (after >= -LIMIT && !entry->free)",
           "if (after < LIMIT && !entry->free)", "if (after < -(LIMIT + 1) && !entry->free)",
           "if (after < -(LIMIT - 1) && !entry->free)", "if (after < -LIMIT || !entry->free)",
           "if (after < -LIMIT && entry->free)", "if (!(after < -LIMIT && !entry->free))")


def test_a_loop_is_changed_at_its_ends_and_in_its_direction():
    expect("for (int i = 0; i < 10; i++)",
           "for (int i = 1; i < 10; i++)", "for (int i = (-1); i < 10; i++)",
           "for (int i = 0; i <= 10; i++)", "for (int i = 0; i >= 10; i++)",
           "for (int i = 0; i < 11; i++)", "for (int i = 0; i < 9; i++)",
           "for (int i = 0; i < 10; i--)", "for (int i = 0; !(i < 10); i++)")


def test_statements_are_left_out_and_returned_values_replaced():
    expect("keep(entry);", ";")
    expect("return after;", "return 0;", "return 1;")


def test_comments_and_types_are_left_alone():
    expect("int64_t after = balance - entry->amount; /* not this: a - b */",
           "int64_t after = balance + entry->amount; /* not this: a - b */",
           "; /* not this: a - b */")
    expect("static int64_t judge(const struct entry *entry, int64_t balance)")


def test_a_mutant_knows_its_place_and_is_the_whole_file_with_one_change():
    mutant = next(mutant for mutant in mutants("src/x.c", FUNCTION) if mutant.after == ";")
    assert (mutant.path, mutant.function, mutant.line) == ("src/x.c", "judge", 8)
    assert mutant.text == FUNCTION.replace("keep(entry);", ";")


def test_every_statement_is_found_whatever_stands_around_it():
    text = """
    void act(void)
    {
        switch (kind()) {
        case A: one(); break;
        default:
            if (a)
                two();
            else if (b) {
                three((struct x){.y = 1});
            } else
                while (c)
                    four();
        }
        struct x x[] = {{1, 2}, {3, 4}};
        five(
            x);
    }
    """
    gone = {before for before, _ in changed(text)} - {after for _, after in changed(text)}
    for call in ("one(); break;", "two();", "three((struct x){.y = 1});", "four();", "five( x);"):
        assert any(call in before for before in gone), call
    assert ("five( x);", ";") in changed(text)
