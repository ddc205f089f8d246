/* SPDX-License-Identifier: MIT
 *
 * test_url.c - what a store's URL says, and that a password in it is never shown.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "store/url.h"

static const char *show(const char *url)
{
    static char text[URL_SHOWN_BYTES];
    memset(text, '#', sizeof text);
    url_show(text, url);
    assert_non_null(memchr(text, '\0', sizeof text));
    return text;
}

static void lmdb_and_a_path_is_that_path(void **state)
{
    (void)state;
    static const char *const paths[] = {"./data", "/var/lib/crebito", "x", ":", " ", "lmdb:x"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        char url[100];
        snprintf(url, sizeof url, "lmdb:%s", paths[i]);
        assert_ptr_equal(url_lmdb_path(url), url + 5);
    }
}

static void what_is_not_lmdb_and_a_path_is_none(void **state)
{
    (void)state;
    static const char *const others[] = {"",      "lmdb",   "lmdb:",  "LMDB:x",        " lmdb:x",
                                         "lmd:x", "lmdbx:", "./data", "postgres://h/n"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_null(url_lmdb_path(others[i]));
}

static void postgres_has_two_schemes(void **state)
{
    (void)state;
    assert_true(url_is_postgres("postgres://"));
    assert_true(url_is_postgres("postgresql://"));
    assert_true(url_is_postgres("postgres://user@host/name"));
    static const char *const others[] = {"",
                                         "postgres",
                                         "postgres:",
                                         "postgres:/host",
                                         "postgresq://host",
                                         "postgresqll://host",
                                         "Postgres://host",
                                         " postgres://host",
                                         "lmdb:postgres://host",
                                         "host=localhost"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(url_is_postgres(others[i]));
}

static void what_holds_no_password_is_shown(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"lmdb:./data", "lmdb:./data"},
        {"lmdb:/srv/a b?c#d@e", "lmdb:/srv/a b?c#d@e"}, /* a path, of any characters */
        {"lmdb:postgres://a:b@host/name", "lmdb:postgres://a:b@host/name"},
        {"postgres://", "postgres://"},
        {"postgresql://", "postgresql://"},
        {"postgres:///", "postgres:///"},
        {"postgres:///name", "postgres:///name"},
        {"postgres://host", "postgres://host"},
        {"postgres://host/", "postgres://host/"},
        {"postgres://host:5432/name", "postgres://host:5432/name"},
        {"postgresql://host:5432/name", "postgresql://host:5432/name"},
        {"postgres://user@host:5432/name", "postgres://host:5432/name"},
        {"postgres://user@/name", "postgres:///name"},
        {"postgres://user@[::1]:5432/name", "postgres://[::1]:5432/name"},
        {"postgres://[2001:db8::7]/name", "postgres://[2001:db8::7]/name"},
        {"postgres://user@one:5432,two:5433/name", "postgres://one:5432,two:5433/name"},
        {"postgres://%2Frun%2Fpostgresql/name", "postgres://%2Frun%2Fpostgresql/name"},
        {"postgres://host/name?sslmode=verify-full", "postgres://host/name"},
        {"postgres://host?dbname=name", "postgres://host"},
        {"postgres:///name?host=/run/postgresql", "postgres:///name"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (strcmp(show(cases[i].url), cases[i].shown) != 0)
            FAIL("%s is shown as %s and not as %s", cases[i].url, show(cases[i].url),
                 cases[i].shown);
}

static void a_scheme_is_letters_up_to_a_colon_or_the_end(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        size_t bytes;
    } cases[] = {{"lmdb:x", 4}, {"postgres://h", 8}, {"PostgreSQL:", 10}, {"name", 4},
                 {"", 0},       {":x", 0},           {"a b:c", 0},        {"a=b", 0},
                 {"a@b", 0},    {"h2:x", 0},         {"/srv", 0},         {"password=x:y", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(url_scheme_bytes(cases[i].url), cases[i].bytes);
}

static void a_url_is_plain_where_one_at_ends_the_user_and_the_password(void **state)
{
    (void)state;
    static const char *const plain[] = {"postgres://",
                                        "postgres:///name",
                                        "postgres://host/name?sslmode=require#x",
                                        "postgres://user@host/name",
                                        "postgres://user@/name",
                                        "postgres://@host",
                                        "postgres://user:secret@host:1,other:2/name?a=b",
                                        "postgres://user:s%40cret@[::1]/name",
                                        "postgres://user:a:b@host"},
                             *const others[] = {"postgres://user:a@b@host",
                                                "postgres://user:a/b@host/name",
                                                "postgres://user:a?b@host/name",
                                                "postgres://user:a#b@host/name",
                                                "postgres://host/name?password=a@b",
                                                "postgres://user:secret@host/name?password=a@b",
                                                "postgres://user:secret@host/n@me"};
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        assert_true(url_is_plain(plain[i]));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(url_is_plain(others[i]));
}

/* The password, and each of its pieces where it is in several, is made of these letters, which stand
 * nowhere else in these URLs. */
static const char secret_letters[] = "QXZ";

static void no_password_is_ever_shown(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgres://user:QXZ@host/name",
        "postgresql://user:QXZ@host:5432/name",
        "postgres://:QXZ@host/name",
        "postgres://user:QXZ@/name",
        "postgres://user:QXZ@",
        "postgres://user:QXZ@[::1]:5432/name",
        "postgres://user:QXZ@one:1,two:2/name",
        "postgres://user:QXZ@host/name?application_name=me",
        /* percent-encoded as it should be */
        "postgres://user:Q%40X%2FZ%3AQ%3FX@host/name",
        /* and bare, as it should not be */
        "postgres://user:Q@X@host/name",
        "postgres://user:Q@X:Z@host/name",
        "postgres://user:Q:X:Z@host/name",
        "postgres://user:Q/X@host/name",
        "postgres://user:/Q@host/name",
        "postgres://user:Q?X@host/name",
        "postgres://user:Q#X@host/name",
        "postgres://user:Q?X/Z@X?Q@host/name",
        "postgres://user:@Q@host/name",
        "postgres://user:Q@@host/name",
        "postgres://user:Q://X@host/name",
        "postgres://user:[Q]:X@[::1]/name",
        /* in the parameters */
        "postgres://host/name?password=QXZ",
        "postgres://host?password=QXZ",
        "postgres:///name?password=QXZ&host=x",
        "postgres://?password=QXZ",
        "postgres://user@host/name?sslpassword=QXZ",
        "postgres://user:QX@host/name?password=Z",
        "postgres://host/name?password=Q?X",
        "postgres://host/name?password=Q#X",
        "postgres://host/name?password=Q/X",
        "postgres://host/name?password=Q@X",
        "postgres://host?password=Q@X",
        "postgres://user@host/name?password=Q@X",
        "postgres://user:Z@host/name?password=Q@X/Z",
        "postgres://host/name?options=me@here&password=QXZ",
        "postgres://host/name?password=Q&options=a@X",
        /* of what is not served here at all */
        "mysql://user:QXZ@host/name",
        "http://user:QXZ@host/name?token=Z",
        "x://user:Q@X@host",
        /* libpq's other way to say it */
        "host=somewhere user=me password=QXZ dbname=name",
        "password=QXZ",
        "password='Q X@Z' host=somewhere",
        "host=somewhere password=Q://X",
        "host=somewhere password=lmdb:QXZ",
        "postgres:user:QXZ@host/name",
        "postgres:/user:QXZ@host/name",
        "user:QXZ@host/name",
    };
    unsigned shown = 0;
    char text[8000] = "";
    for (size_t i = 0; i < COUNT_OF(urls); i++)
        if (strpbrk(show(urls[i]), secret_letters)) {
            size_t at = strlen(text);
            snprintf(text + at, sizeof text - at, "%s is shown as %s\n", urls[i], show(urls[i]));
            shown++;
        }
    if (shown > 0)
        FAIL("%u passwords are shown:\n%s", shown, text);
}

static void the_host_is_shown_behind_the_strangest_of_passwords(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgres://user:secret@host:1/name",
        "postgres://user:s:cret@host:1/name",
        "postgres://user:se%3Fcret@host:1/name?a=b",
        "postgres://user:secret@host:1/name?a=b",
    };
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        assert_true(url_is_plain(urls[i]));
        assert_string_equal(show(urls[i]), "postgres://host:1/name");
    }
}

static void where_nobody_can_tell_what_is_the_password_nothing_is_shown(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgres://user:s@cret@host:1/name", "postgres://user:s/cret@host:1/name",
        "postgres://user:s#cret@host:1/name", "postgres://user:s?cret@host:1/name",
        "postgres://user:s@host:1/name?a=@b",
    };
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        assert_false(url_is_plain(urls[i]));
        assert_string_equal(show(urls[i]), "postgres:...");
    }
}

static void what_is_long_is_cut(void **state)
{
    (void)state;
    static const char *const beginnings[] = {"lmdb:", "postgres://", "postgres://user:QXZ@"};
    for (size_t i = 0; i < COUNT_OF(beginnings); i++)
        for (size_t bytes = URL_SHOWN_BYTES - 40; bytes < URL_SHOWN_BYTES + 40; bytes++) {
            char url[2 * URL_SHOWN_BYTES];
            memset(url, 'x', bytes);
            url[bytes] = '\0';
            memcpy(url, beginnings[i], strlen(beginnings[i]));
            const char *text = show(url);
            assert_in_range(strlen(text), URL_SHOWN_BYTES - 80, URL_SHOWN_BYTES - 1);
            assert_null(strpbrk(text, secret_letters));
        }
}

/* Every second letter of the password is secret, the others are whatever means something in a URL. */
static void whatever_is_given_the_password_before_the_last_at_is_not_shown(void **state)
{
    (void)state;
    static const char letters[] = "ab:/?#@[]=&%.,";
    random_begin();
    for (int i = 0; i < 100000; i++) {
        char url[80] = "postgres://user:";
        size_t at = strlen(url), bytes = random_between(1, 20);
        for (size_t j = 0; j < bytes; j++)
            url[at++] = j % 2 ? letters[random_next() % (sizeof letters - 1)]
                              : secret_letters[random_next() % 3];
        snprintf(url + at, sizeof url - at, "%s",
                 i % 2 ? "@host/name" : "@host:5432/name?sslmode=require");
        if (strpbrk(show(url), secret_letters))
            FAIL("%s is shown as %s", url, show(url));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lmdb_and_a_path_is_that_path),
        cmocka_unit_test(what_is_not_lmdb_and_a_path_is_none),
        cmocka_unit_test(postgres_has_two_schemes),
        cmocka_unit_test(a_scheme_is_letters_up_to_a_colon_or_the_end),
        cmocka_unit_test(a_url_is_plain_where_one_at_ends_the_user_and_the_password),
        cmocka_unit_test(what_holds_no_password_is_shown),
        cmocka_unit_test(no_password_is_ever_shown),
        cmocka_unit_test(the_host_is_shown_behind_the_strangest_of_passwords),
        cmocka_unit_test(where_nobody_can_tell_what_is_the_password_nothing_is_shown),
        cmocka_unit_test(what_is_long_is_cut),
        cmocka_unit_test(whatever_is_given_the_password_before_the_last_at_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
