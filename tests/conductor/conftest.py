"""Exchanges with the scripted server are tried with time limits of their own, and under a watch."""

import pytest
import scripted_server

WATCHED_TOO = {
    "test_http1_cancellation",
    "test_http1_exchange",
    "test_http1_keepalive",
    "test_http1_pool",
    "test_http1_sending",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__ in WATCHED_TOO and "anyio_backend" in metafunc.fixturenames:
        metafunc.parametrize("time_keeping", ["scopes", "watch"], indirect=True)


@pytest.fixture(autouse=True)
def time_keeping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say who keeps the time of exchanges in this test."""
    monkeypatch.setattr(scripted_server, "is_watched", getattr(request, "param", "scopes") == "watch")
