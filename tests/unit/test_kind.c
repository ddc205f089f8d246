/* SPDX-License-Identifier: MIT
 *
 * test_kind.c - which kind of store a URL means, and what is said of one that means none.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "store/kind.h"
#include "store/lmdb/lmdb_kind.h"
#include "store/module.h"

static const struct store_kind loaded = {.version = CREBITO_VERSION};
static const char *asked_for;
static bool there;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
__typeof__(module_kind) __wrap_module_kind;
const struct store_kind *__wrap_module_kind(const char *name, char *error, size_t error_size)
{
    asked_for = name;
    if (!there)
        snprintf(error, error_size, "no module today");
    return there ? &loaded : NULL;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static const char *place;
static char error[200];

static int setup(void **state)
{
    (void)state;
    asked_for = place = NULL;
    there = true;
    error[0] = '\0';
    return 0;
}

static const struct store_kind *kind_of(const char *url)
{
    return store_kind_of(url, &place, error, sizeof error);
}

static void lmdb_is_built_in_and_asked_about_a_path(void **state)
{
    (void)state;
    const char *url = "lmdb:/srv/bank";
    assert_ptr_equal(kind_of(url), &lmdb_kind);
    assert_ptr_equal(place, url + 5);
    assert_null(asked_for);
    assert_string_equal(lmdb_kind.version, CREBITO_VERSION);
}

static void postgres_is_a_module_and_asked_about_the_url(void **state)
{
    (void)state;
    static const char *const urls[] = {"postgres://user:QXZ@host/name", "postgresql:///name"};
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        asked_for = NULL;
        assert_ptr_equal(kind_of(urls[i]), &loaded);
        assert_ptr_equal(place, urls[i]);
        assert_string_equal(asked_for, "postgres");
    }
}

static void a_module_that_is_missing_says_so_itself(void **state)
{
    (void)state;
    there = false;
    assert_null(kind_of("postgres://user:QXZ@host/name"));
    assert_string_equal(error, "no module today");
}

static void any_other_scheme_is_named_with_those_there_are(void **state)
{
    (void)state;
    static const struct {
        const char *url, *named;
    } cases[] = {
        {"mysql://user:QXZ@host/name", "\"mysql\""},
        {"postgres:host", "\"postgres\""},
        {"lmdb:", "\"lmdb\""},
        {"LMDB:x", "\"LMDB\""},
        {":x", "\"\""},
        {"", "\"\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char sentence[200];
        assert_null(kind_of(cases[i].url));
        snprintf(sentence, sizeof sentence,
                 "%s is no database that this build knows; write lmdb:FOLDER or "
                 "postgres://USER@HOST/NAME",
                 cases[i].named);
        assert_string_equal(error, sentence);
        assert_null(asked_for);
    }
}

/* In all of them it is QXZ. */
static void no_password_is_repeated_in_whatever_is_wrong(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "mysql://user:QXZ@host/name",
        "postgres:/user:QXZ@host",
        "postgres:user:QXZ@host",
        "user:QXZ@host",
        "host=somewhere user=me password=QXZ dbname=name",
        "host=somewhere user=me password=QXZ dbname=name:x",
        "password=QXZ",
    };
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        assert_null(kind_of(urls[i]));
        if (strstr(error, "QXZ"))
            FAIL("of %s it says: %s", urls[i], error);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(lmdb_is_built_in_and_asked_about_a_path),
        TEST(postgres_is_a_module_and_asked_about_the_url),
        TEST(a_module_that_is_missing_says_so_itself),
        TEST(any_other_scheme_is_named_with_those_there_are),
        TEST(no_password_is_repeated_in_whatever_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
