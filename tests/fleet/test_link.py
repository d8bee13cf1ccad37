"""Messages between two processes, here within one."""

import socket
from collections.abc import Iterator

import anyio
import pytest

from anyworker.fleet.processes.link import Link
from anyworker.fleet.processes.orders import (
    ORDERS,
    REPORTS,
    Drain,
    Order,
    Quiet,
    Refused,
    Report,
    Resume,
    Serving,
)

Ends = tuple[Link[Report], Link[Order]]


@pytest.fixture
def ends() -> Iterator[Ends]:
    parent, child = socket.socketpair()
    with parent, child:
        yield Link(parent, REPORTS), Link(child, ORDERS)


@pytest.mark.blocking
async def test_messages_arrive_in_order_until_the_other_end_is_gone(ends: Ends) -> None:
    parent, child = ends
    problems = ["a\nb", "ü" * 50_000]
    child.say(Serving())
    child.say(Refused(problems))
    child.close()
    with anyio.fail_after(5):
        assert await parent.listen() == Serving()
        assert await parent.listen() == Refused(problems)
        assert await parent.listen() is None
    parent.say(Drain())


def test_news_are_noticed_without_waiting(ends: Ends) -> None:
    parent, child = ends
    assert not child.has_news()
    parent.say(Quiet())
    parent.say(Resume())
    for order in (Quiet(), Resume()):
        assert child.has_news()
        assert child.hear() == order
    assert not child.has_news()
    parent.close()
    assert child.has_news()
    assert child.hear() is None


def test_short_message_is_left_out_where_nobody_listens(ends: Ends) -> None:
    parent, child = ends
    child.wire.settimeout(5)
    for _ in range(100_000):
        child.mention(Serving())
    assert parent.hear() == Serving()
