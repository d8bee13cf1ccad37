"""``anyworker dev`` as it is used: reloads, signals, what becomes of tasks and processes."""

import re
import signal
import time
from pathlib import Path

import pytest
from dev_rig import Dev, is_alive, running, start, until, workflow

INT, TERM = signal.SIGINT, signal.SIGTERM
BACKENDS = ["asyncio", "trio"]


def child_pid(dev: Dev, word: str) -> int:
    """Return the id of the workers' process, which their functions tell."""
    dev.await_text(f"{word} ")
    found = re.findall(rf"{word} (\d+)", dev.text)
    return int(found[-1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_worker_can_be_tried_at_once(backend: str, tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--backend", backend) as dev:
        dev.await_ready()
        line = f"curl {dev.url}/workflow/shout -H 'Content-Type: application/json' -d '{{\"name\":\"text\"}}'"
        assert line in dev.text
        with dev.client() as client:
            ids = {name: start(client, name, name="x") for name in ("greet", "shout")}
            until(lambda: all(workflow(client, each)["status"] == "COMPLETED" for each in ids.values()))
            assert workflow(client, ids["greet"])["output"] == {"result": "Hello x"}
            assert client.get("/metadata/taskdefs/greet").json()["inputTemplate"] == {"times": 1}
            assert client.get("/metadata/workflow/greet").json()["inputParameters"] == ["name", "times"]
        dev.send(INT)
        assert dev.end() == 0
    assert "\x1b" not in dev.text
    assert re.search(
        r"^\d\d:\d\d:\d\d\.\d{3}  greet/\w{8}  greet  COMPLETED  \S+  \d+ms$", dev.text, re.MULTILINE
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_changed_code_takes_over_and_the_server_stays(backend: str, tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--backend", backend) as dev:
        dev.await_ready()
        with dev.client() as client:
            first = start(client, "greet", name="x")
            until(lambda: workflow(client, first)["status"] == "COMPLETED")
            dev.rewrite("Hello", "Howdy")
            dev.await_text("Reloaded")
            second = start(client, "greet", name="x")
            until(lambda: workflow(client, second)["status"] == "COMPLETED")
            assert workflow(client, second)["output"] == {"result": "Howdy x"}
            assert workflow(client, first)["output"] == {"result": "Hello x"}
        dev.send(INT)
        assert dev.end() == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "word"), [("nap", "napping"), ("toil", "toiling"), ("block", "blocking")])
def test_task_that_outlasts_a_reload_is_run_by_the_new_code(
    backend: str, name: str, word: str, tmp_path: Path
) -> None:
    with running(tmp_path, "--port", "0", "--backend", backend) as dev:
        dev.await_ready()
        with dev.client() as client:
            workflow_id = start(client, name, seconds=600)
            dev.await_text(word)
            dev.rewrite("(seconds)", "(0)")
            until(lambda: workflow(client, workflow_id)["status"] == "COMPLETED")
            assert len(workflow(client, workflow_id)["tasks"]) == 1
        dev.send(INT)
        assert dev.end() == 0


def test_task_that_ends_within_the_grace_is_finished_by_the_old_code(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0") as dev:
        dev.await_ready()
        with dev.client() as client:
            workflow_id = start(client, "toil", seconds=1)
            dev.await_text("toiling")
            dev.rewrite('"done"', '"done anew"')
            dev.await_text("Reloaded")
            assert workflow(client, workflow_id)["output"] == {"result": "done"}
        dev.send(INT)
        assert dev.end() == 0


@pytest.mark.parametrize("broken", ["def (", "import nothing_like_it", "1 / 0"])
def test_broken_code_is_shown_and_the_next_change_tries_again(broken: str, tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0") as dev:
        dev.await_ready()
        with dev.client() as client:
            dev.rewrite("import os,", f"{broken}\nimport os,")
            dev.await_text("No workers; the next change of the code tries again")
            workflow_id = start(client, "greet", name="x")
            dev.rewrite(f"{broken}\n", "")
            until(lambda: workflow(client, workflow_id)["status"] == "COMPLETED")
        dev.send(INT)
        assert dev.end() == 0
    assert any(word in dev.text for word in ("SyntaxError", "nothing_like_it", "ZeroDivisionError"))
    assert "Traceback" not in dev.text


def test_only_the_code_of_the_workers_is_watched(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "words.py").write_text("WORD = 'Hello'\n")
    with running(tmp_path, "--port", "0") as dev:
        dev.await_ready()
        (tmp_path / "other.py").write_text("")
        (tmp_path / "notes.txt").write_text("")
        dev.rewrite("import os,", "from shop.words import WORD\nimport os,")
        dev.await_text("Reloaded")
        (package / "words.py").write_text("WORD = 'Howdy'\n")
        dev.await_text("Reloaded", count=2)
        dev.send(INT)
        assert dev.end() == 0
    assert "other.py" not in dev.text
    assert "words.py changed" in dev.text


def test_no_reload_leaves_the_workers_alone(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--no-reload") as dev:
        dev.await_ready()
        dev.rewrite("Hello", "Howdy")
        with dev.client() as client:
            workflow_id = start(client, "toil", seconds=1)
            until(lambda: workflow(client, workflow_id)["status"] == "COMPLETED")
        dev.send(INT)
        assert dev.end() == 0
    assert "Reload" not in dev.text


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("to_group", [False, True])
def test_idle_command_ends_at_once(backend: str, to_group: bool, tmp_path: Path) -> None:
    settings = {"CONDUCTOR_WORKER_ALL_POLL_TIMEOUT": "5000"}
    with running(tmp_path, "--port", "0", "--backend", backend, settings=settings) as dev:
        dev.await_ready()
        with dev.client() as client:
            # By its end the polls of the other workers wait.
            workflow_id = start(client, "toil", seconds=0.5)
            until(lambda: workflow(client, workflow_id)["status"] == "COMPLETED")
        began = time.monotonic()
        dev.send(INT, to_group=to_group)
        assert dev.end() == 0
    assert time.monotonic() - began < 3.0, "its polls would have waited for 5 s"
    assert "Traceback" not in dev.text
    assert "KeyboardInterrupt" not in dev.text


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("signum", [INT, TERM])
@pytest.mark.parametrize(("name", "word"), [("nap", "napping"), ("toil", "toiling")])
def test_signal_lets_what_runs_finish(
    backend: str, signum: signal.Signals, name: str, word: str, tmp_path: Path
) -> None:
    """A signal to the whole group, as a terminal sends it, counts once."""
    with running(tmp_path, "--port", "0", "--backend", backend) as dev:
        dev.await_ready()
        with dev.client() as client:
            start(client, name, seconds=1)
            dev.await_text(word)
        dev.send(signum, to_group=True)
        assert dev.end() == 0
    assert re.search(rf"{name}  COMPLETED", dev.text)


def test_second_signal_cancels_what_runs(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--grace", "60") as dev:
        dev.await_ready()
        with dev.client() as client:
            start(client, "nap", seconds=600)
            dev.await_text("napping")
        dev.send(INT, to_group=True)
        dev.await_text("Draining")
        dev.send(INT, to_group=True)
        assert dev.end() == 0


def test_thread_that_outlives_the_grace_is_abandoned(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--grace", "0.2") as dev:
        dev.await_ready()
        with dev.client() as client:
            start(client, "toil", seconds=600)
            dev.await_text("toiling")
        dev.send(TERM)
        assert dev.end() == 4


@pytest.mark.parametrize("how", ["third signal", "kill"])
def test_no_worker_outlives_a_command_that_is_gone(how: str, tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0") as dev:
        dev.await_ready()
        with dev.client() as client:
            start(client, "toil", seconds=600)
            child = child_pid(dev, "toiling")
            start(client, "block", seconds=600)
            dev.await_text("blocking")
        if how == "kill":
            dev.send(signal.SIGKILL)
            assert dev.process.wait(timeout=5) == -signal.SIGKILL
        else:
            for _ in range(3):
                dev.send(INT, to_group=True)
                time.sleep(0.1)  # noqa: TID251 - the kernel merges signals that follow each other at once
            assert dev.process.wait(timeout=5) == 128 + INT
        until(lambda: not is_alive(child))


def test_workers_that_crash_are_started_again(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0") as dev:
        dev.await_ready()
        with dev.client() as client:
            crashed = start(client, "crash")
            until(lambda: workflow(client, crashed)["status"] == "FAILED")
            assert "exit status 7" in workflow(client, crashed)["reasonForIncompletion"]
            workflow_id = start(client, "greet", name="x")
            until(lambda: workflow(client, workflow_id)["status"] == "COMPLETED")
        dev.send(INT)
        assert dev.end() == 0


def test_started_workflow_shows_its_output(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--start", "shout", "--input", '{"name": "you"}') as dev:
        dev.await_text('COMPLETED {"result":"YOU"}')
        dev.send(INT)
        assert dev.end() == 0


def test_orkes_and_admin_routes_are_there_when_asked_for(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--orkes", "--admin") as dev:
        dev.await_ready()
        with dev.client() as client:
            assert client.post("/token", json={"keyId": "a", "keySecret": "b"}).status_code == 200
            assert client.get(dev.url.replace("/api", "/admin/faults")).status_code == 200
            workflow_id = start(client, "greet", name="x")
            until(lambda: workflow(client, workflow_id)["status"] == "COMPLETED")
        dev.send(INT)
        assert dev.end() == 0


def test_orkes_asks_for_the_key_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("CONDUCTOR_AUTH_KEY", "key")
    monkeypatch.setenv("CONDUCTOR_AUTH_SECRET_FILE", str(tmp_path / "secret"))
    with running(tmp_path, "--port", "0", "--orkes", "--start", "shout", "--input", '{"name": "you"}') as dev:
        dev.await_text('COMPLETED {"result":"YOU"}')
        with dev.client() as client:
            assert client.get("/metadata/taskdefs").json()["error"] == "INVALID_TOKEN"
            assert client.post("/token", json={"keyId": "key", "keySecret": "no"}).status_code == 401
            assert client.post("/token", json={"keyId": "key", "keySecret": "s3cret"}).status_code == 200
        dev.send(INT)
        assert dev.end() == 0


def test_terminal_shows_a_table_and_leaves_no_trace_of_it(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", has_terminal=True) as dev:
        dev.await_ready()
        with dev.client() as client:
            start(client, "fail", why="kaputt \x1b[2J 日本語")
            workflow_id = start(client, "toil", seconds=0.5)
            dev.await_text("IN_PROGRESS")
            until(lambda: workflow(client, workflow_id)["status"] == "COMPLETED")
        dev.await_text("COMPLETED")
        dev.send(INT)
        assert dev.end() == 0
    assert "\x1b[32m" in dev.text, "colours"
    assert "\x1b[2J" not in dev.text, "what a reason holds is only shown"
    assert "\\x1b[2J 日本語" in dev.text
    assert re.search(r"(^|\n|\x1b\[2K)toiling \d+\r\n", dev.text), "lines of workers stand alone"
    assert dev.text.endswith("\x1b[?25h") or "\x1b[?25l" not in dev.text.rpartition("\x1b[?25h")[2]
