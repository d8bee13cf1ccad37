"""Workers inside a FastAPI application: they share its event loop, and its end waits for their results.

    uvicorn --app-dir examples fastapi_app:app
    curl localhost:8000/greetings/Ada
    curl localhost:8000/health

CONDUCTOR_SERVER_URL names the server; `anyworker dev examples/fastapi_app.py` brings one for a first try.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request

import anyworker
from anyworker import Configuration, TaskDef, worker_task
from anyworker.client import ConductorClient, WorkflowDef, WorkflowTask

GREETING = WorkflowDef(
    name="greeting",
    tasks=[
        WorkflowTask(
            name="compose_greeting",
            task_reference_name="compose",
            input_parameters={"name": "${workflow.input.name}"},
        )
    ],
    output_parameters={"text": "${compose.output.result}"},
)


@worker_task("compose_greeting", thread_count=10, task_def=TaskDef(name="compose_greeting", retry_count=2))
async def compose_greeting(name: str) -> str:
    return f"Hello {name}!"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Serve workers for as long as the application runs: at its end no task is left half done."""
    configuration = Configuration()
    async with ConductorClient(configuration) as client:
        await client.register_workflow_def(GREETING, overwrite=True)
        async with anyworker.serving(compose_greeting, configuration=configuration, grace=20) as fleet:
            yield {"client": client, "fleet": fleet}


app = FastAPI(lifespan=lifespan)


@app.get("/greetings/{name}")
async def greet(name: str, request: Request) -> dict[str, Any]:
    client: ConductorClient = request.state.client
    workflow_id = await client.start_workflow("greeting", {"name": name})
    workflow = await client.wait_for_workflow(workflow_id)
    if workflow.status != "COMPLETED":
        raise HTTPException(502, workflow.reason_for_incompletion)
    return workflow.output


@app.get("/health")
async def health(request: Request) -> dict[str, Any]:
    status = request.state.fleet.status()
    return {
        "stage": status.stage.value,
        "in_hand": {worker.task_type: worker.in_hand for worker in status.workers},
    }
