"""Workers that were found by scanning, in processes of their own: each imports them by the same names."""

import signal
from pathlib import Path

import pytest
from process_rig import Process, Server

WORKER = """
from anyworker import worker_task

@worker_task("{name}")
def work() -> str:
    return __name__
"""

SCRIPT = """
import logging, sys
import anyworker

logging.basicConfig(level=logging.INFO, stream=sys.stderr)
loader = anyworker.WorkerLoader()
{scans}
anyworker.run(*loader.get_workers(), processes={processes}, grace=1)
"""


@pytest.mark.parametrize("processes", ["2", "'per-worker'"])
@pytest.mark.parametrize(
    "scans",
    [
        "loader.scan_path('one', 'my_app.one'); loader.scan_path('two', 'my_app.two')",
        "loader.scan_path('one'); loader.scan_path('two')",
        "loader.scan_packages(['one', 'two'])",
    ],
)
def test_every_process_finds_what_was_scanned(
    server: Server, tmp_path: Path, scans: str, processes: str
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "work.py").write_text(WORKER.format(name=name))
    (tmp_path / "main.py").write_text(SCRIPT.format(scans=scans, processes=processes))
    process = Process(["main.py"], tmp_path, server.url)
    try:
        process.await_output("Conductor Worker[name=", 4 if processes == "2" else 2)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()


@pytest.mark.parametrize("scan", ["paths=['.']", "packages=['app']"])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_program_that_finds_itself_runs_once(
    processes: str, scan: str, server: Server, tmp_path: Path
) -> None:
    head = (
        "import logging, sys\nimport anyworker\nlogging.basicConfig(level=logging.INFO, stream=sys.stderr)\n"
    )
    end = f"anyworker.auto_discover_workers({scan})\nanyworker.run(processes={processes})\n"
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    place = tmp_path / "app" if "app" in scan else tmp_path
    (place / "main.py").write_text(head + WORKER.format(name="own") + end)
    process = Process(["-m", "app.main"] if "app" in scan else ["main.py"], tmp_path, server.url)
    try:
        process.await_output("Conductor Worker[name=own", int(processes))
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
    assert b"No workers" not in process.out
    assert b"Discovered 1 worker in " in process.out
    assert process.err.count(b"Conductor Worker[name=own") == int(processes)


HANDLER = """
import logging, sys
from anyworker import Configuration, TaskHandler, auto_discover_workers

logging.basicConfig(level=logging.INFO, stream=sys.stderr)
loader = auto_discover_workers(packages=["my_app.workers", "my_app.tasks"], ignore_errors=True)

with TaskHandler(configuration=Configuration.from_file("settings.toml")) as handler:
    handler.start_processes()
    handler.join_processes()
"""


def test_a_handler_runs_what_was_discovered_with_the_options_of_the_file(
    server: Server, tmp_path: Path
) -> None:
    for module, text in {
        "workers/one": WORKER.format(name="one"),
        "workers/broken": WORKER.format(name="half") + "1 / 0",
        "tasks/two": WORKER.format(name="two"),
    }.items():
        path = tmp_path / "my_app" / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "main.py").write_text(HANDLER)
    (tmp_path / "settings.toml").write_text("[workers.two]\nthread_count = 5\n")
    process = Process(["main.py"], tmp_path, server.url)
    try:
        process.await_output("Conductor Worker[name=", 2)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
    said = process.err.decode()
    assert "Passed over: importing 'my_app.workers.broken' failed at " in said
    assert "name=half" not in said
    assert "thread_count=5" in said
    assert "is for no worker" not in said
    assert "Discovered 2 workers in 4 modules:" in process.out.decode()
