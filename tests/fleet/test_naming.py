"""Objects by their names, as a command line or a settings file gives them."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from anyworker import ConfigurationError
from anyworker.fleet.discovery.naming import named, named_parts


class Group:
    @staticmethod
    @contextlib.asynccontextmanager
    async def inner() -> AsyncIterator[None]:
        yield


class Around:
    async def __call__(self, call_next: Any, task: Any) -> Any:
        return await call_next(task)


def test_name_is_looked_up_in_its_module_and_below() -> None:
    assert named(f"{__name__}:Group") is Group
    assert named(f"{__name__}:Group.inner") is Group.inner


def test_file_may_stand_for_the_module() -> None:
    assert named(f"{__file__}:Group").__name__ == "Group"


@pytest.mark.parametrize("target", ["my_app", "my_app:", ":pool", "my_app:not-a-name", "my_app:a..b"])
def test_what_is_no_name_is_refused(target: str) -> None:
    with pytest.raises(ConfigurationError, match=r"expected MODULE:NAME or FILE\.py:NAME"):
        named(target)


def test_objects_stay_as_they_are_and_classes_of_middleware_by_name_are_called() -> None:
    around = Around()
    parts = named_parts(Group.inner, (around, f"{__name__}:Around"))
    assert parts["lifespan"] is Group.inner
    assert parts["middleware"][0] is around
    assert isinstance(parts["middleware"][1], Around)
    assert named_parts(None, ()) == {"lifespan": None, "middleware": []}
    assert len(named_parts(None, f"{__name__}:Around")["middleware"]) == 1


def test_what_cannot_be_middleware_is_left_for_others_to_refuse() -> None:
    assert named_parts(None, Group)["middleware"] is Group
