"""Modules and files by name, and what is said about those that cannot be imported."""

import os
import pickle
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import pytest

from anyworker.errors import WorkerImportError
from anyworker.fleet.discovery.loader import load, load_all

Write = Callable[[str, str], Path]


pytestmark = pytest.mark.usefixtures("project")


def problem(target: str) -> str:
    """Return what is said about one target that cannot be imported."""
    with pytest.raises(WorkerImportError) as caught:
        load(target)
    [only] = caught.value.problems
    return only


def test_a_dotted_name_is_found_below_the_working_directory(write: Write) -> None:
    write("loader_app/__init__.py", "")
    write("loader_app/workers.py", "answer = 42")
    module = load("loader_app.workers")
    assert module.__name__ == "loader_app.workers"
    assert module.answer == 42
    assert load("loader_app.workers") is module


def test_the_working_directory_is_put_on_the_path_once(write: Write, project: Path) -> None:
    write("loader_one.py", "")
    write("loader_two.py", "")
    load_all(["loader_one", "loader_two"])
    assert sys.path.count(str(project)) == 1


def test_a_package_is_imported_by_its_init(write: Write) -> None:
    write("loader_app/__init__.py", "answer = 42")
    assert load("loader_app").answer == 42


@pytest.mark.parametrize("form", ["relative", "dotted", "absolute"])
def test_a_file_sees_its_siblings(write: Write, form: str) -> None:
    write("jobs/loader_db.py", "url = 'postgres://'")
    path = write("jobs/loader_orders.py", "from loader_db import url")
    target = {
        "relative": "jobs/loader_orders.py",
        "dotted": "./jobs/../jobs/loader_orders.py",
        "absolute": str(path),
    }
    module = load(target[form])
    assert module.url == "postgres://"
    assert sys.path[0] == str(path.parent)
    assert sys.modules[module.__name__] is module


def test_the_siblings_of_a_file_come_before_what_is_on_the_path_already(
    write: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("jobs/loader_db.py", "mine = True")
    write("jobs/loader_orders.py", "import loader_db")
    write("other/loader_db.py", "mine = False")
    monkeypatch.syspath_prepend(project / "jobs")
    monkeypatch.syspath_prepend(project / "other")
    assert load("jobs/loader_orders.py").loader_db.mine
    assert sys.path.count(str(project / "jobs")) == 1


def test_a_file_written_a_moment_ago_is_found(write: Write, project: Path) -> None:
    write("loader_one.py", "")
    os.utime(project, (1, 1))
    load("loader_one")
    write("loader_two.py", "")
    os.utime(project, (1, 1))  # as on a file system whose clock has not moved on
    load("loader_two")


def test_a_file_in_the_working_directory_needs_no_slash(write: Write) -> None:
    write("loader_orders.py", "answer = 42")
    assert load("loader_orders.py").answer == 42


def test_a_file_is_not_imported_again_under_another_spelling(write: Write) -> None:
    path = write("loader_orders.py", "")
    write("loader_user.py", "import loader_orders")
    module = load("loader_orders.py")
    assert load(str(path)) is module
    assert load("loader_orders") is module
    assert load("loader_user.py").loader_orders is module


def test_classes_of_a_file_can_be_pickled_and_their_hints_resolved(write: Write) -> None:
    write(
        "jobs/json.py",
        "from __future__ import annotations\nclass Order:\n    next: Order | None\norder = Order()",
    )
    module = load("jobs/json.py")
    assert typing.get_type_hints(module.Order) == {"next": module.Order | None}
    assert type(pickle.loads(pickle.dumps(module.order))) is module.Order


def test_files_of_one_name_are_two_modules(write: Write) -> None:
    write("a/loader_orders.py", "where = 'a'")
    write("b/loader_orders.py", "where = 'b'")
    first, second = load_all(["a/loader_orders.py", "b/loader_orders.py"])
    assert (first.where, second.where) == ("a", "b")
    assert first.__name__ != second.__name__
    assert load_all(["a/loader_orders.py", "b/loader_orders.py"]) == [first, second]


def test_a_file_named_like_a_module_of_python_shadows_nothing(write: Write) -> None:
    write("json.py", "mine = True")
    module = load("json.py")
    assert module.mine
    assert sys.modules["json"] is not module
    name = module.__name__
    del sys.modules[name]
    assert load("json.py").__name__ == name


@pytest.mark.parametrize("name", ["loader-orders.py", "loader.orders.v2.py", "loader orders.py"])
def test_a_file_with_any_name_can_be_loaded(write: Write, name: str) -> None:
    write(name, "answer = 42")
    module = load(name)
    assert module.answer == 42
    assert sys.modules[module.__name__] is module


def test_a_file_of_a_package_is_imported_by_its_dotted_name(write: Write, project: Path) -> None:
    write("src/loader_app/__init__.py", "")
    write("src/loader_app/jobs/__init__.py", "")
    write("src/loader_app/db.py", "url = 'postgres://'")
    write("src/loader_app/jobs/orders.py", "from ..db import url")
    module = load("src/loader_app/jobs/orders.py")
    assert module.__name__ == "loader_app.jobs.orders"
    assert module.url == "postgres://"
    assert sys.path[0] == str(project / "src")
    assert load("src/loader_app/jobs/__init__.py").__name__ == "loader_app.jobs"


def test_a_file_of_a_package_whose_name_is_taken_is_refused(write: Write) -> None:
    write("a/loader_app/__init__.py", "")
    write("a/loader_app/orders.py", "")
    other = write("b/loader_app/__init__.py", "")
    write("b/loader_app/orders.py", "")
    load("b/loader_app/orders.py")
    assert problem("a/loader_app/orders.py").endswith(
        f"it is loader_app.orders in {Path.cwd() / 'a'}, but another loader_app is in use already: {other}"
    )


def test_all_broken_targets_are_reported_and_the_others_imported(write: Write) -> None:
    write("loader_good.py", "")
    write("loader_bad.py", "1 / 0")
    with pytest.raises(WorkerImportError) as caught:
        load_all(["loader_bad.py", "loader_good", "loader_nowhere", "loader:bad"])
    assert [each.partition(":")[0] for each in caught.value.problems] == [
        f"importing 'loader_bad.py' failed at {Path('loader_bad.py').absolute()}",
        "cannot import 'loader_nowhere'",
        "cannot import 'loader",
    ]
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert "loader_good" in sys.modules


def test_a_lone_string_is_one_target(write: Write) -> None:
    write("loader_orders.py", "")
    assert [module.__name__ for module in load_all("loader_orders")] == ["loader_orders"]


def test_nothing_to_load_is_nothing_loaded() -> None:
    assert load_all([]) == []


def test_a_broken_import_names_the_chain_and_the_place(write: Write) -> None:
    write("loader_app/__init__.py", "")
    write("loader_app/workers.py", "import os\nimport loader_app.db")
    db = write("loader_app/db.py", "\n\nimport psycopg_that_is_missing")
    assert problem("loader_app.workers") == (
        f"importing 'loader_app.workers' failed at {db}:3: loader_app.workers -> loader_app.db: "
        "ModuleNotFoundError: No module named 'psycopg_that_is_missing'; install it, or correct the import"
    )


def test_the_cause_is_what_the_module_raised(write: Write) -> None:
    write("loader_bad.py", "raise LookupError('no DB_URL')")
    with pytest.raises(WorkerImportError) as caught:
        load("loader_bad")
    assert isinstance(caught.value.__cause__, LookupError)


def test_a_package_that_breaks_on_the_way_is_named(write: Write) -> None:
    init = write("loader_app/__init__.py", "raise LookupError('no DB_URL')")
    write("loader_app/workers.py", "")
    assert problem("loader_app.workers") == (
        f"importing 'loader_app.workers' failed at {init}:1: loader_app: LookupError: no DB_URL"
    )


def test_the_place_is_in_the_users_code_even_if_a_library_raised(write: Write) -> None:
    path = write("loader_bad.py", "import json\n\ndef read():\n    return json.loads('{')\n\nread()")
    assert problem("loader_bad.py").startswith(
        f"importing 'loader_bad.py' failed at {path}:4: json.decoder.JSONDecodeError: Expecting"
    )


def test_the_chain_ends_with_the_first_installed_package(
    write: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyworker.fleet.discovery.loader._INSTALLED", (str(project / "site"),))
    monkeypatch.syspath_prepend(project / "site")
    write("site/loader_lib.py", "import loader_lib_inner")
    write("site/loader_lib_inner.py", "raise LookupError('no driver')")
    write("loader_app/__init__.py", "from loader_app import db")
    db = write("loader_app/db.py", "import loader_lib")
    assert problem("loader_app") == (
        f"importing 'loader_app' failed at {db}:1: loader_app -> loader_app.db -> loader_lib: "
        "LookupError: no driver"
    )


def test_a_syntax_error_is_placed_where_it_stands(write: Write) -> None:
    write("loader_bad.py", "import loader_worse")
    worse = write("loader_worse.py", "x = 1\ndef (:\n")
    assert problem("loader_bad.py") == (
        f"importing 'loader_bad.py' failed at {worse}:2: SyntaxError: invalid syntax"
    )


@pytest.mark.parametrize("name", ["loader_bad.py", "loader.bad.py"])
@pytest.mark.parametrize(("call", "said"), [("2", "2"), ("'no config'", "'no config'"), ("", "")])
def test_an_exit_during_the_import_is_reported(write: Write, name: str, call: str, said: str) -> None:
    path = write(name, f"import sys\nsys.exit({call})")
    assert problem(name) == f"importing {name!r} failed at {path}:2: it called sys.exit({said})"


@pytest.mark.parametrize("name", ["loader_bad.py", "loader.bad.py"])
def test_a_keyboard_interrupt_passes(write: Write, name: str) -> None:
    write(name, "raise KeyboardInterrupt")
    before = set(sys.modules)
    with pytest.raises(KeyboardInterrupt):
        load_all(["loader_nowhere", name])
    assert set(sys.modules) == before


def test_a_file_that_broke_is_tried_again_the_next_time(write: Write) -> None:
    path = write("loader.bad.py", "raise LookupError")
    assert problem("loader.bad.py") == f"importing 'loader.bad.py' failed at {path}:1: LookupError"
    path.write_text("answer = 42")
    assert load("loader.bad.py").answer == 42


def test_a_missing_module_brings_the_nearest_name(write: Write) -> None:
    write("loader_app/__init__.py", "")
    write("loader_app/workers.py", "")
    assert problem("loader_app.wrokers") == (
        "cannot import 'loader_app.wrokers': there is no module 'loader_app.wrokers'; "
        "did you mean 'loader_app.workers'?"
    )
    assert problem("loader_ap.workers").endswith("there is no module 'loader_ap'; did you mean 'loader_app'?")


def test_a_missing_module_with_no_near_name_says_where_it_was_looked_for(write: Write, project: Path) -> None:
    write("loader_app/__init__.py", "")
    assert problem("qqqqqqqq") == (
        f"cannot import 'qqqqqqqq': there is no module 'qqqqqqqq' in {project} or elsewhere on sys.path"
    )
    assert problem("loader_app.qqqqqqqq").endswith(
        f"there is no module 'loader_app.qqqqqqqq' in {project / 'loader_app'}"
    )


def test_a_package_below_src_is_pointed_out(write: Write) -> None:
    write("src/loader_app/__init__.py", "")
    assert "src holds one" in problem("loader_app.workers")


def test_a_function_in_a_module_is_no_target(write: Write) -> None:
    write("loader_orders.py", "def greet(): pass")
    assert problem("loader_orders.greet").endswith(
        "loader_orders is a module, not a package: there is no 'greet' to import from it"
    )
    assert problem("loader_orders:greet").endswith(
        "leave out ':greet'; importing 'loader_orders' is what declares its workers"
    )


@pytest.mark.parametrize("target", ["", ".", "..", ".workers", "loader..app", "loader.", " loader", "a b"])
def test_what_is_neither_name_nor_path_is_refused(target: str) -> None:
    assert "neither a module's name" in problem(target)


def test_a_missing_file_brings_the_nearest_name(write: Write, project: Path) -> None:
    write("jobs/orders.py", "")
    assert problem("jobs/order.py") == (
        f"cannot import 'jobs/order.py': there is no file {project}/jobs/order.py; "
        "did you mean 'jobs/orders.py'?"
    )
    assert problem("jobs/orders").endswith("did you mean 'jobs/orders.py'?")
    assert problem("nowhere/orders.py").endswith(f"there is no file {project}/nowhere/orders.py")


def test_a_dotted_name_with_the_suffix_of_a_file_is_understood(write: Write) -> None:
    write("loader_app/__init__.py", "")
    write("loader_app/workers.py", "")
    assert problem("loader_app.workers.py").endswith("did you mean the module 'loader_app.workers'?")


def test_a_directory_is_refused_with_a_remedy(write: Write, project: Path) -> None:
    write("plain/orders.py", "")
    write("packed/__init__.py", "")
    assert problem("plain/").endswith("it is a directory; name a .py file in it")
    assert problem("./packed").endswith(
        f"it is a directory; name a .py file in it, like {project}/packed/__init__.py"
    )
    assert "directory without __init__.py" in problem("plain")


def test_a_file_of_another_kind_is_refused(write: Write) -> None:
    write("jobs/orders.txt", "")
    assert problem("jobs/orders.txt").endswith("it is not a .py file")


def test_a_missing_file_leaves_the_path_alone() -> None:
    before = list(sys.path)
    problem("nowhere/orders.py")
    assert sys.path == before
