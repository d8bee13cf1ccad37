"""Asking the port that serves metrics and probes."""

import httpx
import pytest


def port_url(caplog: pytest.LogCaptureFixture) -> str:
    """Return the beginning of the URLs that the log names."""
    found = {record.message for record in caplog.records if record.message.startswith("Status: ")}
    [line] = found
    return line.removeprefix("Status: ").partition("/, ")[0]


async def fetch(caplog: pytest.LogCaptureFixture, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(port_url(caplog) + path, headers=headers)
