/* SPDX-License-Identifier: MIT
 *
 * key_header.c - see key_header.h.
 */
#include "http/key_header.h"

#include <stdbool.h>

uint8_t key_header_parse(const char *value, size_t bytes, char ret_key[KEY_BYTES_MAX])
{
    bool quoted = bytes >= 2 && value[0] == '"' && value[bytes - 1] == '"';
    uint8_t key_bytes = 0;

    if (quoted) {
        value++;
        bytes -= 2;
    } else if (bytes > 0 && value[0] == '"') {
        return 0; /* an opening quote alone */
    }
    for (size_t i = 0; i < bytes; i++) {
        if (quoted && value[i] == '"')
            return 0; /* the string ended before the field did */
        if (quoted && value[i] == '\\') {
            i++;
            if (i == bytes || (value[i] != '"' && value[i] != '\\'))
                return 0;
        }
        if (value[i] < 0x21 || value[i] > 0x7e || key_bytes == KEY_BYTES_MAX)
            return 0;
        ret_key[key_bytes++] = value[i];
    }
    return key_bytes;
}
