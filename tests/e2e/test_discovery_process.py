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
