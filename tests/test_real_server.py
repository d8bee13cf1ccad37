"""Getting and starting the real server: with stand-ins for Java and Maven, and once in earnest."""

import json
import os
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import real_databases
import real_server

TIMEOUT = 30.0

# Answers `java -version`; started with -jar, it serves /health and keeps a FIFO open for as long as it lives.
JAVA = """#!{python}
import http.server, os, sys

if sys.argv[1:] == ["-version"]:
    sys.exit('openjdk version "{version}" 2024-07-16')
settings = dict(argument[2:].split("=", 1) for argument in sys.argv[1:] if argument.startswith("--"))
if {is_broken}:
    sys.exit("Application run failed: the disk is on fire")
alive = open({fifo!r}, "w")

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *args):
        pass

http.server.HTTPServer((settings["server.address"], int(settings["server.port"])), Health).serve_forever()
"""

MAVEN = """#!{python}
import pathlib, sys

directory = next(word.split("=")[1] for word in sys.argv if word.startswith("-DoutputDirectory="))
if {is_offline}:
    sys.exit("could not transfer artifact")
pathlib.Path(directory, {jar!r}).write_bytes(b"not what was released")
"""


def write_program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class StandIns:
    """A cache with a jar that counts as checked, and a Java that plays the server."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.fifo = directory / "alive"
        os.mkfifo(self.fifo)
        self.alive = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.monkeypatch = monkeypatch
        monkeypatch.setenv("XDG_CACHE_HOME", str(directory / "cache"))
        self.use_java(version="21.0.1")

    def use_java(self, *, version: str, is_broken: bool = False) -> None:
        text = JAVA.format(python=sys.executable, version=version, is_broken=is_broken, fifo=str(self.fifo))
        self.monkeypatch.setenv("CONDUCTOR_JAVA", str(write_program(self.directory / "bin" / "java", text)))

    def use_maven(self, *, is_offline: bool) -> None:
        text = MAVEN.format(python=sys.executable, is_offline=is_offline, jar=real_server.JAR)
        self.monkeypatch.setenv("PATH", str(write_program(self.directory / "bin" / "mvn", text).parent))

    def keep_jar(self) -> Path:
        kept = real_server.cache() / real_server.JAR
        kept.parent.mkdir(parents=True)
        kept.write_bytes(b"a small jar")
        real_server.mark(kept).write_text(real_server.stamp(kept))
        return kept

    def await_server_gone(self) -> None:
        """Read until the last process that holds the FIFO open has ended."""
        ready, _, _ = select.select([self.alive], [], [], TIMEOUT)
        assert ready, "the server lives on"
        assert os.read(self.alive, 1) == b""


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIns]:
    made = StandIns(tmp_path, monkeypatch)
    yield made
    os.close(made.alive)


def run_beside(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, real_server.__file__, "run", "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_server_answers_while_it_is_wanted_and_is_gone_after(stand_ins: StandIns) -> None:
    stand_ins.keep_jar()
    with real_server.running() as url:
        assert url.endswith("/api")
        with urllib.request.urlopen(url.removesuffix("api") + "health", timeout=TIMEOUT) as answer:
            assert answer.status == 200
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=TIMEOUT)
    stand_ins.await_server_gone()


def test_run_gives_the_command_its_url_and_takes_its_status(stand_ins: StandIns) -> None:
    stand_ins.keep_jar()
    script = "import os; print(os.environ['CONDUCTOR_SERVER_URL']); raise SystemExit(7)"
    with run_beside(sys.executable, "-c", script) as process:
        output, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 7
    assert output.startswith("http://127.0.0.1:")
    stand_ins.await_server_gone()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_server_ends_with_the_process_that_started_it(stand_ins: StandIns, signum: signal.Signals) -> None:
    stand_ins.keep_jar()
    wait_for_end_of_input = "import sys; print('here', flush=True); sys.stdin.read()"
    with run_beside(sys.executable, "-c", wait_for_end_of_input) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(signum)
        process.wait(TIMEOUT)
        stand_ins.await_server_gone()


def test_server_that_does_not_start_is_an_error_with_the_end_of_its_log(stand_ins: StandIns) -> None:
    stand_ins.keep_jar()
    stand_ins.use_java(version="21.0.1", is_broken=True)
    with pytest.raises(real_server.BrokenServerError, match="the disk is on fire"), real_server.running():
        pass


@pytest.mark.parametrize("version", ["1.8.0_402", "17.0.11"])
def test_named_java_that_is_too_old_is_an_error(stand_ins: StandIns, version: str) -> None:
    stand_ins.use_java(version=version)
    with pytest.raises(real_server.BrokenServerError, match="CONDUCTOR_JAVA"):
        real_server.java()


def test_jar_in_the_cache_is_not_fetched_again(stand_ins: StandIns) -> None:
    kept = stand_ins.keep_jar()
    stand_ins.use_maven(is_offline=True)
    assert real_server.jar() == kept


def test_changed_jar_is_not_trusted(stand_ins: StandIns) -> None:
    stand_ins.keep_jar().write_bytes(b"something else")
    stand_ins.use_maven(is_offline=True)
    with pytest.raises(real_server.UnavailableError, match="could not get"):
        real_server.jar()


def test_fetched_jar_with_another_sha256_is_an_error_and_not_kept(stand_ins: StandIns) -> None:
    stand_ins.use_maven(is_offline=False)
    with pytest.raises(real_server.BrokenServerError, match="sha256"):
        real_server.jar()
    assert list(real_server.cache().iterdir()) == []


def test_command_tells_unavailable_by_status_77(stand_ins: StandIns) -> None:
    stand_ins.monkeypatch.setenv("PATH", str(stand_ins.directory))
    with run_beside("true") as process:
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == real_server.UNAVAILABLE == 77
    assert "no mvn on PATH" in errors


@pytest.mark.parametrize("backend", ["postgres", "redis"])
def test_database_that_is_not_installed_is_unavailable(
    stand_ins: StandIns, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.keep_jar()
    monkeypatch.setenv("PATH", str(stand_ins.directory))
    monkeypatch.setattr(real_databases, "POSTGRES_PROGRAMS", "nowhere/*/bin")
    with pytest.raises(real_server.UnavailableError, match="Debian's package"), real_server.running(backend):
        pass


def test_option_takes_a_back_end_or_none_and_leaves_what_follows_alone(pytestconfig: pytest.Config) -> None:
    def parsed(*arguments: str) -> object:
        return pytestconfig._parser.parse(arguments).real_server

    assert parsed() is None
    assert parsed("--real-server", "tests") == "sqlite"
    assert [parsed(f"--real-server={name}") for name in real_databases.BACKENDS] == [
        "sqlite",
        "postgres",
        "redis",
    ]


def test_real_server_answers(conductor_url: str) -> None:
    with urllib.request.urlopen(conductor_url + "/metadata/taskdefs", timeout=TIMEOUT) as answer:
        assert isinstance(json.load(answer), list)
