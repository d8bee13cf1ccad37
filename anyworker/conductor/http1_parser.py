"""HTTP/1.1 answers from bytes, without any I/O."""

from typing import Final

import httptools
import httpx

from anyworker.conductor.exchange import Answer

_FIRST_BYTE: Final = ord("H")
_LENGTH: Final = b"content-length"
_FRAMING: Final = frozenset({_LENGTH, b"transfer-encoding"})


class AnswerParser:
    """Read the answers of one connection, one after the other.

    How the bytes are cut into pieces makes no difference. One parser lives as long as its connection:
    ``expect`` announces an answer, ``feed`` takes bytes until it says that the answer is complete.

    Args:
        max_header_bytes: Limit of a head, interim answers included, and of anything else between two
            pieces of a body (chunk extensions, trailers).
        max_body_bytes: Limit of a body, its transfer coding removed.
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_framing",
        "_framing_bytes",
        "_has_head",
        "_headers",
        "_is_head_request",
        "_is_until_close",
        "_last_head",
        "_last_headers",
        "_last_size",
        "_last_status",
        "_max_body_bytes",
        "_max_header_bytes",
        "_parser",
        "_refusal",
        "_status",
        "http_version",
        "is_complete",
        "keeps_alive",
    )

    http_version: str
    """Of the answer's head: ``1.0`` or ``1.1``."""
    is_complete: bool
    keeps_alive: bool
    """Whether another request may follow on the connection; false until the answer is complete."""

    def __init__(self, *, max_header_bytes: int, max_body_bytes: int) -> None:
        self._max_header_bytes = max_header_bytes
        self._max_body_bytes = max_body_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._last_head = b""
        """That of an answer which came in one piece, as nearly all do. What it says need not be found out
        once more where the next answer begins with the same bytes and has as many."""
        self._last_size = 0
        """Bytes of that answer, 0 before there is one."""
        self._last_status = 0
        self._last_headers: list[tuple[bytes, bytes]] = []
        self.expect(is_head=False)

    def expect(self, *, is_head: bool) -> None:
        """Begin with the next answer, which has no body if the request was a HEAD."""
        self.is_complete = self.keeps_alive = self._has_head = self._is_until_close = False
        self._is_head_request = is_head
        self._headers: list[tuple[bytes, bytes]] = []
        self._framing: list[tuple[bytes, bytes]] = []
        self._body: bytes | bytearray = b""
        self._body_bytes = 0
        self._framing_bytes = 0
        self._refusal: httpx.RemoteProtocolError | None = None

    def take_answer(self) -> Answer:
        """Give the complete answer away, keeping nothing of it in memory."""
        answer = Answer(self._status, self._headers, bytes(self._body), self.http_version)
        self._headers = []
        self._body = b""
        return answer

    def feed(self, data: bytes) -> bool:
        """Take what arrived and return whether the answer is complete.

        Args:
            data: Not empty.

        Raises:
            httpx.RemoteProtocolError: It is not HTTP, or exceeds a limit. The parser is of no more use.
        """
        if self._has_head:
            self._parse(data)
        elif self._framing_bytes:
            self._feed_head(data)
        elif len(data) == self._last_size and data.startswith(self._last_head) and not self._is_head_request:
            self._repeat(data)
        elif data[0] != _FIRST_BYTE:
            raise httpx.RemoteProtocolError("the server's answer is not HTTP")
        else:
            self._feed_head(data)
            if self.keeps_alive and len(self._framing) == 1:
                self._remember(data)
        return self.is_complete

    def _repeat(self, data: bytes) -> None:
        """Take in a complete answer whose head is the last one's."""
        self._status, self._headers = self._last_status, self._last_headers
        self._body = data[len(self._last_head) :]
        self.http_version = "1.1"
        self.is_complete = self.keeps_alive = self._has_head = True

    def _remember(self, data: bytes) -> None:
        """Keep the head of an answer that came in one piece and that its length alone ends."""
        body = self._body
        if isinstance(body, bytes) and body and self.http_version == "1.1" and self._framing[0][0] == _LENGTH:
            self._last_head, self._last_size = data[: -len(body)], len(data)
            self._last_status, self._last_headers = self._status, self._headers

    def feed_eof(self) -> None:
        """Take the end of the connection, which is the end of some answers.

        Raises:
            httpx.RemoteProtocolError: The answer is not complete.
        """
        if self._has_head and self._is_until_close:
            self.is_complete = True
        if not self.is_complete:
            place = "in the middle of" if self._framing_bytes or self._has_head else "without"
            reason = f"the server closed the connection {place} an answer"
            raise httpx.RemoteProtocolError(reason)

    def refuse_unbounded(self) -> None:
        """Accept only an answer that says itself where it ends.

        Raises:
            httpx.RemoteProtocolError: Only the end of the connection would tell.
        """
        if self._is_until_close:
            raise httpx.RemoteProtocolError("the connection broke off in an answer that has no length")

    def _feed_head(self, data: bytes) -> None:
        """Parse with the exact limit of a head, however much of the body came along."""
        room = self._max_header_bytes - self._framing_bytes
        if len(data) <= room:
            self._parse(data)
            return
        if room:
            self._parse(data[:room])
        if not self._has_head:
            reason = f"the answer's head is longer than the limit of {self._max_header_bytes} bytes"
            raise httpx.RemoteProtocolError(reason)
        self._parse(data[room:])

    def _parse(self, data: bytes) -> None:
        body_bytes = self._body_bytes
        try:
            if self._is_head_request:
                self._parse_head_only(data)
            else:
                self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.is_complete:
                reason = f"the server's answer is not valid HTTP: {error}"
                raise self._refusal or httpx.RemoteProtocolError(reason) from None
            # More than the answer came: nobody asked for that, so whose answer would be the next?
            self.keeps_alive = False
        if self._body_bytes != body_bytes:
            self._framing_bytes = 0
            return
        self._framing_bytes += len(data)
        if self._has_head and self._framing_bytes > 2 * self._max_header_bytes and not self.is_complete:
            raise httpx.RemoteProtocolError("the answer has too many bytes that are no body")

    def _parse_head_only(self, data: bytes) -> None:
        # httptools cannot be told that no body follows a head, so it never sees what comes behind one.
        end = 0
        while not self.is_complete and end < len(data):
            start, end = end, data.find(b"\n", end) + 1 or len(data)
            self._parser.feed_data(data[start:end])
        if self.is_complete:
            self.keeps_alive = self.keeps_alive and end == len(data)
            self._parser = httptools.HttpResponseParser(self)

    def _refuse(self, reason: str) -> httpx.RemoteProtocolError:
        self._refusal = httpx.RemoteProtocolError(reason)
        return self._refusal

    # What httptools calls. An exception stops it: feed_data raises, with a reason of its own.

    def on_message_begin(self) -> None:
        """Stop at the first byte behind a complete answer."""
        if self.is_complete:
            raise self._refuse("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers are dropped."""
        if not self._has_head:
            name = name.lower()
            self._headers.append((name, value))
            if name in _FRAMING:
                self._framing.append((name, value))

    def on_headers_complete(self) -> None:
        """Check the head."""
        parser = self._parser
        self._status = status = parser.get_status_code()
        self.http_version = version = parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            reason = f"the server answers in HTTP/{version}, not HTTP/1.1"
            raise self._refuse(reason)
        if status < 200:
            if status < 100 or status == 101:
                reason = f"the server answers with status {status}, which nobody asked for"
                raise self._refuse(reason)
            return
        self._check_length(status)
        self._has_head = True
        if self._is_head_request:
            self.keeps_alive = parser.should_keep_alive()
            self.is_complete = True
            self._is_until_close = False

    def _check_length(self, status: int) -> None:
        self._is_until_close = status not in {204, 304}
        for name, value in self._framing:
            if name == _LENGTH:
                self._is_until_close = False
                if int(value) > self._max_body_bytes and self._is_body_expected(status):
                    raise self._refuse(self._too_large())
            else:
                self._is_until_close = False
                if value.strip().lower() != b"chunked":
                    reason = f"unknown transfer coding {value!r}"
                    raise self._refuse(reason)

    def _is_body_expected(self, status: int) -> bool:
        return not self._is_head_request and status not in {204, 304}

    def _too_large(self) -> str:
        return f"the answer's body is longer than the limit of {self._max_body_bytes} bytes"

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        if not self._has_head:
            raise self._refuse("an interim answer with a body")
        self._body_bytes += len(data)
        if self._body_bytes > self._max_body_bytes:
            raise self._refuse(self._too_large())
        if not self._body:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body)
            self._body += data

    def on_message_complete(self) -> None:
        """Finish, or forget an interim answer (1xx) and go on."""
        if self._has_head:
            # Afterwards the parser has forgotten.
            self.keeps_alive = self._parser.should_keep_alive()
            self.is_complete = True
        else:
            self._headers = []
            self._framing = []
