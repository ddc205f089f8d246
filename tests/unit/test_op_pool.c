/* SPDX-License-Identifier: MIT
 *
 * test_op_pool.c - each op is one taker's, and no more are given than there are.
 */
#include "unit.h"

#include "http/op_pool.h"

enum { SIZE = 5 };

static void every_op_is_given_once_and_then_none(void **state)
{
    (void)state;
    struct op_pool pool;
    struct op *taken[SIZE];
    assert_true(op_pool_init(&pool, SIZE));
    for (int i = 0; i < SIZE; i++) {
        taken[i] = op_pool_take(&pool);
        assert_non_null(taken[i]);
        assert_int_equal(taken[i]->state, OP_IDLE);
        assert_in_range(taken[i] - pool.ops, 0, SIZE - 1);
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(taken[i], taken[j]);
    }
    assert_null(op_pool_take(&pool));
    assert_null(op_pool_take(&pool));
    op_pool_give_back(&pool, taken[2]);
    assert_ptr_equal(op_pool_take(&pool), taken[2]);
    assert_null(op_pool_take(&pool));
    op_pool_free(&pool);
}

static void the_op_given_back_last_is_taken_first(void **state)
{
    (void)state;
    struct op_pool pool;
    assert_true(op_pool_init(&pool, SIZE));
    struct op *a = op_pool_take(&pool), *b = op_pool_take(&pool);
    op_pool_give_back(&pool, a);
    op_pool_give_back(&pool, b);
    assert_ptr_equal(op_pool_take(&pool), b);
    assert_ptr_equal(op_pool_take(&pool), a);
    op_pool_free(&pool);
}

static void an_op_given_back_belongs_to_no_connection(void **state)
{
    (void)state;
    struct op_pool pool;
    assert_true(op_pool_init(&pool, 1));
    struct op *op = op_pool_take(&pool);
    op->context = &pool;
    op_pool_give_back(&pool, op);
    assert_null(op_pool_take(&pool)->context);
    op_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_is_given_once_and_then_none),
        cmocka_unit_test(the_op_given_back_last_is_taken_first),
        cmocka_unit_test(an_op_given_back_belongs_to_no_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
