"""Declaring workers: the ``worker_task`` decorator and the ``Worker`` it makes."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Unpack

import attrs
import msgspec

from anyworker.conductor.models import TaskDef
from anyworker.errors import DeclarationError
from anyworker.functions import Origin, is_coroutine_function, local_types, origin_of, why_unusable
from anyworker.option_kinds import is_one_line, shown
from anyworker.option_table import DECLARABLE, Settings, check_settings
from anyworker.registry import register, registered_workers

logger = logging.getLogger(__name__)

Declared = TypeVar("Declared", bound=Callable[..., object])

# Names that class-based workers of the official SDK use for what has another name here.
_ATTRIBUTE_ALIASES = {"poll_interval_millis": "poll_interval", "task_def": "task_def_template"}


@attrs.frozen(eq=False, init=False, repr=False)
class Worker:
    """The declaration of a worker: a task type, the function that does its tasks, and options.

    What runs in the end depends on the environment, too: ``anyworker.options`` resolves the options.
    """

    task_definition_name: str
    """The task type that is polled."""
    execute_function: Callable[..., Any]
    takes_task: bool
    """Whether the function is the ``execute(task)`` of an object and takes the whole task."""
    is_async: bool
    """Whether the function is awaited on the event loop; otherwise it runs in a thread."""
    task_def: TaskDef | None
    """What to register at start, if ``register_task_def`` says so; its name does not count."""
    origin: Origin
    """Where the function stands; ``str(origin)`` is for people."""
    local_types: Mapping[str, object]
    """What its annotations may name beside what its module has, if it was declared inside of a function."""
    declared: Mapping[str, object]
    """The options that were given; the attributes below have the defaults filled in."""
    poll_interval_millis: int
    thread_count: int
    domain: str | None
    worker_id: str | None
    poll_timeout: int | None
    idle_poll_timeout: int
    timeout: float | None
    rate_limit: str | None
    lease_extend_enabled: bool
    restartable: bool | None
    register_task_def: bool
    overwrite_task_def: bool
    strict_schema: bool
    lax: bool
    output_warning_kb: int | None
    output_limit_kb: int | None
    forward_logs: int | None

    def __init__(
        self,
        task_definition_name: str,
        execute_function: object,
        *,
        task_def: TaskDef | None = None,
        **options: Unpack[Settings],
    ) -> None:
        """Declare a worker.

        Args:
            task_definition_name: The task type to poll.
            execute_function: A function or coroutine function, a bound method, a partial, a callable object,
                or an object with a method ``execute(task)``, plain or ``async``.
            task_def: What to register at start.
            **options: See ``anyworker.option_table``; those left out have their defaults.

        Raises:
            DeclarationError: A value that cannot work; all of them are named.
            TypeError: An option that does not exist.
        """
        declared = _check_declaration(task_definition_name, task_def, options)
        function, takes_task = _callable_of(task_definition_name, execute_function)
        values: dict[str, Any] = {option.name: option.default for option in DECLARABLE} | declared
        self.__attrs_init__(
            task_definition_name=task_definition_name,
            execute_function=function,
            takes_task=takes_task,
            is_async=is_coroutine_function(function),
            task_def=task_def,
            origin=origin_of(function),
            local_types=local_types(function),
            declared=declared,
            **values,
        )
        _warn_about_name(task_definition_name, self.origin)

    def __repr__(self) -> str:
        """Return name and origin."""
        return f"<Worker {self.task_definition_name!r}: {self.origin}>"

    @classmethod
    def of(cls, source: object) -> "Worker":
        """Return the worker that something stands for.

        Args:
            source: A ``Worker``; a function that ``worker_task`` declared once; or an object with
                ``task_definition_name`` and ``execute(task)``, whose attributes named like options set them.

        Raises:
            DeclarationError: It is none of these, or declares something that cannot work.
        """
        if isinstance(source, Worker):
            return source
        declared = [worker for worker in registered_workers() if worker.execute_function is source]
        if len(declared) == 1:
            return declared[0]
        name = getattr(source, "task_definition_name", None)
        if (
            declared
            or isinstance(source, type)
            or name is None
            or not callable(getattr(source, "execute", None))
        ):
            reason = f"declares {len(declared)} workers" if declared else "is not a worker"
            problem = (
                f"{shown(source)} {reason}: give a Worker, a function decorated once with @worker_task, "
                "or an instance with task_definition_name and execute(task)"
            )
            raise DeclarationError(problem)
        return cls(name, _Execute(source), **_attribute_options(source))


@attrs.frozen(eq=False)
class _Execute:
    """Marks an object whose ``execute`` is meant, although it may be callable itself."""

    owner: object


def worker_task(
    task_definition_name: str, *, task_def: TaskDef | None = None, **options: Unpack[Settings]
) -> Callable[[Declared], Declared]:
    """Declare the decorated function, or class with ``execute(self, task)``, as a worker.

    The function is registered and stays what it is: the same object with the same type, called as before.
    Of a class one instance is made at once, without arguments.

    Args:
        task_definition_name: The task type to poll.
        task_def: What to register at start, with ``register_task_def``.
        **options: See ``anyworker.option_table``; those left out have their defaults.

    Raises:
        DeclarationError: A value or a function that cannot work; all values are named at once.
        DuplicateWorkerError: Another worker has the same task type and domain.
        TypeError: An option that does not exist.
    """
    _check_declaration(task_definition_name, task_def, options)

    def declare(function: Declared) -> Declared:
        if isinstance(function, type):
            instance = _instance_of(task_definition_name, function)
            given: dict[str, Any] = _attribute_options(instance) | dict(options)
            if task_def is not None:
                given["task_def"] = task_def
            register(Worker(task_definition_name, _Execute(instance), **given))
        else:
            register(Worker(task_definition_name, function, task_def=task_def, **options))
        return function

    return declare


def _signature() -> inspect.Signature:
    """Return the decorator's parameters with the options spelled out, for ``help()`` and editors."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    types = inspect.get_annotations(Settings)
    return inspect.Signature(
        [
            inspect.Parameter(
                "task_definition_name", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=str
            ),
            *(
                inspect.Parameter(option.name, keyword, default=option.default, annotation=types[option.name])
                for option in DECLARABLE
            ),
            inspect.Parameter("task_def", keyword, default=None, annotation=TaskDef | None),
        ]
    )


worker_task.__signature__ = _signature()  # type: ignore[attr-defined] # a function's type has no such attribute


def _check_declaration(name: object, task_def: object, options: Settings) -> dict[str, object]:
    """Return the given options in their plain types.

    Raises:
        DeclarationError: Name, task definition or options that cannot work; all of them are named.
    """
    declared, problems = check_settings(dict(options))
    if (name_problem := _name_problem(name)) is not None:
        problems.insert(0, name_problem)
    if task_def is not None and not isinstance(task_def, TaskDef):
        problems.append(f"task_def={shown(task_def)}: expected a TaskDef or None")
    elif task_def is not None:
        try:
            msgspec.convert(msgspec.to_builtins(task_def), TaskDef)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            problems.append(f"task_def={shown(task_def)}: expected fields of their types: {error}")
    if problems:
        prefix = f"worker {name!r}: " if name_problem is None else ""
        raise DeclarationError([prefix + problem for problem in problems])
    return declared


def _name_problem(name: object) -> str | None:
    if not isinstance(name, str):
        hint = (
            "; the decorator needs a name: @worker_task(task_definition_name='...')" if callable(name) else ""
        )
        return f"task_definition_name={shown(name)}: expected a text{hint}"
    if not name.strip():
        return f"task_definition_name={name!r}: expected a name that is not empty"
    if "/" in name or "\\" in name:
        return (
            f"task_definition_name={shown(name)}: a name with / or \\ cannot be polled, "
            "the server refuses such paths; rename the task, with . or - for example"
        )
    if not is_one_line(name):
        return f"task_definition_name={shown(name)}: expected a name without control characters or line ends"
    return None


def _warn_about_name(name: str, origin: Origin) -> None:
    if ":" in name:
        logger.warning(
            "task_definition_name %r of %s has a colon: what stands before it may be taken for a domain, "
            "and tasks of that domain taken by this worker",
            name,
            origin,
        )
    if name != name.strip():
        logger.warning("task_definition_name %r of %s has white space around it", name, origin)


def _callable_of(name: str, source: object) -> tuple[Callable[..., Any], bool]:
    """Return what to call for a task, and whether it is an ``execute(task)``."""
    is_marked = isinstance(source, _Execute)
    owner = source.owner if isinstance(source, _Execute) else source
    takes_task = is_marked or not callable(owner)
    function = getattr(owner, "execute", None) if takes_task else owner
    if isinstance(owner, type):
        reason = f"{owner.__qualname__} is a class: give an instance of it"
    elif not callable(function):
        reason = f"execute_function={shown(owner)}: expected a callable, or an object with execute(task)"
    elif (flaw := why_unusable(function)) is not None:
        reason = f"{origin_of(function)} {flaw}"
    else:
        return function, takes_task
    problem = f"worker {name!r}: {reason}"
    raise DeclarationError(problem)


def _instance_of(name: str, declared: type) -> object:
    """Return an instance of a decorated class."""
    problem = f"worker {name!r}: class {declared.__qualname__} "
    if not callable(getattr(declared, "execute", None)):
        problem += "has no method execute(self, task)"
        raise DeclarationError(problem)
    try:
        return declared()
    except Exception as error:
        problem += (
            f"cannot be made without arguments ({type(error).__name__}: {error}): "
            "undecorate it and give an instance, as in Worker(name, instance)"
        )
        raise DeclarationError(problem) from error


def _attribute_options(instance: object) -> dict[str, Any]:
    """Return the options that an object sets by attributes; None counts as not set."""
    found: dict[str, Any] = {}
    for name in (*(option.name for option in DECLARABLE), "task_def"):
        names = (name, _ATTRIBUTE_ALIASES.get(name, name))
        values = (getattr(instance, attribute, None) for attribute in names)
        value = next((value for value in values if value is not None), None)
        if value is not None:
            found[name] = value
    return found
