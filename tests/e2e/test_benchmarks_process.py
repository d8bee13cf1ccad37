"""The benchmarks' runner, and short forms of what measures no time that a busy machine would spoil."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def benchmark(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_runner_lists_every_benchmark_with_what_it_measures() -> None:
    done = benchmark()
    assert done.returncode == 0
    names = {path.stem.removeprefix("bench_") for path in (ROOT / "benchmarks").glob("bench_*.py")}
    listed = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed.keys() == names
    assert all(len(line.split()) > 4 for line in listed.values())


def test_runner_refuses_a_name_that_there_is_not() -> None:
    done = benchmark("nope")
    assert (done.returncode, done.stderr.strip()) == (2, "There is no benchmark 'nope'.")


def test_idle_workers_are_measured(tmp_path: Path) -> None:
    found = tmp_path / "idle.json"
    done = benchmark("idle", "--types", "3", "--seconds", "1", "--backend", "trio", "--json", str(found))
    assert done.returncode == 0, done.stderr
    [row] = json.loads(found.read_text())["rows"]
    assert (row["types"], row["subject"], row["processes"]) == (3, "trio", 1)
    assert 0 < row["requests_per_second"] < 30
    assert 10 < row["pss_mb"] < 200


def test_pickup_without_a_server_says_so() -> None:
    done = benchmark("pickup", "--server", "http://127.0.0.1:1/api", "--rounds", "1")
    assert done.returncode == 2
    assert "http://127.0.0.1:1/api: " in done.stderr
