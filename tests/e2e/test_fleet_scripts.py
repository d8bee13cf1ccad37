"""Programs as users write them, run in several processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fleet_rig import HEAD, WORKER, script, statuses, until
from process_rig import Process, Server

STARTS = {
    "run": "anyworker.run(processes=2)",
    "seed": (
        "with TaskHandler(\n"
        "    configuration=anyworker.Configuration(), scan_for_annotated_workers=True\n"
        ") as handler:\n"
        "    handler.start_processes()\n"
        "    handler.join_processes()"
    ),
    "explicit": "anyworker.run(greet, processes=2)",
}


def indented(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())


def refused(server: Server, directory: Path, code: str) -> str:
    """Return what a program says that must not start."""
    process = Process(script(directory, code), directory, server.url)
    try:
        assert process.end() == 3, process.err
    finally:
        process.close()
    assert b"Traceback" not in process.err
    return process.err.decode()


@pytest.mark.parametrize("is_guarded", [True, False])
@pytest.mark.parametrize("start", STARTS)
def test_workers_of_the_script_itself_run(
    start: str, is_guarded: bool, server: Server, tmp_path: Path
) -> None:
    code = STARTS[start]
    if is_guarded:
        code = f'if __name__ == "__main__":\n{indented(code)}'
    ending = "\nprint('the end of', __name__, flush=True)\n"
    process = Process(script(tmp_path, WORKER + code + ending), tmp_path, server.url)
    try:
        workflow_id = server.start("greet")
        until(lambda: statuses(server, [workflow_id]) == {"COMPLETED"})
        assert server.task(workflow_id)["outputData"]["result"] == "__anyworker_main__ you"
        process.send(15)
        assert process.end() == 0
    finally:
        process.close()
    assert process.out.count(b"the end of __main__") == 1
    assert process.out.count(b"the end of") == (1 if not is_guarded else 1 + (1 if start == "seed" else 2))


def test_module_run_by_name_may_import_relatively(server: Server, tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "words.py").write_text("WORD = 'hello'\n")
    (package / "main.py").write_text(
        f"from .words import WORD\n{HEAD}\n"
        "@worker_task('greet')\ndef greet() -> str:\n    return WORD\n"
        "anyworker.run(processes=2)\n"
    )
    process = Process(["-m", "shop.main"], tmp_path, server.url)
    try:
        workflow_id = server.start("greet")
        until(lambda: statuses(server, [workflow_id]) == {"COMPLETED"})
        assert server.task(workflow_id)["outputData"]["result"] == "hello"
        process.send(15)
        assert process.end() == 0
    finally:
        process.close()


def test_main_module_is_not_imported_again_where_nothing_lives_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(f"from anyworker import worker_task\n{WORKER}")
    code = (
        "print('imported as', __name__, flush=True)\nanyworker.run(processes=2, import_modules=['workers'])\n"
    )
    process = Process(script(tmp_path, code), tmp_path, server.url)
    try:
        process.await_output("Conductor Worker[", 2)
        process.send(15)
        assert process.end() == 0
    finally:
        process.close()
    assert process.out.count(b"as __") == 1


def test_worker_below_other_decorators_and_a_class_are_found_where_they_are_declared(
    server: Server, tmp_path: Path
) -> None:
    code = """
def logged(function):
    def logging(*arguments: str) -> str:
        return function(*arguments)
    return logging

@logged
@worker_task("below")
def below() -> str:
    return "below"

@worker_task("above")
@logged
def above() -> str:
    return "above"

@worker_task("object")
class Object:
    def __init__(self):
        self.lock = threading.Lock()
    def execute(self, task):
        return "object"

anyworker.run(processes=2)
"""
    process = Process(script(tmp_path, code), tmp_path, server.url)
    try:
        ids = [server.start(kind) for kind in ("below", "above", "object")]
        until(lambda: statuses(server, ids) == {"COMPLETED"})
        process.send(15)
        assert process.end() == 0
    finally:
        process.close()


def test_listener_arrives_with_its_state(server: Server, tmp_path: Path) -> None:
    code = f"""{WORKER}
class Counter(TaskRunnerEventsListener):
    def __init__(self, start):
        self.count = start
    def on_task_execution_completed(self, event):
        self.count += 1
        os.write(1, f"counted {{self.count}}\\n".encode())

anyworker.run(processes=2, event_listeners=[Counter(41)])
"""
    process = Process(script(tmp_path, code), tmp_path, server.url)
    try:
        server.start("greet")
        process.await_output("counted 42")
        process.send(15)
        assert process.end() == 0
    finally:
        process.close()


def test_what_does_not_exist_elsewhere_is_refused_by_name(server: Server, tmp_path: Path) -> None:
    code = """
def make(prefix):
    @worker_task("closure")
    def inner() -> str:
        return prefix
make("a")
shout = worker_task("shout")(lambda name: name.upper())
anyworker.run(processes=2)
"""
    said = refused(server, tmp_path, code)
    assert "worker 'closure'" in said
    assert "make.<locals>.inner" in said
    assert "top level of a module" in said
    assert "worker 'shout'" in said
    assert "lambda" in said
    assert "processes=1" in said


def test_listener_that_cannot_be_pickled_is_named_with_its_attribute(server: Server, tmp_path: Path) -> None:
    code = f"""{WORKER}
class Client:
    def __init__(self):
        self.lock = threading.Lock()
class Sender(TaskRunnerEventsListener):
    def __init__(self):
        self.client = Client()
    def on_task_execution_completed(self, event): pass

anyworker.run(processes=2, event_listeners=[Sender()])
"""
    said = refused(server, tmp_path, code)
    assert "Sender" in said
    assert "client.lock" in said
    assert "lifespan" in said


def test_middleware_arrives_with_its_state(server: Server, tmp_path: Path) -> None:
    code = f"""{WORKER}
class Tagged:
    def __init__(self, tag):
        self.tag = tag
    async def __call__(self, call_next, task):
        os.write(1, f"through {{self.tag}} in {{os.getpid() == PARENT}}\\n".encode())
        return await call_next(task)

PARENT = os.getppid() if __name__ != "__main__" else os.getpid()
anyworker.run(processes=2, middleware=[Tagged("first")])
"""
    process = Process(script(tmp_path, code), tmp_path, server.url)
    try:
        server.start("greet")
        process.await_output("through first in False")
        process.send(15)
        assert process.end() == 0
    finally:
        process.close()


def test_middleware_that_cannot_be_pickled_is_named(server: Server, tmp_path: Path) -> None:
    code = f"""{WORKER}
async def outer(call_next, task):
    return await call_next(task)

anyworker.run(processes=2, middleware=[outer, lambda call_next, task: call_next(task)])
"""
    said = refused(server, tmp_path, code)
    assert "middleware[1] (function)" in said
    assert "middleware[0]" not in said


def test_worker_that_only_the_parent_declares_stops_the_start(server: Server, tmp_path: Path) -> None:
    code = f'if __name__ == "__main__":\n{indented(WORKER)}\n    anyworker.run(processes=2)\n'
    said = refused(server, tmp_path, code)
    assert "greet: importing __main__ again" in said
    assert "top level" in said


@pytest.mark.parametrize("by", ["-c", "-"])
def test_interactive_program_is_refused(by: str, server: Server, tmp_path: Path) -> None:
    code = f"{HEAD}{WORKER}\nanyworker.run(processes=2)\n"
    done = subprocess.run(
        [sys.executable, by, *([code] if by == "-c" else [])],
        input=code if by == "-" else "",
        cwd=tmp_path,
        env={**os.environ, "CONDUCTOR_SERVER_URL": server.url},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "interactive session" in done.stderr
    assert "move it to a module" in done.stderr
