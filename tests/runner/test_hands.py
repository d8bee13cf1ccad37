"""Who has what in hand, in the file of an outbox: which ends of a process count against a task."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from anyworker.conductor.models import Task
from anyworker.errors import OutboxError
from anyworker.runner.outbox.file import OutboxFile, expiring
from anyworker.runner.outbox.format import APPLICATION_ID, LEASE_SECONDS, VERSION
from anyworker.runner.outbox.hands import Begin, End, Hand, burying, gathered
from anyworker.runner.process_id import is_dead, own_life, process_worker_id

SERVER = "http://one/api"
TASK = Task("1", workflow_instance_id="w", reference_task_name="ref")
RETRY = Task("2", workflow_instance_id="w", reference_task_name="ref", retry_count=1)


class Process:
    """One that uses the file."""

    def __init__(self, path: Path, name: str, now: float = 0.0) -> None:
        self.file = OutboxFile(path, server=SERVER, owner=name)
        self.file.open()
        self.file.appear(now)

    def begin(self, task: Task = TASK, now: float = 0.0) -> Hand:
        hand = Hand.of(task, server=SERVER, owner=self.file.owner, now=now, limit=3)
        self.file.apply([Begin(hand)], is_durable=False)
        return hand

    def vanish(self) -> None:
        """Leave nothing but what the file has, as SIGKILL does."""
        assert self.file._connection is not None
        self.file._connection.close()
        self.file._connection = None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def one(path: Path) -> Iterator[Process]:
    process = Process(path, "host-1-a", now=1000.0)
    yield process
    process.file.close()


def test_death_is_known_to_the_next_one_that_begins_the_task_also_in_a_later_attempt(
    one: Process, path: Path
) -> None:
    dead = Process(path, "host-2-b")
    dead.begin(now=5.0)
    dead.vanish()
    hand = one.begin(RETRY, now=1000.0)
    assert [(death.process, death.begun, death.how) for death in hand.deaths] == [("host-2-b", 5.0, "")]


def test_each_death_counts_once_and_the_third_condemns(one: Process, path: Path) -> None:
    found = []
    for number in range(4):
        hand = one.begin(now=1000.0)
        found.append((len(hand.deaths), hand.is_suspect, hand.is_condemned))
        one.file.apply([End(hand, is_over=False)])
        dead = Process(path, f"host-2-{number}")
        dead.begin()
        dead.vanish()
    assert found == [(0, False, False), (1, False, False), (2, True, False), (2, True, False)]


def test_suspect_is_not_entered_before_its_turn(one: Process, path: Path) -> None:
    for number in range(2):
        dead = Process(path, f"host-2-{number}")
        dead.begin()
        dead.vanish()
        one.file.beat(1000.0)
    suspect = Process(path, "host-3-x")
    suspect.begin()
    suspect.vanish()
    assert len(one.begin(now=1000.0).deaths) == 2


def test_process_that_closes_the_file_left_its_tasks_to_nobody(one: Process, path: Path) -> None:
    clean = Process(path, "host-2-b")
    clean.begin()
    clean.file.close()
    assert one.begin(now=1000.0).deaths == []


def test_task_whose_function_has_ended_is_not_in_hand_any_more(one: Process, path: Path) -> None:
    for is_over in (False, True):
        dead = Process(path, f"host-2-{is_over}")
        dead.file.apply([End(dead.begin(), is_over)])
        dead.vanish()
    assert one.begin(now=1000.0).deaths == []


def test_living_process_that_was_thought_dead_takes_its_death_back(one: Process, path: Path) -> None:
    slow = Process(path, "host-2-b")
    hand = slow.begin()
    assert len(one.begin(now=LEASE_SECONDS + 1).deaths) == 1
    slow.file.apply([End(hand, is_over=False)])
    assert one.begin(now=LEASE_SECONDS + 2).deaths == []
    slow.file.close()


def test_task_in_the_hand_of_a_living_process_has_no_death(one: Process, path: Path) -> None:
    other = Process(path, "host-2-b", now=995.0)
    other.begin(now=996.0)
    assert one.begin(now=1000.0).deaths == []
    other.file.close()


def test_end_of_a_function_forgets_earlier_deaths(one: Process, path: Path) -> None:
    dead = Process(path, "host-2-b")
    dead.begin()
    dead.vanish()
    one.file.apply([End(one.begin(now=1000.0), is_over=True)])
    assert one.begin(now=1000.0).deaths == []


@pytest.mark.parametrize("is_noticed_before", [False, True])
def test_parent_tells_how_a_process_ended(one: Process, path: Path, is_noticed_before: bool) -> None:
    dead = Process(path, "ho%t-22-b")
    dead.begin(now=5.0)
    other = Process(path, "ho%t-2-b", now=1000.0)
    other.begin(Task("3", workflow_instance_id="v", reference_task_name="ref"), now=1000.0)
    dead.vanish()
    if is_noticed_before:
        one.file.beat(1000.0)
    one.file.apply([burying("ho%t-22-", 7.0, "was killed by signal 11")])
    [death] = one.begin(now=1000.0).deaths
    assert (death.begun, death.died, death.how) == (5.0, 7.0, "was killed by signal 11")
    hand = one.begin(Task("3", workflow_instance_id="v", reference_task_name="ref"), now=1000.0)
    assert hand.deaths == []
    other.file.close()


def test_other_servers_and_other_tasks_of_a_workflow_have_deaths_of_their_own(
    one: Process, path: Path
) -> None:
    dead = Process(path, "host-2-b")
    dead.begin(Task("3", workflow_instance_id="w", reference_task_name="other"))
    elsewhere = Hand.of(TASK, server="http://two/api", owner="host-2-b", now=0.0, limit=3)
    dead.file.apply([Begin(elsewhere)])
    dead.vanish()
    assert one.begin(now=1000.0).deaths == []


def test_old_deaths_are_forgotten_with_the_refused_results(one: Process, path: Path) -> None:
    dead = Process(path, "host-2-b")
    dead.begin()
    dead.vanish()
    one.file.beat(1000.0)
    one.file.apply([expiring(1000.0 + 86_400.0, days=1.0)])
    assert one.begin(now=1000.0).deaths == []


def test_file_of_the_first_version_is_brought_up_with_what_is_in_it(path: Path) -> None:
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            "CREATE TABLE results (id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT, owner TEXT, server TEXT,"
            " task_type TEXT, task_id TEXT, workflow_id TEXT, worker_id TEXT, status TEXT,"
            " poll_count INTEGER, stored_at REAL, attempts INTEGER, error TEXT, body BLOB);"
            "CREATE TABLE owners (owner TEXT PRIMARY KEY, seen REAL NOT NULL);"
            "CREATE TABLE lease (one INTEGER PRIMARY KEY, holder TEXT NOT NULL, until REAL NOT NULL);"
            f"INSERT INTO results VALUES (7, 'waiting', 'x', '{SERVER}', 't', '9', 'w', 'me', 'COMPLETED', 1,"
            " 1.0, 4, '', x'7b7d');"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
        )
    process = Process(path, "host-1-a")
    assert [stored.key for stored in process.file.oldest(10)] == [7]
    assert process.begin().deaths == []
    with closing(sqlite3.connect(path)) as new:
        assert new.execute("PRAGMA user_version").fetchone() == (VERSION,)
    process.file.close()


def test_many_that_begin_and_end_share_a_few_statements(one: Process) -> None:
    statements: list[str] = []
    assert one.file._connection is not None
    hands = [
        Hand.of(Task(str(n), workflow_instance_id=str(n)), server=SERVER, owner="host-1-a", now=0.0, limit=3)
        for n in range(250)
    ]
    one.file._connection.set_trace_callback(statements.append)
    one.file.apply(gathered([Begin(hand) for hand in hands]))
    again = [End(hand, is_over=True) for hand in hands[:200]]
    one.file.apply(gathered([Begin(hands[0]), *again]))
    assert len(statements) < 30
    left = one.file.ask(lambda connection: connection.execute("SELECT task_id FROM hands").fetchall())
    assert {int(task_id) for (task_id,) in left} == {0, *range(200, 250)}


def test_begin_needs_no_sync_and_results_still_have_theirs(one: Process) -> None:
    levels: list[int] = []

    def note(connection: sqlite3.Connection) -> None:
        levels.extend(connection.execute("PRAGMA synchronous").fetchone())

    one.file.apply([note])
    one.file.apply([note], is_durable=False)
    one.file.apply([note])
    assert levels == [2, 1, 2]


def test_process_with_a_pid_that_another_one_had_is_not_that_one() -> None:
    name = process_worker_id()
    realm, _, start = own_life(name).rpartition(" ")
    assert not is_dead(name, own_life(name))
    assert is_dead(name, f"{realm} {int(start) - 1}")
    assert not is_dead(name, f"another-boot pid:[1] {start}")


def test_process_that_nobody_has_waited_for_yet_is_dead_all_the_same() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    realm = own_life(process_worker_id()).rpartition(" ")[0]
    fields = Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()
    name = process_worker_id().replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    life = f"{realm} {fields[19]}"
    assert not is_dead(name, life)
    ended.kill()
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(name, life)
    ended.communicate()


def test_file_that_is_not_open_refuses() -> None:
    with pytest.raises(OutboxError, match="not open"):
        OutboxFile("nowhere", server=SERVER, owner="a").appear(0.0)
