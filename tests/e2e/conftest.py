"""What the tests with processes share."""

import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_rig import Server

from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread

SDK = "conductor-python==2.0.0"
PIP_PATIENCE = 300.0


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(server=DevServer()) as url:
        client = Server(url)
        with client.http:
            yield client


@pytest.fixture(scope="session")
def official_python(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment in which the official SDK is installed.

    It is made once with pip and kept in pytest's cache. Where pip cannot bring the SDK, what asks for it is
    skipped and says so.
    """
    name = f"official-sdk-{sys.version_info.major}.{sys.version_info.minor}"
    cache = getattr(pytestconfig, "cache", None)
    directory = tmp_path_factory.mktemp(name) if cache is None else cache.mkdir(name)
    installed = directory / "installed"
    if not installed.exists() or installed.read_text() != SDK:
        venv.create(directory, clear=True, symlinks=True)
        install(directory / "bin" / "python")
        installed.write_text(SDK)
    return directory / "bin" / "python"


def install(python: Path) -> None:
    """Install the SDK, or skip the test that wants it."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--no-input"]
    command = [*pip, "install", "--quiet", "--retries", "1", "--timeout", "15", SDK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_PATIENCE, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"the official SDK cannot be installed here: {reason}")
