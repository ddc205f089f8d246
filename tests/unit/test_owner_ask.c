/* SPDX-License-Identifier: MIT
 *
 * test_owner_ask.c - an op put to an owner: to a real one, to none, and to owners that go, hang or
 * talk nonsense at each point of the conversation.
 */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "owner_fixture.h"
#include "store/lmdb/owner_ask.h"

enum { PATIENCE_MS = 20000, IMPATIENCE_MS = 30 };

static char says[400];

static enum owner_end ask(struct op *op, int timeout_ms)
{
    says[0] = '\0';
    op->outcome = OUTCOME_OK;
    return owner_ask(fixture.path, op, timeout_ms, says, sizeof says);
}

static enum owner_end ask_to_write(struct op *ret, int timeout_ms)
{
    *ret = an_entry();
    return ask(ret, timeout_ms);
}

static void expect_said(const char *words)
{
    if (!strstr(says, fixture.path) || !strstr(says, words))
        FAIL("says %s\nand not %s", says, words);
}

static void an_owner_answers_whatever_kind_of_op(void **state)
{
    (void)state;
    struct op op;
    assert_int_equal(ask_to_write(&op, PATIENCE_MS), OWNER_ANSWERED);
    assert_int_equal(op.outcome, OUTCOME_OK);
    assert_int_equal(op.balance_cents, 1);
    op = a_statement();
    assert_int_equal(ask(&op, PATIENCE_MS), OWNER_ANSWERED);
    assert_int_equal(op.account.limit_cents, CENTS);
    op = (struct op){.kind = OP_OPEN, .client = 9, .limit_cents = 10, .balance_cents = -3};
    assert_int_equal(ask(&op, PATIENCE_MS), OWNER_ANSWERED);
    assert_int_equal(op.limit_cents, 10);
}

static void a_path_longer_than_an_address_will_do(void **state)
{
    (void)state;
    char deep[FOLDER_BYTES_MAX + 400], part[151];
    struct op op = a_statement();
    owner_close();
    folder_release(&fixture.folder);
    memset(part, 'd', sizeof part - 1);
    part[sizeof part - 1] = '\0';
    snprintf(deep, sizeof deep, "%s/%s", fixture.path, part);
    assert_int_equal(mkdir(deep, 0700), 0);
    assert_true(folder_take(&fixture.folder, deep, says, sizeof says));
    owner_open_again();
    assert_int_equal(owner_ask(deep, &op, PATIENCE_MS, says, sizeof says), OWNER_ANSWERED);
    owner_close();
    assert_int_equal(owner_ask(deep, &op, PATIENCE_MS, says, sizeof says), OWNER_DEAF);
    owner_open_again();
}

static void with_nobody_there_it_says_so(void **state)
{
    (void)state;
    struct op op;
    owner_close();
    assert_int_equal(ask_to_write(&op, PATIENCE_MS), OWNER_DEAF); /* the folder is ours still */
    expect_said("in use by process ");
    folder_release(&fixture.folder);
    assert_int_equal(ask_to_write(&op, PATIENCE_MS), OWNER_NONE);
    int folder_fd = open(fixture.path, O_RDONLY | O_CLOEXEC);
    struct sockaddr_un address = owner_socket_address(folder_fd);
    int dead = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
    close(dead);
    close(folder_fd);
    assert_int_equal(ask_to_write(&op, PATIENCE_MS), OWNER_NONE); /* a name that the dead left */
    assert_int_equal(unlink(owner_socket_name()), 0);
    assert_int_equal(owner_ask("/nowhere/at/all", &op, PATIENCE_MS, says, sizeof says), OWNER_NONE);
    assert_true(folder_take(&fixture.folder, fixture.path, says, sizeof says));
    owner_open_again();
}

static void who_may_not_ask_is_told(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    char parent[FOLDER_BYTES_MAX + 20];
    struct op op;
    if (geteuid() != 0)
        skip();
    snprintf(parent, sizeof parent, "%s/..", fixture.path);
    assert_int_equal(chmod(parent, 0755), 0);
    assert_int_equal(chmod(fixture.path, 0755), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    enum owner_end end = ask_to_write(&op, PATIENCE_MS);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(end, OWNER_REFUSED);
    expect_said("Permission denied");
}

/* --- owners that are not as they should be -------------------------------------------------- */

enum behaviour {
    GOES_BEFORE_THE_GREETING,
    HANGS_BEFORE_THE_GREETING,
    IS_OF_ANOTHER_VERSION,
    GREETS_AT_LENGTH,
    GOES_AFTER_THE_GREETING,
    GOES_AFTER_THE_QUESTION,
    HANGS_AFTER_THE_QUESTION,
    ANSWERS_NONSENSE,
    ANSWERS_ANOTHER,
};

static struct {
    enum behaviour behaviour;
    int listener;
    int rest[2]; /* a byte into it ends a pause */
} fake;

static void greet(int fd)
{
    uint8_t greeting[OP_GREETING_BYTES + 1] = {0};
    op_greeting_encode(greeting, true);
    if (fake.behaviour == IS_OF_ANOTHER_VERSION)
        greeting[OP_GREETING_BYTES - 2]++; /* and whether it is durable comes last */
    (void)!send(fd, greeting, OP_GREETING_BYTES + (fake.behaviour == GREETS_AT_LENGTH),
                MSG_NOSIGNAL);
}

static void pause_it(void)
{
    char byte;
    (void)!read(fake.rest[0], &byte, 1);
}

static void converse(int fd)
{
    uint8_t frame[OP_ANSWER_BYTES_MAX];
    uint32_t number;
    struct op op;
    if (fake.behaviour == HANGS_BEFORE_THE_GREETING)
        pause_it();
    if (fake.behaviour <= HANGS_BEFORE_THE_GREETING)
        return;
    if (fake.behaviour == GOES_AFTER_THE_GREETING)
        (void)shutdown(fd, SHUT_RD); /* as an owner does that ends */
    greet(fd);
    if (fake.behaviour <= GOES_AFTER_THE_GREETING)
        return;
    ssize_t size = recv(fd, frame, sizeof frame, 0);
    if (size <= 0 || !op_question_decode(&op, &number, frame, (size_t)size))
        return;
    if (fake.behaviour == HANGS_AFTER_THE_QUESTION)
        pause_it();
    op.outcome = OUTCOME_OK;
    op.account = (struct account){.client = op.client};
    size = (ssize_t)op_answer_encode(frame, &op,
                                     number + (fake.behaviour == ANSWERS_ANOTHER ? 1 : 0));
    if (fake.behaviour == ANSWERS_NONSENSE)
        memset(frame, 'x', sizeof frame);
    if (fake.behaviour >= ANSWERS_NONSENSE)
        (void)!send(fd, frame, (size_t)size, MSG_NOSIGNAL);
    /* And wait for the asker, so that it does not find us gone instead. */
    if (fake.behaviour >= ANSWERS_NONSENSE)
        (void)!recv(fd, frame, sizeof frame, 0);
}

static void *fake_owner(void *context)
{
    int fd = accept(fake.listener, NULL, NULL);
    converse(fd);
    close(fd);
    return context;
}

/* How asking an owner of that kind ends. */
static enum owner_end ask_fake(enum behaviour behaviour, struct op *op, int timeout_ms)
{
    pthread_t thread;
    struct sockaddr_un address = owner_socket_address(fixture.folder.fd);
    owner_close();
    fake.behaviour = behaviour;
    fake.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(pipe(fake.rest), 0);
    assert_int_equal(bind(fake.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fake.listener, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, fake_owner, NULL), 0);
    enum owner_end end = ask(op, timeout_ms);
    close(fake.rest[1]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(fake.rest[0]);
    close(fake.listener);
    owner_open_again();
    return end;
}

static void an_op_that_was_never_put_has_not_happened(void **state)
{
    (void)state;
    static const struct {
        enum behaviour behaviour;
        int timeout_ms;
        enum owner_end end;
        const char *says;
    } cases[] = {
        {GOES_BEFORE_THE_GREETING, PATIENCE_MS, OWNER_DEAF, "in use by process "},
        {HANGS_BEFORE_THE_GREETING, IMPATIENCE_MS, OWNER_REFUSED, "does not answer"},
        {IS_OF_ANOTHER_VERSION, PATIENCE_MS, OWNER_REFUSED, "another version"},
        {GREETS_AT_LENGTH, PATIENCE_MS, OWNER_REFUSED, "another version"},
        {GOES_AFTER_THE_GREETING, PATIENCE_MS, OWNER_DEAF, "in use by process "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct op op = an_entry();
        enum owner_end end = ask_fake(cases[i].behaviour, &op, cases[i].timeout_ms);
        if (end != cases[i].end)
            FAIL("case %zu ends with %d: %s", i, (int)end, says);
        expect_said(cases[i].says);
        assert_int_equal(op.outcome, OUTCOME_OK); /* untouched */
    }
}

static void an_op_that_was_put_and_not_answered_is_not_known(void **state)
{
    (void)state;
    static const struct {
        enum behaviour behaviour;
        int timeout_ms;
        enum owner_end read_end;
    } cases[] = {
        {GOES_AFTER_THE_QUESTION, PATIENCE_MS, OWNER_DEAF},
        {HANGS_AFTER_THE_QUESTION, 10 * IMPATIENCE_MS, OWNER_REFUSED},
        {ANSWERS_NONSENSE, PATIENCE_MS, OWNER_REFUSED},
        {ANSWERS_ANOTHER, PATIENCE_MS, OWNER_REFUSED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct op op = an_entry();
        enum owner_end end = ask_fake(cases[i].behaviour, &op, cases[i].timeout_ms);
        if (end != OWNER_ANSWERED || op.outcome != OUTCOME_UNKNOWN)
            FAIL("case %zu ends with %d, outcome %d: %s", i, (int)end, (int)op.outcome, says);
        op = a_statement(); /* nothing can have happened to it */
        end = ask_fake(cases[i].behaviour, &op, cases[i].timeout_ms);
        if (end != cases[i].read_end)
            FAIL("case %zu, reading, ends with %d: %s", i, (int)end, says);
        expect_said("in use by process ");
    }
}

/* --- owners that come and go ---------------------------------------------------------------- */

enum { OWNERS = 50, OPS_OF_EACH = 3 };

static void *come_and_go(void *context)
{
    for (uint32_t i = 1; i <= OWNERS; i++) {
        while (gate_committed() < OPS_OF_EACH * i)
            sched_yield();
        owner_close();
        owner_open_again();
    }
    return context;
}

static void while_owners_come_and_go_each_op_is_done_once_or_not_at_all(void **state)
{
    (void)state;
    pthread_t thread;
    uint32_t written = 0, deaf = 0;
    assert_int_equal(pthread_create(&thread, NULL, come_and_go, NULL), 0);
    while (written < OPS_OF_EACH * OWNERS) {
        struct op op;
        enum owner_end end = ask_to_write(&op, PATIENCE_MS);
        if (end == OWNER_ANSWERED && op.outcome == OUTCOME_OK)
            written++;
        else if (end == OWNER_DEAF)
            deaf++;
        else
            FAIL("ends with %d, outcome %d: %s", (int)end, (int)op.outcome, says);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(gate_committed(), written);
    print_message("# %u done, %u times nobody listened\n", written, deaf);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, owner_setup, owner_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_owner_answers_whatever_kind_of_op),
        TEST(a_path_longer_than_an_address_will_do),
        TEST(with_nobody_there_it_says_so),
        TEST(who_may_not_ask_is_told),
        TEST(an_op_that_was_never_put_has_not_happened),
        TEST(an_op_that_was_put_and_not_answered_is_not_known),
        TEST(while_owners_come_and_go_each_op_is_done_once_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
