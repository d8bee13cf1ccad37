"""Workers found by importing packages and directories, and what is said about what cannot be imported."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from anyworker import Worker, WorkerLoader, auto_discover_workers, scan_for_workers
from anyworker.errors import WorkerImportError
from anyworker.fleet.discovery.finder import noted, settle
from anyworker.fleet.discovery.loader import load, load_all
from anyworker.fleet.serving import resolve_workers
from anyworker.registry import clear_registry

Write = Callable[[str, str], Path]

pytestmark = pytest.mark.usefixtures("project")


def worker(name: str, before: str = "") -> str:
    """Return a module that declares one worker."""
    return f"{before}\nfrom anyworker import worker_task\n\n@worker_task({name!r})\ndef work(): ...\n"


@pytest.fixture
def shop(write: Write) -> None:
    """Have a package of three levels, each with a worker, and one beside it."""
    write("shop/__init__.py", worker("shop"))
    write("shop/orders.py", worker("order"))
    write("shop/payment/__init__.py", worker("payment"))
    write("shop/payment/charge.py", worker("charge"))
    write("other.py", worker("other"))


@pytest.mark.usefixtures("shop")
def test_a_package_is_searched_to_the_bottom() -> None:
    loader = scan_for_workers("shop")
    assert sorted(loader.get_worker_names()) == ["charge", "order", "payment", "shop"]
    assert loader.get_worker_count() == 4


@pytest.mark.usefixtures("shop")
def test_not_recursive_imports_nothing_below() -> None:
    loader = scan_for_workers("shop", recursive=False)
    assert sorted(loader.get_worker_names()) == ["order", "shop"]
    assert not [name for name in sys.modules if name.startswith("shop.payment")]


@pytest.mark.usefixtures("shop")
def test_not_recursive_holds_for_packages_and_not_for_paths() -> None:
    loader = WorkerLoader()
    loader.scan(packages=["shop"], paths=["shop"], recursive=False)
    assert sorted(loader.get_worker_names()) == ["charge", "order", "payment", "shop"]


@pytest.mark.usefixtures("shop")
def test_not_recursive_finds_nothing_below_of_what_was_imported_before() -> None:
    WorkerLoader().scan_packages(["shop"])
    assert sorted(scan_for_workers("shop", recursive=False).get_worker_names()) == ["order", "shop"]


@pytest.mark.usefixtures("shop")
def test_only_what_was_scanned_is_returned_and_all_that_is_registered_runs() -> None:
    load_all(["other"])
    loader = WorkerLoader()
    loader.scan_module("shop.orders")
    assert loader.get_worker_names() == ["order"]
    assert [each.task_definition_name for each in all_workers()] == ["other", "shop", "order"]


def all_workers() -> list[Worker]:
    return [resolved.worker for resolved in resolve_workers(())]


@pytest.mark.usefixtures("shop")
def test_what_was_imported_before_is_found() -> None:
    first = scan_for_workers("shop")
    again = scan_for_workers("shop")
    assert first.get_workers() == again.get_workers()
    assert [each.task_definition_name for each in again.get_workers()] == again.get_worker_names()


def test_a_worker_belongs_to_the_module_that_declares_it(write: Write) -> None:
    write("making.py", "from anyworker import worker_task\ndef make(name): worker_task(name)(lambda: 1)\n")
    write("made.py", "from making import make\nmake('mine')\n")
    write("more.py", "from making import make\nmake('theirs')\n")
    assert scan_for_workers("made", "making").get_worker_names() == ["mine"]
    assert scan_for_workers("making").get_worker_names() == []
    assert scan_for_workers("more").get_worker_names() == ["theirs"]


@pytest.mark.usefixtures("shop")
def test_several_scans_add_up() -> None:
    loader = WorkerLoader()
    loader.scan_packages(["shop.payment"])
    loader.scan_packages("other")
    loader.scan_module("shop.orders")
    assert sorted(loader.get_worker_names()) == ["charge", "order", "other", "payment"]


def test_directories_without_init_are_packages(write: Write) -> None:
    write("ns/orders.py", worker("order"))
    write("ns/deep/er/charge.py", worker("charge"))
    write("ns/data/readme.txt")
    assert sorted(scan_for_workers("ns").get_worker_names()) == ["charge", "order"]
    assert "ns.data" not in sys.modules
    assert scan_for_workers("ns", recursive=False).get_worker_names() == ["order"]


def test_all_portions_of_a_namespace_are_searched(write: Write, project: Path) -> None:
    write("one/ns/first.py", worker("first"))
    write("two/ns/second.py", worker("second"))
    sys.path += [str(project / "one"), str(project / "two")]
    assert sorted(scan_for_workers("ns").get_worker_names()) == ["first", "second"]


def test_programs_tests_and_hidden_things_are_passed_over(write: Write) -> None:
    broken = "raise RuntimeError('imported')"
    for name in ("__main__.py", "conftest.py", "tests/__init__.py", "tests/it.py", "venv/lib/it.py"):
        write(f"app/{name}", broken)
    for name in (".hidden/it.py", "__pycache__/it.py", ".#orders.py", "sub/tests/it.py"):
        write(f"app/{name}", broken)
    write("app/venv/pyvenv.cfg")
    write("app/orders.py", worker("order"))
    assert scan_for_workers("app").get_worker_names() == ["order"]
    loader = WorkerLoader()
    loader.scan_path("app")
    assert "order" in [each.task_definition_name for each in all_workers()]


def test_a_package_that_is_named_itself_is_imported_whatever_it_is_called(write: Write) -> None:
    write("tests/__init__.py", "")
    write("tests/it.py", worker("tried"))
    assert scan_for_workers("tests").get_worker_names() == ["tried"]


def test_a_link_back_to_the_package_is_followed_once(write: Write, project: Path) -> None:
    write("app/__init__.py", "")
    write("app/orders.py", worker("order"))
    os.symlink(project / "app", project / "app" / "loop")
    assert "order" in scan_for_workers("app").get_worker_names()


# ---------------------------------------------------------------- what cannot be imported


@pytest.fixture
def broken(write: Write) -> None:
    """Have a package in which much is wrong, and two modules that are right."""
    write("app/__init__.py", "")
    write("app/a_good.py", worker("first"))
    write("app/b_chain.py", "import app.c_broken")
    write("app/c_broken.py", worker("half") + "1 / 0")
    write("app/d_missing.py", "import no_such_library")
    write("app/e_exits/__init__.py", "raise SystemExit(2)")
    write("app/e_exits/below.py", worker("unreachable"))
    write("app/f_syntax.py", "def broken(:")
    write("app/g_good.py", worker("last"))


@pytest.mark.usefixtures("broken")
def test_everything_broken_is_reported_and_hides_nothing() -> None:
    loader = WorkerLoader()
    with pytest.raises(WorkerImportError) as caught:
        loader.scan_packages(["app", "no_such_package"])
    chain, division, library, exits, syntax, missing = caught.value.problems
    assert "app.b_chain -> app.c_broken: ZeroDivisionError" in chain
    assert "importing 'app.c_broken' failed at " in division
    assert "importing 'app.d_missing' failed at " in library
    assert "No module named 'no_such_library'; install it, or correct the import" in library
    assert "importing 'app.e_exits' failed" in exits
    assert "it called sys.exit(2)" in exits
    assert "SyntaxError" in syntax
    assert missing.startswith("cannot import 'no_such_package': there is no module 'no_such_package'")
    assert loader.get_worker_names() == ["first", "last"]


@pytest.mark.usefixtures("broken")
def test_errors_can_be_ignored(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        loader = scan_for_workers("app", ignore_errors=True)
    assert loader.get_worker_names() == ["first", "last"]
    assert len(loader.problems) == 5
    assert [record.message for record in caplog.records] == [
        f"Passed over: {each}" for each in loader.problems
    ]


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("is_for_all", [False, True])
def test_each_scan_may_say_itself_whether_errors_are_ignored(is_for_all: bool) -> None:
    loader = WorkerLoader(ignore_errors=is_for_all)
    scans: list[Callable[..., None]] = [
        partial(loader.scan_packages, ["app"]),
        partial(loader.scan_module, "app.c_broken"),
        partial(loader.scan_path, "app/c_broken.py"),
        partial(loader.scan, packages=["app"]),
    ]
    for scan in scans:
        scan(ignore_errors=True)
        with pytest.raises(WorkerImportError):
            scan(ignore_errors=False)
        with contextlib.nullcontext() if is_for_all else pytest.raises(WorkerImportError):
            scan()
    assert loader.get_worker_names() == ["first", "last"]


@pytest.mark.usefixtures("broken")
def test_what_is_named_twice_is_reported_once() -> None:
    with pytest.raises(WorkerImportError) as caught:
        WorkerLoader().scan_packages(["app", "app.c_broken"])
    assert len(caught.value.problems) == len(set(caught.value.problems)) == 5


@pytest.mark.usefixtures("broken")
def test_what_a_broken_module_declared_does_not_run() -> None:
    scan_for_workers("app", ignore_errors=True)
    assert [each.task_definition_name for each in all_workers()] == ["first", "last"]


def test_a_cycle_of_imports_that_works_is_no_error(write: Write) -> None:
    write("app/one.py", worker("one", before="import app.two"))
    write("app/two.py", worker("two", before="import app.one"))
    assert sorted(scan_for_workers("app").get_worker_names()) == ["one", "two"]


def test_a_cycle_of_imports_that_breaks_shows_its_chain(write: Write) -> None:
    write("app/one.py", "from app.two import x")
    write("app/two.py", "from app.one import y")
    loader = scan_for_workers("app", ignore_errors=True)
    assert "app.one -> app.two: ImportError: cannot import name 'y'" in loader.problems[0]


def test_a_package_may_scan_itself(write: Write) -> None:
    write("app/__init__.py", "import anyworker\nanyworker.scan_for_workers('app')")
    write("app/orders.py", worker("order"))
    assert scan_for_workers("app").get_worker_names() == ["order"]


def test_problems_of_packages_and_paths_are_reported_together(write: Write) -> None:
    write("app/__init__.py", "1 / 0")
    write("jobs/bad.py", "1 / 0")
    with pytest.raises(WorkerImportError) as caught:
        auto_discover_workers(packages=["app"], paths=["jobs", "nowhere"])
    assert len(caught.value.problems) == 3
    assert "'nowhere': there is no file or directory" in caught.value.problems[2]


# ---------------------------------------------------------------- directories and files


def test_modules_of_a_directory_see_each_other(write: Write, project: Path) -> None:
    write("jobs/helping.py", "x = 1")
    write("jobs/orders.py", worker("order", before="from helping import x"))
    write("jobs/sub/charge.py", worker("charge", before="from . import near\nimport sub.near"))
    write("jobs/sub/near.py", "")
    write("jobs/pack/__init__.py", worker("pack"))
    write("jobs/sub/pack/__init__.py", worker("inner"))
    loader = WorkerLoader()
    loader.scan_path("jobs")
    assert sorted(loader.get_worker_names()) == ["charge", "inner", "order", "pack"]
    assert sys.path.count(str(project / "jobs")) == 1
    assert not [place for place in sys.path if place.startswith(str(project / "jobs" / "sub"))]


def test_directories_with_the_same_modules_do_not_get_in_each_others_way(write: Write) -> None:
    for place in ("one", "two"):
        write(f"{place}/orders.py", worker(f"order_{place}"))
        write(f"{place}/sub/charge.py", worker(f"charge_{place}"))
        write(f"{place}/not-a-name/x.y.py", worker(f"odd_{place}"))
    loader = auto_discover_workers(paths=["one", "two"], print_summary=False)
    assert loader.get_worker_count() == 6


def test_a_directory_that_is_a_package_is_imported_as_one(write: Write) -> None:
    write("src/shop/__init__.py", "")
    write("src/shop/workers/__init__.py", "")
    write("src/shop/workers/orders.py", worker("order", before="from .. import workers"))
    loader = WorkerLoader()
    loader.scan_path("src/shop/workers")
    assert [each.origin.module for each in loader.get_workers()] == ["shop.workers.orders"]


def test_a_script_is_scanned_by_its_path(write: Write) -> None:
    path = write("jobs/my-script.py", worker("scripted"))
    for scan in (WorkerLoader.scan_path, WorkerLoader.scan_module):
        loader = WorkerLoader()
        scan(loader, str(path))
        assert loader.get_worker_names() == ["scripted"]


@pytest.mark.parametrize("place", ["my_app/workers", "elsewhere"])
@pytest.mark.parametrize("has_init", [True, False])
def test_a_prefix_says_which_package_a_directory_is(write: Write, place: str, has_init: bool) -> None:
    if has_init:
        write(f"{place}/__init__.py", "started = True")
    write(f"{place}/orders.py", worker("order", before="from . import common\nfrom .sub import near"))
    write(f"{place}/common.py", "")
    write(f"{place}/sub/near.py", worker("near", before="from .. import common"))
    loader = WorkerLoader()
    loader.scan_path(place, package_prefix="my_app.workers")
    found = sorted(each.origin.module for each in loader.get_workers())
    assert found == ["my_app.workers.orders", "my_app.workers.sub.near"]
    assert getattr(sys.modules["my_app.workers"], "started", False) == has_init


def test_a_prefix_may_stand_in_a_package_that_exists(write: Write) -> None:
    write("my_app/__init__.py", "")
    write("elsewhere/orders.py", worker("order"))
    loader = WorkerLoader()
    loader.scan_path("elsewhere", package_prefix="my_app.extra")
    assert loader.get_workers()[0].origin.module == "my_app.extra.orders"
    assert noted()["my_app.extra"].name == "elsewhere"


def test_a_package_around_a_prefix_that_breaks_is_reported(write: Write) -> None:
    write("my_app/__init__.py", "1 / 0")
    write("elsewhere/orders.py", worker("order"))
    loader = WorkerLoader(ignore_errors=True)
    loader.scan_path("elsewhere", package_prefix="my_app.extra")
    [problem] = loader.problems
    assert "importing 'my_app' failed at " in problem


def test_a_directory_mounted_before_leaves_room_for_another_one(write: Write, project: Path) -> None:
    for place in ("first", "second", "my_app/extra"):
        write(f"{place}/orders.py", worker("order"))
        loader = WorkerLoader()
        loader.scan_path(place, package_prefix="my_app.extra")
        [found] = loader.get_workers()
        assert found.origin.file == str(project / place / "orders.py")
        for name in [name for name in sys.modules if name.partition(".")[0] == "my_app"]:
            del sys.modules[name]
        clear_registry()


def test_another_process_hears_what_names_meant(write: Write, project: Path) -> None:
    for place in ("one", "two"):
        write(f"{place}/orders.py", worker(f"order_{place}"))
    auto_discover_workers(paths=["one", "two"], print_summary=False)
    places = {name: place for name, place in noted().items() if project in place.parents}
    assert places.pop("orders") == project / "one" / "orders.py"
    assert list(places.values()) == [project / "two" / "orders.py"]
    for name in ("orders", *places):
        del sys.modules[name]
    settle(noted())
    assert [load(name).__file__ for name in ("orders", *places)] == [
        str(project / "one" / "orders.py"),
        str(project / "two" / "orders.py"),
    ]


def test_a_prefix_that_is_taken_or_none_at_all_is_refused(write: Write) -> None:
    write("shop/__init__.py", "")
    write("elsewhere/orders.py", worker("order"))
    loader = WorkerLoader(ignore_errors=True)
    loader.scan_path("elsewhere", package_prefix="shop")
    loader.scan_path("elsewhere", package_prefix="not a name")
    loader.scan_path("elsewhere/orders.py", package_prefix="shop")
    taken, nameless, file = loader.problems
    assert "package_prefix='shop' is taken already by" in taken
    assert "'not a name' is no package's name" in nameless
    assert "needs a directory" in file
    assert loader.get_workers() == []


# ---------------------------------------------------------------- the summary


@pytest.mark.usefixtures("shop")
def test_the_summary_is_a_table_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    auto_discover_workers(packages=["shop.payment", "other"])
    printed, errors = capsys.readouterr()
    assert printed.splitlines() == [
        "Discovered 3 workers in 3 modules:",
        "  TASK TYPE  KIND  FUNCTION  MODULE",
        "  payment    def   work      shop.payment",
        "  charge     def   work      shop.payment.charge",
        "  other      def   work      other",
    ]
    assert errors == ""


def test_the_summary_tells_what_was_not_imported(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write("app.py", "1 / 0")
    auto_discover_workers(packages=["app"], ignore_errors=True)
    first, second, third = capsys.readouterr().out.splitlines()
    assert (first, second) == ("No workers discovered in 0 modules", "Not imported:")
    assert third.startswith("  importing 'app' failed at ")


@pytest.mark.usefixtures("shop")
def test_nothing_is_printed_unless_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    scan_for_workers("shop")
    auto_discover_workers(packages=["shop"], print_summary=False)
    assert capsys.readouterr().out == ""
