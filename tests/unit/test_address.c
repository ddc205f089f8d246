/* SPDX-License-Identifier: MIT
 *
 * test_address.c - addresses from text and back.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "http/address.h"

#define PATH_10  "/123456789"
#define PATH_100 PATH_10 PATH_10 PATH_10 PATH_10 PATH_10 PATH_10 PATH_10 PATH_10 PATH_10 PATH_10

static void what_is_written_canonically_comes_back_as_it_was(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int family;
    } cases[] = {
        {"127.0.0.1:9999", AF_INET},
        {"0.0.0.0:0", AF_INET},
        {"255.255.255.255:1", AF_INET},
        {"10.1.2.3:65535", AF_INET},
        {"[::1]:9999", AF_INET6},
        {"[::]:80", AF_INET6},
        {"[fe80::1:2]:65535", AF_INET6},
        {"[2001:db8::7]:1", AF_INET6},
        {"unix:/run/bank.sock", AF_UNIX},
        {"unix:bank.sock", AF_UNIX},
        {"unix:./a:b", AF_UNIX},
        {"unix:unix:x", AF_UNIX},
        {"unix:" PATH_100 "/123456", AF_UNIX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address address;
        char error[200] = "", text[ADDRESS_TEXT_BYTES_MAX];
        if (!address_parse(&address, cases[i].text, error, sizeof error))
            FAIL("%s", error);
        assert_int_equal(address.storage.ss_family, cases[i].family);
        assert_int_equal(address_is_unix(&address), cases[i].family == AF_UNIX);
        address_format(&address, text);
        assert_string_equal(text, cases[i].text);
        assert_string_equal(error, "");
    }
}

static void other_spellings_come_back_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"localhost:9999", "127.0.0.1:9999"},
        {"127.0.0.1:0080", "127.0.0.1:80"},
        {"[0:0:0:0:0:0:0:1]:1", "[::1]:1"},
        {"[2001:DB8::7]:1", "[2001:db8::7]:1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address address;
        char error[200], text[ADDRESS_TEXT_BYTES_MAX];
        if (!address_parse(&address, cases[i].text, error, sizeof error))
            FAIL("%s", error);
        address_format(&address, text);
        assert_string_equal(text, cases[i].canonical);
    }
}

static void the_parts_are_in_their_places(void **state)
{
    (void)state;
    struct address address;
    char error[200];
    assert_true(address_parse(&address, "1.2.3.4:4660", error, sizeof error));
    struct sockaddr_in ipv4;
    memcpy(&ipv4, &address.storage, sizeof ipv4);
    assert_int_equal(address.bytes, sizeof ipv4);
    assert_int_equal(ipv4.sin_port, htons(4660));
    assert_int_equal(ipv4.sin_addr.s_addr, htonl(0x01020304));

    assert_true(address_parse(&address, "[::1]:4660", error, sizeof error));
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, &address.storage, sizeof ipv6);
    assert_int_equal(address.bytes, sizeof ipv6);
    assert_int_equal(ipv6.sin6_port, htons(4660));
    assert_memory_equal(&ipv6.sin6_addr, &in6addr_loopback, 16);

    assert_true(address_parse(&address, "unix:/a", error, sizeof error));
    assert_int_equal(address.bytes, sizeof(struct sockaddr_un));
    assert_string_equal(address_path(&address), "/a");
}

static void what_is_no_address_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ":",
        ":9999",
        "9999",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1: 1",
        "127.0.0.1:1 ",
        "127.0.0.1:1x",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999",
        "127.0.0.1:0x50",
        "127.0.0:1",
        "127.0.0.256:1",
        "127.0.0.1.1:1",
        "example.com:80",
        "localhos:80",
        "localhost",
        "LOCALHOST:1x",
        " 127.0.0.1:1",
        "::1:9999",
        "[::1]",
        "[::1]9999",
        "[::1:9999",
        "::1]:9999",
        "[]:9999",
        "[:9999",
        "[::1]]:9999",
        "[127.0.0.1]:9999",
        "[:::1]:9999",
        "[::1%lo]:9999",
        "unix:",
        "unix",
        "UNIX:/a",
        "unix:" PATH_100 "/1234567",
        "unix:" PATH_100 PATH_100,
        PATH_100 ":80",
        "http://127.0.0.1:9999",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct address address, before;
        char error[300] = "";
        memset(&address, 0x5a, sizeof address);
        before = address;
        if (address_parse(&address, texts[i], error, sizeof error))
            FAIL("\"%s\" was taken for an address", texts[i]);
        assert_memory_equal(&address, &before, sizeof address);
        assert_non_null(strstr(error, texts[i]));
        assert_non_null(strstr(error, "is no address"));
    }
}

static void a_small_room_for_the_sentence_is_kept_to(void **state)
{
    (void)state;
    struct address address;
    char error[8] = "1234567";
    assert_false(address_parse(&address, "nowhere", error, 4));
    assert_int_equal(strlen(error), 3);
    assert_memory_equal(error + 4, "567", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_canonically_comes_back_as_it_was),
        cmocka_unit_test(other_spellings_come_back_canonical),
        cmocka_unit_test(the_parts_are_in_their_places),
        cmocka_unit_test(what_is_no_address_is_refused_with_a_sentence),
        cmocka_unit_test(a_small_room_for_the_sentence_is_kept_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
