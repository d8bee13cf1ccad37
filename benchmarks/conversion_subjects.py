"""What `bench_conversion.py` measures, run by pyperf in the interpreter of either subject.

    python benchmarks/conversion_subjects.py {anyworker,official} -o FILE

Both are given the same inputs, as the decoder leaves them. anyworker resolves a function once; the official
SDK looks at the signature for every task, so that is what is measured there: the part of its worker's
``execute`` between task and call. It does not check what it converts.
"""

import dataclasses
import inspect
import sys
from collections.abc import Callable
from typing import Any

import pyperf


@dataclasses.dataclass
class Order:
    order_id: str
    amount: float
    quantity: int
    is_gift: bool
    note: str


def by_name(name: str) -> None: ...


def by_order(order: Order) -> None: ...


ORDER = {"order_id": "o-1", "amount": 1.5, "quantity": 3, "is_gift": False, "note": "none"}
CASES: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {
    "text": (by_name, {"name": "World"}),
    "dataclass": (by_order, {"order": ORDER}),
}


def ours(function: Callable[..., None], given: dict[str, Any]) -> Callable[[], object]:
    """Return what fills the parameters as anyworker does."""
    from anyworker import Task  # noqa: PLC0415 - the official SDK's interpreter has none
    from anyworker.values.resolve import resolve_call  # noqa: PLC0415

    arguments, task = resolve_call(function).arguments, Task(task_id="t", input_data=given)
    return lambda: arguments(task)


def theirs(function: Callable[..., None], given: dict[str, Any]) -> Callable[[], object]:
    """Return what fills the parameters as the official SDK does."""
    from conductor.client.automator import utils  # noqa: PLC0415 - nor has ours the official SDK

    def fill() -> dict[str, Any]:
        found = {}
        parameters = inspect.signature(function).parameters
        for name in parameters:
            kind, default = parameters[name].annotation, parameters[name].default
            if name in given:
                is_simple = kind in utils.simple_types
                found[name] = given[name] if is_simple else utils.convert_from_dict_or_list(kind, given[name])
            else:
                found[name] = None if default is inspect.Parameter.empty else default
        return found

    return fill


def main() -> None:
    """Measure the subject that the first argument names; pyperf starts this again in processes of its own."""
    subject = sys.argv.pop(1)
    runner = pyperf.Runner(program_args=(__file__, subject))
    for name, (function, given) in CASES.items():
        convert = (ours if subject == "anyworker" else theirs)(function, given)
        runner.bench_func(name, convert)


if __name__ == "__main__":
    main()
