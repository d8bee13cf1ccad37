"""What holds for every command: help with an example and exit statuses, completion, no traceback."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from anyworker.cli import main


def commands(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)
        else:
            yield (*above, name), command


COMMANDS = dict(commands(main))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "anyworker", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_an_example_that_can_be_run_and_the_exit_statuses(path: tuple[str, ...]) -> None:
    text = CliRunner().invoke(main, [*path, "--help"], terminal_width=200).output
    example = re.search(r"Examples?:\s+anyworker (.*)", text)
    assert example is not None, text
    *words, last = shlex.split(example[1])
    assert tuple([*words, last][: len(path)]) == path
    context = click.Context(main)
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(context, name)
        assert found is not None
        command = found
    arguments = [word.replace("my_app/", "tests/") for word in [*words, last][len(path) :]]
    if path != ("migrate",):  # whose paths have to be there
        command.make_context(path[-1], arguments)
    assert re.search(r"Exit status:\n", text), text
    assert re.search(r"^ +2 +the command line is wrong", text, re.MULTILINE), text


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_option_that_is_none_is_an_error_of_use_without_a_traceback(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, [*path, "--no-such-option"])
    assert done.exit_code == 2
    assert "--no-such-option" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_a_shell(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert "_ANYWORKER_COMPLETE" in done.stdout


def completed(*words: str) -> list[str]:
    """Return what a shell is offered for the last word."""
    asked = {
        "_ANYWORKER_COMPLETE": "bash_complete",
        "COMP_WORDS": shlex.join(["anyworker", *words]),
        "COMP_CWORD": str(len(words)),
    }
    command = Path(sys.executable).with_name("anyworker")
    done = subprocess.run(
        [command], capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **asked}
    )
    return done.stdout.split()


def test_commands_options_choices_and_files_are_completed() -> None:
    assert set(completed("out")) == {"plain,outbox"}
    assert "plain,--backend" in completed("run", "--b")
    assert completed("run", "--backend", "tr") == ["plain,trio"]
    assert completed("run", "wor") == ["file,wor"]
    assert completed("outbox", "re") == ["plain,replay"]


def test_bash_takes_the_script() -> None:
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    done = subprocess.run(
        ["bash", "-c", script + "\ncomplete -p anyworker"], capture_output=True, text=True, check=False
    )
    assert "anyworker" in done.stdout, done.stderr


def test_reader_that_goes_away_is_no_trouble(tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m anyworker config | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout == "settings file: none\n"
    assert "Traceback" not in done.stderr


def test_output_that_is_no_terminal_has_no_colours(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    for arguments in (
        ["run", str(tmp_path / "broken.py")],
        ["list", str(tmp_path / "broken.py")],
        ["config"],
    ):
        done = run(*arguments)
        assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["run", "list", "schema", "config", "doctor"])
def test_module_that_is_not_there_is_named_with_a_status_of_its_own(command: str) -> None:
    done = run(command, "no_such_module_at_all")
    assert done.returncode == 3
    assert "no_such_module_at_all" in done.stderr
    assert "Traceback" not in done.stderr
