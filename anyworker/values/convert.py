"""Annotations to shapes: what decides which JSON values a parameter takes and what they become."""

import collections
import inspect
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from types import UnionType
from typing import Any

import msgspec

from anyworker.errors import DeclarationError
from anyworker.values import docstrings
from anyworker.values.choices import choice
from anyworker.values.classes import shape_of_class, unknown
from anyworker.values.constraints import Described, annotated
from anyworker.values.containers import ARRAYS, MAPS, SETS, is_hashable
from anyworker.values.custom import custom_type
from anyworker.values.fields import (
    bindings,
    bound,
    evaluated,
    fields_of,
    is_named_tuple,
    is_typed_dict,
    names_around,
    refuses_unknown_keys,
    substituted,
)
from anyworker.values.jsonable import to_jsonable
from anyworker.values.objects import Member, Members, ObjectShape, absent_means
from anyworker.values.scalars import (
    ANY,
    INT,
    INT_KEY,
    LAX_LEAVES,
    LEAVES,
    STR,
    refusing,
)
from anyworker.values.shapes import ArrayShape, Deferred, Leaf, MapShape, Shape, TupleShape
from anyworker.values.unions import Tried, UnionShape

_TRANSPARENT = (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar)


class ShapeBuilder:
    """Builds the shapes of one function's annotations; each class and alias once.

    Args:
        namespace: Where names of forward references are looked up.
        is_strict: Whether objects with known members refuse unknown keys.
        is_lax: Whether text may stand for numbers and booleans.
        is_output: Whether the shapes are those of values as they are written, instead of as they are read.
    """

    def __init__(
        self,
        namespace: Mapping[str, Any],
        *,
        is_strict: bool = False,
        is_lax: bool = False,
        is_output: bool = False,
    ) -> None:
        self._namespace = namespace
        self._leaves = LAX_LEAVES if is_lax else LEAVES
        self._is_strict = is_strict
        self._is_output = is_output
        self.tried: Tried = {}
        """To be cleared after each conversion."""
        self._owner: Any = None
        """The class whose members are being built: what Self means, and where aliases are looked up."""
        self._built: dict[Any, Shape] = {}
        self._unfinished: list[Callable[[], None]] = []

    def finish(self) -> None:
        """Do what had to wait until recursive shapes were complete.

        Raises:
            DeclarationError: A union whose options cannot be told apart.
        """
        unfinished, self._unfinished = self._unfinished, []
        for complete in unfinished:
            complete()

    def shape(self, annotation: Any) -> Shape:
        """Return the shape of an annotation.

        Raises:
            DeclarationError: No JSON value can become that.
            NameError: It names something that cannot be found.
        """
        if isinstance(annotation, typing.ForwardRef | str):
            return self._referred(annotation)
        if annotation is inspect.Parameter.empty:
            return ANY
        if custom_type(annotation) is not None:
            return self._class(annotation, annotation, {})
        try:
            if (leaf := self._leaves.get(annotation)) is not None:
                return leaf
        except TypeError:  # an annotation with an unhashable part, such as Annotated[int, []]
            pass
        origin = typing.get_origin(annotation)
        if origin is None:
            return self._plain(annotation)
        return self._composed(annotation, origin, typing.get_args(annotation))

    def part(self, annotation: Any, *, has_default: bool) -> Shape:
        """Return the shape of a parameter or member; one with a default need not be convertible.

        Raises:
            DeclarationError: No JSON value can become that, and there is no default.
        """
        built = dict(self._built)
        try:
            return self.shape(annotation)
        except DeclarationError as error:
            if not (has_default or self._is_output):
                raise
            self._built = built
            return ANY if self._is_output else refusing(str(error))

    def _referred(self, reference: typing.ForwardRef | str) -> Shape:
        name = reference if isinstance(reference, str) else reference.__forward_arg__
        place = (getattr(self._owner, "__module__", None), name)
        if place not in self._built:
            self._built[place] = deferred = Deferred(name)
            deferred.target = self.shape(evaluated(name, names_around(self._owner, self._namespace)))
        return self._built[place]

    def _plain(self, annotation: Any) -> Shape:
        if annotation in ARRAYS or annotation in MAPS:
            return self._collection(annotation, annotation, ())
        if annotation is typing.Self and self._owner is not None:
            return self._built[self._owner]
        if isinstance(annotation, typing.NewType):
            return self.shape(annotation.__supertype__)
        if isinstance(annotation, typing.TypeVar):
            return self._variable(annotation)
        if hasattr(annotation, "__value__"):  # an alias of a type statement
            return self._alias(annotation, annotation.__value__)
        if isinstance(annotation, type):
            return self._class(annotation, annotation, {})
        raise unknown(annotation)

    def _variable(self, variable: typing.TypeVar) -> Shape:
        if variable.__constraints__:
            return self._union(variable.__constraints__)
        return ANY if variable.__bound__ is None else self.shape(variable.__bound__)

    def _alias(self, alias: Any, meaning: Any) -> Shape:
        if alias not in self._built:
            self._built[alias] = deferred = Deferred(getattr(alias, "__name__", str(alias)))
            deferred.target = self.shape(meaning)
        return self._built[alias]

    def _composed(self, annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Shape:
        if origin is typing.Annotated:
            return annotated(self.shape(arguments[0]), arguments[1:])
        if origin in {typing.Union, UnionType}:
            return self._union(arguments)
        if origin is typing.Literal:
            return choice(
                f"one of {', '.join(map(repr, arguments))}",
                [(to_jsonable(value), value) for value in arguments],
            )
        if origin in _TRANSPARENT or str(origin).endswith(".ReadOnly"):
            return self.shape(arguments[0])
        return self._applied(annotation, origin, arguments)

    def _applied(self, annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Shape:
        """Return the shape of a generic class or alias with its arguments."""
        if hasattr(origin, "__value__"):  # an alias of a type statement
            meant = dict(zip(origin.__type_params__, arguments, strict=False))
            return self._alias(annotation, substituted(origin.__value__, meant))
        if custom_type(origin) is None and (
            origin in ARRAYS or origin in MAPS or origin is collections.defaultdict
        ):
            return self._collection(annotation, origin, arguments)
        if isinstance(origin, type):
            variables = getattr(origin, "__parameters__", ())
            return self._class(annotation, origin, dict(zip(variables, arguments, strict=False)))
        raise unknown(annotation)

    def _union(self, arguments: tuple[Any, ...]) -> Shape:
        # Only an absent member of a Struct is UNSET.
        shapes = [self.shape(argument) for argument in arguments if argument is not msgspec.UnsetType]
        if len(shapes) == 1:
            return shapes[0]
        # What tells options apart looks at the shapes themselves, not at words about them.
        options = tuple(
            dict.fromkeys(shape.base if isinstance(shape, Described) else shape for shape in shapes)
        )
        words = {id(shape.base): shape.notes for shape in shapes if isinstance(shape, Described)}
        if not words and options in self._built:
            return self._built[options]
        union = UnionShape(options, self.tried, tuple(words.get(id(option), {}) for option in options))
        self._unfinished.append(union.arrange)
        if not words:
            self._built[options] = union
        return union

    def _collection(self, annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Shape:
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            shapes = () if arguments == ((),) else tuple(self.shape(argument) for argument in arguments)
            return TupleShape(f"tuple[{', '.join(shape.name for shape in shapes)}]", shapes)
        if origin is tuple and annotation == tuple[()]:
            return TupleShape("tuple[()]", ())
        name = getattr(origin, "__name__", str(origin))
        shapes = tuple(self.shape(argument) for argument in arguments if argument is not Ellipsis) or (
            ANY,
            ANY,
        )
        if origin in SETS and not is_hashable(shapes[0]):
            reason = f"nothing that {shapes[0].name} becomes can be in a set"
            raise DeclarationError(reason)
        if origin in ARRAYS:
            return ArrayShape(f"{name}[{shapes[0].name}]", shapes[0], ARRAYS[origin])
        key = self._key(arguments[0]) if arguments else STR
        if origin is collections.defaultdict:
            factory = typing.get_origin(arguments[1]) or arguments[1]
            return MapShape(
                f"{name}[{key.name}, {shapes[1].name}]",
                key,
                shapes[1],
                lambda items: collections.defaultdict(factory, items),
            )
        return MapShape(f"{name}[{key.name}, {shapes[1].name}]", key, shapes[1], MAPS[origin])

    def _key(self, annotation: Any) -> Shape:
        """Return the shape of a mapping's keys, which in JSON are text."""
        shape = self.shape(annotation)
        if isinstance(shape, Leaf) and shape.convert is INT.convert:
            return INT_KEY
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            members = [
                (str(member.value), member) for member in annotation if isinstance(member.value, str | int)
            ]
            return choice(shape.name, members)
        if str not in shape.accepts:
            reason = f"no key of a JSON object, which is text, can be {shape.name}"
            raise DeclarationError(reason)
        return shape

    def _class(self, annotation: Any, kind: type, arguments: Mapping[Any, Any]) -> Shape:
        if annotation in self._built:
            return self._built[annotation]
        shape = shape_of_class(kind, is_strict=self._is_strict, is_output=self._is_output)
        if shape is None:
            return self._object(annotation, kind, arguments)
        self._built[annotation] = shape
        return shape

    def _object(self, annotation: Any, kind: type, arguments: Mapping[Any, Any]) -> Shape:
        fields = fields_of(kind, self._namespace)
        if fields is None:
            raise unknown(annotation)
        build = None if is_typed_dict(kind) else kind
        shape = ObjectShape(
            kind.__name__,
            build,
            is_positional=is_named_tuple(kind) and not self._is_output,
            description=docstrings.summary(kind),
        )
        self._built[annotation] = shape
        owners = bindings(kind, arguments)
        outer, self._owner = self._owner, annotation
        try:
            parts = [
                (field, self.part(bound(field, owners), has_default=field.has_default))
                for field in fields
                if (field.is_written if self._is_output else field.is_read)
            ]
        finally:
            self._owner = outer

        texts = docstrings.parameters(kind)

        def complete() -> None:
            members = (
                Member(
                    field.key,
                    field.name,
                    part,
                    absent_means(part, has_default=field.has_default),
                    texts.get(field.name or field.key),
                )
                for field, part in parts
            )
            is_strict = self._is_strict or refuses_unknown_keys(kind)
            shape.members = Members(tuple(members), is_strict=is_strict)

        self._unfinished.insert(0, complete)
        return shape
