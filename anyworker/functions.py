"""What a worker's function is: how it is called, where it stands, and whether it can work at all."""

import functools
import inspect
import os
import sys
import types
import typing
from collections.abc import Iterator, Mapping

import attrs


def layers(function: object) -> Iterator[object]:
    """Yield a callable and what a call of it ends up in: partials, methods and callable objects opened.

    What a decorator wrapped is not among them: the wrapper is what runs, and it may well make a plain
    function out of a coroutine function.
    """
    yield function
    inner: object = None
    match function:
        case functools.partial():
            inner = function.func
        case staticmethod() | types.MethodType():
            inner = function.__func__
        case _ if not inspect.isroutine(function):
            inner = getattr(type(function), "__call__", None)  # noqa: B004 - the method itself is wanted
            inner = inner if inspect.isfunction(inner) else None
    if inner is not None:
        yield from layers(inner)


def is_coroutine_function(function: object) -> bool:
    """Tell whether a call returns a coroutine without running any of the body."""
    return any(inspect.iscoroutinefunction(layer) for layer in layers(function))


def why_unusable(function: object) -> str | None:
    """Return why a callable cannot be a worker's function, as a clause with a remedy; None if it can."""
    if any(
        inspect.isgeneratorfunction(layer) or inspect.isasyncgenfunction(layer) for layer in layers(function)
    ):
        return "is a generator function, whose call runs nothing: return the values, in a list for example"
    if _is_unbound_method(function):
        return (
            "is a method without its object: declare the class, if the method is execute(self, task), "
            "or the bound method, as in Worker(name, instance.method)"
        )
    return None


def _is_unbound_method(function: object) -> bool:
    if not inspect.isfunction(function):
        return False
    owner = function.__qualname__.split(".")[-2:-1]
    first_parameter = function.__code__.co_varnames[: function.__code__.co_argcount][:1]
    return bool(owner) and owner != ["<locals>"] and first_parameter in {("self",), ("cls",)}


@attrs.frozen(eq=False)
class Origin:
    """Where a worker comes from: its function's place and the run of a module that declared it."""

    module: str
    qualname: str
    file: str
    """Empty if the function has no source, as one written in C."""
    line: int
    declared_in: str
    """File of the module whose top level led to the declaration."""
    defining_run: object
    """One object per run of the function's module; reloading makes another."""
    declaring_run: object
    """The same for the declaring module."""
    is_interactive: bool
    """Whether it was declared at a prompt or in a notebook."""

    def __str__(self) -> str:
        """Return the place as an error message shows it: ``orders.charge (/app/orders.py:12)``."""
        place = f" ({self.file}:{self.line})" if self.file else ""
        return f"{self.module}.{self.qualname}{place}"

    @property
    def declaring_module(self) -> str:
        """The name of the module whose top level led to the declaration, empty in another process."""
        run = self.declaring_run
        return str(run.get("__name__", "") if isinstance(run, Mapping) else getattr(run, "name", ""))

    def __reduce__(self) -> tuple[type["Origin"], tuple[object, ...]]:
        """Leave the runs out of a pickle: they mean nothing in another process, and hold whole modules."""
        place = (self.module, self.qualname, self.file, self.line, self.declared_in)
        return Origin, (*place, None, None, self.is_interactive)

    def supersedes(self, earlier: "Origin") -> bool:
        """Tell whether this is an earlier declaration made again, by a reload or a second import.

        One run of a module that declares something twice has a duplicate, also when a factory makes both.
        At a prompt a function is redefined by its name.
        """
        if self.is_interactive and earlier.is_interactive:
            return self.qualname == earlier.qualname
        if not _is_same_file(self.declared_in, earlier.declared_in):
            return False
        is_declared_again = self.declaring_run is not earlier.declaring_run
        is_defined_again = self.defining_run is not earlier.defining_run
        return is_declared_again or (is_defined_again and _is_same_file(self.file, earlier.file))


def origin_of(function: object) -> Origin:
    """Return where a callable comes from, declared by whatever module is being run just now."""
    written = _as_written(function)
    code = getattr(written, "__code__", None)
    declared_in, namespace = _declaring_module()
    return Origin(
        module=str(getattr(written, "__module__", None) or type(written).__module__),
        qualname=str(getattr(written, "__qualname__", None) or type(written).__qualname__),
        file=code.co_filename if isinstance(code, types.CodeType) else "",
        line=code.co_firstlineno if isinstance(code, types.CodeType) else 0,
        declared_in=declared_in,
        defining_run=_run_of(getattr(written, "__globals__", {})),
        declaring_run=_run_of(namespace),
        is_interactive=(
            hasattr(sys, "ps1") and namespace.get("__name__") == "__main__" and "__file__" not in namespace
        ),
    )


def local_types(function: object) -> dict[str, object]:
    """Return the classes and aliases of the functions that are declaring this one inside of them.

    Its annotations may name them as text, where neither its module nor its closure knows them.
    """
    written = _as_written(function)
    path = str(getattr(written, "__qualname__", "")).split(".<locals>.")[:-1]
    enclosing = {".<locals>.".join(path[: length + 1]) for length in range(len(path))}
    file = getattr(getattr(written, "__code__", None), "co_filename", None)
    found: dict[str, object] = {}
    frame = inspect.currentframe() if enclosing else None
    while frame is not None:
        if frame.f_code.co_qualname in enclosing and frame.f_code.co_filename == file:
            # The innermost is met first.
            found = {name: value for name, value in frame.f_locals.items() if _is_type(value)} | found
        frame = frame.f_back
    return found


def _is_type(value: object) -> bool:
    kinds = type | types.GenericAlias | types.UnionType | typing.TypeVar | typing.NewType
    return isinstance(value, kinds) or typing.get_origin(value) is not None or hasattr(value, "__value__")


def _as_written(function: object) -> object:
    """Return the function that stands in the source, below partials, methods and decorators."""
    *_, called = layers(function)
    if not callable(called):
        return called
    *_, written = layers(inspect.unwrap(called))
    return written


def _declaring_module() -> tuple[str, Mapping[str, object]]:
    """Return file and namespace of the innermost module whose top level is being run."""
    frame = inspect.currentframe()
    while frame is not None and not _is_top_level(frame):
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_globals) if frame is not None else ("", {})


def _is_top_level(frame: types.FrameType) -> bool:
    # The name of the code does not tell: notebooks call it "<cell line: 1>".
    return not frame.f_code.co_flags & inspect.CO_NEWLOCALS and frame.f_locals is frame.f_globals


def _run_of(namespace: Mapping[str, object]) -> object:
    """Return the object that stands for one run of a module.

    A reload runs a module again in the same namespace, with a new spec; a script has no spec.
    """
    spec = namespace.get("__spec__")
    return namespace if spec is None else spec


def _is_same_file(a: str, b: str) -> bool:
    # "<string>" and the like name no file: what was run from two of them has nothing in common.
    return bool(a) and not a.startswith("<") and os.path.realpath(a) == os.path.realpath(b)
