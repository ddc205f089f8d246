/* SPDX-License-Identifier: MIT
 *
 * no_ldap.c - the image's libldap: there is no LDAP.
 *
 * Debian's libpq can look up connection parameters in LDAP, where a pg_service.conf says so. For that it is
 * linked with libraries of 0.6 MB. Nothing else is: this one stands in for them. ldap_init() is the first that
 * libpq calls, and when it returns NULL, as it does where memory is short, the lookup has failed and libpq says so.
 * The others are here to be linked with.
 */
#include <stddef.h>

#define ABSENT(name)  \
    void *name(void); \
    void *name(void)  \
    {                 \
        return NULL;  \
    }

ABSENT(ldap_init)
ABSENT(ldap_count_entries)
ABSENT(ldap_err2string)
ABSENT(ldap_first_entry)
ABSENT(ldap_get_values_len)
ABSENT(ldap_msgfree)
ABSENT(ldap_result)
ABSENT(ldap_search_st)
ABSENT(ldap_set_option)
ABSENT(ldap_simple_bind)
ABSENT(ldap_unbind)
ABSENT(ldap_value_free_len)
