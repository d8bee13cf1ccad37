"""Measure what the README shows: tasks, idling and imports beside the floor and the official SDK.

    python -m benchmarks overview [--rounds 3] [--tasks 2000] [--official PYTHON] [--to DIRECTORY]

It runs `task`, `idle` and `import`, each beside the official SDK in an environment of its own, which is made
if it is missing. Figures go to ``overview.json``, the plot to ``overview.svg``, the table to standard output.
It takes some eight minutes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench_task import HERE
from official_sdk import official_python
from overview_report import plot, table


def measured(name: str, *options: str) -> Any:
    """Run a benchmark and return what it found."""
    with tempfile.TemporaryDirectory() as directory:
        found = Path(directory, "found.json")
        command = [sys.executable, str(HERE / f"bench_{name}.py"), *options, "--json", str(found)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        return json.loads(found.read_text())


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", default="3")
    parser.add_argument("--tasks", default="2000")
    parser.add_argument("--seconds", default="15", help="of idling")
    parser.add_argument("--official", metavar="PYTHON")
    parser.add_argument("--to", type=Path, default=HERE / "results", metavar="DIRECTORY")
    given = parser.parse_args()
    official = ["--official", given.official or official_python()]
    data: dict[str, Any] = {
        "task": measured("task", "--rounds", given.rounds, "--tasks", given.tasks, *official),
        "idle": measured("idle", "--types", "10", "50", "--seconds", given.seconds, *official),
        "import": measured("import", *official),
    }
    for samples in data["import"]:
        del samples["python"]  # a path of this machine
    given.to.mkdir(parents=True, exist_ok=True)
    (given.to / "overview.json").write_text(json.dumps(data, indent=1) + "\n")
    (given.to / "overview.svg").write_text(plot(data))
    print(table(data))


if __name__ == "__main__":
    main()
