# SPDX-License-Identifier: MIT
"""HTTP that is refused: whatever two readers could understand differently.

Each of these is answered once and then the connection closes, so that what a client smuggled
in behind it is never read as a request. How the bytes are cut makes no difference.
"""

import pytest

from bank import chunked, is_problem, post, request, transaction

POST = "/clientes/1/transacoes"
GOOD = transaction()
SMUGGLED = post(1, 1000, "c", "smuggled")
LENGTH = f"Content-Length: {len(GOOD)}\r\n"


def is_refused(bank, data, how, status=400, type="requisicao-invalida"):
    before = bank.balance(1)
    with bank.connect() as connection:
        answer = connection.ask(data, how)
        assert is_problem(answer, status, type)
        assert answer.header("Connection") == "close"
        assert connection.ended(), "something came after the refusal"
    assert bank.balance(1) == before
    return True


def cases(*values, ways=("at once", "byte by byte")):
    """Each of the values in each way; the values name themselves."""
    def decorate(test):
        test = pytest.mark.parametrize("how", ways)(test)
        return pytest.mark.parametrize("text", values, ids=[ascii(v)[1:50] for v in values])(test)
    return decorate


def posted(lines, body=GOOD):
    return f"POST {POST} HTTP/1.1\r\nHost: bank\r\n{lines}\r\n".encode("latin-1") + body


@cases("GET /healthz HTTP/1.1\r\n\r\n", "GET /healthz HTTP/1.1\r\nX: y\r\n\r\n",
       "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
       "GET /healthz HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: b\r\n\r\n",
       "GET /nowhere HTTP/1.1\r\n\r\n", f"POST {POST} HTTP/1.1\r\n{LENGTH}\r\n{GOOD.decode()}")
def test_no_host_or_two_of_them_in_http_1_1_is_400_and_a_close(bank, text, how):
    assert is_refused(bank, text.encode() + SMUGGLED, how)


@cases(LENGTH + "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n" + LENGTH,
       "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", LENGTH + LENGTH,
       LENGTH + "Content-Length: 0\r\n", "Content-Length: 0\r\n" + LENGTH,
       f"Content-Length: {len(GOOD)}, {len(GOOD)}\r\n", f"Content-Length: {len(GOOD)},0\r\n",
       LENGTH + "X: y\r\ncontent-length: 1\r\n", "Transfer-Encoding: identity\r\n" + LENGTH)
def test_two_lengths_at_once_are_400_and_a_close(bank, text, how):
    assert is_refused(bank, posted(text, b"0\r\n\r\n") + SMUGGLED, how)


@cases("x", "-1", "+5", "0x10", "1e1", "1.0", "", "1 0", "5x", "18446744073709551616", "9" * 40,
       "'5'", '"5"', "5;", "\xb2", "0b1", "1_0", "--5", "NaN", "5\x00")
def test_a_length_that_is_no_number_is_400_and_a_close(bank, text, how):
    assert is_refused(bank, posted(f"Content-Length: {text}\r\n") + SMUGGLED, how)


@cases("x", "", "-1", "+5", "0x5", "5 5", " 5", "5g", ";a", "fffffffffffffffff",
       "ffffffffffffffffff", "1\n",
       "5\r", '"5"', "5,5")
def test_a_chunk_size_that_is_no_number_is_400_and_a_close(bank, text, how):
    data = f"{text}\r\n".encode() + GOOD + b"\r\n0\r\n\r\n"
    assert is_refused(bank, posted("Transfer-Encoding: chunked\r\n", data) + SMUGGLED, how)


@cases("1\r\n77\r\n0\r\n\r\n", "1\r\n7\n0\r\n\r\n", "1\n7\r\n0\r\n\r\n", "1\r\n7\r0\r\n\r\n",
       "1\r\n70\r\n\r\n", "2\r\n7\r\n0\r\n\r\n\r\n", "1\r\n7\r\n0\r\n\n",
       "1;\x00\r\n7\r\n0\r\n\r\n",
       "1\r\n7\r\n0\r\nBad Name: x\r\n\r\n",
       "1\r\n7\r\n0\r\nContent-Length: 3\r\n\r\n", "1;a\n\r\n7\r\n0\r\n\r\n")
def test_malformed_chunks_are_400_and_a_close(bank, text, how):
    data = posted("Transfer-Encoding: chunked\r\n", text.encode())
    assert is_refused(bank, data + SMUGGLED, how)


@cases("X: a\r\n b\r\n", "X: a\r\n\tb\r\n", "X:\r\n a\r\n", "Content-Length:\r\n 5\r\n",
       "Transfer-Encoding:\r\n chunked\r\n", "X: a\r\n \r\n")
def test_a_folded_header_line_is_400_and_a_close(bank, text, how):
    assert is_refused(bank, posted(text + LENGTH) + SMUGGLED, how)


@cases("X: a\n", "X: a\r", "X: a\rb\r\n", "X: a\nb\r\n", "X: a\n\r\n", "X: a\r\r\n",
       "X: a\n\rb: c\r\n", "X: \r\r\n", "X\r: a\r\n", "X\n: a\r\n")
def test_a_bare_cr_or_lf_is_400_and_a_close(bank, text, how):
    assert is_refused(bank, posted(text + LENGTH) + SMUGGLED, how)


@cases("GET /healthz HTTP/1.1\nHost: a\n\n", "GET /healthz HTTP/1.1\r\nHost: a\n\n",
       "GET /healthz HTTP/1.1\nHost: a\r\n\r\n", "GET /healthz HTTP/1.1\rHost: a\r\r",
       "GET /healthz HTTP/1.1\r\nHost: a\r\n\rX", "GET /healthz HTTP/1.1\r\r\nHost: a\r\n\r\n",
       "GET /hea\nlthz HTTP/1.1\r\nHost: a\r\n\r\n", "GET /hea\rlthz HTTP/1.1\r\nHost: a\r\n\r\n")
def test_lines_that_do_not_end_in_cr_lf_are_400_and_a_close(bank, text, how):
    assert is_refused(bank, text.encode() + SMUGGLED, how)


@cases(" X: a\r\n", "X : a\r\n", "X\t: a\r\n", ": a\r\n", "X\r\n", "X y: a\r\n", "X: a\x00b\r\n",
       "X\x00: a\r\n", "X: a\x01\r\n", "X: \x7f\r\n", "X\xe9: a\r\n", "(X): a\r\n", "X@y: a\r\n",
       "Transfer-Encoding : chunked\r\n", "Content-Length : 5\r\n", "X: a\x0b\r\n")
def test_a_malformed_header_line_is_400_and_a_close(bank, text, how):
    assert is_refused(bank, posted(text + LENGTH) + SMUGGLED, how)


@cases("gzip, chunked", "chunked, gzip", "gzip", "identity", "xchunked", "chunkedx",
       "chunked, chunked", "chunked;q=1", "x chunked", "\x0bchunked",
       "chunked\r\nTransfer-Encoding: chunked",
       "chunked\r\nTransfer-Encoding: gzip", "gzip\r\nTransfer-Encoding: chunked", "",
       "\r\nTransfer-Encoding: chunked", '"chunked"', "identity, chunked", "chunked,", ",chunked",
       "deflate")
def test_a_transfer_coding_other_than_chunked_is_400_and_a_close(bank, text, how):
    data = posted(f"Transfer-Encoding: {text}\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD))
    assert is_refused(bank, data + SMUGGLED, how)


def test_chunks_in_http_1_0_are_400_and_a_close(bank):
    """They came with HTTP/1.1: a proxy of the older kind would not see where they end."""
    data = f"POST {POST} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n"
    assert is_refused(bank, data.encode() + SMUGGLED, "at once")


@cases("GET /healthz HTTP/2.0", "GET /healthz HTTP/0.9", "GET /healthz HTTP/9.9",
       "GET /healthz HTTP/1", "GET /healthz HTTP/1.", "GET /healthz HTTP/.1",
       "GET /healthz HTTP/11",
       "GET /healthz HTTP/1.10",
       "GET /healthz http/1.1", "GET /healthz HTTPS/1.1", "GET /healthz HTTP 1.1",
       "GET /healthz HTTP/1,1", "GET /healthz", "GET", "GET HTTP/1.1", "GET  /healthz HTTP/1.1 x",
       "GET /healthz HTTP/1.1 x", "GET /healthz x HTTP/1.1",
       "GET /healthz ICE/1.0", "GET /healthz RTSP/1.0", "GET healthz HTTP/1.1",
       "GET /he\x00althz HTTP/1.1",
       "\x16\x03\x01\x02",
       "GET /healthz HTTP/1.1\x00", "GET /healthz HTTP/-1.1", "GET /healthz HTTP/0.0")
def test_a_request_line_that_is_not_http_1_x_is_400_and_a_close(bank, text, how):
    assert is_refused(bank, f"{text}\r\nHost: a\r\n\r\n".encode() + SMUGGLED, how)


@cases("CONNECT bank:80 HTTP/1.1\r\nHost: bank\r\n\r\n", "CONNECT / HTTP/1.1\r\nHost: bank\r\n\r\n",
       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
def test_connect_and_the_http_2_preface_are_400(bank, text, how):
    assert is_refused(bank, text.encode() + SMUGGLED, how)


@cases("FROBNICATE", "get", "Get", "GETT", "GE", "X", "POSTS", "TRANSFER")
def test_a_method_that_nobody_knows_is_501_and_a_close(bank, text, how):
    data = request(text, "/healthz") + SMUGGLED
    assert is_refused(bank, data, how, 501, "metodo-desconhecido")


# ---- too much of what is not the body

TOO_MUCH = ("at once", "in pieces")


def is_too_much(bank, data, how):
    return is_refused(bank, data, how, 431, "cabecalho-grande-demais")


@pytest.mark.parametrize("how", TOO_MUCH)
@pytest.mark.parametrize("headers", [
    ["X: " + "x" * 8200], ["X: " + "x" * 100000], ["x" * 8200 + ": y"], ["X: y"] * 2000,
    [f"X-{n}: {'x' * 1000}" for n in range(9)], ["X: " + " " * 8200],
    ["Idempotency-Key: " + "k" * 9000]],
    ids=lambda headers: f"{len(headers)} of {len(headers[0])} {headers[0][:3]}")
def test_a_header_block_over_8192_bytes_is_431(bank, headers, how):
    assert is_too_much(bank, request("GET", "/healthz", None, headers) + SMUGGLED, how)
    assert is_too_much(bank, request("POST", POST, GOOD, headers) + SMUGGLED, how)


@pytest.mark.parametrize("how", TOO_MUCH)
def test_a_target_over_8192_bytes_is_431(bank, how):
    assert is_too_much(bank, request("GET", "/healthz?" + "x" * 8200) + SMUGGLED, how)


@pytest.mark.parametrize("how", TOO_MUCH)
def test_a_header_block_that_never_ends_is_431(bank, how):
    assert is_too_much(bank, b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 2000, how)
    assert is_too_much(bank, b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 9000, how)


@pytest.mark.parametrize("how", TOO_MUCH)
@pytest.mark.parametrize("data", [
    chunked("POST", POST, [(GOOD, b";" + b"x" * 8200)]),
    chunked("POST", POST, [(GOOD, b";a=b" * 5000)]),
    chunked("POST", POST, [(GOOD, b"")], trailers="X: " + "x" * 8200 + "\r\n"),
    chunked("POST", POST, [(GOOD, b"")], trailers="X: y\r\n" * 2000),
    posted("Transfer-Encoding: chunked\r\n", b"0" * 8200 + b"1\r\n7\r\n0\r\n\r\n"),
    posted("Transfer-Encoding: chunked\r\n", b"1\r\n7\r\n" + b"0" * 8200 + b"\r\n\r\n")],
    ids=["extension", "extensions", "trailer", "trailers", "zeros", "zeros in the last"])
def test_the_framing_of_a_chunk_over_8192_bytes_is_431(bank, data, how):
    assert is_too_much(bank, data + SMUGGLED, how)


@pytest.mark.parametrize("how", TOO_MUCH)
@pytest.mark.parametrize("lines", [4200, 50000])
def test_leading_empty_lines_over_8192_bytes_are_431(bank, lines, how):
    assert is_too_much(bank, b"\r\n" * lines + SMUGGLED, how)
    with bank.connect() as connection:
        connection.send(request("GET", "/healthz") + b"\r\n" * lines, how)
        assert connection.receive().status == 200
        assert is_problem(connection.receive(), 431, "cabecalho-grande-demais")
        assert connection.ended()


# ---- the close


@pytest.mark.parametrize("status, head", [
    (413, f"POST {POST} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"),
    (413, f"POST {POST} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n"),
    (400, "GET nonsense\r\n\r\n"), (431, "GET / HTTP/1.1\r\nX: ")],
    ids=["413", "413 chunked", "400", "431"])
def test_a_close_after_an_error_lingers_until_the_client_has_read_the_answer(bank, status, head):
    """A client that first sends all it has, a megabyte, must not lose the answer to a reset."""
    data = head.encode() + b"x" * 1000000
    for _ in range(50 if status == 413 else 10):
        with bank.connect() as connection:
            connection.socket.sendall(data)
            assert connection.receive().status == status
            assert connection.ended()
