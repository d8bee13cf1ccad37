"""``anyworker migrate``."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anyworker.cli import sharing
from anyworker.migration.fate import WORDS

if TYPE_CHECKING:
    from anyworker.migration.scanning import Finding


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH..."
)
@sharing.as_json
def migrate(paths: Sequence[Path], *, as_json: bool) -> None:
    """Report what a project uses of conductor-python, and what becomes of it.

    Python files are read, never imported, and nothing is changed. Settings, manifests and scripts are looked
    through for variables of the environment.

    \b
    Exit status:
      0  nothing is to be changed
      1  something is; each place is named
      2  the command line is wrong

    Example: anyworker migrate my_app/ deploy/
    """
    from anyworker.migration.scanning import scan  # noqa: PLC0415 - `--help` need not wait for it

    found = list(scan(paths))
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found], indent=2))
    else:
        for each in found:
            click.echo(_as_text(each))
        click.echo(_summary(found))
    sys.exit(1 if found else 0)


def _summary(found: Sequence["Finding"]) -> str:
    uses = [each for each in found if each.kind != "unread"]
    unread = f"; {len(found) - len(uses)} files cannot be read" if len(found) > len(uses) else ""
    if not uses:
        return f"No use of conductor-python was found{unread}."
    gone = sum(each.fate.verdict == "gone" for each in uses)
    files = len({each.file for each in uses})
    return f"Uses of conductor-python: {len(uses)}; files with them: {files}; not there: {gone}{unread}."


def _as_text(each: "Finding") -> str:
    fate = each.fate
    if each.kind == "unread":
        return f"{each.file}:{each.line}: {fate.why}"
    ours = fate.ours
    if each.kind == "import" and ours.startswith("anyworker."):
        module, _, name = ours.rpartition(".")
        ours = f"from {module} import {name}"
    arrow = f" -> {ours}" if ours else ""
    why = f": {fate.why}" if fate.why else ""
    return f"{each.file}:{each.line}: {each.found}{arrow} ({WORDS[fate.verdict]}){why}"


def _as_json(each: "Finding") -> dict[str, object]:
    return {
        "file": each.file,
        "line": each.line,
        "kind": each.kind,
        "found": each.found,
        "verdict": None if each.kind == "unread" else WORDS[each.fate.verdict],
        "replacement": each.fate.ours or None,
        "reason": each.fate.why or None,
    }
