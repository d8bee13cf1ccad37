"""Workers under chaos on a real server, in short; what chaos is made of holds by itself."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
import real_server
from chaos_count import SECOND, Death, Loss, Outage, Record, Started, count, executions
from chaos_proxy import Fate, Proxy, Weather, seeded_weather

SCRIPT = Path(__file__).parent / "chaos.py"
PATIENCE = 300.0
"""Seconds; it takes 50 on an idle machine, most of them the two starts of its server."""
SHORT = (
    *("--seconds", "0", "--seed", "164", "--rate", "4", "--patience", "90", "--pauses", "0.5", "1.5"),
    *("--update-retry-delays", "1", "2", "4"),
    *("--faults", "kill_child", "term_child", "kill_parent", "roll", "kill_fleet", "storm", "kill_server"),
)
RIGHT: dict[str, Any] = {"status": "COMPLETED", "output": {"result": 3}}


@pytest.mark.real_server
def test_nothing_is_lost_while_everything_around_workers_breaks(conductor_backend: str) -> None:
    if conductor_backend != real_server.DEFAULT_BACKEND:
        pytest.skip("its server is one of its own, on SQLite")
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *SHORT],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        # Interrupted, it ends what it has started.
        process.send_signal(signal.SIGINT)
        process.wait(60)
    if process.returncode == real_server.UNAVAILABLE:
        pytest.skip(err.strip())
    assert process.returncode == 0, out + err
    print(out)
    figures = json.loads(out)
    assert figures["right"] == figures["workflows"] > 0
    assert figures["connections_cut"], "the seed is to have the storm before the server is killed"
    assert set(figures["done"]) >= {"kill_child", "kill_server", "storm", "roll"}


# ---------------------------------------------------------------- the count


def record(journal: str, *tasks: dict[str, Any], status: str = "COMPLETED", **seen: Any) -> Record:
    """Return what is left of a run of one workflow, whose result is to be 3."""
    workflow = {"status": status, "output": {"result": 3}, "tasks": list(tasks)}
    return Record(journal, [Started("w", 3)], {"w": workflow}, **seen)


def task(task_id: str, status: str = "COMPLETED", worker_id: str = "host-1-aa") -> dict[str, Any]:
    return {"taskId": task_id, "status": status, "workerId": worker_id}


def test_workflow_that_ran_once_is_right() -> None:
    figures = count(record("begin t 1 5\nend t 1 9\n", task("t")))
    assert (figures["right"], figures["executions_per_task"]) == (1, {1: 1})
    assert not any(figures[name] for name in ("wrong", "results_lost", "waited_for_response_timeout"))


def test_workflow_with_another_result_is_wrong() -> None:
    found = Record("", [Started("w", 4)], {"w": {**RIGHT, "tasks": []}})
    assert count(found)["wrong"] == 1


def test_result_of_a_task_that_is_not_completed_is_lost() -> None:
    figures = count(record("begin t 1 5\nend t 1 9\n", task("t", "IN_PROGRESS"), status="RUNNING"))
    assert (figures["results_lost"], figures["unfinished"]) == (1, 1)


def test_task_that_timed_out_or_stays_with_its_worker_has_waited() -> None:
    found = record("begin t 1 5\n", task("t", "TIMED_OUT"), task("u", "IN_PROGRESS"), task("v"))
    assert count(found)["waited_for_response_timeout"] == 2


def test_tasks_of_a_fleet_killed_whole_are_counted_by_themselves() -> None:
    death = Death("kill_fleet", frozenset({1, 2}), 7)
    stuck = [
        task("t", "IN_PROGRESS"),
        task("u", "IN_PROGRESS", "host"),
        task("v", "IN_PROGRESS", "host-3-aa"),
    ]
    figures = count(record("begin t 1 5\nbegin u 2 6\nbegin v 3 6\n", *stuck, deaths=[death]))
    assert (figures["of_fleets_killed_whole"], figures["waited_for_response_timeout"]) == (2, 1)


def test_task_that_begins_in_a_second_process_while_the_first_runs_it_is_run_by_two() -> None:
    twice = "begin t 1 5\nbegin t 2 7\nend t 1 9\nend t 2 11\n"
    figures = count(record(twice, task("t")))
    assert (figures["run_by_two_at_once"], figures["run_to_the_end_again"]) == (1, 1)
    after = count(
        record("begin t 1 5\nbegin t 2 7\nend t 2 9\n", task("t"), deaths=[Death("x", frozenset({1}), 6)])
    )
    assert (after["run_by_two_at_once"], after["run_to_the_end_again"]) == (0, 0)


def test_recovery_is_the_time_until_what_was_hit_runs_again() -> None:
    journal = (
        f"begin t 1 0\nbegin u 1 1\nbegin t 2 {3 * SECOND}\nbegin v 2 {5 * SECOND}\nend v 2 {6 * SECOND}\n"
    )
    figures = count(
        record(
            journal,
            task("t"),
            deaths=[Death("kill_child", frozenset({1}), SECOND)],
            losses=[Loss("v", 2 * SECOND)],
            outages=[Outage(0, 2 * SECOND)],
        )
    )
    assert figures["recovery_seconds"] == {
        "SIGKILL, kill_child": {"tasks": 2, "never": 1, "median": 2.0, "longest": 2.0},
        "cut poll": {"tasks": 1, "never": 0, "median": 3.0, "longest": 3.0},
        "server's restart, from its first answer": {"tasks": 1, "never": 0, "median": 1.0, "longest": 1.0},
    }


def test_journal_tells_each_execution_of_a_process_apart() -> None:
    found = executions("begin t 1 5\nstop t 1 6\nbegin t 1 7\nend t 1 8\n")
    assert [(each.begun, each.over, each.has_result) for each in found] == [(5, 6, False), (7, 8, True)]


# ---------------------------------------------------------------- the proxy

ANSWER = b'HTTP/1.1 200 \r\n\r\n[{"taskId":"0b0e6a3c-1111-2222-3333-444455556666"}]'
POLL = b"GET /api/tasks/poll/batch/x?count=1 HTTP/1.1\r\n\r\n"


async def through(proxy: Proxy, request: bytes) -> bytes:
    """Return what comes back through the proxy from a server that gives one answer to everything."""

    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(ANSWER)

    server = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.target = server.extra(anyio.abc.SocketAttribute.local_port)
    got = b""
    with anyio.fail_after(20):
        async with server, anyio.create_task_group() as tasks, proxy.serving() as port:
            tasks.start_soon(server.serve, answer)
            async with await anyio.connect_tcp("127.0.0.1", port) as client:
                await client.send(request)
                try:
                    async for chunk in client:
                        got += chunk
                except anyio.BrokenResourceError:
                    pass
            tasks.cancel_scope.cancel()
    return got


async def test_proxy_passes_what_comes_in_fair_weather() -> None:
    lost: list[str] = []
    proxy = Proxy(0, seeded_weather(1), lost.append)
    assert await through(proxy, POLL) == ANSWER
    assert (proxy.cuts, lost) == (0, [])


@pytest.mark.parametrize(
    ("storm", "comes"), [({"drop": 0.4}, b""), ({"halve": 0.4}, ANSWER[: len(ANSWER) // 2])]
)
async def test_proxy_tells_which_tasks_were_in_an_answer_that_it_cut(
    storm: dict[str, float], comes: bytes
) -> None:
    drawn = iter([0.5, 0.1])  # the request passes
    lost: list[str] = []
    proxy = Proxy(0, Weather(lambda: next(drawn)), lost.append)
    proxy.weather.turn(**storm)
    assert await through(proxy, POLL) == comes
    assert (proxy.cuts, lost) == (1, ["0b0e6a3c-1111-2222-3333-444455556666"])


async def test_proxy_tells_no_tasks_of_answers_to_anything_but_polls() -> None:
    drawn = iter([0.5, 0.1])
    lost: list[str] = []
    proxy = Proxy(0, Weather(lambda: next(drawn), drop=0.4), lost.append)
    assert await through(proxy, b"GET /api/tasks/0b0e HTTP/1.1\r\n\r\n") == b""
    assert lost == []


def test_weather_is_as_likely_as_it_is_said_to_be() -> None:
    weather = seeded_weather(3)
    assert {weather.fate() for _ in range(100)} == {Fate.PASS}
    weather.turn(delay=0.2, halve=0.1, drop=0.3)
    drawn = [weather.fate() for _ in range(10_000)]
    for fate, likelihood in ((Fate.DELAY, 0.2), (Fate.HALVE, 0.1), (Fate.DROP, 0.3), (Fate.PASS, 0.4)):
        assert abs(drawn.count(fate) / 10_000 - likelihood) < 0.02
