# SPDX-License-Identifier: MIT
"""A body is one well-formed JSON text (RFC 8259), or the answer is 400."""

import pytest

from bank import is_problem, request, transaction

GOOD = transaction()


def body(valor=b"1", tipo=b'"c"', descricao=b'"x"', more=b""):
    return b'{"valor":%b,"tipo":%b,"descricao":%b%b}' % (valor, tipo, descricao, more)


def is_refused(bank, data):
    return is_problem(bank.post_body(data), 400, "json-invalido")


def cases(*values):
    """Readable names for bodies of bytes."""
    return pytest.mark.parametrize("data", values, ids=[ascii(value)[2:42] for value in values])


def test_a_missing_body_is_400(bank):
    assert is_refused(bank, b"")
    assert is_problem(bank.ask(request("POST", "/clientes/1/transacoes")), 400, "json-invalido")
    empty_chunks = request("POST", "/clientes/1/transacoes", None, ["Transfer-Encoding: chunked"])
    assert is_problem(bank.ask(empty_chunks + b"0\r\n\r\n"), 400, "json-invalido")


@cases(
    b" ", b"\r\n\t ", b"{", b"}", b"[", b"{]", b"[}", b'"', b"tru", b"TRUE", b"nul", b"abc", b"'c'",
    b"{valor:1}", b"{'valor':1}", b'{"valor"}', b'{"valor":}', b'{"valor" 1}', b'{"valor":1,}',
    b'{,"valor":1}', b'{"valor":1;"tipo":"c"}', b'{"valor"::1}', b"{1:1}", b"{null:1}", b"[1,]",
    b"[,1]", b"valor=1&tipo=c&descricao=x", b"<valor>1</valor>", b"/* */" + GOOD, b"// x\n" + GOOD,
    b"\x00", b"\x0c" + GOOD, b"\x0b" + GOOD, b"\xc2\xa0" + GOOD, GOOD[:-1], GOOD[1:],
    GOOD[:-1] + b",}", GOOD.replace(b",", b",,"), b"{" * 4096, b"[" * 4096, b"[[" + b"]" * 4094)
def test_a_body_that_is_not_json_is_400(bank, data):
    assert is_refused(bank, data)


@cases(b"01", b"+1", b"1.", b".5", b"1e", b"1e+", b"0x1", b"1_000", b"1,0", b"NaN", b"Infinity",
       b"-", b"-Infinity", b"--1", b"1 2", b"1a", b"1.e1", b"00", b"-01", b"1e1.5", b"1e400.",
       b"1ee400", b"\xd9\xa1", b"1\x00", b"\x001", b"true\x00", b"\x00true", b"1\x00,\"y\":2")
def test_a_number_in_another_notation_is_400(bank, data):
    assert is_refused(bank, body(valor=data))
    assert is_refused(bank, body(more=b',"x":' + data))


@cases(b"\t", b"\n", b"\r", b"\x00", b"\x1f", b"\x01", b"\\ ", b"\\x41", b"\\'", b"\\u12",
       b"\\u12g4", b"\\U0041", b"\\u", b"\\u+041", b'"', b"\\0")
def test_a_malformed_string_is_400(bank, data):
    assert is_refused(bank, body(descricao=b'"a%bb"' % data))
    assert is_refused(bank, body(more=b',"a%bb":1' % data))


@cases(b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc3", b"\xc3(", b"\xe0\x80\x80",
       b"\xe0\x9f\xbf", b"\xe2\x82", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80",
       b"\xf0\x8f\xbf\xbf", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
       b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff",
       "ação".encode("latin-1"), "é".encode("utf-16-le"))
def test_a_body_that_is_not_valid_utf_8_is_400(bank, data):
    assert is_refused(bank, body(descricao=b'"%b"' % data))
    assert is_refused(bank, body(more=b',"%b":1' % data))
    assert is_refused(bank, body(more=b',"x":["%b"]' % data))
    assert is_refused(bank, GOOD + data)


@cases(b"\\ud800", b"\\udbff", b"\\udc00", b"\\uDFFF", b"\\ud800\\u0041", b"\\ud800x",
       b"\\ud800\\ud800", b"\\udc00\\ud800", b"\\ud83d\\ude00\\ude00", b"\\ud83d\\n", b"\\ud83d\\")
def test_a_lone_surrogate_is_400(bank, data):
    assert is_refused(bank, body(descricao=b'"%b"' % data))
    assert is_refused(bank, body(more=b',"%b":1' % data))
    assert is_refused(bank, body(more=b',"x":"%b"' % data))


@cases(b'"valor":1', b'"tipo":"c"', b'"descricao":"x"', b'"\\u0076alor":1', b'"val\\u006fr":2',
       b'"a":1,"a":1', b'"a":1,"\\u0061":2', b'"":1,"":1', b'"x":{"a":1,"a":2}',
       b'"x":[{"a":[{"b":1,"b":1}]}]', b'"/":1,"\\/":1',
       b'"\xf0\x9f\x98\x80":1,"\\ud83d\\ude00":1')
def test_a_duplicate_name_is_400(bank, data):
    assert is_refused(bank, body(more=b"," + data))
    assert is_refused(bank, b"{" + data + b"," + body()[1:])


@cases(b'"\\u0000":1', b'"valor\\u0000":1', b'"a\\u0000b":1', b'"x":{"\\u0000":1}',
       b'"x":[{"a\\u0000":1}]')
def test_a_u_0000_in_a_name_is_400(bank, data):
    assert is_refused(bank, body(more=b"," + data))


@cases(b"\xef\xbb\xbf" + GOOD, b"\xef\xbb\xbf", GOOD + b"\xef\xbb\xbf", b" \xef\xbb\xbf" + GOOD,
       GOOD.decode().encode("utf-16"), GOOD.decode().encode("utf-32"))
def test_a_byte_order_mark_is_400(bank, data):
    assert is_refused(bank, data)


@cases(b"x", b"{}", b"1", b",", b"}", b"\x00", b" null", GOOD, b"\n" + GOOD, b'""', b"\x1a", b"//")
def test_anything_after_the_json_text_is_400(bank, data):
    assert is_refused(bank, GOOD + data)
    assert is_refused(bank, b"7" + b" " + data)


@cases(b" ", b"\r\n", b"\t", b" \n \r \t ")
def test_white_space_around_json_is_well_formed(bank, data):
    spaced = data.join([b"", b"{", b'"valor"', b":", b"1", b",", b'"tipo"', b":", b'"c"', b",",
                        b'"descricao"', b":", b'"x"', b"}", b""])
    assert bank.post_body(spaced).status == 200


@cases(b"{}", b"[]", b"7", b"-7.5", b'""', b'"valor"', b"true", b"false", b"null", b"[{}]",
       b"[" + GOOD + b"]", b'{"Valor":1,"Tipo":"c","Descricao":"x"}',
       b'{"transacao":' + GOOD + b"}",
       b"1e400", b"[1e400]", b"[" * 500 + b"]" * 500)
def test_json_that_is_not_an_object_with_the_fields_is_422(bank, data):
    assert is_problem(bank.post_body(data), 422, "campo-invalido")


@cases(b'"x":null', b'"x":[]', b'"x":{"valor":0,"tipo":"x"}', b'"Valor":0', b'"valor ":0',
       b'" valor":0', b'"":0', b'"x":"\\u0000"', b'"x":"\\ud83d\\ude00"', b'"x":-0.0e-0',
       b'"x":1e400', b'"x":-1e400',
       b'"x":1e-400', b'"x":123456789012345678901234567890', b'"x":true,"y":false',
       b'"x":' + b"[" * 2000 + b"]" * 2000, b'"x":' + b'{"a":' * 300 + b"1" + b"}" * 300,
       b'"x":"' + b"y" * 3000 + b'"', b'"\xc3\xa7":1', b'"valo":0', b'"valorr":0',
       b'"x":{"a":1},"y":{"a":1}', b'"x":[{"a":1},{"a":1}]', b'"\xef\xbb\xbfvalor":0',
       b",".join(b'"n%d":%d' % (n, n) for n in range(300)))
def test_other_members_are_ignored(bank, data):
    before = bank.balance(1)
    assert bank.post_body(body(more=b"," + data)).json()["saldo"] == before + 1
    assert bank.post_body(b"{" + data + b"," + body()[1:]).json()["saldo"] == before + 2


def test_escaped_names_are_the_same_names(bank):
    escaped = b'{"\\u0076alor":1,"t\\u0069po":"\\u0063","descri\\u0063ao":"x"}'
    assert bank.post_body(escaped).status == 200
