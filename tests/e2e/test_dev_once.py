"""``anyworker dev --once``: one workflow, its output, and an exit status that says how it went."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from dev_rig import Dev, running

BACKENDS = ["asyncio", "uvloop", "trio"]


def once(directory: Path, *words: str, stdin: bytes = b"") -> tuple[int, Dev]:
    with running(directory, "--once", *words, stdin=stdin) as dev:
        return dev.end(), dev


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "result"), [("greet", "Hello Wörld"), ("shout", "WÖRLD")])
def test_output_alone_is_on_standard_output(backend: str, name: str, result: str, tmp_path: Path) -> None:
    status, dev = once(tmp_path, "--backend", backend, "--start", name, "--input", '{"name": "Wörld"}')
    assert status == 0, dev.text
    assert dev.out.decode().count("\n") == 1
    assert json.loads(dev.out) == {"result": result}


def test_what_workers_print_goes_to_standard_error(tmp_path: Path) -> None:
    status, dev = once(tmp_path, "--start", "nap", "--input", '{"seconds": 0}')
    assert status == 0
    assert json.loads(dev.out) == {"result": "rested"}
    assert b"napping" in dev.err


def test_defaults_stand_in_for_absent_input(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(
        "from anyworker import worker_task\n"
        "@worker_task('tick')\n"
        "def tick(times: int = 3, label: str | None = None) -> str:\n"
        "    return f'{times} {label}'\n"
    )
    assert json.loads(once(tmp_path, "--start", "tick")[1].out) == {"result": "3 None"}
    assert json.loads(once(tmp_path, "--start", "tick", "--input", '{"times": 5}')[1].out) == {
        "result": "5 None"
    }


def test_lifespan_and_middleware_stand_around_the_workers(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(
        "import contextlib\n"
        "from typing import Annotated\n"
        "from anyworker import FromLifespan, worker_task\n"
        "@worker_task('ask')\n"
        "def ask(pool: Annotated[str, FromLifespan]) -> str:\n"
        "    return pool\n"
        "@contextlib.asynccontextmanager\n"
        "async def make_pool():\n"
        "    yield {'pool': 'filled'}\n"
        "async def around(call_next, task):\n"
        "    outcome = await call_next(task)\n"
        "    outcome.output['around'] = True\n"
        "    return outcome\n"
    )
    parts = ["--lifespan", "workers:make_pool", "--middleware", "workers:around"]
    status, dev = once(tmp_path, "--start", "ask", *parts)
    assert status == 0, dev.text
    assert json.loads(dev.out) == {"result": "filled", "around": True}


def test_worker_of_whole_tasks_gets_whatever_is_given(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(
        "from anyworker import worker_task, Task\n"
        "@worker_task('echo')\n"
        "def echo(task: Task) -> dict:\n"
        "    return task.input_data\n"
    )
    assert json.loads(once(tmp_path, "--start", "echo", "--input", '{"a": [1]}')[1].out) == {"a": [1]}


def test_worker_of_a_domain_is_reached(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(
        "from anyworker import worker_task\n"
        "@worker_task('mail.send', domain='eu')\n"
        "def mail(to: str) -> str:\n"
        "    return to\n"
    )
    status, dev = once(tmp_path, "--start", "mail.send", "--input", '{"to": "x"}')
    assert (status, json.loads(dev.out)) == (0, {"result": "x"})


@pytest.mark.parametrize("backend", BACKENDS)
def test_failed_workflow_exits_with_1_and_its_reason(backend: str, tmp_path: Path) -> None:
    status, dev = once(tmp_path, "--backend", backend, "--start", "fail", "--input", '{"why": "no luck"}')
    assert status == 1
    assert b"FAILED" in dev.err
    assert b"no luck" in dev.err
    assert json.loads(dev.out) == {}


def test_crash_of_the_workers_fails_the_task(tmp_path: Path) -> None:
    status, dev = once(tmp_path, "--start", "crash")
    assert status == 1
    assert b"exit status 7" in dev.err


@pytest.mark.parametrize("place", ["file", "stdin"])
def test_input_comes_from_a_file_or_standard_input(place: str, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"name": "you"}')
    source, stdin = ("@input.json", b"") if place == "file" else ("-", b'{"name": "you"}')
    status, dev = once(tmp_path, "--start", "shout", "--input", source, stdin=stdin)
    assert (status, json.loads(dev.out)) == (0, {"result": "YOU"})


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--start", "greet", "--input", '{"name": }'], 2, "line 1, column 10"),
        (["--start", "greet", "--input", "[1]"], 2, "not an array"),
        (["--start", "greet", "--input", '{"name": NaN}'], 2, "NaN"),
        (["--start", "greet", "--input", "@nothing.json"], 2, "nothing.json: No such file"),
        (["--start", "greet", "--workflow", "nothing.json"], 2, "nothing.json: No such file"),
        (["--start", "great"], 3, "did you mean 'greet'? (known are: greet, shout"),
        ([], 2, "--once needs --start"),
    ],
)
def test_what_cannot_be_used_is_named(words: list[str], status: int, said: str, tmp_path: Path) -> None:
    found, dev = once(tmp_path, *words)
    assert found == status, dev.text
    assert said in dev.err.decode()
    assert b"Traceback" not in dev.err
    assert dev.out == b""


def test_refused_definitions_are_all_named_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('[{"name": "empty", "tasks": []}, {"tasks": [{"name": "greet"}]}]')
    status, dev = once(tmp_path, "--workflow", "bad.json", "--start", "empty")
    assert status == 3
    _, *problems = dev.err.decode().splitlines()
    assert [problem.partition(":")[0] for problem in problems] == [
        "workflow definition 'empty'",
        "workflow definition without a name",
    ]


def test_files_define_workflows_and_tasks(tmp_path: Path) -> None:
    steps = [
        {
            "name": name,
            "taskReferenceName": name,
            "type": "SIMPLE",
            "inputParameters": {"name": source},
        }
        for name, source in (("shout", "${workflow.input.who}"), ("greet", "${shout.output.result}"))
    ]
    flow = {"name": "chain", "version": 1, "schemaVersion": 2, "tasks": steps}
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    (tmp_path / "tasks.json").write_text(json.dumps([{"name": "greet", "retryCount": 5}]))
    status, dev = once(
        tmp_path, "--workflow", "flow.json", "--workflow", "tasks.json", "--start", "chain",
        "--input", '{"who": "you"}',
    )  # fmt: skip
    assert status == 0, dev.text
    assert json.loads(dev.out) == {"result": "Hello YOU"}


def test_refused_definition_names_every_violation(tmp_path: Path) -> None:
    step = {"name": "greet", "taskReferenceName": "a", "type": "SIMPLE"}
    flow = {"name": "twice", "version": 1, "schemaVersion": 1, "tasks": [step, step]}
    (tmp_path / "flow.json").write_text(json.dumps([flow, {"name": "empty", "tasks": []}]))
    status, dev = once(tmp_path, "--workflow", "flow.json", "--start", "twice")
    assert status == 3
    said = dev.err.decode()
    assert "schemaVersion: 2 is only supported" in said
    assert "taskReferenceName: a should be unique" in said
    assert "WorkflowTask list cannot be empty" in said


def test_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        status, dev = once(tmp_path, "--start", "greet", "--port", port)
    assert status == 3
    assert f"port {port}" in dev.err.decode()


@pytest.mark.parametrize("source", ["", "import nothing_like_it\n", "def (\n"])
def test_workers_that_are_not_there_are_an_error(source: str, tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(source)
    with running(tmp_path, "--port", "0") as dev:
        assert dev.end() == 3, dev.text
    assert b"Traceback" not in dev.err
    assert any(word in dev.err for word in (b"no workers", b"nothing_like_it", b"SyntaxError"))


def test_missing_extra_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['rich'] = None\n"
        "from anyworker.cli import main\n"
        "main(['dev', 'workers.py'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 3
    assert b"rich missing" in done.stderr
    assert b"pip install 'anyworker[dev]'" in done.stderr


def test_worker_that_registers_itself_has_its_defaults_too(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(
        "from anyworker import worker_task\n"
        "@worker_task('tick', register_task_def=True)\n"
        "def tick(times: int = 3) -> int:\n"
        "    return times\n"
    )
    status, dev = once(tmp_path, "--start", "tick")
    assert (status, json.loads(dev.out)) == (0, {"result": 3})
