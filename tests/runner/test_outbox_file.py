"""The file of an outbox: states, leases, what a full disk does, and how many commits many results share."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from anyworker.errors import OutboxError
from anyworker.runner.outbox.archive import Archive
from anyworker.runner.outbox.file import OutboxFile, expiring, refusing, removing
from anyworker.runner.outbox.format import LEASE_SECONDS
from anyworker.runner.outbox.listing import listing
from anyworker.runner.outbox.storage import StoredResult
from anyworker.runner.process_id import is_dead, process_worker_id
from anyworker.runner.threads import thread_runner

SERVER = "http://one/api"


def ignore(_: object) -> None:
    """Nobody cares."""


def a_result(task_id: str = "1", size: int = 10) -> StoredResult:
    return StoredResult("t", task_id, "w", "me", "COMPLETED", 1, b"x" * size, 100.0)


def opened(path: Path, owner: str, server: str = SERVER) -> OutboxFile:
    file = OutboxFile(path, server=server, owner=owner)
    file.open()
    return file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def file(path: Path) -> Iterator[OutboxFile]:
    file = opened(path, "a")
    yield file
    file.close()


def test_one_process_replays_until_it_is_silent_for_the_length_of_its_lease(
    file: OutboxFile, path: Path
) -> None:
    other = opened(path, "b")
    assert file.beat(0.0)
    assert not other.beat(1.0)
    assert file.beat(10.0)
    assert not other.beat(10.0 + LEASE_SECONDS)
    assert other.beat(10.1 + LEASE_SECONDS)
    assert not file.beat(10.2 + LEASE_SECONDS)
    other.close()
    assert file.beat(11.0 + LEASE_SECONDS)


def test_what_a_dead_process_stored_ahead_waits_once_it_is_gone(file: OutboxFile, path: Path) -> None:
    dead = opened(path, "dead")
    dead.beat(0.0)
    dead.apply([dead.adding(a_result(), is_ahead=True)])
    assert not file.beat(1.0)
    assert file.oldest(10) == []
    assert file.beat(2.0 + LEASE_SECONDS)
    assert [each.task_id for each in file.oldest(10)] == ["1"]
    dead.close()


def test_results_of_another_server_are_left_to_its_own_processes(file: OutboxFile, path: Path) -> None:
    other = opened(path, "b", "http://two/api")
    other.apply([other.adding(a_result("theirs"))])
    file.apply([file.adding(a_result("ours"))])
    assert [each.task_id for each in file.oldest(10)] == ["ours"]
    other.close()


def test_full_disk_refuses_the_whole_batch_and_harms_nothing_else(file: OutboxFile) -> None:
    file.apply([file.adding(a_result("kept"))])
    assert file._connection is not None
    file._connection.execute("PRAGMA max_page_count = 10")
    with pytest.raises(OutboxError, match="full"):
        file.apply([file.adding(a_result("small")), file.adding(a_result("large", 1_000_000))])
    assert [each.task_id for each in file.oldest(10)] == ["kept"]


def test_refused_results_expire_and_waiting_ones_do_not(file: OutboxFile) -> None:
    refused, waiting = a_result("refused"), a_result("waiting")
    file.apply([file.adding(refused), file.adding(waiting)])
    file.apply([refusing(refused.key, "no such task")])
    file.apply([expiring(100.0 + 29 * 86400, 30)])
    assert file._connection is not None
    count = "SELECT count(*) FROM results"
    assert file._connection.execute(count).fetchone()[0] == 2
    file.apply([expiring(101.0 + 30 * 86400, 30)])
    assert file._connection.execute(count).fetchone()[0] == 1
    assert [each.task_id for each in file.oldest(10)] == ["waiting"]


def test_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(mode=0o644)
    opened(path, "a").close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_side_files_that_others_could_read_are_closed_to_them(path: Path) -> None:
    opened(path, "a").close()
    sides = [Path(f"{path}{suffix}") for suffix in ("-wal", "-shm")]
    for side in sides:
        side.touch()
        side.chmod(0o666)
    file = opened(path, "b")
    file.apply([file.adding(a_result())])
    assert {side.stat().st_mode & 0o777 for side in sides} == {0o600}
    file.close()


def test_what_is_no_regular_file_is_refused_and_left_as_it_is(path: Path) -> None:
    os.mkfifo(path, 0o644)
    with pytest.raises(OutboxError, match="no regular file"):
        opened(path, "a")
    assert path.stat().st_mode & 0o777 == 0o644


def test_name_that_means_memory_to_sqlite_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = opened(Path(":memory:"), "a")
    file.apply([file.adding(a_result())])
    file.close()
    assert (tmp_path / ":memory:").stat().st_size > 0


def test_file_that_is_not_open_says_so(path: Path) -> None:
    with pytest.raises(OutboxError, match="not open"):
        OutboxFile(path, server=SERVER, owner="a").oldest(1)


async def test_a_hundred_results_at_once_share_a_few_commits(path: Path) -> None:
    class Counting(OutboxFile):
        commits = 0

        def apply(self, changes: object, *, is_durable: bool = True) -> None:
            self.commits += 1
            super().apply(changes, is_durable=is_durable)  # type: ignore[arg-type]

    file = Counting(path, server=SERVER, owner="a")
    archive = Archive(
        file, thread_runner(), clock=lambda: 0.0, retention_days=1, report=ignore, rescue=ignore
    )
    await archive.open()
    file.commits = 0
    results = [a_result(str(n)) for n in range(100)]
    committed = []

    async def store(stored: StoredResult) -> None:
        committed.append(await archive.commit(file.adding(stored)))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for stored in results:
                tasks.start_soon(store, stored)
    assert committed == [True] * 100
    assert len({stored.key for stored in results}) == 100
    assert file.commits <= 3
    await archive.close()


class Shared(RuleBasedStateMachine):
    """Two processes on one file, either of which may die; nothing that was stored is gone."""

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "outbox.db"
        self.now = 1000.0
        self.births = 0
        self.files = {name: self.born(name) for name in "ab"}
        self.expected: dict[str, str] = {}
        self.keys: dict[str, int] = {}

    def born(self, name: str) -> OutboxFile:
        self.births += 1
        file = opened(self.path, f"{name}{self.births}")
        file.appear(self.now)
        return file

    def teardown(self) -> None:
        for file in self.files.values():
            file.close()
        self.directory.cleanup()

    @rule(who=st.sampled_from("ab"), is_ahead=st.booleans())
    def store(self, who: str, is_ahead: bool) -> None:
        stored = a_result(str(len(self.keys)))
        self.files[who].apply([self.files[who].adding(stored, is_ahead=is_ahead)])
        self.keys[stored.task_id] = stored.key
        self.expected[stored.task_id] = who if is_ahead else "waiting"

    @rule(seconds=st.sampled_from([1.0, LEASE_SECONDS / 3, LEASE_SECONDS + 1]))
    def wait(self, seconds: float) -> None:
        """Both are heard of meanwhile: what a silent one has ahead may be replayed."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + LEASE_SECONDS / 3)
            for file in self.files.values():
                file.beat(self.now)

    @rule(who=st.sampled_from("ab"))
    def die(self, who: str) -> None:
        """Without a word, as by SIGKILL."""
        connection = self.files[who]._connection
        assert connection is not None
        connection.close()
        self.files[who] = self.born(who)
        self.expected = {task: "orphan" if at == who else at for task, at in self.expected.items()}

    @rule(who=st.sampled_from("ab"))
    def leave(self, who: str) -> None:
        self.files[who].close()
        self.files[who] = self.born(who)
        self.expected = {task: "waiting" if at == who else at for task, at in self.expected.items()}

    @rule(who=st.sampled_from("ab"))
    def replay(self, who: str) -> None:
        for each in "ab":
            if each != who:
                self.files[each].beat(self.now)
        if self.files[who].beat(self.now):
            for stored in self.files[who].oldest(2):
                assert self.expected.pop(stored.task_id) in {"waiting", "orphan"}
                self.files[who].apply([removing([stored.key])])

    @rule(who=st.sampled_from("ab"))
    def everything_is_replayed_in_the_end(self, who: str) -> None:
        self.now += LEASE_SECONDS + 1
        self.files["ab".replace(who, "")].beat(self.now)
        self.files[who].beat(self.now)
        self.now += LEASE_SECONDS + 1
        # The other one is silent, yet alive: what it has ahead may be replayed, too.
        assert self.files[who].beat(self.now)
        found = [stored.task_id for stored in self.files[who].oldest(1000)]
        assert found == sorted(found, key=int)
        must = {task for task, at in self.expected.items() if at != who}
        assert must <= set(found) <= set(self.expected)
        self.files[who].apply([removing(self.keys[task] for task in found)])
        for task in found:
            del self.expected[task]
        self.files["ab".replace(who, "")].beat(self.now)


TestShared = settings(deadline=None, max_examples=30, stateful_step_count=20)(Shared).TestCase


def test_process_of_this_machine_that_has_ended_is_known_to_be_gone_at_once(
    file: OutboxFile, path: Path
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    name = process_worker_id().replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    dead = opened(path, name)
    assert dead.beat(0.0)
    dead.apply([dead.adding(a_result(), is_ahead=True)])
    assert file.beat(1.0)
    assert [each.task_id for each in file.oldest(10)] == ["1"]
    dead.close()


def test_only_what_is_certain_counts_as_dead() -> None:
    assert not is_dead(process_worker_id())
    assert not is_dead("another-host-1-abc")
    assert not is_dead("nonsense")


async def test_refused_results_are_deleted_while_the_process_runs(path: Path) -> None:
    times = [100.0]
    file = OutboxFile(path, server=SERVER, owner="a")
    archive = Archive(
        file, thread_runner(), clock=lambda: times[-1], retention_days=1, report=ignore, rescue=ignore
    )
    await archive.open()
    refused = a_result()
    await archive.commit(file.adding(refused))
    await archive.commit(refusing(refused.key, "no such task"))
    for now, left in ((100.0, 1), (80_000.0, 1), (90_000.0, 0)):
        times.append(now)
        await archive.beat()
        await archive.commit(lambda connection: None)
        assert len(await anyio.to_thread.run_sync(file.ask, listing)) == left
    await archive.close()
