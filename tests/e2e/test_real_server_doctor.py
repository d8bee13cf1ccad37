"""``anyworker doctor`` against a real server."""

import uuid

from anyworker import Configuration, TaskDef, Worker
from anyworker.client import ConductorClient, WorkflowDef, WorkflowTask
from anyworker.doctor import examine
from anyworker.options import resolve_all


def charge(amount: int) -> int:
    return amount


async def test_doctor_reads_version_clock_definition_and_queue(conductor_url: str) -> None:
    name = f"doctor-{uuid.uuid4().hex}"
    configuration = Configuration(server_api_url=conductor_url)
    async with ConductorClient(configuration) as client:
        await client.register_task_defs([TaskDef(name=name, response_timeout_seconds=60)])
        task = WorkflowTask(name=name, task_reference_name="it", type="SIMPLE")
        await client.register_workflow_def(WorkflowDef(name=name, tasks=[task]))
        workflow = await client.start_workflow(name, {})
        workers = [Worker(name, charge, timeout=90), Worker(name, charge, domain="eu")]
        found = await examine(resolve_all(workers, {}).workers, configuration)
        await client.terminate_workflow(workflow)
    server, clock, key, *about = found
    assert server.report.startswith("Conductor 3."), server
    assert (clock.verdict, key.report) == ("ok", "none configured, none asked for")
    definition, time, queue, _, _, elsewhere = about
    assert (definition.verdict, time.verdict) == ("warning", "wrong")
    assert "responseTimeoutSeconds=60" in time.report
    assert queue.report == "1 task waits, and nobody has polled yet"
    assert "0 tasks wait in its domain, 1 outside of any" in elsewhere.report
