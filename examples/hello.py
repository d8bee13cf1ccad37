"""A workflow through two workers, without any server: the development server lives in this process.

Say ``backend="trio"`` in the last line, or ``python examples/hello.py trio``: it runs on trio.
"""

import sys

import anyio

import anyworker
from anyworker import worker_task
from anyworker.client import ConductorClient
from anyworker.conductor.models import WorkflowDef, WorkflowTask
from anyworker.devserver import DevServer


@worker_task(task_definition_name="greet", thread_count=10)
async def greet(name: str) -> str:
    print(f"  greet: {name} (async def, on the event loop)")
    return f"Hello {name}"


@worker_task(task_definition_name="shout", thread_count=10)
def shout(text: str) -> dict[str, str]:
    print(f"  shout: {text} (def, in a thread)")
    return {"text": text.upper() + "!"}


WORKFLOW = WorkflowDef(
    name="hello",
    tasks=[
        WorkflowTask(
            name="greet",
            task_reference_name="greeting",
            input_parameters={"name": "${workflow.input.name}"},
        ),
        WorkflowTask(
            name="shout",
            task_reference_name="shouting",
            input_parameters={"text": "${greeting.output.result}"},
        ),
    ],
    output_parameters={"text": "${shouting.output.text}"},
)


async def main(name: str = "Ada") -> None:
    configuration = anyworker.Configuration(
        server_api_url="http://devserver/api", transport=DevServer().transport()
    )
    async with anyworker.serving(configuration=configuration), ConductorClient(configuration) as client:
        await client.register_workflow_def(WORKFLOW, overwrite=True)
        workflow_id = await client.start_workflow(name="hello", input={"name": name})
        print(f"started workflow hello ({workflow_id}) for {name}")
        with anyio.fail_after(10):
            workflow = await client.wait_for_workflow(workflow_id)
    for task in workflow.tasks:
        print(f"  {task.reference_task_name}: {task.status}, output {task.output_data}")
    print(f"workflow {workflow.status}: {workflow.output}")
    if workflow.status != "COMPLETED":
        sys.exit(1)


if __name__ == "__main__":
    anyio.run(main, backend="trio" if "trio" in sys.argv[1:] else "asyncio")
