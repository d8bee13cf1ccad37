"""The HTTP side: served by threads of its own, so that it answers while user code blocks the event loop."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from anyworker.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

_IDLE_SECONDS = 10.0


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    idle: Callable[[], object]
    """Called every few seconds."""
    _next_idle = 0.0

    def service_actions(self) -> None:
        if time.monotonic() >= self._next_idle:
            self._next_idle = time.monotonic() + _IDLE_SECONDS
            self.idle()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("A request to the metrics port broke off: %s", client_address, exc_info=sys.exception())


class _Quiet(WSGIRequestHandler):
    timeout = 30
    """Seconds for a request to come in, so that a client that says nothing holds no thread for good."""

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


def metrics_page(collector: "Collector") -> "WSGIApplication":
    """Return what answers with all metrics, as text or OpenMetrics, whichever is asked for."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return make_wsgi_app(registry)


@contextlib.contextmanager
def endpoint(
    host: str, port: int, pages: "dict[str, WSGIApplication]", *, idle: Callable[[], object]
) -> Iterator[int]:
    """Serve pages for the block, and give the port.

    Args:
        host: The address to listen on.
        port: 0 for a free one.
        pages: By their paths.
        idle: Called every ten seconds, in the thread that listens.

    Raises:
        ConfigurationError: The port cannot be had.
    """

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        page = pages.get(environ["PATH_INFO"])
        if page is not None:
            return page(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"Not here; there is {', '.join(pages)}.\n".encode()]

    try:
        server = make_server(host, port, application, _Server, _Quiet)
    except OSError as error:
        problem = f"metrics: cannot listen on {host}:{port}: {error.strerror}; choose another http_port"
        raise ConfigurationError(problem) from error
    server.idle = idle
    thread = threading.Thread(target=server.serve_forever, name="anyworker-metrics", daemon=True)
    thread.start()
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
