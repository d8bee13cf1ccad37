"""The floor under anyworker's cost of a task: the same exchanges by hand, as cheaply as anyio allows.

    python benchmarks/floor.py --url http://127.0.0.1:PORT --backend trio --slots 10 --tasks 5000

What it includes, per exchange: one `send` of preformatted bytes into which only ids and a count are set, one
or more `receive` on an anyio socket, one httptools parser per connection, the check of status 200, and the
pieces of the body. Per answer to a poll: one regular expression over the body that finds the pairs of ids.
Per task: one update. Per connection: one `connect_tcp`, again after every ``Connection: close``. There are
as many coroutines as slots, each with its own kept connection; a coroutine that finds no task in the common
list polls, so there are as many polls and updates as ``--tasks-per-poll`` says, which is what anyworker was
seen to do.

What it leaves out: the function and its thread, timeouts and cancel scopes, a task group's child and a slot
per task, checks of a kept connection, headers other than those that frame the answer, JSON, models, errors,
authentication, events. No httpx, no msgspec.

It prints its CPU and wall time per task as JSON. The backlog must hold exactly the tasks that are asked for
(``Settings.total``); `bench_task.py` sees to it.
"""

import re
from typing import TYPE_CHECKING

import anyio
import httptools
from meter import Meter, Settings, main

if TYPE_CHECKING:
    from anyio.abc import SocketStream

READ_SIZE = 65536
IDS = re.compile(rb'"workflowInstanceId":"([^"]+)".*?"taskId":"([^"]+)"')
HEADERS = b"Host: 127.0.0.1:%d\r\nuser-agent: anyworker\r\naccept: application/json, text/plain\r\n"
POLL = b"GET /api/tasks/poll/batch/greet?workerid=%b&count=%%d&timeout=0 HTTP/1.1\r\n%b\r\n"
UPDATE = b"POST /api/tasks HTTP/1.1\r\n%bContent-Type: application/json\r\nContent-Length: %%d\r\n\r\n%%b"
RESULT = (
    b'{"taskId":"%%b","workflowInstanceId":"%%b","workerId":"%b","status":"COMPLETED",'
    b'"outputData":{"result":"%b"}}'
)


class Connection:
    """Send bytes and return the body of the answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stream: SocketStream | None = None

    async def exchange(self, request: bytes) -> bytes:
        """Return the body of the answer, whose status is 200."""
        stream = self._stream
        if stream is None:
            stream = self._stream = await anyio.connect_tcp("127.0.0.1", self._port)
            self._parser = httptools.HttpResponseParser(self)
        self._is_complete = False
        self._body: list[bytes] = []
        await stream.send(request)
        while not self._is_complete:
            self._parser.feed_data(await stream.receive(READ_SIZE))
        if not self._keeps_alive:
            self._stream = None
            await stream.aclose()
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def on_body(self, data: bytes) -> None:
        """Keep a piece."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Check the head."""
        assert self._parser.get_status_code() == 200
        self._keeps_alive = self._parser.should_keep_alive()
        self._is_complete = True


class Exchanges:
    """The state that the slots share.

    Args:
        settings: What to do.
        meter: Told of every task.
    """

    def __init__(self, settings: Settings, meter: Meter) -> None:
        self._port = int(settings.url.rpartition(":")[2])
        self._meter = meter
        self._tasks_per_poll = settings.tasks_per_poll
        self._polls = 0
        self._unpolled = settings.total
        self._ready: list[tuple[bytes, bytes]] = []
        headers = HEADERS % self._port
        worker_id = b"vm-benchmark-12345-0123abcd"
        self._poll = POLL % (worker_id, headers)
        self._update = UPDATE % headers
        self._result = RESULT % (worker_id, b"A" * settings.payload)
        self._seconds = settings.io_ms / 1000

    async def run_slot(self) -> None:
        """Poll and update until there is nothing left to poll."""
        connection, ready, tick = Connection(self._port), self._ready, self._meter.tick
        while True:
            if not ready:
                count = self._next_count()
                if count == 0:
                    return
                ready += IDS.findall(await connection.exchange(self._poll % count))
            # Not empty: nothing was awaited since a poll brought some.
            workflow_id, task_id = ready.pop()
            if self._seconds:
                await anyio.sleep(self._seconds)
            tick()
            result = self._result % (task_id, workflow_id)
            await connection.exchange(self._update % (len(result), result))

    def _next_count(self) -> int:
        """Return how many tasks to ask for, so that the average comes out right."""
        self._polls += 1
        wanted = int(self._polls * self._tasks_per_poll) - int((self._polls - 1) * self._tasks_per_poll)
        count = min(max(wanted, 1), self._unpolled)
        self._unpolled -= count
        return count


async def run(settings: Settings, meter: Meter) -> None:
    """Do all exchanges."""
    exchanges = Exchanges(settings, meter)
    async with anyio.create_task_group() as slots:
        for _ in range(settings.slots):
            slots.start_soon(exchanges.run_slot)


if __name__ == "__main__":
    main(run, __doc__)
