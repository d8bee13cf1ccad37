"""Answers from bytes, however the bytes are cut."""

from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyworker.conductor.exchange import Answer
from anyworker.conductor.http1_parser import AnswerParser

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA:\r\nA: b\r\n\r\n"
    b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: t\r\n\r\n"
)
LENGTH = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabcde"
INTERIM = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: x\r\n\r\n"
    b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx"
)
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nall of it"
KEPT = b"HTTP/1.1 200 \r\nContent-Length: 5\r\nX: y\r\n\r\nabcde"
ALIKE = [KEPT, KEPT.replace(b"abcde", b"HTTP/"), KEPT.replace(b"200", b"500")]
"""Answers of one size, some with one head."""
NO_CONTENT = b"HTTP/1.1 204 \r\nDate: now\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 \r\nContent-Length: 7\r\n\r\n"
EMPTY = b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"
GOOD = [CHUNKED, LENGTH, INTERIM, UNTIL_CLOSE, NO_CONTENT, NOT_MODIFIED, EMPTY]


def make_parser(*, max_header_bytes: int = 65536, max_body_bytes: int = 1_000_000) -> AnswerParser:
    return AnswerParser(max_header_bytes=max_header_bytes, max_body_bytes=max_body_bytes)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


def feed_for_long(parser: AnswerParser, piece: bytes) -> None:
    for _ in range(1000):
        parser.feed(piece)


def parse(parser: AnswerParser, pieces: list[bytes], *, is_head: bool = False) -> tuple[Answer, bool]:
    parser.expect(is_head=is_head)
    for piece in pieces:
        if parser.feed(piece):
            break
    else:
        parser.feed_eof()
    return parser.take_answer(), parser.keeps_alive


@given(st.sampled_from(GOOD), st.lists(st.integers(0, 400), max_size=12))
def test_cutting_makes_no_difference(data: bytes, places: list[int]) -> None:
    assert parse(make_parser(), cut(data, places)) == parse(make_parser(), [data])


@given(st.lists(st.sampled_from([CHUNKED, INTERIM, NO_CONTENT, NOT_MODIFIED, EMPTY]), max_size=5))
def test_answers_follow_each_other_on_one_parser(answers: list[bytes]) -> None:
    parser = make_parser()
    for data in answers:
        assert parse(parser, [data]) == parse(make_parser(), [data])


@given(st.lists(st.tuples(st.sampled_from(ALIKE), st.lists(st.integers(0, 60), max_size=2)), max_size=5))
def test_an_answer_is_read_alike_whatever_came_before_it(answers: list[tuple[bytes, list[int]]]) -> None:
    parser = make_parser()
    for data, places in answers:
        assert parse(parser, cut(data, places)) == parse(make_parser(), [data])


def test_a_head_like_the_last_one_without_its_body_is_no_answer_but_to_a_head_request() -> None:
    parser = make_parser()
    assert parse(parser, [KEPT])[0].body == b"abcde"
    assert parse(parser, [KEPT.partition(b"abcde")[0]], is_head=True) == (
        Answer(200, [(b"content-length", b"5"), (b"x", b"y")], b""),
        True,
    )
    assert parse(parser, [KEPT], is_head=True)[1] is False
    with pytest.raises(httpx.RemoteProtocolError, match="closed the connection"):
        parse(parser, [KEPT[:-1]])


def test_a_byte_behind_an_answer_like_the_last_one_ends_the_connection() -> None:
    parser = make_parser()
    assert parse(parser, [KEPT]) == parse(parser, [KEPT])
    assert parse(parser, [KEPT + b"x"])[1] is False


@given(st.sampled_from(GOOD), st.lists(st.integers(0, 400), max_size=12))
def test_head_request_takes_only_the_head(data: bytes, places: list[int]) -> None:
    head_end = data.index(b"\r\n\r\n", data.rindex(b"HTTP/")) + 4
    parser = make_parser()
    answer, _ = parse(parser, cut(data[:head_end], places), is_head=True)
    assert answer.body == b""
    assert parse(parser, [LENGTH])[0].body == b"abcde"


def test_head_answer_with_a_length_keeps_the_connection() -> None:
    assert parse(make_parser(), [LENGTH.replace(b"close", b"x").partition(b"abcde")[0]], is_head=True)[1]


def test_bytes_behind_a_head_answer_end_the_connection() -> None:
    answer, keeps_alive = parse(make_parser(), [LENGTH.replace(b"close", b"x")], is_head=True)
    assert (answer.body, keeps_alive) == (b"", False)


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(0, 200), max_size=5), st.booleans())
def test_garbage_is_a_protocol_error(data: bytes, places: list[int], is_head: bool) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        parse(make_parser(), cut(data, places), is_head=is_head)


@given(st.sampled_from(GOOD), st.data(), st.lists(st.integers(0, 400), max_size=5))
def test_damaged_answer_is_an_answer_or_a_protocol_error(
    data: bytes, draw: st.DataObject, places: list[int]
) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    damaged = data[:at] + draw.draw(st.binary(max_size=3)) + data[at + draw.draw(st.integers(0, 3)) :]
    try:
        whole = parse(make_parser(), [damaged])[0]
    except httpx.RemoteProtocolError:
        with pytest.raises(httpx.RemoteProtocolError):
            parse(make_parser(), cut(damaged, places))
    else:
        assert parse(make_parser(), cut(damaged, places))[0] == whole


@given(st.sampled_from([CHUNKED, LENGTH, INTERIM, NO_CONTENT, EMPTY]), st.data())
def test_truncated_answer_is_a_protocol_error(data: bytes, draw: st.DataObject) -> None:
    end = draw.draw(st.integers(0, len(data) - 1))
    with pytest.raises(httpx.RemoteProtocolError, match="closed the connection"):
        parse(make_parser(), [data[:end]] if end else [])


def test_headers_keep_order_and_lose_case() -> None:
    answer, keeps_alive = parse(make_parser(), [CHUNKED])
    assert answer == Answer(200, [(b"transfer-encoding", b"chunked"), (b"a", b""), (b"a", b"b")], b"abcde")
    assert keeps_alive


@pytest.mark.parametrize(
    ("data", "keeps_alive"),
    [
        (EMPTY, True),
        (NO_CONTENT, True),
        (INTERIM, True),
        (LENGTH, False),
        (UNTIL_CLOSE, False),
        (EMPTY.replace(b"1.1", b"1.0"), False),
        (EMPTY.replace(b"1.1", b"1.0").replace(b" \r\n", b" \r\nConnection: keep-alive\r\n", 1), True),
        (EMPTY + b"x", False),
        (EMPTY + EMPTY, False),
        (NO_CONTENT + b"5\r\nhello", False),
        (LENGTH + b"x", False),
    ],
)
def test_connection_is_kept_only_after_a_clean_end(data: bytes, keeps_alive: bool) -> None:
    assert parse(make_parser(), [data])[1] is keeps_alive


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 150 \r\nContent-Length: 1\r\n\r\nx" + EMPTY,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"<html>no</html>",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_what_is_not_an_answer_is_refused_at_once(data: bytes) -> None:
    parser = make_parser()
    with pytest.raises(httpx.RemoteProtocolError):
        parser.feed(data)


@given(st.integers(17, 80), st.lists(st.integers(0, 400), max_size=8))
def test_header_limit_is_exact(limit: int, places: list[int]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    parser = make_parser(max_header_bytes=limit)
    if len(head) <= limit:
        assert parse(parser, cut(head + b"123456789", places))[0].body == b"123456789"
    else:
        with pytest.raises(httpx.RemoteProtocolError, match="limit"):
            parse(parser, cut(head + b"123456789", places))


def test_endless_interim_answers_hit_the_header_limit() -> None:
    parser = make_parser(max_header_bytes=1000)
    with pytest.raises(httpx.RemoteProtocolError, match="limit"):
        feed_for_long(parser, b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("piece", [b"x" * 100, b"X: y\r\n" * 20])
def test_endless_trailers_are_refused(piece: bytes) -> None:
    parser = make_parser(max_header_bytes=1000)
    parser.feed(b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nX")
    with pytest.raises(httpx.RemoteProtocolError):
        feed_for_long(parser, piece)


@pytest.mark.parametrize("size", [10, 11])
@pytest.mark.parametrize("form", ["length", "chunked", "until close"])
def test_body_limit_is_exact(size: int, form: str) -> None:
    body = b"x" * size
    data = {
        "length": b"HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n%b" % (size, body),
        "chunked": b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (size, body),
        "until close": b"HTTP/1.1 200 \r\n\r\n" + body,
    }[form]
    parser = make_parser(max_body_bytes=10)
    if size <= 10:
        assert parse(parser, [data])[0].body == body
    else:
        with pytest.raises(httpx.RemoteProtocolError, match="limit of 10 bytes"):
            parse(parser, [data])


def test_announced_length_above_the_limit_is_refused_before_the_body() -> None:
    parser = make_parser(max_body_bytes=10)
    with pytest.raises(httpx.RemoteProtocolError, match="limit of 10 bytes"):
        parser.feed(b"HTTP/1.1 200 \r\nContent-Length: 11\r\n\r\n")


def test_length_of_a_body_that_is_not_sent_has_no_limit() -> None:
    data = b"HTTP/1.1 304 \r\nContent-Length: 11\r\n\r\n"
    assert parse(make_parser(max_body_bytes=10), [data])[0].status == 304
    assert (
        parse(make_parser(max_body_bytes=10), [data.replace(b"304", b"200")], is_head=True)[0].status == 200
    )


def test_answer_without_a_length_can_be_refused() -> None:
    parser = make_parser()
    parser.feed(UNTIL_CLOSE)
    with pytest.raises(httpx.RemoteProtocolError, match="no length"):
        parser.refuse_unbounded()


def test_version_is_told() -> None:
    parser = make_parser()
    parse(parser, [UNTIL_CLOSE])
    assert parser.http_version == "1.0"
