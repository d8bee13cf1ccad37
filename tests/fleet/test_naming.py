"""Objects by their names, as a command line or a settings file gives them."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from anyworker import ConfigurationError
from anyworker.fleet.discovery.naming import named, named_parts
from anyworker.run_settings import choose
from anyworker.settings_file import read_settings


class Group:
    @staticmethod
    @contextlib.asynccontextmanager
    async def inner() -> AsyncIterator[None]:
        yield


class Picky:
    def __init__(self, level: int) -> None: ...


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


def test_class_of_middleware_that_cannot_be_called_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"^middleware: .*Picky\(\) failed: TypeError.*'level'"):
        named_parts(None, [f"{__name__}:Picky"])


def test_what_cannot_be_middleware_is_left_for_others_to_refuse() -> None:
    assert named_parts(None, Group)["middleware"] is Group


def test_name_from_a_settings_file_that_means_nothing_is_told_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "anyworker.toml").write_text(
        f'grace = 5\nlifespan = "{__name__}:pool"\nmiddleware = ["{__name__}:Around", "none.py:it"]\n'
    )
    file = read_settings(tmp_path / "anyworker.toml", name="anyworker.toml")
    chosen = choose({}, file)
    with pytest.raises(ConfigurationError) as caught:
        named_parts(chosen["lifespan"].value, chosen["middleware"].value)
    lifespan, middleware = caught.value.problems
    assert lifespan.startswith(f"anyworker.toml, line 2: lifespan: cannot import '{__name__}:pool': there is")
    assert middleware.startswith(f"anyworker.toml, line 3: middleware: cannot import '{tmp_path}/none.py'")
    chosen = choose({"lifespan": f"{__name__}:pool"}, file)
    with pytest.raises(ConfigurationError, match=r"^lifespan: cannot import"):
        named_parts(chosen["lifespan"].value, None)
