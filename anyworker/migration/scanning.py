"""Find what a project uses of the official SDK; nothing of it is imported."""

import ast
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from anyworker.migration.fate import Fate
from anyworker.migration.names import ELSEWHERE, NAMES, SDK
from anyworker.migration.table import ATTRIBUTES, BY_NAME, OPTIONS, POSITIONAL, VARIABLES, WORKER_VARIABLES

_SKIPPED = {".git", ".venv", "venv", "node_modules", "__pycache__", "build", "dist", "site-packages"}
_TEXTS = {".env", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".sh"}
_VARIABLE = re.compile(r"\b(?:conductor_worker_\w+|CONDUCTOR_[A-Z]\w*|WORKER_CANONICAL_METRICS)\b")
_ATTRIBUTES = {fate.name: fate for fate in ATTRIBUTES}
_VARIABLES = {fate.name: fate for fate in VARIABLES}


@attrs.frozen
class Finding:
    """One use of the SDK."""

    file: str
    line: int
    kind: str
    """``import``, ``option``, ``attribute``, ``variable`` or ``unread``."""
    found: str
    fate: Fate


def scan(paths: Iterable[Path]) -> Iterator[Finding]:
    """Return all uses in files and, below directories, in all files that may have some, in order."""
    for path in paths:
        files = sorted(_files(path)) if path.is_dir() else [path]
        for file in files:
            yield from scan_file(file)


def _files(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.is_dir():
            if path.name not in _SKIPPED and not path.is_symlink():
                yield from _files(path)
        elif path.suffix in {".py", *_TEXTS} or path.name.startswith(("Dockerfile", ".env")):
            yield path


def scan_file(path: Path) -> list[Finding]:
    """Return the uses in one file; one that cannot be read is one finding, which says why."""
    try:
        if path.suffix != ".py":
            return list(_variables(path, path.read_text(encoding="utf-8", errors="replace")))
        with tokenize.open(path) as file:
            text = file.read()
        tree = ast.parse(text, str(path))
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        return [Finding(str(path), line, "unread", "", Fate("", "gone", "", f"cannot be read: {error}"))]
    module = _Module(str(path))
    module.visit(tree)
    return sorted([*module.found, *_variables(path, text)], key=lambda finding: finding.line)


def _variables(path: Path, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        for match in _VARIABLE.finditer(line):
            fate = _variable(match[0])
            if fate is not None and fate.verdict != "same":
                yield Finding(str(path), number, "variable", match[0], fate)


def _variable(name: str) -> Fate | None:
    if name in _VARIABLES:
        return _VARIABLES[name]
    if name.startswith("conductor_worker_"):
        return Fate(name, "renamed", name.upper(), "variables of workers are upper case, or dotted")
    if not name.startswith("CONDUCTOR_WORKER_"):
        return None
    for fate in WORKER_VARIABLES:
        if name.endswith(f"_{fate.name}"):
            return Fate(name, fate.verdict, name.removesuffix(fate.name) + fate.ours, fate.why)
    return None


class _Module(ast.NodeVisitor):
    """Collects the uses in one module."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Finding] = []
        self.names: dict[str, str] = {}
        """What the SDK's names are called here, and what they are: a name of it, or a module."""

    def _add(self, node: ast.AST, kind: str, found: str, fate: Fate) -> None:
        self.found.append(Finding(self.file, getattr(node, "lineno", 1), kind, found, fate))

    def visit_Import(self, node: ast.Import) -> None:
        """``import conductor.client.worker.worker_task as wt``."""
        for alias in node.names:
            if alias.name == "conductor" or _is_of_sdk(alias.name):
                self.names[alias.asname or "conductor"] = alias.name if alias.asname else "conductor"
                ours = "import anyworker"
                why = "names come from anyworker itself"
                self._add(node, "import", f"import {alias.name}", Fate(alias.name, "renamed", ours, why))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """``from conductor.client.worker.worker_task import worker_task``."""
        module = node.module or ""
        if node.level or not (_is_of_sdk(module) or module == "conductor"):
            return
        for alias in node.names:
            name = f"{module}.{alias.name}"
            self.names[alias.asname or alias.name] = name
            self._add(node, "import", f"from {module} import {alias.name}", _fate_of(name))

    def visit_Call(self, node: ast.Call) -> None:
        """Options that a call gives to one of the SDK's names."""
        name = self._name_of(node.func)
        if name is not None:
            last = name.rpartition(".")[2]
            known = {fate.name: fate for fate in OPTIONS.get(last, ())}
            for keyword in node.keywords:
                fate = known.get(keyword.arg or "")
                if fate is not None and fate.verdict != "same":
                    self._add(keyword, "option", f"{last}({keyword.arg}=...)", fate)
            if len(node.args) > POSITIONAL.get(last, len(node.args)):
                self._add(node, "option", f"{last}({BY_NAME.name})", BY_NAME)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """What is asked of the SDK's modules and objects."""
        name = self._name_of(node)
        if name is not None:
            fate = _fate_of(name)
            if fate is not ELSEWHERE and not isinstance(node.value, ast.Name):
                self._add(node, "attribute", name, fate)
        elif self.names and node.attr in _ATTRIBUTES:
            self._add(node, "attribute", f".{node.attr}", _ATTRIBUTES[node.attr])
        self.generic_visit(node)

    def _name_of(self, node: ast.AST) -> str | None:
        """Return the SDK's name that an expression means, None for anything else."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute) and (owner := self._name_of(node.value)) is not None:
            return f"{owner}.{node.attr}"
        return None


def _is_of_sdk(module: str) -> bool:
    return module == SDK or module.startswith(f"{SDK}.")


def _fate_of(name: str) -> Fate:
    """Return what becomes of a name with its module."""
    module, _, last = name.rpartition(".")
    for fate in NAMES:
        home = f"{SDK}.{fate.home}"
        if fate.name == last and (module == home or module.startswith(f"{home}.")):
            return fate
    return ELSEWHERE
