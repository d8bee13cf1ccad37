"""Who has which task in hand, in the file of an outbox, and what becomes of that when a process dies."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import attrs

from anyworker.conductor.models import Task
from anyworker.policy.poison import Death, is_condemned, is_suspect
from anyworker.runner.outbox.format import LEASE_SECONDS
from anyworker.runner.process_id import is_dead

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], object]

_AT_ONCE = 100
"""Rows of one statement, which SQLite bounds by its parameters."""


@attrs.define(eq=False)
class Hand:
    """A task whose function is about to begin in a process."""

    workflow_id: str
    reference: str
    server: str
    owner: str
    """The process."""
    task_id: str
    now: float
    """Epoch seconds."""
    limit: int
    """How many deaths condemn a task."""
    deaths: list[Death] = attrs.field(factory=list)
    """Those that it has had."""

    @classmethod
    def of(cls, task: Task, *, server: str, owner: str, now: float, limit: int) -> "Hand":
        """Return a task in the hand of a process."""
        # A task without a reference name counts for itself.
        reference = task.reference_task_name or task.task_id
        return cls(task.workflow_instance_id, reference, server, owner, task.task_id, now, limit)

    @property
    def key(self) -> tuple[str, str, str]:
        """What all attempts of the task share."""
        return (self.workflow_id, self.reference, self.server)

    @property
    def is_condemned(self) -> bool:
        """Whether it is not to be run."""
        return is_condemned(self.deaths, self.limit)

    @property
    def is_suspect(self) -> bool:
        """Whether it is to be run alone among its like."""
        return is_suspect(self.deaths, self.limit)


@attrs.frozen
class Begin:
    """The change by which a task's deaths are counted, and it is entered if it may begin beside others."""

    hand: Hand

    def __call__(self, connection: sqlite3.Connection) -> None:
        """Make the change."""
        begin_all(connection, [self.hand])


@attrs.frozen
class End:
    """The change by which a task is taken out."""

    hand: Hand
    is_over: bool
    """Whether its function has come to an end, so that earlier deaths are forgotten."""

    def __call__(self, connection: sqlite3.Connection) -> None:
        """Make the change."""
        end_all(connection, [self])


def gathered(changes: Iterable[Change]) -> list[Change]:
    """Return the same changes with all that begin and all that end put together.

    While the event loop is busy each statement may have to wait for the interpreter, for milliseconds.
    """
    begins: list[Hand] = []
    ends: list[End] = []
    others: list[Change] = []
    for change in changes:
        if isinstance(change, Begin):
            begins.append(change.hand)
        elif isinstance(change, End):
            ends.append(change)
        else:
            others.append(change)
    # Nobody ends what is still to be begun, but the same task may come again.
    others += [partial(end_all, ends=some) for some in _chunks(ends)]
    others += [partial(begin_all, hands=some) for some in _chunks(begins)]
    return others


def begin_all(connection: sqlite3.Connection, hands: Sequence[Hand]) -> None:
    """Make the changes of `Begin` for tasks of one process."""
    owner, now, keys = hands[0].owner, hands[0].now, _keys(hands)
    text = f"SELECT DISTINCT owner FROM hands WHERE {_in(hands)} AND owner != ?"  # noqa: S608 - constants
    for (other,) in connection.execute(text, (*keys, owner)).fetchall():
        if _is_gone(connection, other, now):
            bury(connection, other)
    text = (
        "SELECT workflow_id, reference, server, owner, begun, died, how FROM deaths"  # noqa: S608 - as above
        f" WHERE {_in(hands)} ORDER BY died"
    )
    deaths: dict[tuple[str, str, str], list[Death]] = {}
    for workflow_id, reference, server, *death in connection.execute(text, keys):
        deaths.setdefault((workflow_id, reference, server), []).append(Death(*death))
    for hand in hands:
        hand.deaths = deaths.get(hand.key, [])
    enter_all(connection, [hand for hand in hands if not (hand.is_condemned or hand.is_suspect)])


def enter_all(connection: sqlite3.Connection, hands: Sequence[Hand]) -> None:
    """Enter tasks: their functions begin."""
    if not hands:
        return
    rows = ", ".join(["(?,?,?,?,?,?)"] * len(hands))
    values = [value for hand in hands for value in (*hand.key, hand.owner, hand.task_id, hand.now)]
    connection.execute(
        f"INSERT OR REPLACE INTO hands (workflow_id, reference, server, owner, task_id, begun) VALUES {rows}",  # noqa: S608
        values,
    )


def end_all(connection: sqlite3.Connection, ends: Sequence[End]) -> None:
    """Make the changes of `End` for tasks of one process."""
    hands = [end.hand for end in ends]
    values = (*_keys(hands), hands[0].owner)
    connection.execute(f"DELETE FROM hands WHERE {_in(hands)} AND owner = ?", values)  # noqa: S608 - constants
    # Others may have thought this process dead meanwhile.
    connection.execute(f"DELETE FROM deaths WHERE {_in(hands)} AND owner = ?", values)  # noqa: S608 - as above
    if acquitted := [end.hand for end in ends if end.is_over and end.hand.deaths]:
        text = f"DELETE FROM deaths WHERE {_in(acquitted)}"  # noqa: S608 - as above
        connection.execute(text, _keys(acquitted))


def _in(hands: Sequence[Hand]) -> str:
    return f"(workflow_id, reference, server) IN (VALUES {', '.join(['(?,?,?)'] * len(hands))})"


def _keys(hands: Iterable[Hand]) -> list[str]:
    return [part for hand in hands for part in hand.key]


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def bury(connection: sqlite3.Connection, owner: str, *, died: float | None = None, how: str = "") -> None:
    """Let the tasks that a dead process had in hand have one more death.

    Args:
        connection: To the file, in a transaction.
        owner: The process.
        died: When it ended, None for when it was last seen.
        how: How it ended, where somebody knows.
    """
    connection.execute(
        "INSERT OR REPLACE INTO deaths (workflow_id, reference, server, owner, task_id, begun, died, how)"
        " SELECT workflow_id, reference, server, owner, task_id, begun,"
        " max(begun, coalesce(:died, (SELECT seen FROM owners WHERE owner = :owner), begun)), :how"
        " FROM hands WHERE owner = :owner",
        {"owner": owner, "died": died, "how": how},
    )
    connection.execute("DELETE FROM hands WHERE owner = ?", (owner,))


def bury_strangers(connection: sqlite3.Connection, now: float) -> None:
    """Do so for all that are not among the file's processes any more."""
    text = "SELECT DISTINCT owner FROM hands WHERE owner NOT IN (SELECT owner FROM owners)"
    for (owner,) in connection.execute(text).fetchall():
        bury(connection, owner, died=now)


def burying(prefix: str, now: float, how: str) -> Callable[[sqlite3.Connection], object]:
    """Return the change that tells how a process has ended that its parent saw ending.

    Args:
        prefix: Host and pid, with which its name begins.
        now: Epoch seconds.
        how: How it ended.
    """

    def bury_all(connection: sqlite3.Connection) -> None:
        begins = "substr(owner, 1, length(?)) = ?"
        text = f"SELECT DISTINCT owner FROM hands WHERE {begins}"  # noqa: S608 - a constant
        for (owner,) in connection.execute(text, (prefix, prefix)).fetchall():
            bury(connection, owner, died=now, how=how)
        # Another process may have noticed first.
        connection.execute(
            f"UPDATE deaths SET died = ?, how = ? WHERE how = '' AND {begins}",  # noqa: S608 - a constant
            (now, how, prefix, prefix),
        )

    return bury_all


def _is_gone(connection: sqlite3.Connection, owner: str, now: float) -> bool:
    row = connection.execute("SELECT life, seen FROM owners WHERE owner = ?", (owner,)).fetchone()
    return row is None or is_dead(owner, row["life"]) or row["seen"] < now - LEASE_SECONDS
