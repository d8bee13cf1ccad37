"""``anyworker outbox``: what an operator sees of the file, and does to it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anyworker.cli import main
from anyworker.runner.outbox.file import OutboxFile, refusing
from anyworker.runner.outbox.storage import StoredResult

NOWHERE = "http://127.0.0.1:9/api"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An outbox with a result that waits, one that is refused, and one that is about to be sent."""
    monkeypatch.setenv("CONDUCTOR_SERVER_URL", NOWHERE)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "outbox.db"
    file = OutboxFile(path, server=NOWHERE, owner="me")
    file.open()
    results = [
        StoredResult("greet", f"task{n}", f"flow{n}", "me", "COMPLETED", 1, b'{"outputData":{"n":1}}', 1e9)
        for n in range(3)
    ]
    file.apply([file.adding(each, is_ahead=each is results[2]) for each in results])
    file.apply([refusing(results[1].key, "No such task")])
    file._connection.close()  # type: ignore[union-attr] # leaves what is ahead as it is
    return path


def call(*words: str) -> Result:
    return CliRunner().invoke(main, ["outbox", *words])


def ids(path: Path, state: str) -> list[int]:
    found = json.loads(call("list", "--path", str(path), "--json", "--state", state).stdout)
    return [row["id"] for row in found]


def test_list_shows_states_and_reasons_but_no_contents(path: Path) -> None:
    result = call("list", "--path", str(path))
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.stdout.splitlines() if line[0] != " "] == [
        ["1", "waiting"],
        ["2", "refused"],
        ["3", "ahead"],
    ]
    assert "No such task" in result.stdout
    assert "outputData" not in result.stdout


def test_show_prints_all_of_one_result(path: Path) -> None:
    found = json.loads(call("show", "2", "--path", str(path)).stdout)
    assert found["body"] == {"outputData": {"n": 1}}
    assert (found["error"], found["workflow_id"]) == ("No such task", "flow1")
    assert found["stored_at"] == "2001-09-09T01:46:40+00:00"


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ([], {"waiting": [1], "refused": [], "ahead": [3]}),
        (["--all"], {"waiting": [], "refused": [], "ahead": [3]}),
        (["1"], {"waiting": [], "refused": [2], "ahead": [3]}),
        (["--older-than", "1000000"], {"waiting": [1], "refused": [2], "ahead": [3]}),
    ],
)
def test_purge_deletes_what_it_is_told_and_never_what_is_about_to_be_sent(
    words: list[str], left: dict[str, list[int]], path: Path
) -> None:
    assert call("purge", "--path", str(path), *words).exit_code == 0
    assert {state: ids(path, state) for state in left} == left


def test_replay_without_a_server_says_what_still_waits(path: Path) -> None:
    result = call("replay", "2", "--path", str(path))
    assert result.exit_code == 1
    # The process that stored the third one ahead is gone.
    assert "3 results still wait, 0 are refused" in result.stdout
    assert ids(path, "waiting") == [1, 2, 3]


def test_replay_and_purge_tell_scripts_what_they_told_people(path: Path) -> None:
    purged = call("purge", "--path", str(path), "--json")
    assert json.loads(purged.stdout) == {"deleted": 1}
    result = call("replay", "--path", str(path), "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [row["id"] for row in found.pop("waiting")] == [1, 3]
    assert found == {"is_left_to_another": False, "refused": 0}


def test_replay_is_left_to_the_process_that_does_it_already(path: Path) -> None:
    from datetime import UTC, datetime

    other = OutboxFile(path, server=NOWHERE, owner="other")
    other.open()
    assert other.beat(datetime.now(UTC).timestamp())
    result = call("replay", "--path", str(path))
    as_json = call("replay", "--path", str(path), "--json")
    other.close()
    assert (result.exit_code, as_json.exit_code) == (0, 0)
    assert "Another process replays" in result.stdout
    assert json.loads(as_json.stdout)["is_left_to_another"] is True


@pytest.mark.parametrize("words", [["show", "99"], ["purge", "99"], ["replay", "99"]])
def test_unknown_id_is_named(words: list[str], path: Path) -> None:
    result = call(*words, "--path", str(path))
    assert result.exit_code == 3
    assert "it has no result 99" in result.output


def test_file_is_found_by_the_environment_and_never_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--path" in call("list").output
    monkeypatch.setenv("CONDUCTOR_OUTBOX", str(path))
    assert "No such task" in call("list").stdout
    monkeypatch.setenv("CONDUCTOR_OUTBOX", "missing.db")
    result = call("list")
    assert result.exit_code == 3
    assert "no such file" in result.output
    assert not Path("missing.db").exists()
