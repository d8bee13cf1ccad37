"""Section 6 of the contract: domains."""

import anyio
from black_box import Conductor
from conformance_cases import case


async def domain_of(conductor: Conductor, workflow_id: str) -> str | None:
    """Return the domain of a workflow's last task."""
    found: str | None = (await conductor.last(workflow_id)).get("domain")
    return found


@case("6-an-active-domain-gets-the-task")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(), conductor.unique("d")
    await conductor.poll(name, domain=domain)
    workflow_id = await conductor.start(name, taskToDomain={name: domain})
    assert await domain_of(conductor, workflow_id) == domain
    assert await conductor.poll(name) == []
    assert (await conductor.take(name, domain=domain))["domain"] == domain


@case("6-without-a-domain-the-task-has-none")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    assert "domain" not in task


@case("6-a-poll-of-a-domain-does-not-see-the-plain-queue")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    assert await conductor.poll(name, domain=conductor.unique("d")) == []
    assert len(await conductor.poll(name)) == 1


@case("6-an-inactive-last-domain-is-used-all-the-same")
async def _(conductor: Conductor) -> None:
    name, one, two = await conductor.single(), conductor.unique("d"), conductor.unique("d")
    workflow_id = await conductor.start(name, taskToDomain={name: f"{one},{two}"})
    assert await domain_of(conductor, workflow_id) == two
    assert await conductor.poll(name) == []
    assert await conductor.size(name) == 0
    assert await conductor.size(name, domain=two) == 1


@case("6-the-first-active-domain-of-a-list")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    domains = [conductor.unique("d") for _ in range(3)]
    for domain in domains[1:]:
        await conductor.poll(name, domain=domain)
    workflow_id = await conductor.start(name, taskToDomain={name: ",".join(domains)})
    assert await domain_of(conductor, workflow_id) == domains[1]


@case("6-blanks-around-the-domains-of-a-list")
async def _(conductor: Conductor) -> None:
    name, one, two = await conductor.single(), conductor.unique("d"), conductor.unique("d")
    await conductor.poll(name, domain=one)
    workflow_id = await conductor.start(name, taskToDomain={name: f" {one} , {two} "})
    assert await domain_of(conductor, workflow_id) == one


@case("6-NO_DOMAIN-is-the-plain-queue")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(), conductor.unique("d")
    workflow_id = await conductor.start(name, taskToDomain={name: f"{domain},NO_DOMAIN"})
    assert await domain_of(conductor, workflow_id) is None
    assert len(await conductor.poll(name)) == 1


@case("6-an-active-domain-comes-before-NO_DOMAIN")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(), conductor.unique("d")
    await conductor.poll(name, domain=domain)
    workflow_id = await conductor.start(name, taskToDomain={name: f"{domain},NO_DOMAIN"})
    assert await domain_of(conductor, workflow_id) == domain


@case("6-a-star-is-for-all-types")
async def _(conductor: Conductor) -> None:
    first, second, domain = conductor.unique(), conductor.unique(), conductor.unique("d")
    await conductor.define(first, second)
    for name in (first, second):
        await conductor.poll(name, domain=domain)
    workflow_id = await conductor.start(await conductor.flow(first, second), taskToDomain={"*": domain})
    await conductor.update(await conductor.take(first, domain=domain), "COMPLETED")
    assert await domain_of(conductor, workflow_id) == domain


@case("6-a-type-of-its-own-comes-before-the-star")
async def _(conductor: Conductor) -> None:
    name, one, two = await conductor.single(), conductor.unique("d"), conductor.unique("d")
    for domain in (one, two):
        await conductor.poll(name, domain=domain)
    workflow_id = await conductor.start(name, taskToDomain={"*": one, name: two})
    assert await domain_of(conductor, workflow_id) == two


@case("6-another-types-domain-does-not-matter")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name, taskToDomain={conductor.unique(): "d"})
    assert await domain_of(conductor, workflow_id) is None


@case("6-a-domain-polled-8-seconds-ago-is-active")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(), conductor.unique("d")
    await conductor.poll(name, domain=domain, timeout=1)
    await conductor.elapse(8)
    workflow_id = await conductor.start(name, taskToDomain={name: f"{domain},NO_DOMAIN"})
    assert await domain_of(conductor, workflow_id) == domain


@case("6-a-domain-polled-10.5-seconds-ago-is-not")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(), conductor.unique("d")
    await conductor.poll(name, domain=domain, timeout=1)
    await conductor.elapse(10.5)
    workflow_id = await conductor.start(name, taskToDomain={name: f"{domain},NO_DOMAIN"})
    assert await domain_of(conductor, workflow_id) is None


@case("6-a-domain-is-inactive-during-its-first-long-poll")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(), conductor.unique("d")
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: conductor.poll(name, domain=domain, timeout=3000))
        await conductor.elapse(0.8)
        workflow_id = await conductor.start(name, taskToDomain={name: f"{domain},NO_DOMAIN"})
        assert await domain_of(conductor, workflow_id) is None


@case("6-the-domain-is-chosen-when-the-task-is-scheduled")
async def _(conductor: Conductor) -> None:
    first, second, domain = conductor.unique(), conductor.unique(), conductor.unique("d")
    await conductor.define(first, second)
    flow = await conductor.flow(first, second)
    workflow_id = await conductor.start(flow, taskToDomain={second: f"{domain},NO_DOMAIN"})
    await conductor.poll(second, domain=domain)
    await conductor.update(await conductor.take(first), "COMPLETED")
    assert await domain_of(conductor, workflow_id) == domain


@case("6-a-retry-chooses-its-domain-again")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(retryDelaySeconds=0), conductor.unique("d")
    workflow_id = await conductor.start(name, taskToDomain={name: f"{domain},NO_DOMAIN"})
    task = await conductor.take(name)
    await conductor.poll(name, domain=domain)
    await conductor.update(task, "FAILED")
    assert await domain_of(conductor, workflow_id) == domain


@case("6-a-hand-back-keeps-its-domain")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(), conductor.unique("d")
    await conductor.start(name, taskToDomain={name: domain})
    task = await conductor.take(name, domain=domain)
    await conductor.update(task, "IN_PROGRESS")
    assert await conductor.poll(name) == []
    assert (await conductor.take(name, domain=domain))["taskId"] == task["taskId"]


@case("6-update-v2-stays-in-the-domain")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(), conductor.unique("d")
    await conductor.start(name)
    await conductor.start(name, taskToDomain={name: domain})
    other = await conductor.start(name, taskToDomain={name: domain})
    task = await conductor.take(name, domain=domain)
    found = await conductor.update_v2(task, "COMPLETED", workerId="w")
    assert (found["workflowInstanceId"], found["domain"]) == (other, domain)
    assert await conductor.update_v2(found, "COMPLETED", workerId="w") is None
    assert await conductor.size(name) == 1


@case("6-domains-have-poll-data-of-their-own")
async def _(conductor: Conductor) -> None:
    name, domain = conductor.unique(), conductor.unique("d")
    await conductor.poll(name, workerid="plain")
    await conductor.poll(name, workerid="special", domain=domain)
    found = await conductor.get(f"/tasks/queue/polldata?taskType={name}")
    assert {(item.get("domain"), item["workerId"]) for item in found} == {
        (None, "plain"),
        (domain, "special"),
    }
