/* SPDX-License-Identifier: MIT
 *
 * talk.c - see talk.h.
 */
#include "talk.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "http/entry_json.h"
#include "unit.h"

struct service service;

int talk_setup(void **state)
{
    (void)state;
    fake_reset();
    entry_json_init();
    memset(&service, 0, sizeof service);
    service.now_ms = 1000000;
    return op_pool_init(&service.pool, TALK_OPS) ? 0 : -1;
}

int talk_teardown(void **state)
{
    (void)state;
    op_pool_free(&service.pool);
    return 0;
}

void talk_open(struct talk *talk)
{
    memset(talk, 0, offsetof(struct talk, said));
    memset(&talk->connection, 0x5a, sizeof talk->connection); /* what is not reset would show */
    connection_open(&talk->connection, &service);
}

/* Another connection may now use the scratch of the service; whoever still reads it will see. */
static void spoil_scratch(void)
{
    memset(service.input, '!', sizeof service.input);
    memset(service.output, '!', sizeof service.output);
}

/* True if bytes were sent. */
static bool send_some(struct talk *talk)
{
    const char *bytes = NULL;
    size_t count = connection_output(&talk->connection, &bytes), whole = count;
    if (count == 0)
        return false;
    if (talk->gulp > 0 && count > talk->gulp)
        count = talk->gulp;
    if (talk->stuck)
        count = 0;
    assert_true(talk->said_bytes + count < SAID_BYTES_MAX);
    memcpy(talk->said + talk->said_bytes, bytes, count);
    talk->said_bytes += count;
    connection_sent(&talk->connection, count);
    if (count < whole)
        spoil_scratch();
    return count > 0;
}

void talk_answer_next(void)
{
    struct op *op = fake_answer_next();
    struct connection *connection = op->context;
    if (connection)
        connection_answered(connection);
    else
        op_pool_give_back(&service.pool, op);
}

void talk_go_on(struct talk *talk)
{
    for (bool busy = true; busy;) {
        busy = send_some(talk);
        if (!busy && !talk->unanswered && fake.waiting_count > 0) {
            talk_answer_next();
            busy = true;
        }
        assert_true(connection_sane(&talk->connection));
    }
    spoil_scratch();
}

size_t talk_hear(struct talk *talk, const char *bytes, size_t count)
{
    size_t taken = 0;
    while (taken < count) {
        size_t room = 0, piece = count - taken;
        char *space = connection_room(&talk->connection, &room);
        if (room == 0 || talk->connection.state == CONNECTION_CLOSED)
            break;
        if (piece > room)
            piece = room;
        memcpy(space, bytes + taken, piece);
        connection_received(&talk->connection, piece);
        taken += piece;
        talk_go_on(talk);
    }
    return taken;
}

size_t talk_hear_text(struct talk *talk, const char *text)
{
    return talk_hear(talk, text, strlen(text));
}

void talk_pass_ms(struct talk *talk, uint64_t ms)
{
    service.now_ms += ms;
    if (service.now_ms >= talk->connection.deadline_ms)
        connection_expired(&talk->connection);
    talk_go_on(talk);
}

void talk_forget(struct talk *talk)
{
    talk->said_bytes = 0;
}

const char *talk_said(const struct talk *talk)
{
    static const char field[] = "\r\nDate: ";
    static char text[SAID_BYTES_MAX];
    char *to = text;
    for (size_t i = 0; i < talk->said_bytes;) {
        size_t rest = talk->said_bytes - i;
        if (rest >= sizeof field - 1 + REPLY_DATE_BYTES &&
            memcmp(talk->said + i, field, sizeof field - 1) == 0) {
            memcpy(to, "\r\nDate: DATE", 12);
            to += 12;
            i += sizeof field - 1 + REPLY_DATE_BYTES;
        } else {
            *to++ = talk->said[i++];
        }
    }
    *to = '\0';
    return text;
}

const char *talk_statuses(const struct talk *talk)
{
    static const char start[] = "HTTP/1.1 ";
    static char statuses[4096];
    char *to = statuses;
    for (const char *at = talk_said(talk); (at = strstr(at, start)); at++) {
        const char *status = at + sizeof start - 1;
        if (!isdigit((unsigned char)status[0]))
            continue; /* a sentence that names it */
        assert_true(to + 5 < statuses + sizeof statuses);
        if (to > statuses)
            *to++ = ' ';
        memcpy(to, status, 3);
        to += 3;
    }
    *to = '\0';
    return statuses;
}
