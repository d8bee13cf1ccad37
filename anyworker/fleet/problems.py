"""Collect what is wrong with a start."""

import contextlib
from collections.abc import Iterator
from typing import Self

from anyworker.errors import ConfigurationError


class Problems:
    """Collect what is wrong with the parts of a start, to name all of it at once."""

    def __init__(self) -> None:
        self._errors: list[ConfigurationError] = []

    def __enter__(self) -> Self:
        return self

    def __len__(self) -> int:
        return len(self._errors)

    def __exit__(self, *_: object) -> None:
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise ConfigurationError([problem for error in self._errors for problem in error.problems])

    @contextlib.contextmanager
    def of_one_part(self) -> Iterator[None]:
        """Go on behind the block although a part of the start is wrong."""
        try:
            yield
        except ConfigurationError as error:
            self._errors.append(error)
