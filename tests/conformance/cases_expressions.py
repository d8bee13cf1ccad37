"""Section 9 of the contract: what ``${...}`` becomes in a task's input and a workflow's output."""

from collections.abc import Mapping
from typing import Any

from black_box import Conductor
from conformance_cases import CaseFunction, case
from workflow_steps import simple

INPUT: dict[str, Any] = {
    "x": "text",
    "n": 7,
    "f": 2.5,
    "t": True,
    "nil": None,
    "m": {"a": {"b": [1, {"c": "d"}]}},
    "arr": [1, "two", [3, 4], {"k": "v"}],
    "big": 12345678901234567890,
    "empty": {},
    "dotted.name": "dot",
    "a-b": "dash",
    "key": "x",
    "again": "${workflow.input.x}",
}

EXPRESSIONS: dict[str, tuple[Any, Any]] = {
    "a-whole-value-keeps-its-type-text": ("${workflow.input.x}", "text"),
    "a-whole-value-keeps-its-type-number": ("${workflow.input.n}", 7),
    "a-whole-value-keeps-its-type-fraction": ("${workflow.input.f}", 2.5),
    "a-whole-value-keeps-its-type-boolean": ("${workflow.input.t}", True),
    "a-whole-value-keeps-its-type-map": ("${workflow.input.m}", INPUT["m"]),
    "a-whole-value-keeps-its-type-list": ("${workflow.input.arr}", INPUT["arr"]),
    "a-whole-value-keeps-its-type-large-number": ("${workflow.input.big}", INPUT["big"]),
    "a-whole-value-keeps-its-type-empty-map": ("${workflow.input.empty}", {}),
    "a-null-stays-null": ("${workflow.input.nil}", None),
    "the-whole-input": ("${workflow.input}", INPUT),
    "a-nested-path": ("${workflow.input.m.a.b}", [1, {"c": "d"}]),
    "an-index": ("${workflow.input.arr[1]}", "two"),
    "an-index-of-an-index": ("${workflow.input.arr[2][0]}", 3),
    "a-path-after-an-index": ("${workflow.input.m.a.b[1].c}", "d"),
    "an-index-too-far-is-null": ("${workflow.input.arr[9]}", None),
    "a-name-with-a-dash": ("${workflow.input.a-b}", "dash"),
    "a-name-with-a-dot-in-brackets": ("${workflow.input['dotted.name']}", "dot"),
    "missing-is-null": ("${workflow.input.nope}", None),
    "missing-below-text-is-null": ("${workflow.input.x.y.z}", None),
    "inside-text-it-becomes-text": ("<${workflow.input.x}>", "<text>"),
    "inside-text-a-number": ("n=${workflow.input.n}", "n=7"),
    "inside-text-a-boolean": ("t=${workflow.input.t}", "t=true"),
    "inside-text-a-map": ("m=${workflow.input.m}", "m={a={b=[1, {c=d}]}}"),
    "inside-text-missing-is-the-word-null": ("a${workflow.input.nope}b", "anullb"),
    "two-side-by-side": ("${workflow.input.x}${workflow.input.n}", "text7"),
    "one-inside-another": ("${workflow.input.${workflow.input.key}}", "text"),
    "an-escape-is-literal": ("$${workflow.input.x}", "${workflow.input.x}"),
    "an-escape-beside-another": ("$${a} ${workflow.input.x}", "${a} text"),
    "a-dollar-alone-stays": ("5$ {x} $", "5$ {x} $"),
    "without-an-end-it-is-text": ("${workflow.input.x", "${workflow.input.x"),
    "what-a-value-holds-is-not-evaluated": ("${workflow.input.again}", "${workflow.input.x}"),
    "in-a-nested-map": ({"k": {"l": "${workflow.input.n}"}}, {"k": {"l": 7}}),
    "in-a-nested-list": (["${workflow.input.n}", ["<${workflow.input.x}>"]], [7, ["<text>"]]),
    "keys-are-not-evaluated": ({"${workflow.input.x}": 1}, {"${workflow.input.x}": 1}),
    "constants-stay": ({"a": [1, 2.5, True, None, "s"]}, {"a": [1, 2.5, True, None, "s"]}),
    "the-correlation-id": ("${workflow.correlationId}", "cc"),
    "a-variable": ("${workflow.variables.v}", [1]),
    "a-missing-variable-is-null": ("${workflow.variables.nope}", None),
}


async def evaluated(conductor: Conductor, parameters: Mapping[str, Any], **fields: Any) -> Any:
    """Start a workflow of one task with these input parameters; return the task as polled."""
    name = conductor.unique()
    await conductor.define(name)
    flow = await conductor.flow(simple(name, inputParameters=parameters), variables={"v": [1]})
    await conductor.start(flow, **{"input": INPUT, "correlationId": "cc"} | fields)
    return await conductor.take(name)


def one(value: Any, expected: Any) -> CaseFunction:
    """Return a case of one expression."""

    async def run(conductor: Conductor) -> None:
        task = await evaluated(conductor, {"p": value})
        assert task["inputData"] == {"p": expected}
        assert type(task["inputData"]["p"]) is type(expected)

    return run


for _name, (_value, _expected) in EXPRESSIONS.items():
    case(f"9-expression-{_name}")(one(_value, _expected))


@case("9-expression-the-workflow-id")
async def _(conductor: Conductor) -> None:
    task = await evaluated(conductor, {"p": "${workflow.workflowId}"})
    assert task["inputData"] == {"p": task["workflowInstanceId"]}


@case("9-expression-the-task-id")
async def _(conductor: Conductor) -> None:
    task = await evaluated(conductor, {"p": "${CPEWF_TASK_ID}", "q": "id=${CPEWF_TASK_ID}"})
    assert task["inputData"] == {"p": task["taskId"], "q": f"id={task['taskId']}"}


@case("9-expression-every-parameter-has-a-key")
async def _(conductor: Conductor) -> None:
    task = await evaluated(conductor, {"a": "${workflow.input.nope}", "b": None, "c": 1})
    assert task["inputData"] == {"a": None, "b": None, "c": 1}


@case("9-expression-without-parameters-the-input-is-empty")
async def _(conductor: Conductor) -> None:
    assert (await evaluated(conductor, {}))["inputData"] == {}


@case("9-expression-the-output-of-an-earlier-task")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    await conductor.define(first, second)
    given = {
        "a": "${one.output.a}",
        "i": "${one.output.l[1]}",
        "all": "${one.output}",
        "in": "${one.input.p}",
    }
    flow = await conductor.flow(
        simple(first, "one", inputParameters={"p": 5}), simple(second, "two", inputParameters=given)
    )
    await conductor.start(flow)
    output = {"a": {"b": 1}, "l": [1, 2]}
    await conductor.update(await conductor.take(first), "COMPLETED", outputData=output)
    task = await conductor.take(second)
    assert task["inputData"] == {"a": {"b": 1}, "i": 2, "all": output, "in": 5}


@case("9-expression-a-task-that-is-not-there-is-refused")
async def _(conductor: Conductor) -> None:
    step = simple(conductor.unique(), "one", inputParameters={"p": "${nobody.output.a}"})
    body = {"name": conductor.unique("w"), "tasks": [step]}
    await conductor.refused(400, "POST", "/metadata/workflow", body)


@case("9-expression-a-task-that-has-not-run-is-null")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    given = {"p": "${two.output.a}", "q": "<${two.output.a}>"}
    await conductor.start(
        await conductor.flow(simple(first, "one", inputParameters=given), simple(second, "two"))
    )
    assert (await conductor.take(first))["inputData"] == {"p": None, "q": "<null>"}


@case("9-expression-the-last-attempt-of-a-task-counts")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    await conductor.define(first, second, retryDelaySeconds=0)
    flow = await conductor.flow(
        simple(first, "one"), simple(second, "two", inputParameters={"p": "${one.output.a}"})
    )
    await conductor.start(flow)
    await conductor.update(await conductor.take(first), "FAILED", outputData={"a": "old"})
    await conductor.update(await conductor.take(first), "COMPLETED", outputData={"a": "new"})
    assert (await conductor.take(second))["inputData"] == {"p": "new"}


@case("9-input-template-fills-absent-and-null-keys")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, inputTemplate={"a": 1, "b": 2, "c": 3, "d": "${workflow.input.n}"})
    given = {"b": "${workflow.input.nope}", "c": "${workflow.input.x}"}
    await conductor.start(await conductor.flow(simple(name, inputParameters=given)), input=INPUT)
    assert (await conductor.take(name))["inputData"] == {"a": 1, "b": 2, "c": "text", "d": 7}


@case("9-output-of-the-workflow-by-outputParameters")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name)
    outputs = {"a": "${one.output.a}", "text": "<${one.output.a}>", "none": "${one.output.nope}", "c": 1}
    workflow_id = await conductor.start(await conductor.flow(simple(name, "one"), outputParameters=outputs))
    await conductor.update(await conductor.take(name), "COMPLETED", outputData={"a": [1], "b": 2})
    found = await conductor.workflow(workflow_id)
    assert found["output"] == {"a": [1], "text": "<[1]>", "none": None, "c": 1}


@case("9-output-of-the-workflow-is-else-that-of-its-last-task")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    workflow_id = await conductor.start(await conductor.flow(first, second))
    await conductor.update(await conductor.take(first), "COMPLETED", outputData={"a": 1})
    await conductor.update(await conductor.take(second), "COMPLETED", outputData={"b": 2})
    assert (await conductor.workflow(workflow_id))["output"] == {"b": 2}
