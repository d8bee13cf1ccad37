"""A development server on a socket for tests of whole processes."""

from collections.abc import Iterator

import pytest
from process_rig import Server

from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(server=DevServer()) as url:
        client = Server(url)
        with client.http:
            yield client
