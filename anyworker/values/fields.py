"""The members of classes: dataclasses, attrs, msgspec Structs, NamedTuples, TypedDicts and plain classes."""

import dataclasses
import inspect
import sys
import typing
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import attrs
import msgspec


@attrs.frozen
class ClassField:
    """One member that a class is built from."""

    key: str
    """Its name in JSON."""
    name: str | None
    """The constructor's parameter; None for a tag."""
    annotation: Any
    has_default: bool
    is_read: bool = True
    """Whether the constructor takes it."""
    is_written: bool = True
    """Whether the object has it."""


def is_dataclass(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def is_named_tuple(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def is_typed_dict(kind: Any) -> bool:
    """Whether it is a TypedDict; typing knows none of typing_extensions', which pydantic asks for."""
    return typing.is_typeddict(kind) or (
        isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__required_keys__")
    )


def refuses_unknown_keys(kind: Any) -> bool:
    """Whether a class says by itself that objects of it have no other keys."""
    return is_struct(kind) and bool(kind.__struct_config__.forbid_unknown_fields)


def fields_of(kind: type, namespace: Mapping[str, Any]) -> list[ClassField] | None:
    """Return what an object of a class is built from; None if nothing is known about it.

    Raises:
        NameError: An annotation names something that cannot be found.
    """
    if is_struct(kind):
        return list(_struct_fields(typing.cast("type[msgspec.Struct]", kind)))
    if is_typed_dict(kind):
        return list(_typed_dict_fields(kind, hints_of(kind, namespace)))
    if is_dataclass(kind):
        return list(_dataclass_fields(kind, hints_of(kind, namespace)))
    if attrs.has(kind):
        return list(_attrs_fields(kind, hints_of(kind, namespace)))
    if is_named_tuple(kind):
        return list(_named_tuple_fields(kind, hints_of(kind, namespace)))
    return _constructor_fields(kind, namespace)


def evaluated(annotation: Any, namespace: Mapping[str, Any]) -> Any:
    """Return an annotation without text in it.

    Raises:
        NameError: It names something that cannot be found.
    """
    holder = SimpleNamespace(__annotations__={"value": annotation})
    return typing.get_type_hints(holder, dict(namespace), include_extras=True)["value"]


def hints_of(kind: Any, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resolved annotations of a class or a function; its own module's names come first."""
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except NameError:
        return typing.get_type_hints(kind, localns=names_around(kind, namespace), include_extras=True)


def names_around(kind: Any, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return a namespace with the names around a class, which come first, and its type parameters."""
    module = sys.modules.get(getattr(kind, "__module__", ""))
    parameters = [
        parameter
        for owner in reversed(getattr(kind, "__mro__", ()))
        for parameter in getattr(owner, "__type_params__", ())
    ]
    itself = {kind.__name__: kind} if isinstance(kind, type) else {}
    return {
        **namespace,
        **itself,
        **(vars(module) if module is not None else {}),
        **{parameter.__name__: parameter for parameter in parameters},
    }


def bindings(kind: type, arguments: Mapping[Any, Any]) -> list[tuple[type, Mapping[Any, Any]]]:
    """Return what the type variables of a class, and of each class that it inherits from, stand for.

    Args:
        kind: The class; first in the list.
        arguments: What its own variables stand for.
    """
    found = [(kind, arguments)]
    for base in vars(kind).get("__orig_bases__", kind.__bases__):
        origin = typing.get_origin(base) or base
        if isinstance(origin, type) and origin not in {object, typing.Generic, typing.Protocol}:
            given = (substituted(argument, arguments) for argument in typing.get_args(base))
            found += bindings(origin, dict(zip(getattr(origin, "__parameters__", ()), given, strict=False)))
    return found


def bound(field: ClassField, owners: list[tuple[type, Mapping[Any, Any]]]) -> Any:
    """Return a field's annotation without the type variables of the class that declares it."""
    if not getattr(field.annotation, "__parameters__", ()) and not isinstance(
        field.annotation, typing.TypeVar
    ):
        return field.annotation
    # A TypedDict also has the annotations of what it inherits from, so the last owner is the one.
    declaring = [
        arguments for owner, arguments in owners if field.key in vars(owner).get("__annotations__", ())
    ]
    return substituted(field.annotation, declaring[-1] if declaring else owners[0][1])


def substituted(annotation: Any, arguments: Mapping[Any, Any]) -> Any:
    """Put a generic class's arguments in the place of its type variables."""
    if isinstance(annotation, typing.TypeVar):
        return arguments.get(annotation, annotation)
    variables = getattr(annotation, "__parameters__", ())
    if not arguments or not variables or isinstance(annotation, type):
        return annotation
    return annotation[tuple(arguments.get(variable, variable) for variable in variables)]


def _dataclass_fields(kind: type, hints: dict[str, Any]) -> Iterator[ClassField]:
    parameters = inspect.signature(kind).parameters
    kept = {field.name for field in dataclasses.fields(kind)}
    for name, parameter in parameters.items():
        annotation = hints.get(name, parameter.annotation)
        if isinstance(annotation, dataclasses.InitVar):
            annotation = annotation.type
        has_default = parameter.default is not parameter.empty
        yield ClassField(name, name, annotation, has_default, is_written=name in kept)
    for name in kept.difference(parameters):
        yield ClassField(name, name, hints[name], has_default=True, is_read=False)


def _attrs_fields(kind: type, hints: dict[str, Any]) -> Iterator[ClassField]:
    for field in attrs.fields(kind):
        annotation = hints.get(field.name, field.type if field.type is not None else Any)
        has_default = field.default is not attrs.NOTHING or not field.init
        yield ClassField(field.alias, field.alias, annotation, has_default, is_read=field.init)


def _struct_fields(kind: type[msgspec.Struct]) -> Iterator[ClassField]:
    config = kind.__struct_config__
    if config.tag is not None:
        yield ClassField(config.tag_field or "type", None, typing.Literal[config.tag], has_default=True)
    for field in msgspec.structs.fields(kind):
        yield ClassField(field.encode_name, field.name, field.type, not field.required)


def _named_tuple_fields(kind: type, hints: dict[str, Any]) -> Iterator[ClassField]:
    defaults = getattr(kind, "_field_defaults", {})
    for name in getattr(kind, "_fields", ()):
        yield ClassField(name, name, hints.get(name, Any), name in defaults)


def _typed_dict_fields(kind: type, hints: dict[str, Any]) -> Iterator[ClassField]:
    required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
    for name, annotation in hints.items():
        # With string annotations Required and NotRequired are not seen by the class itself.
        origin = typing.get_origin(annotation)
        is_required = origin is not typing.NotRequired and (name in required or origin is typing.Required)
        yield ClassField(name, name, annotation, has_default=not is_required)


def _constructor_fields(kind: type, namespace: Mapping[str, Any]) -> list[ClassField] | None:
    """A plain class counts if it has a constructor of its own whose parameters are all annotated."""
    constructor = getattr(kind, "__init__", None)
    if not inspect.isfunction(constructor):
        return None
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    named = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    if not parameters or any(p.kind not in named or p.annotation is p.empty for p in parameters):
        return None
    hints = hints_of(constructor, namespace)
    return [ClassField(p.name, p.name, hints[p.name], p.default is not p.empty) for p in parameters]
