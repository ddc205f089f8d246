# SPDX-License-Identifier: MIT
"""What `valor`, `tipo` and `descricao` may be."""

import pytest

from bank import BALANCE_MAX, is_problem, transaction


@pytest.fixture
def bank_at_zero(bank):
    """Its client 5 has a balance of 0, so that the greatest credit fits."""
    balance = bank.balance(5)
    if balance != 0:
        assert bank.post(5, abs(balance), "d" if balance > 0 else "c").json()["saldo"] == 0
    return bank


def with_valor(literal):
    return b'{"valor":' + literal.encode() + b',"tipo":"c","descricao":"x"}'


def booked(bank, literal, client=5):
    """Credits what the literal says; returns what was booked, and takes it back."""
    response = bank.post_body(with_valor(literal), client)
    assert response.status == 200, response
    valor = bank.extrato(client)["ultimas_transacoes"][0]["valor"]
    assert bank.post(client, valor, "d").status == 200
    return valor


def is_refused(bank, body, field):
    return is_problem(bank.post_body(body), 422, "campo-invalido", field)


@pytest.mark.parametrize("literal, valor", [
    ("1", 1), ("1000", 1000), ("1000.0", 1000), ("1e3", 1000), ("1E3", 1000), ("1E+3", 1000),
    ("1e0", 1), ("0.1e1", 1), ("10e-1", 1), ("1000000000000000000000e-18", 1000), ("1.5e1", 15),
    ("1.000e00000003", 1000), ("0.00001e5", 1), ("2147483647", 2**31 - 1), ("2147483648", 2**31),
    ("4294967296", 2**32), ("4503599627370496", 2**52), ("9007199254740990", BALANCE_MAX - 1),
    ("9007199254740991", BALANCE_MAX), ("9007199254740991.0", BALANCE_MAX),
    ("9.007199254740991e15", BALANCE_MAX), ("90071992547409910e-1", BALANCE_MAX)])
def test_a_valor_is_a_json_number_with_an_integral_value_from_1_to_9007199254740991(
        bank_at_zero, literal, valor):
    assert booked(bank_at_zero, literal) == valor


@pytest.mark.parametrize("literal, valor", [
    ("1.00000000000000000001", 1), ("0.99999999999999999999", 1), ("1000.00000000000000001", 1000),
    ("9007199254740991.4", BALANCE_MAX), ("9007199254740990.6", BALANCE_MAX),
    ("4503599627370497.5", 4503599627370498), ("1." + "0" * 400 + "1", 1),
    ("0." + "0" * 400 + "1e401", 1), ("1" + "0" * 400 + "e-400", 1)])
def test_numbers_are_read_as_ieee_754_doubles(bank_at_zero, literal, valor):
    assert booked(bank_at_zero, literal) == valor


@pytest.mark.parametrize("literal", [
    "0", "-0", "0.0", "-0.0", "0e5", "-1", "-1000", "1.2", "1.5", "0.5", "0.1", "1e-1", "1e-400",
    "1e-320", "1.0000000000000003", "999.9999999999999", "4503599627370495.5", "9007199254740992",
    "9007199254740991.5", "9007199254740993", "9007199254740992.0", "1e16", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616",
    "18446744073709551617", "36893488147419103233", "1e308", "-1e308", "1e22", "4294967296e10",
    '"1000"', '"1"', '""', "true", "false", "null", "[]", "[1]", "{}", '{"valor":1}', '"\\u0000"'])
def test_any_other_valor_is_422(bank, literal):
    assert is_refused(bank, with_valor(literal), "valor")


def test_a_missing_field_is_422(bank):
    assert is_refused(bank, b'{"tipo":"c","descricao":"x"}', "valor")
    assert is_refused(bank, b'{"valor":1,"descricao":"x"}', "tipo")
    assert is_refused(bank, b'{"valor":1,"tipo":"c"}', "descricao")


@pytest.mark.parametrize("literal", [
    "1e400", "-1e400", "1E999", "1" * 400, "-" + "1" * 400, "1e99999999999999999999", "12.5e9999"])
def test_a_number_past_the_largest_double_is_422_in_valor_and_ignored_elsewhere(bank, literal):
    assert is_refused(bank, with_valor(literal), "valor")
    ignored = b'"x":' + literal.encode()
    good = b'"valor":1,"tipo":"c","descricao":"x"'
    assert bank.post_body(b"{" + ignored + b"," + good + b"}").status == 200
    assert bank.post_body(b"{" + good + b',"x":[{"y":' + literal.encode() + b"}]}").status == 200
    bad = b'"valor":1,"tipo":"x","descricao":"x"'
    assert is_refused(bank, b"{" + ignored + b"," + bad + b"}", "tipo")


@pytest.mark.parametrize("cut", [
    b'{"valor":1e400', b'{"valor":1e400,', b'{"valor":1e400,"tipo":"c","descricao":"x"', b'[1e400',
    b'{"valor":1e400,"tipo":"c","descricao":"x"}x', b'{"valor":1e400,"valor":1e400}',
    b'{"valor":1e400,"x":"\\ud800"}', b'{"valor":1e400,"x":"\xff"}', b'{"valor":1e400,"\\u0000":1}',
    b'{"x":1e400,"x":1,"valor":1,"tipo":"c","descricao":"x"}', b"1e400 1e400"])
def test_a_number_past_the_largest_double_does_not_hide_malformed_json(bank, cut):
    assert is_problem(bank.post_body(cut), 400, "json-invalido")


@pytest.mark.parametrize("tipo, sign", [("c", 1), ("d", -1)])
def test_a_tipo_is_c_or_d(new_bank, tipo, sign):
    assert new_bank.post(1, 5, tipo).json()["saldo"] == 5 * sign
    assert new_bank.extrato(1)["ultimas_transacoes"][0]["tipo"] == tipo


@pytest.mark.parametrize("literal", [
    '"C"', '"D"', '"cd"', '"cc"', '""', '" c"', '"c "', '"x"', '"c\\u0000"', '"\\u0000"',
    '"credito"', '"ç"', "null", "true", "0", "1", "99", "[]", '["c"]', "{}", '"\u0441"', '"\uff43"',
    "1e400"])
def test_any_other_tipo_is_422(bank, literal):
    body = '{"valor":1,"tipo":%s,"descricao":"x"}' % literal
    assert is_refused(bank, body.encode(), "tipo")


DESCRICOES = [
    "x", "descricao", "0123456789", " ", "          ", "ação 😀", "çãéíõúÇÃÉÍ", "日本語の説明文です。",
    "😀" * 10, "e\u0301" * 5, "👨‍👩‍👧", "🇧🇷" * 5, "العربية", "हिन्दी", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", '"', "\\", "/",
    '\\"\\"\\"', "\t\n\r\b\f", "\x01\x1f", "\x7f", "\u0080", "\ufeff", "\uffff", "\ufffe",
    "\U0010ffff" * 10, "\ud7ff\ue000", "\u2028\u2029", "null", "<b>&amp;", "' OR 1=1", "%s%n%d",
    "\u202e", "\u07ff\u0800"]


@pytest.mark.parametrize("descricao", DESCRICOES, ids=ascii)
def test_a_descricao_is_a_string_of_1_to_10_unicode_code_points_of_any_script(bank, descricao):
    assert bank.post_body(transaction(1, "c", descricao)).status == 200
    escaped = "".join(f"\\u{unit:04x}" for unit in units(descricao))
    body = b'{"valor":1,"tipo":"c","descricao":"%b"}' % escaped.encode()
    assert bank.post_body(body).status == 200


def units(text):
    """The UTF-16 code units, as \\u escapes have them."""
    encoded = text.encode("utf-16-be")
    return [encoded[at] << 8 | encoded[at + 1] for at in range(0, len(encoded), 2)]


@pytest.mark.parametrize("descricao", DESCRICOES, ids=ascii)
def test_a_descricao_comes_back_as_it_was_sent(bank, descricao):
    assert bank.post_body(transaction(1, "c", descricao)).status == 200
    assert bank.extrato(1)["ultimas_transacoes"][0]["descricao"] == descricao


@pytest.mark.parametrize("literal", [
    '""', '"01234567890"', '"' + "x" * 4000 + '"', '"' + "😀" * 11 + '"', '"' + "e\u0301" * 6 + '"',
    '"' + "\\ud83d\\ude00" * 11 + '"', '"' + "\\n" * 11 + '"', '"\\u0000"', '"a\\u0000b"',
    '"abc\\u0000"', '"\\u0000abc"', "null", "true", "0", "1", "[]", '["x"]', "{}", "1e400",
    '"' + "ç" * 11 + '"'])
def test_any_other_descricao_is_422(bank, literal):
    body = '{"valor":1,"tipo":"c","descricao":%s}' % literal
    assert is_refused(bank, body.encode(), "descricao")
