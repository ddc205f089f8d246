/* SPDX-License-Identifier: MIT
 *
 * entry_plain.c - see entry_plain.h.
 */
#include "http/entry_plain.h"

#include <string.h>

enum { AMOUNT_DIGITS_MAX = 16 }; /* as many as CENTS_MAX has */

struct scan {
    const char *at, *end;
};

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool take(struct scan *scan, char c)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* A string of printable ASCII without escapes. */
static bool take_string(struct scan *scan, const char **ret, size_t *ret_bytes)
{
    if (!take(scan, '"'))
        return false;
    const char *start = scan->at;
    for (; scan->at < scan->end && *scan->at != '"'; scan->at++)
        if (*scan->at < 0x20 || *scan->at > 0x7e || *scan->at == '\\')
            return false;
    if (scan->at == scan->end)
        return false;
    *ret = start;
    *ret_bytes = (size_t)(scan->at++ - start);
    return true;
}

/* Digits alone: no sign, fraction, exponent or leading zero, and so not 0 either. */
static bool take_amount(struct scan *scan, int64_t *ret)
{
    int64_t amount = 0;
    skip_space(scan);
    const char *start = scan->at;
    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
        if (scan->at - start == AMOUNT_DIGITS_MAX)
            return false;
        amount = amount * 10 + (*scan->at - '0');
    }
    *ret = amount;
    return scan->at > start && *start != '0' && amount <= CENTS_MAX;
}

static bool is(const char *name, size_t bytes, const char *expected, size_t expected_bytes)
{
    return bytes == expected_bytes && memcmp(name, expected, expected_bytes) == 0;
}

#define IS(name, bytes, literal) is(name, bytes, literal, sizeof(literal) - 1)

enum member { VALOR = 1, TIPO = 2, DESCRICAO = 4, ALL = VALOR | TIPO | DESCRICAO };

/* The member's bit, 0 if it is not plain. */
static unsigned take_member(struct scan *scan, struct entry *ret)
{
    const char *name, *text;
    size_t bytes;
    if (!take_string(scan, &name, &bytes) || !take(scan, ':'))
        return 0;
    if (IS(name, bytes, "valor"))
        return take_amount(scan, &ret->amount_cents) ? VALOR : 0;
    bool tipo = IS(name, bytes, "tipo"), descricao = IS(name, bytes, "descricao");
    if (!(tipo || descricao) || !take_string(scan, &text, &bytes))
        return 0;
    if (tipo) {
        if (bytes != 1 || (text[0] != ENTRY_CREDIT && text[0] != ENTRY_DEBIT))
            return 0;
        ret->kind = (enum entry_kind)text[0];
        return TIPO;
    }
    if (bytes == 0 || bytes > DESCRIPTION_POINTS_MAX)
        return 0;
    ret->description_bytes = (uint8_t)bytes;
    memcpy(ret->description, text, bytes);
    return DESCRICAO;
}

bool entry_plain_read(const char *body, size_t bytes, struct entry *ret)
{
    struct scan scan = {body, body + bytes};
    unsigned seen = 0;
    if (!take(&scan, '{'))
        return false;
    do {
        unsigned member = take_member(&scan, ret);
        if (member == 0 || (seen & member))
            return false;
        seen |= member;
    } while (take(&scan, ','));
    if (seen != ALL || !take(&scan, '}'))
        return false;
    skip_space(&scan);
    return scan.at == scan.end;
}
