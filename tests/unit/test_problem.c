/* SPDX-License-Identifier: MIT
 *
 * test_problem.c - every ending has a status and a name, and they are the contract's.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "http/problem.h"

/* docs/contract.md's table, and who may ask for a retry: whatever did not happen and soon may. */
static const struct {
    enum problem problem;
    int status;
    const char *type;
    bool retry_after;
} contract[] = {
    {PROBLEM_MALFORMED, 400, "requisicao-invalida", false},
    {PROBLEM_JSON, 400, "json-invalido", false},
    {PROBLEM_KEY, 400, "chave-invalida", false},
    {PROBLEM_ROUTE, 404, "rota-desconhecida", false},
    {PROBLEM_CLIENT, 404, "cliente-desconhecido", false},
    {PROBLEM_METHOD_NOT_ALLOWED, 405, "metodo-nao-permitido", false},
    {PROBLEM_TIMEOUT, 408, "tempo-esgotado", false},
    {PROBLEM_BODY_TOO_LARGE, 413, "corpo-grande-demais", false},
    {PROBLEM_FIELD, 422, "campo-invalido", false},
    {PROBLEM_LIMIT, 422, "limite-excedido", false},
    {PROBLEM_BALANCE_MAX, 422, "saldo-maximo", false},
    {PROBLEM_KEY_REUSED, 422, "chave-reutilizada", false},
    {PROBLEM_FRAMING_TOO_LARGE, 431, "cabecalho-grande-demais", false},
    {PROBLEM_METHOD_UNKNOWN, 501, "metodo-desconhecido", false},
    {PROBLEM_CONNECTIONS, 503, "indisponivel", true},
    {PROBLEM_BUSY, 503, "indisponivel", true},
    {PROBLEM_NO_SPACE, 503, "indisponivel", true},
    {PROBLEM_DOWN, 503, "indisponivel", true},
    {PROBLEM_CORRUPT, 503, "indisponivel", true},
    {PROBLEM_UNKNOWN, 504, "resultado-desconhecido", false},
};

static void every_problem_is_in_the_contract(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(contract), PROBLEM_UNKNOWN); /* all but PROBLEM_NONE */
    for (size_t i = 0; i < COUNT_OF(contract); i++)
        assert_int_equal(contract[i].problem, i + 1);
}

static void every_problem_has_the_status_and_the_type_of_the_contract(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        const struct problem_text *text = problem_text(contract[i].problem);
        assert_non_null(text->status);
        assert_int_equal(strtol(text->status, NULL, 10), contract[i].status);
        assert_string_equal(text->type, contract[i].type);
        assert_int_equal(text->retry_after, contract[i].retry_after);
    }
}

static void every_problem_has_all_its_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        const struct problem_text *text = problem_text(contract[i].problem);
        assert_non_null(text->title);
        assert_non_null(text->detail);
        assert_true(strlen(text->status) > 4 && text->status[3] == ' ');
        assert_true(strlen(text->title) > 0);
        assert_in_range(strlen(text->detail), 1, 200);
        /* They stand in JSON as they are. */
        const char *const texts[] = {text->status, text->type, text->title};
        for (size_t j = 0; j < COUNT_OF(texts); j++)
            for (const char *c = texts[j]; *c; c++)
                assert_true(*c >= 0x20 && *c <= 0x7e && *c != '"' && *c != '\\');
    }
}

static void one_type_has_one_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++) {
        for (size_t j = 0; j < COUNT_OF(contract); j++) {
            const struct problem_text *a = problem_text(contract[i].problem);
            const struct problem_text *b = problem_text(contract[j].problem);
            if (strcmp(a->type, b->type) == 0)
                assert_string_equal(a->status, b->status);
        }
    }
}

static void the_details_of_one_type_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(contract); i++)
        for (size_t j = i + 1; j < COUNT_OF(contract); j++)
            assert_string_not_equal(problem_text(contract[i].problem)->detail,
                                    problem_text(contract[j].problem)->detail);
}

static void every_outcome_has_its_own_problem(void **state)
{
    (void)state;
    static const struct {
        enum outcome outcome;
        enum problem problem;
    } cases[] = {
        {OUTCOME_OK, PROBLEM_NONE},
        {OUTCOME_NO_CLIENT, PROBLEM_CLIENT},
        {OUTCOME_CLIENT_EXISTS, PROBLEM_DOWN}, /* no request opens an account */
        {OUTCOME_LIMIT_EXCEEDED, PROBLEM_LIMIT},
        {OUTCOME_BALANCE_MAX, PROBLEM_BALANCE_MAX},
        {OUTCOME_KEY_REUSED, PROBLEM_KEY_REUSED},
        {OUTCOME_BUSY, PROBLEM_BUSY},
        {OUTCOME_NO_SPACE, PROBLEM_NO_SPACE},
        {OUTCOME_DOWN, PROBLEM_DOWN},
        {OUTCOME_CORRUPT, PROBLEM_CORRUPT},
        {OUTCOME_UNKNOWN, PROBLEM_UNKNOWN},
    };
    assert_int_equal(COUNT_OF(cases), OUTCOME_UNKNOWN + 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(cases[i].outcome, i);
        assert_int_equal(problem_of(cases[i].outcome), cases[i].problem);
    }
}

static void only_an_unknown_outcome_is_504_and_it_asks_for_no_blind_retry(void **state)
{
    (void)state;
    for (int outcome = OUTCOME_NO_CLIENT; outcome <= OUTCOME_UNKNOWN; outcome++) {
        const struct problem_text *text = problem_text(problem_of((enum outcome)outcome));
        bool is_504 = strncmp(text->status, "504", 3) == 0;
        assert_int_equal(is_504, outcome == OUTCOME_UNKNOWN);
        assert_int_equal(text->retry_after, strncmp(text->status, "503", 3) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_problem_is_in_the_contract),
        cmocka_unit_test(every_problem_has_the_status_and_the_type_of_the_contract),
        cmocka_unit_test(every_problem_has_all_its_texts),
        cmocka_unit_test(one_type_has_one_status),
        cmocka_unit_test(the_details_of_one_type_differ),
        cmocka_unit_test(every_outcome_has_its_own_problem),
        cmocka_unit_test(only_an_unknown_outcome_is_504_and_it_asks_for_no_blind_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
