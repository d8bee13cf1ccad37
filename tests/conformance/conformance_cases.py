"""What a case of the conformance suite is, and where the cases are.

::

    @case("5.2-poll-data-names-the-last-worker")
    async def _(conductor: Conductor) -> None:
        name = await conductor.single()
        ...

Cases stand in the modules ``cases_*.py`` beside this one. A case sees one server through
:class:`black_box.Conductor` and nothing else. An identifier begins with the section of the server's contract
that the case shows, so that ``pytest -k "5.2-"`` chooses a section.
"""

import importlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal

import attrs
from black_box import Conductor

Style = Literal["fill", "first"]
"""How polls wait: until all that were asked for are there or the time is over, or only for the first."""

CaseFunction = Callable[[Conductor], Awaitable[None]]


@attrs.frozen
class Backend:
    """A kind of server, as far as cases may differ by it."""

    name: str
    style: Style
    is_virtual: bool = False
    """Its time is the event loop's, and that is virtual."""

    @property
    def is_dev(self) -> bool:
        """It is the dev server."""
        return self.name.startswith("dev-")

    @property
    def names(self) -> frozenset[str]:
        """What a case can call it: its name, ``fill`` or ``first``, ``dev`` or ``real``, ``virtual``."""
        kinds = {"dev"} if self.is_dev else {"real"}
        return frozenset({self.name, self.style, *kinds, *(["virtual"] if self.is_virtual else [])})


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("dev-fill", "fill", is_virtual=True),
        Backend("dev-first", "first", is_virtual=True),
        Backend("dev-socket", "fill"),
        Backend("sqlite", "fill"),
        Backend("postgres", "fill"),
        Backend("redis", "first"),
    )
}


@attrs.frozen
class Case:
    """One behaviour to be found on every server."""

    id: str
    function: CaseFunction
    only: frozenset[str] = frozenset()
    """Names of the back ends that behave so; empty means all."""
    why: str = ""
    """Why the others do not."""
    broken: Mapping[str, str] = attrs.field(factory=dict)
    """By name of a back end that ought to behave so and does not: the reason."""

    def fits(self, backend: Backend) -> bool:
        """Return whether the case is about this back end."""
        return not self.only or bool(self.only & backend.names)

    def why_broken(self, backend: Backend) -> str | None:
        """Return why the case is expected to fail, None if it is not."""
        return next((why for name, why in self.broken.items() if name in backend.names), None)


_cases: dict[str, Case] = {}


def case(
    identifier: str,
    *,
    only: tuple[str, ...] = (),
    why: str = "",
    broken: Mapping[str, str] | None = None,
) -> Callable[[CaseFunction], CaseFunction]:
    """Make a function a case.

    Args:
        identifier: Unique; the contract's section, then the behaviour, all joined by hyphens.
        only: Names of back ends (:attr:`Backend.names`), where the behaviour is theirs alone by nature.
        why: What the others do instead, with the contract's section; needed with ``only``.
        broken: Names of back ends that fail the case for now, with the reason. It is an error that they pass.
    """

    def add(function: CaseFunction) -> CaseFunction:
        assert identifier not in _cases, f"two cases have the id {identifier}"
        assert bool(only) == bool(why), f"{identifier}: `only` wants a `why`"
        _cases[identifier] = Case(identifier, function, frozenset(only), why, broken or {})
        return function

    return add


def all_cases() -> tuple[Case, ...]:
    """Return the cases of all modules."""
    for name in case_modules():
        importlib.import_module(name)
    return tuple(_cases.values())


def case_modules() -> list[str]:
    """Return the names of the modules that hold cases."""
    return sorted(path.stem for path in Path(__file__).parent.glob("cases_*.py"))
