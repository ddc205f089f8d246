/* SPDX-License-Identifier: MIT
 *
 * entry_json.c - see entry_json.h.
 */
#include "http/entry_json.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "http/entry_plain.h"

#define DETAIL_OBJECT      "the body must be an object with valor, tipo and descricao"
#define DETAIL_VALOR       "valor must be a whole number from 1 to 9007199254740991"
#define DETAIL_TIPO        "tipo must be \"c\" or \"d\""
#define DETAIL_DESCRICAO   "descricao must be a string of 1 to 10 characters, none of them U+0000"
#define DETAIL_NOT_JSON    "the body must be one well-formed JSON text (RFC 8259)"
#define DETAIL_NO_BODY     "a body is required: one well-formed JSON text (RFC 8259)"
#define DETAIL_TOO_COMPLEX "the body could not be read for want of memory; nothing happened"

/* --- the arena: jansson allocates for each value, we free all of them at once --------------- */

/* jansson's allocator is told of no context: this is the arena of the thread's present call. */
static _Thread_local struct {
    struct json_arena *arena;
    size_t used;
} taking;

static void *arena_take(size_t bytes)
{
    size_t rounded = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (rounded > sizeof taking.arena->bytes - taking.used)
        return NULL;
    void *taken = taking.arena->bytes + taking.used;
    taking.used += rounded;
    return taken;
}

static void arena_leave(void *taken)
{
    (void)taken;
}

void entry_json_init(void)
{
    json_set_alloc_funcs(arena_take, arena_leave);
    json_object_seed(0); /* hash keys from the system's randomness, now rather than later */
}

/* --- text to value -------------------------------------------------------------------------- */

static bool number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E';
}

static const char *skip_digits(const char *text)
{
    while (*text >= '0' && *text <= '9')
        text++;
    return text;
}

/* RFC 8259 section 6: number = [ minus ] int [ frac ] [ exp ] */
static bool is_json_number(const char *text)
{
    const char *digits;
    if (*text == '-')
        text++;
    digits = text;
    text = *text == '0' ? text + 1 : skip_digits(text);
    if (text == digits)
        return false;
    if (*text == '.') {
        digits = ++text;
        text = skip_digits(text);
        if (text == digits)
            return false;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '+' || *text == '-')
            text++;
        digits = text;
        text = skip_digits(text);
        if (text == digits)
            return false;
    }
    return *text == '\0';
}

/* jansson stops at a number that no double holds (1e400), though the text may be well-formed and
 * the number nobody's business. Put a 0 in the place of each, which no field accepts either. What
 * is not a number is left for jansson to refuse. */
static void blank_overflowing_numbers(char *body, size_t bytes)
{
    char number[BODY_BYTES_MAX + 1];
    bool in_string = false;

    for (size_t i = 0; i < bytes; i++) {
        if (body[i] == '\\' && in_string) {
            i++;
        } else if (body[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && number_char(body[i])) {
            size_t size = 0;
            for (; i + size < bytes && number_char(body[i + size]); size++)
                number[size] = body[i + size];
            number[size] = '\0';
            if (is_json_number(number) && isinf(strtod(number, NULL))) {
                memset(body + i, ' ', size);
                body[i] = '0';
            }
            i += size - 1;
        }
    }
}

static json_t *load(struct json_arena *arena, char *body, size_t bytes, json_error_t *error)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL |
                         JSON_DECODE_INT_AS_REAL;
    taking.arena = arena;
    taking.used = 0;
    json_t *root = json_loadb(body, bytes, flags, error);
    if (!root && json_error_code(error) == json_error_numeric_overflow) {
        blank_overflowing_numbers(body, bytes);
        taking.used = 0;
        root = json_loadb(body, bytes, flags, error);
    }
    return root;
}

/* --- value to entry ------------------------------------------------------------------------- */

static bool read_amount(const json_t *value, int64_t *ret)
{
    if (!json_is_real(value))
        return false;
    double amount = json_real_value(value);
    if (!(amount >= 1 && amount <= (double)CENTS_MAX) || amount != floor(amount))
        return false;
    *ret = (int64_t)amount;
    return true;
}

static bool read_kind(const json_t *value, enum entry_kind *ret)
{
    if (!json_is_string(value) || json_string_length(value) != 1)
        return false;
    char kind = json_string_value(value)[0];
    if (kind != ENTRY_CREDIT && kind != ENTRY_DEBIT)
        return false;
    *ret = (enum entry_kind)kind;
    return true;
}

static size_t code_points(const char *utf8, size_t bytes)
{
    size_t points = 0;
    for (size_t i = 0; i < bytes; i++)
        points += ((unsigned char)utf8[i] & 0xc0) != 0x80; /* all but continuation bytes */
    return points;
}

static bool read_description(const json_t *value, struct entry *ret)
{
    if (!json_is_string(value))
        return false;
    const char *text = json_string_value(value);
    size_t bytes = json_string_length(value);
    if (bytes == 0 || bytes > DESCRIPTION_BYTES_MAX || memchr(text, '\0', bytes) ||
        code_points(text, bytes) > DESCRIPTION_POINTS_MAX)
        return false;
    ret->description_bytes = (uint8_t)bytes;
    memcpy(ret->description, text, bytes);
    return true;
}

static enum problem refuse(enum problem problem, const char *detail, const char **ret_detail)
{
    *ret_detail = detail;
    return problem;
}

enum problem entry_json_parse(struct json_arena *arena, char *body, size_t bytes, struct entry *ret,
                              const char **ret_detail)
{
    json_error_t error;
    if (entry_plain_read(body, bytes, ret))
        return PROBLEM_NONE;
    if (bytes == 0)
        return refuse(PROBLEM_JSON, DETAIL_NO_BODY, ret_detail);
    if (memchr(body, '\0', bytes)) /* jansson overlooks one after a number or a literal */
        return refuse(PROBLEM_JSON, DETAIL_NOT_JSON, ret_detail);
    json_t *root = load(arena, body, bytes, &error);
    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return refuse(PROBLEM_BUSY, DETAIL_TOO_COMPLEX, ret_detail);
    if (!root)
        return refuse(PROBLEM_JSON, DETAIL_NOT_JSON, ret_detail);
    if (!json_is_object(root))
        return refuse(PROBLEM_FIELD, DETAIL_OBJECT, ret_detail);
    if (!read_amount(json_object_get(root, "valor"), &ret->amount_cents))
        return refuse(PROBLEM_FIELD, DETAIL_VALOR, ret_detail);
    if (!read_kind(json_object_get(root, "tipo"), &ret->kind))
        return refuse(PROBLEM_FIELD, DETAIL_TIPO, ret_detail);
    if (!read_description(json_object_get(root, "descricao"), ret))
        return refuse(PROBLEM_FIELD, DETAIL_DESCRICAO, ret_detail);
    return PROBLEM_NONE;
}
