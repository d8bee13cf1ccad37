"""A function's parameters, resolved once: how each is filled from a task."""

import inspect
import typing
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any

import attrs

from anyworker.conductor.models import Task
from anyworker.errors import ConversionError, DeclarationError
from anyworker.values import docstrings
from anyworker.values.convert import ShapeBuilder
from anyworker.values.markers import FromLifespan, WholeInput, has_mark
from anyworker.values.objects import Member, Members, ObjectShape, absent_means
from anyworker.values.paths import member
from anyworker.values.shapes import PROBLEM_LIMIT, Misfit, Problem, Shape, takes_any_object
from anyworker.values.signatures import (
    annotated_function,
    annotation_of,
    bound_names,
    name_of,
    parameters_of,
    scope_of,
)
from anyworker.values.unions import Tried

_POSITIONAL = inspect.Parameter.POSITIONAL_ONLY
_REST = inspect.Parameter.VAR_KEYWORD
_NEVER_FILLED = inspect.Parameter.VAR_POSITIONAL


@attrs.frozen
class Resource:
    """A parameter that takes something from the lifespan."""

    name: str
    has_default: bool


@attrs.frozen(eq=False)
class BoundCall:
    """How a function is called for a task."""

    members: Members
    """The parameters that are filled from the input."""
    task_names: tuple[str, ...] = ()
    """Parameters that take the task."""
    input_names: tuple[str, ...] = ()
    """Parameters that take the whole input."""
    resources: tuple[Resource, ...] = ()
    """Parameters that take something from the lifespan."""
    opened: Mapping[str, object] = attrs.field(factory=dict)
    """What those take, by their names."""
    positional: tuple[tuple[str, object], ...] = ()
    """Positional-only parameters in order, with their defaults."""
    rest: Shape | None = None
    """What ``**kwargs`` takes; None if there is no such parameter."""
    bound: frozenset[str] = frozenset()
    """Names that ``**kwargs`` cannot take: of parameters that a method or partial has filled."""
    tried: Tried = attrs.field(factory=dict)
    """What unions remember while an input is converted."""

    @property
    def takes_all(self) -> bool:
        """Whether something takes the keys that no parameter is named after."""
        takes_task_alone = bool(self.task_names) and not self.members.members
        return self.rest is not None or bool(self.input_names) or takes_task_alone

    def with_resources(self, given: Mapping[str, object]) -> "BoundCall":
        """Return the call with what the lifespan gave.

        Raises:
            DeclarationError: It lacks something for which a parameter has no default; all of it is named.
        """
        problems = [
            f"parameter {each.name!r} is FromLifespan, but {_what_there_is(given)}: let the lifespan yield a "
            f"mapping with {each.name!r}, or give the parameter a default"
            for each in self.resources
            if each.name not in given and not each.has_default
        ]
        if problems:
            raise DeclarationError(problems)
        names = [each.name for each in self.resources if each.name in given]
        return attrs.evolve(self, opened={name: given[name] for name in names})

    def arguments(self, task: Task) -> tuple[tuple[object, ...], dict[str, object]]:
        """Return the arguments of the call: positional, by name.

        Raises:
            ConversionError: The input does not fit; every problem is named.
        """
        given = task.input_data
        try:
            named = self.members.gather(given) if self.rest is None else self._named(given, self.rest)
        except Misfit as misfit:
            problems = [f"${path}: {message}" for path, message in misfit.problems[:PROBLEM_LIMIT]]
            if len(misfit.problems) >= PROBLEM_LIMIT:
                problems.append("and more problems than are listed")
            raise ConversionError(problems) from None
        except RecursionError:
            raise ConversionError(["$: nested too deeply"]) from None
        finally:
            if self.tried:
                self.tried.clear()
        for name in self.task_names:
            named[name] = task
        for name in self.input_names:
            named[name] = given
        if self.opened:
            named.update(self.opened)
        if not self.positional:
            return (), named
        return tuple([named.pop(name, default) for name, default in self.positional]), named

    def _named(self, given: Mapping[str, object], rest: Shape) -> dict[str, object]:
        named: dict[str, object] = {}
        problems: list[Problem] = []
        try:
            named = self.members.gather(given)
        except Misfit as misfit:
            problems += misfit.problems
        resources = [each.name for each in self.resources]
        taken = self.members.keys.union(self.task_names, self.input_names, resources)
        for key, value in given.items():
            if key in self.bound:
                problems.append((member(key), "names a parameter that is bound already"))
            elif key not in taken:
                try:
                    named[key] = rest.convert(value)
                except Misfit as misfit:
                    problems += misfit.below(member(key))
            if len(problems) >= PROBLEM_LIMIT:
                break
        if problems:
            raise Misfit(problems)
        return named


def resolve_call(
    function: Callable[..., object],
    *,
    strict: bool = False,
    lax: bool = False,
    whole_task: bool = False,
    namespace: Mapping[str, Any] | None = None,
) -> BoundCall:
    """Resolve a function's parameters.

    Each parameter is filled from the input by its name, except one annotated ``Task`` (takes the task) or
    marked ``WholeInput`` or ``FromLifespan``; ``**kwargs`` takes the keys that are left, ``*args`` stays
    empty.

    Args:
        function: Function, bound method, ``functools.partial`` or any callable.
        strict: Refuse keys that nothing takes, here and in every object with known members.
        lax: Let text stand for numbers and booleans.
        whole_task: The function is the ``execute`` of a class: a sole parameter ``task`` without annotation
            takes the task.
        namespace: Further names for annotations that are text, such as the locals around a nested function.

    Raises:
        DeclarationError: A parameter that no input can fill, or whose annotation names what cannot be found.
    """
    target = annotated_function(function)
    parameters = parameters_of(function)
    scope = scope_of(target, namespace or {})
    builder = ShapeBuilder(scope, is_strict=strict, is_lax=lax)
    call = _Resolution(parameters, docstrings.parameters(target), whole_task=whole_task)
    problems: list[str] = []
    for parameter in parameters:
        try:
            call.add(parameter, annotation_of(parameter, scope), builder)
        except NameError as error:
            problems.append(
                _describe(
                    function,
                    parameter,
                    f"the name {error.name!r} in its annotation cannot be found: it has to be imported when "
                    "the program runs, not only under TYPE_CHECKING",
                )
            )
        except DeclarationError as error:
            problems.append(_describe(function, parameter, str(error)))
        except Exception as error:  # noqa: BLE001 - an annotation is any expression, and may raise anything
            problems.append(_describe(function, parameter, f"its annotation cannot be read: {error!r}"))
    if problems:
        raise DeclarationError(problems)
    bound = bound_names(target, parameters)
    return call.finished(is_strict=strict, bound=bound, tried=builder.tried)


class _Resolution:
    """A BoundCall in the making."""

    def __init__(
        self, parameters: list[inspect.Parameter], texts: Mapping[str, str], *, whole_task: bool
    ) -> None:
        self._texts = texts
        self._takes_task = whole_task and [p.name for p in parameters if p.kind is not _NEVER_FILLED] == [
            "task"
        ]
        self._members: list[Member] = []
        self._task_names: list[str] = []
        self._input_names: list[str] = []
        self._resources: list[Resource] = []
        self._positional: list[tuple[str, object]] = []
        self._rest: Shape | None = None

    def add(self, parameter: inspect.Parameter, annotation: Any, builder: ShapeBuilder) -> None:
        if parameter.kind is _NEVER_FILLED:
            return
        name = parameter.name
        has_default = parameter.default is not parameter.empty
        if parameter.kind is _POSITIONAL:
            self._positional.append((name, parameter.default))
        if _is_task(annotation) or (self._takes_task and annotation is parameter.empty):
            self._task_names.append(name)
        elif has_mark(annotation, WholeInput):
            self._add_whole_input(name, annotation, builder)
        elif has_mark(annotation, FromLifespan):
            self._add_resource(parameter, has_default=has_default)
        elif parameter.kind is _REST:
            self._add_rest(annotation, builder)
        else:
            shape = builder.part(annotation, has_default=has_default)
            if parameter.default is None and NoneType not in shape.accepts:
                annotation = typing.Union[annotation, None]  # noqa: UP007 - it may be anything
                shape = builder.part(annotation, has_default=has_default)
            builder.finish()
            absent = absent_means(shape, has_default=has_default)
            self._members.append(Member(name, name, shape, absent, self._texts.get(name)))

    def _add_resource(self, parameter: inspect.Parameter, *, has_default: bool) -> None:
        if parameter.kind is _REST:
            message = f"FromLifespan fills one parameter by its name, not **{parameter.name}"
            raise DeclarationError(message)
        self._resources.append(Resource(parameter.name, has_default))

    def _add_whole_input(self, name: str, annotation: Any, builder: ShapeBuilder) -> None:
        if not takes_any_object(builder.shape(annotation)):
            message = (
                "WholeInput gives the input as it came: annotate dict[str, Any], or take members by name"
            )
            raise DeclarationError(message)
        self._input_names.append(name)

    def _add_rest(self, annotation: Any, builder: ShapeBuilder) -> None:
        unpacked = typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Unpack else None
        shape = builder.shape(annotation if unpacked is None else unpacked)
        builder.finish()
        if unpacked is None:
            self._rest = shape
        elif isinstance(shape, ObjectShape):
            self._members += shape.members.members

    def finished(self, *, is_strict: bool, bound: frozenset[str], tried: Tried) -> BoundCall:
        takes_all = self._rest is not None or self._input_names or (self._task_names and not self._members)
        return BoundCall(
            Members(tuple(self._members), is_strict=is_strict and not takes_all),
            task_names=tuple(self._task_names),
            input_names=tuple(self._input_names),
            resources=tuple(self._resources),
            positional=tuple(self._positional),
            rest=self._rest,
            bound=bound,
            tried=tried,
        )


def _is_task(annotation: Any) -> bool:
    if annotation is Task:
        return True
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _is_task(typing.get_args(annotation)[0])
    return origin in {typing.Union, UnionType} and Task in typing.get_args(annotation)


def _what_there_is(given: Mapping[str, object]) -> str:
    if not given:
        return "there is no lifespan that gives anything"
    return f"the lifespan gives only {', '.join(map(repr, given))}"


def _describe(function: Callable[..., object], parameter: inspect.Parameter, reason: str) -> str:
    return f"{name_of(function)}: parameter {parameter.name!r}: {reason}"
