/* SPDX-License-Identifier: MIT
 *
 * test_route.c - the canonical spelling of each route, and nothing else, is that route.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "bank/bounds.h"
#include "http/route.h"

enum { UNTOUCHED = 4711 };

/* The target in memory of its exact size, so that reading past it is seen. */
static enum route find(const char *target, size_t bytes, uint32_t *ret_client)
{
    char *exact = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, target, bytes);
    *ret_client = UNTOUCHED;
    enum route route = route_find(exact, bytes, ret_client);
    free(exact);
    return route;
}

static void the_three_routes_are_found_with_their_client(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        enum route route;
        uint32_t client;
    } cases[] = {
        {"/healthz", ROUTE_HEALTH, UNTOUCHED},
        {"/clientes/1/transacoes", ROUTE_ENTRIES, 1},
        {"/clientes/1/extrato", ROUTE_STATEMENT, 1},
        {"/clientes/6/extrato", ROUTE_STATEMENT, 6},
        {"/clientes/10/extrato", ROUTE_STATEMENT, 10},
        {"/clientes/999999999/extrato", ROUTE_STATEMENT, 999999999},
        {"/clientes/2147483647/extrato", ROUTE_STATEMENT, CLIENT_MAX},
        {"/clientes/2147483647/transacoes", ROUTE_ENTRIES, CLIENT_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t client;
        enum route route = find(cases[i].target, strlen(cases[i].target), &client);
        if (route != cases[i].route || client != cases[i].client)
            FAIL("%s: route %d, client %u", cases[i].target, (int)route, client);
    }
}

static void any_other_spelling_is_no_route(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "",
        "/",
        "*",
        "//",
        "h/healthz",
        "/healthz/",
        "//healthz",
        "/Healthz",
        "/HEALTHZ",
        "/health",
        "/healthzz",
        "healthz",
        "/healthz%20",
        "/%68ealthz",
        "/healthz ",
        "/clientes",
        "/clientes/",
        "/clientes//",
        "/clientes/1",
        "/clientes/1/",
        "/clientes/1/extrato/",
        "/clientes/1/extratos",
        "/clientes/1/extrat",
        "/clientes/1/transacoes/",
        "/clientes/1/transacoe",
        "/clientes/1/transacoes/1",
        "/clientes/1//extrato",
        "//clientes/1/extrato",
        "/clientes//1/extrato",
        "/clientes//extrato",
        "/clientes/extrato",
        "/Clientes/1/extrato",
        "/clientes/1/Extrato",
        "/clientes/1/EXTRATO",
        "/cliente/1/extrato",
        "/clientes/0/extrato",
        "/clientes/00/extrato",
        "/clientes/01/extrato",
        "/clientes/001/extrato",
        "/clientes/+1/extrato",
        "/clientes/-1/extrato",
        "/clientes/1.0/extrato",
        "/clientes/1e0/extrato",
        "/clientes/0x1/extrato",
        "/clientes/1 /extrato",
        "/clientes/ 1/extrato",
        "/clientes/abc/extrato",
        "/clientes/1a/extrato",
        "/clientes/a1/extrato",
        "/clientes/%31/extrato",
        "/clientes/1%00/extrato",
        "/clientes/2147483648/extrato",
        "/clientes/4294967296/extrato",
        "/clientes/4294967297/extrato",
        "/clientes/9999999999/extrato",
        "/clientes/18446744073709551616/extrato",
        "/clientes/18446744073709551617/extrato",
        "/clientes/12345678901234567890/extrato",
        "/clientes/\xd9\xa1/extrato",
        "/clientes/1/./extrato",
        "/clientes/1/../1/extrato",
        "/clientes/1/extrato?",
        "/clientes/1/extrato#x",
        "/clientes/1/extrato;x",
    };
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        uint32_t client;
        enum route route = find(targets[i], strlen(targets[i]), &client);
        if (route != ROUTE_NONE)
            FAIL("%s: taken for route %d", targets[i], (int)route);
    }
}

static void a_nul_in_a_target_is_no_route(void **state)
{
    (void)state;
    uint32_t client;
    assert_int_equal(find("/healthz\0", 9, &client), ROUTE_NONE);
    assert_int_equal(find("/clientes/1\0/extrato", 20, &client), ROUTE_NONE);
    assert_int_equal(find("/clientes/1/extrato\0", 20, &client), ROUTE_NONE);
}

static void a_route_cut_short_anywhere_is_no_route(void **state)
{
    (void)state;
    static const char *const whole[] = {"/healthz", "/clientes/123/transacoes",
                                        "/clientes/123/extrato"};
    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        for (size_t bytes = 0; bytes < strlen(whole[i]); bytes++) {
            uint32_t client;
            assert_int_equal(find(whole[i], bytes, &client), ROUTE_NONE);
        }
    }
}

static void each_route_allows_its_own_methods_only(void **state)
{
    (void)state;
    for (int method = HTTP_DELETE; method <= HTTP_QUERY; method++) {
        llhttp_method_t m = (llhttp_method_t)method;
        bool reads = m == HTTP_GET || m == HTTP_HEAD;
        assert_int_equal(route_allows(ROUTE_HEALTH, m), reads);
        assert_int_equal(route_allows(ROUTE_STATEMENT, m), reads);
        assert_int_equal(route_allows(ROUTE_ENTRIES, m), m == HTTP_POST);
        assert_false(route_allows(ROUTE_NONE, m));
    }
}

static void the_allow_field_names_the_allowed_methods(void **state)
{
    (void)state;
    assert_string_equal(route_methods(ROUTE_HEALTH), "GET, HEAD");
    assert_string_equal(route_methods(ROUTE_STATEMENT), "GET, HEAD");
    assert_string_equal(route_methods(ROUTE_ENTRIES), "POST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_three_routes_are_found_with_their_client),
        cmocka_unit_test(any_other_spelling_is_no_route),
        cmocka_unit_test(a_nul_in_a_target_is_no_route),
        cmocka_unit_test(a_route_cut_short_anywhere_is_no_route),
        cmocka_unit_test(each_route_allows_its_own_methods_only),
        cmocka_unit_test(the_allow_field_names_the_allowed_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
