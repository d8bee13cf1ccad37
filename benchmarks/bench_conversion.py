"""Measure what filling a function's parameters from a task's input costs, beside the official SDK.

    pip install -e '.[bench]'
    python benchmarks/bench_conversion.py [--official /path/to/venv/bin/python] [--fast]

The other interpreter is one that has ``conductor-python`` installed, best the same Python version; it borrows
this one's pyperf. The inputs are one text for ``(name: str)``, and an object with five fields for a
dataclass: see `conversion_subjects.py`. The marks: below 1 us for the text, below 4 us for the dataclass.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyperf

MARKS = {"text": 1e-6, "dataclass": 4e-6}
SUBJECTS = Path(__file__).with_name("conversion_subjects.py")


def measured(subject: str, python: str, folder: Path, options: list[str]) -> pyperf.BenchmarkSuite:
    """Run pyperf in an interpreter and return what it found."""
    found = folder / f"{subject}.json"
    environ = os.environ | {"PYTHONPATH": str(folder)}
    command = [python, str(SUBJECTS), subject, "--quiet", "-o", str(found), "--inherit-environ=PYTHONPATH"]
    subprocess.run([*command, *options], env=environ, check=True, timeout=600)
    return pyperf.BenchmarkSuite.load(str(found))


def main() -> None:
    """Print the means of both, and whether ours keep the marks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--official", metavar="PYTHON")
    parser.add_argument("--fast", action="store_true", help="fewer runs")
    arguments = parser.parse_args()
    pythons = {"anyworker": sys.executable}
    if arguments.official:
        pythons["official"] = arguments.official
    missed: list[str] = []
    print(f"{'us per call':14}{'input':>12}{'mean':>10}{'stdev':>10}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pyperf").symlink_to(Path(pyperf.__file__).parent)
        for subject, python in pythons.items():
            suite = measured(subject, python, folder, ["--fast"] if arguments.fast else [])
            for benchmark in suite.get_benchmarks():
                kind, mean = benchmark.get_name(), benchmark.mean()
                print(f"{subject:14}{kind:>12}{mean * 1e6:>10.2f}{benchmark.stdev() * 1e6:>10.2f}")
                if subject == "anyworker" and mean >= MARKS[kind]:
                    missed.append(kind)
    sys.exit(f"the mark is missed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
