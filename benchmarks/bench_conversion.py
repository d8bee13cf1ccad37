"""Measure what filling a function's parameters from a task's input costs, beside the official SDK.

    python benchmarks/bench_conversion.py [--official /path/to/venv/bin/python] [--runs 9]

The other interpreter is one that has ``conductor-python`` installed, best the same Python version. Both are
given the same inputs, as the decoder leaves them: one text for ``(name: str)``, and an object with five
fields for a dataclass. Ours resolves the function once; theirs looks at the signature for every task, so
that is what is measured: the part of its worker's ``execute`` between task and call. Fresh processes take
turns, CPU time counts.

The marks: below 1 us for the text, below 4 us for the dataclass. The official SDK's second figure buys
less: it does not check what it converts.
"""

import argparse
import statistics
import subprocess
import sys

COUNT = 20_000
MARKS = {"text": 1.0, "dataclass": 4.0}
COMMON = """
import dataclasses, time

@dataclasses.dataclass
class Order:
    order_id: str
    amount: float
    quantity: int
    is_gift: bool
    note: str

def by_name(name: str) -> None: ...
def by_order(order: Order) -> None: ...

INPUTS = {
    "text": (by_name, {"name": "World"}),
    "dataclass": (by_order, {"order": {
        "order_id": "o-1", "amount": 1.5, "quantity": 3, "is_gift": False, "note": "none"}}),
}

def measure(convert, argument):
    for _ in range(1000):
        convert(argument)
    began = time.process_time()
    for _ in range(COUNT):
        convert(argument)
    return (time.process_time() - began) / COUNT * 1e6
"""
OURS = """
from anyworker import Task
from anyworker.values.resolve import resolve_call
for name, (function, given) in INPUTS.items():
    print(name, measure(resolve_call(function).arguments, Task(task_id="t", input_data=given)))
"""
THEIRS = """
import inspect
from conductor.client.automator import utils
from conductor.client.automator.utils import convert_from_dict_or_list

def arguments(task):
    function, given = task
    found = {}
    parameters = inspect.signature(function).parameters
    for name in parameters:
        kind, default = parameters[name].annotation, parameters[name].default
        if name in given:
            is_simple = kind in utils.simple_types
            found[name] = given[name] if is_simple else convert_from_dict_or_list(kind, given[name])
        else:
            found[name] = None if default is inspect.Parameter.empty else default
    return found

for name, task in INPUTS.items():
    print(name, measure(arguments, task))
"""


def us_per_call(python: str, program: str) -> dict[str, float]:
    """Run a program in a fresh process and return its microseconds for each kind of input."""
    source = f"COUNT = {COUNT}\n{COMMON}{program}"
    done = subprocess.run([python, "-c", source], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return {name: float(us) for name, us in map(str.split, done.stdout.splitlines())}


def main() -> None:
    """Let both take turns, print the medians and whether ours keep the marks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--official", metavar="PYTHON")
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    programs = {"anyworker": (sys.executable, OURS)}
    if arguments.official:
        programs["official SDK"] = (arguments.official, THEIRS)
    samples: dict[tuple[str, str], list[float]] = {}
    for _ in range(arguments.runs):
        for subject, (python, program) in programs.items():
            for kind, us in us_per_call(python, program).items():
                samples.setdefault((subject, kind), []).append(us)
    print(f"{'us per call, CPU':16}{'input':>12}{'median':>10}{'spread':>18}")
    for (subject, kind), found in samples.items():
        spread = f"{min(found):.2f}-{max(found):.2f}"
        print(f"{subject:16}{kind:>12}{statistics.median(found):>10.2f}{spread:>18}")
    missed = [kind for kind, mark in MARKS.items() if statistics.median(samples["anyworker", kind]) >= mark]
    sys.exit(f"the mark is missed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
