/* SPDX-License-Identifier: MIT
 *
 * test_module.c - a module is found beside the program or where this crebito was installed, nowhere
 * else, and is taken only if it is what it should be. meson.build makes some that are not.
 */
#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/kind.h"
#include "store/module.h"

/* --- where module.c looks ------------------------------------------------------------------- */

static char looked[3][PATH_MAX]; /* the files that were looked for, in order */
static unsigned looks;
static const char *installed;  /* the file that stands for all that is in CREBITO_MODULES */
static const char *executable; /* what /proc/self/exe says; NULL: the truth; "": nothing */

/* NOLINTBEGIN(bugprone-reserved-identifier) */
__typeof__(access) __real_access, __wrap_access;
int __wrap_access(const char *path, int mode)
{
    if (looks < COUNT_OF(looked))
        strncpy(looked[looks], path, PATH_MAX - 1);
    looks++;
    bool of_installation = strncmp(path, CREBITO_MODULES, strlen(CREBITO_MODULES)) == 0;
    return of_installation && installed ? 0 : __real_access(path, mode);
}

__typeof__(dlopen) __real_dlopen, __wrap_dlopen;
void *__wrap_dlopen(const char *path, int flags)
{
    assert_int_equal(path[0], '/'); /* or the loader would look for it in places of its own */
    bool of_installation = strncmp(path, CREBITO_MODULES, strlen(CREBITO_MODULES)) == 0;
    return __real_dlopen(of_installation && installed ? installed : path, flags);
}

__typeof__(readlink) __real_readlink, __wrap_readlink;
ssize_t __wrap_readlink(const char *path, char *ret, size_t size)
{
    if (!executable || strcmp(path, "/proc/self/exe") != 0)
        return __real_readlink(path, ret, size);
    if (executable[0] == '\0') {
        errno = EACCES;
        return -1;
    }
    size_t bytes = strlen(executable) < size ? strlen(executable) : size;
    for (size_t i = 0; i < bytes; i++) /* readlink() ends nothing with a NUL */
        ret[i] = executable[i];
    return (ssize_t)bytes;
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* --- the tests ------------------------------------------------------------------------------ */

static char own[PATH_MAX]; /* the folder of this program */
static char error[2 * PATH_MAX];

static int setup(void **state)
{
    (void)state;
    ssize_t bytes = __real_readlink("/proc/self/exe", own, sizeof own - 1);
    if (bytes <= 0)
        return -1;
    own[bytes] = '\0';
    *strrchr(own, '/') = '\0';
    memset(looked, 0, sizeof looked);
    looks = 0;
    installed = executable = NULL;
    error[0] = '\0';
    return 0;
}

static const struct store_kind *load(const char *name)
{
    return module_kind(name, error, sizeof error);
}

static void expect_look(unsigned which, const char *folder, const char *file)
{
    char path[PATH_MAX + 100];
    snprintf(path, sizeof path, "%s%s", folder, file);
    assert_string_equal(looked[which], path);
}

static void one_beside_the_program_is_taken_and_stays(void **state)
{
    (void)state;
    const struct store_kind *kind = load("sound");
    if (!kind)
        FAIL("%s", error);
    assert_string_equal(kind->version, CREBITO_VERSION);
    assert_int_equal(looks, 1);
    expect_look(0, own, "/crebito-sound.so");
    assert_ptr_equal(load("sound"), kind);
}

static void one_that_is_nowhere_is_missed_in_both_places(void **state)
{
    (void)state;
    assert_null(load("missing"));
    assert_int_equal(looks, 2);
    expect_look(0, own, "/crebito-missing.so");
    expect_look(1, CREBITO_MODULES, "/crebito-missing.so");
    assert_string_equal(error,
                        "this installation has no missing store: crebito-missing.so is neither "
                        "beside the program nor in " CREBITO_MODULES);
}

static void one_of_the_installation_is_taken_where_none_is_beside(void **state)
{
    (void)state;
    char path[PATH_MAX + 20];
    snprintf(path, sizeof path, "%s/crebito-sound.so", own);
    installed = path;
    assert_non_null(load("missing"));
    assert_int_equal(looks, 2);
    expect_look(1, CREBITO_MODULES, "/crebito-missing.so");
}

static void one_beside_comes_before_that_of_the_installation(void **state)
{
    (void)state;
    installed = "/nowhere";
    assert_non_null(load("sound"));
    assert_int_equal(looks, 1);
}

static void a_program_that_does_not_know_where_it_is_looks_in_the_installation(void **state)
{
    (void)state;
    static char too_long[PATH_MAX - 1];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[0] = too_long[sizeof too_long - 3] = '/'; /* its folder is, with any file in it */
    const char *const places[] = {"", "name", too_long};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        looks = 0;
        executable = places[i];
        assert_null(load("sound"));
        assert_int_equal(looks, 1);
        expect_look(0, CREBITO_MODULES, "/crebito-sound.so");
    }
}

static void the_environment_leads_to_none(void **state)
{
    (void)state;
    char here[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here));
    executable = "/nowhere/crebito";
    assert_int_equal(setenv("LD_LIBRARY_PATH", own, 1), 0);
    assert_int_equal(setenv("PATH", own, 1), 0);
    assert_int_equal(chdir(own), 0);
    const struct store_kind *kind = load("sound");
    assert_int_equal(chdir(here), 0);
    assert_null(kind);
    assert_int_equal(looks, 2);
    expect_look(0, "/nowhere", "/crebito-sound.so");
}

static void a_file_that_is_no_library_is_refused_with_the_loaders_words(void **state)
{
    (void)state;
    assert_null(load("text"));
    assert_non_null(strstr(error, "cannot load the text store: "));
    assert_non_null(strstr(error, "crebito-text.so"));
}

static void a_library_that_exports_no_kind_is_refused(void **state)
{
    (void)state;
    assert_null(load("kindless"));
    assert_non_null(strstr(error, "cannot load the kindless store: "));
    assert_non_null(strstr(error, "crebito_store_kind"));
}

static void one_of_another_version_is_refused_and_both_are_named(void **state)
{
    (void)state;
    char sentence[2 * PATH_MAX];
    assert_null(load("older"));
    snprintf(sentence, sizeof sentence,
             "%s/crebito-older.so is of crebito 0.0.0-older, and this is crebito " CREBITO_VERSION,
             own);
    assert_string_equal(error, sentence);
}

static void a_sentence_that_does_not_fit_is_cut(void **state)
{
    (void)state;
    static const char *const names[] = {"missing", "text", "kindless", "older"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char small[12];
        memset(small, '#', sizeof small);
        assert_null(module_kind(names[i], small, sizeof small - 2));
        assert_int_equal(strlen(small), sizeof small - 3);
        assert_int_equal(small[sizeof small - 2], '#');
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(one_beside_the_program_is_taken_and_stays),
        TEST(one_that_is_nowhere_is_missed_in_both_places),
        TEST(one_of_the_installation_is_taken_where_none_is_beside),
        TEST(one_beside_comes_before_that_of_the_installation),
        TEST(a_program_that_does_not_know_where_it_is_looks_in_the_installation),
        TEST(the_environment_leads_to_none),
        TEST(a_file_that_is_no_library_is_refused_with_the_loaders_words),
        TEST(a_library_that_exports_no_kind_is_refused),
        TEST(one_of_another_version_is_refused_and_both_are_named),
        TEST(a_sentence_that_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
