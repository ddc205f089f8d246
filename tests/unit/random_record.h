/* SPDX-License-Identifier: MIT
 *
 * random_record.h - journal records with anything in them that text can say.
 */
#ifndef CREBITO_TESTS_UNIT_RANDOM_RECORD_H
#define CREBITO_TESTS_UNIT_RANDOM_RECORD_H

#include "store/archive.h"

/* After random_begin(). Its previous_sequence is 0; which records came before it it does not know. */
struct archive_record random_record(uint64_t sequence, int64_t time_us);

/* 1 to `points_max` code points, with many that a format must escape. Returns the size. */
uint8_t random_description(char to[DESCRIPTION_BYTES_MAX], uint64_t points_max);

bool same_record(const struct archive_record *a, const struct archive_record *b);

#endif
