"""One connection as the real server treats it, where uvicorn by itself would be kinder."""

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from anyworker.devserver.wire.errors import UNUSABLE_REQUEST_PAGE

if TYPE_CHECKING:
    import asyncio

IDLE_SECONDS = 60
"""After which a connection without a request is closed, a fresh one too."""
MOST_HEADERS = 100
MOST_HEAD_BYTES = 8192
"""Of request line and headers."""

_UNUSABLE = (
    b"HTTP/1.1 400 \r\ncontent-type: text/html;charset=utf-8\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%b"
) % (len(UNUSABLE_REQUEST_PAGE), UNUSABLE_REQUEST_PAGE)
_HTTP2 = b"PRI * HTTP/2"


class UnusableRequest(Exception):  # what it says is an answer
    """The request line and headers are more than the server takes; told to the parser, which stops."""


class DevServerProtocol(HttpToolsProtocol):
    """HTTP/1.1 with the real server's limits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0

    def connection_made(self, transport: "asyncio.Transport") -> None:  # type: ignore[override]  # uvicorn's
        """Begin to count the time without a request."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(IDLE_SECONDS, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived; HTTP/2 is not spoken, and not answered."""
        if self.scope is None and data.startswith(_HTTP2):
            self.transport.close()
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_bytes = len("   HTTP/1.1\r\n\r\n")

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(len(name) + len(value) + len(": \r\n"))
        if len(self.headers) >= MOST_HEADERS:
            raise UnusableRequest
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MOST_HEAD_BYTES:
            raise UnusableRequest

    def send_400_response(self, msg: str) -> None:  # the real server gives no reason
        """Answer what is no usable request, with a page, and close."""
        self.transport.write(_UNUSABLE)
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Ignore that a client would rather speak something else, as the real server does."""
