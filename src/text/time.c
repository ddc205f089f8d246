/* SPDX-License-Identifier: MIT
 *
 * time.c - see time.h.
 */
#include "text/time.h"

enum { DAY_S = 86400, SECOND_US = 1000000 };

/* [at, end) is still to be read. */
struct reader {
    const char *at, *end;
};

static bool read_char(struct reader *reader, const char *accepted)
{
    if (reader->at == reader->end)
        return false;
    for (; *accepted; accepted++)
        if (*reader->at == *accepted) {
            reader->at++;
            return true;
        }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_number(struct reader *reader, int digits, int64_t min, int64_t max, int64_t *ret)
{
    int64_t number = 0;
    for (int i = 0; i < digits; i++) {
        if (reader->at == reader->end || !is_digit(*reader->at))
            return false;
        number = 10 * number + (*reader->at++ - '0');
    }
    *ret = number;
    return number >= min && number <= max;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01, in the calendar of today ever since. Years begin in March here, so that
 * the leap day is a year's last, and are moved by 400 so that none is below 0. */
static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
    int64_t years = year + 400 - (month <= 2), months = (month + 9) % 12;
    int64_t leap_days = years / 4 - years / 100 + years / 400;
    return 365 * years + leap_days + (153 * months + 2) / 5 + day - 1 - 865565;
}

struct clock_time {
    int64_t days, seconds, fraction_us; /* `seconds` of the day */
    bool leap_second;
};

static bool read_date(struct reader *reader, struct clock_time *ret)
{
    int64_t year, month, day;
    if (!read_number(reader, 4, 0, 9999, &year) || !read_char(reader, "-") ||
        !read_number(reader, 2, 1, 12, &month) || !read_char(reader, "-") ||
        !read_number(reader, 2, 1, days_in_month(year, month), &day))
        return false;
    ret->days = days_since_1970(year, month, day);
    return true;
}

static bool read_time(struct reader *reader, struct clock_time *ret)
{
    int64_t hour, minute, second, unit_us = SECOND_US;
    if (!read_number(reader, 2, 0, 23, &hour) || !read_char(reader, ":") ||
        !read_number(reader, 2, 0, 59, &minute) || !read_char(reader, ":") ||
        !read_number(reader, 2, 0, 60, &second))
        return false;
    ret->seconds = 3600 * hour + 60 * minute + second;
    ret->leap_second = second == 60;
    ret->fraction_us = 0;
    if (!read_char(reader, "."))
        return true;
    if (reader->at == reader->end || !is_digit(*reader->at))
        return false;
    for (; reader->at < reader->end && is_digit(*reader->at); reader->at++)
        ret->fraction_us += (*reader->at - '0') * (unit_us /= 10);
    return true;
}

static bool read_offset(struct reader *reader, int64_t *ret_s)
{
    int64_t hour, minute, sign = 1;
    *ret_s = 0;
    if (read_char(reader, "Zz"))
        return true;
    if (read_char(reader, "-"))
        sign = -1;
    else if (!read_char(reader, "+"))
        return false;
    if (!read_number(reader, 2, 0, 23, &hour) || !read_char(reader, ":") ||
        !read_number(reader, 2, 0, 59, &minute))
        return false;
    *ret_s = sign * (3600 * hour + 60 * minute);
    return true;
}

bool time_parse(const char *text, size_t bytes, int64_t *ret_us)
{
    struct reader reader = {text, text + bytes};
    struct clock_time read;
    int64_t offset_s;
    if (!read_date(&reader, &read) || !read_char(&reader, "Tt") || !read_time(&reader, &read) ||
        !read_offset(&reader, &offset_s) || reader.at != reader.end)
        return false;
    int64_t since_1970_s = read.days * DAY_S + read.seconds - offset_s;
    if (since_1970_s < days_since_1970(0, 1, 1) * DAY_S ||
        since_1970_s >= days_since_1970(10000, 1, 1) * DAY_S ||
        (read.leap_second && since_1970_s % DAY_S != 0))
        return false;
    *ret_us = since_1970_s * SECOND_US + read.fraction_us;
    return true;
}
