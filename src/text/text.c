/* SPDX-License-Identifier: MIT
 *
 * text.c - see text.h.
 */
#include "text/text.h"

#include <assert.h>
#include <string.h>
#include <time.h>

struct text text_in(char *start, size_t size)
{
    return (struct text){start, start, start + size};
}

size_t text_bytes(const struct text *text)
{
    return (size_t)(text->at - text->start);
}

void text_add_bytes(struct text *text, const char *bytes, size_t size)
{
    assert(size <= (size_t)(text->end - text->at));
    memcpy(text->at, bytes, size);
    text->at += size;
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_add_number(struct text *text, int64_t number)
{
    char digits[20], *first = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--first = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0)
        text_add_bytes(text, "-", 1);
    text_add_bytes(text, first, (size_t)(digits + sizeof digits - first));
}

static void add_digits(struct text *text, int64_t number, int width)
{
    char digits[8];
    for (int i = width - 1; i >= 0; i--, number /= 10)
        digits[i] = (char)('0' + number % 10);
    text_add_bytes(text, digits, (size_t)width);
}

void text_add_time(struct text *text, int64_t time_us)
{
    int64_t fraction_us = time_us % 1000000;
    if (fraction_us < 0)
        fraction_us += 1000000; /* before 1970 the second that has begun is the lower one */
    time_t seconds = (time_t)((time_us - fraction_us) / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    const struct {
        int64_t number;
        int width;
        const char *after;
    } parts[] = {
        {utc.tm_year + 1900, 4, "-"}, {utc.tm_mon + 1, 2, "-"}, {utc.tm_mday, 2, "T"},
        {utc.tm_hour, 2, ":"},        {utc.tm_min, 2, ":"},     {utc.tm_sec, 2, "."},
        {fraction_us, 6, "Z"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        add_digits(text, parts[i].number, parts[i].width);
        text_add_bytes(text, parts[i].after, 1);
    }
}

void text_add_json(struct text *text, const char *bytes, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    text_add(text, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\') {
            text_add_bytes(text, "\\", 1);
            text_add_bytes(text, bytes + i, 1);
        } else if (c < 0x20) {
            char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            text_add_bytes(text, escape, sizeof escape);
        } else {
            text_add_bytes(text, bytes + i, 1);
        }
    }
    text_add(text, "\"");
}
