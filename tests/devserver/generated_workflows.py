"""Random workflow definitions: worker tasks in branches, cases and sub-workflows, retried and forgiven."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from hypothesis import strategies as st

TYPES = ("a", "b", "c")
"""Task types that workers poll."""

Tree = tuple[Any, ...]
"""A kind of step and what it is made of."""

SIMPLE = st.tuples(
    st.just("SIMPLE"),
    st.sampled_from(TYPES),
    st.fixed_dictionaries(
        {},
        optional={
            "optional": st.booleans(),
            "retryCount": st.integers(0, 2),
            "startDelay": st.integers(0, 2),
        },
    ),
)


def _nested(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    steps = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just("FORK_JOIN"), st.lists(steps, min_size=1, max_size=3)),
        st.tuples(st.just("SWITCH"), st.lists(steps, min_size=1, max_size=2), st.integers(0, 2)),
        st.tuples(st.just("SUB_WORKFLOW"), steps),
    )


CONTROL = st.one_of(
    st.tuples(st.just("SET_VARIABLE")),
    st.tuples(st.just("WAIT"), st.integers(0, 3)),
    st.tuples(st.just("TERMINATE"), st.sampled_from(["COMPLETED", "FAILED", "TERMINATED"])),
)
LINEAR = st.lists(SIMPLE, min_size=1, max_size=4)
ANY_STEPS = st.lists(st.recursive(SIMPLE | SIMPLE | CONTROL, _nested, max_leaves=6), min_size=1, max_size=4)


def definition(name: str, steps: list[Tree], **fields: Any) -> dict[str, Any]:
    """Return a workflow definition of generated steps."""
    return {"name": name, "tasks": _tasks(name, steps, count()), **fields}


def _tasks(name: str, steps: list[Tree], numbers: Iterator[int]) -> list[dict[str, Any]]:
    return [task for step in steps for task in _task(name, step, numbers)]


def _task(name: str, step: Tree, numbers: Iterator[int]) -> list[dict[str, Any]]:
    reference = f"s{next(numbers)}"
    task: dict[str, Any] = {"name": reference, "taskReferenceName": reference, "type": step[0]}
    after: list[dict[str, Any]] = []
    match step:
        case ("SIMPLE", task_type, fields):
            task |= {"name": task_type, **fields}
        case ("FORK_JOIN", branches):
            task["forkTasks"] = forks = [_tasks(name, branch, numbers) for branch in branches]
            last = [fork[-1]["taskReferenceName"] for fork in forks]
            after = [{"name": "j", "taskReferenceName": f"{reference}j", "type": "JOIN", "joinOn": last}]
        case ("SWITCH", cases, chosen):
            branches = {str(number): _tasks(name, case, numbers) for number, case in enumerate(cases)}
            task |= {"evaluatorType": "value-param", "expression": "case", "decisionCases": branches}
            task["inputParameters"] = {"case": str(chosen)}
        case ("SUB_WORKFLOW", steps):
            inline = definition(f"{name}_{reference}", steps)
            task["subWorkflowParam"] = {"name": inline["name"], "version": 1, "workflowDefinition": inline}
        case ("WAIT", seconds):
            task["inputParameters"] = {"duration": f"{seconds} seconds"} if seconds else {}
        case ("TERMINATE", status):
            task["inputParameters"] = {"terminationStatus": status, "workflowOutput": {"done": 1}}
        case _:
            task["inputParameters"] = {"seen": "${workflow.input.n}"}
    return [task, *after]
