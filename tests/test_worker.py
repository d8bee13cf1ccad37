import functools
import importlib
import inspect
import logging
import math
import pickle
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import attrs
import pytest

from anyworker.conductor.models import Task, TaskDef, TaskResult
from anyworker.errors import ConfigurationError, DeclarationError, DuplicateWorkerError
from anyworker.option_table import DECLARABLE
from anyworker.registry import clear_registry, register, registered_workers
from anyworker.worker import Worker, worker_task


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    clear_registry()
    yield
    clear_registry()


def greet(name: str) -> str:
    return f"Hello {name}"


async def fetch(url: str) -> str:
    return url


class Doubler:
    def execute(self, task: Task) -> TaskResult:
        return TaskResult(task_id=task.task_id)

    async def execute_later(self, task: Task) -> TaskResult:
        return self.execute(task)


class Adder:
    def __call__(self, number: int) -> int:
        return number + 1


class AsyncAdder:
    async def __call__(self, number: int) -> int:
        return number + 1


def refusal(declare: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(DeclarationError) as caught:
        declare()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ConfigurationError)
    return caught.value.problems


# The decorator


def test_decorated_function_is_the_same_object_and_registered():
    decorate = worker_task(task_definition_name="greet", thread_count=5)
    assert decorate(greet) is greet
    (worker,) = registered_workers()
    assert worker.execute_function is greet
    assert (worker.task_definition_name, worker.thread_count, worker.is_async) == ("greet", 5, False)
    assert greet("Ada") == "Hello Ada"
    assert pickle.loads(pickle.dumps(greet)) is greet


def test_name_may_be_positional():
    @worker_task("fetch_data", thread_count=50)
    async def fetch_data(url: str) -> dict[str, str]:
        return {"data": url}

    (worker,) = registered_workers()
    assert worker.is_async
    assert inspect.iscoroutinefunction(fetch_data)


def test_every_option_is_kept():
    task_def = TaskDef(name="other", retry_count=7)
    given = {
        "poll_interval_millis": 1000,
        "thread_count": 5,
        "domain": "dev",
        "worker_id": "me",
        "poll_timeout": 0,
        "idle_poll_timeout": 5000,
        "timeout": 2.5,
        "rate_limit": "100/s",
        "lease_extend_enabled": True,
        "restartable": False,
        "register_task_def": True,
        "overwrite_task_def": False,
        "strict_schema": True,
        "lax": True,
        "output_warning_kb": 100,
        "output_limit_kb": 200,
        "forward_logs": 20,
    }
    worker_task("process_order", task_def=task_def, **given)(greet)
    (worker,) = registered_workers()
    assert {name: getattr(worker, name) for name in given} == given == worker.declared
    assert set(given) == {option.name for option in DECLARABLE}
    assert worker.task_def is task_def


def test_options_left_out_have_the_defaults_and_are_not_declared():
    worker = Worker("greet", greet, thread_count=1)
    assert worker.declared == {"thread_count": 1}
    assert {option.name: getattr(worker, option.name) for option in DECLARABLE} == {
        option.name: option.default for option in DECLARABLE
    }


def test_signature_shows_all_parameters_with_their_defaults():
    parameters = inspect.signature(worker_task).parameters
    assert next(iter(parameters)) == "task_definition_name"
    assert parameters["poll_interval_millis"].default == 100
    assert parameters["overwrite_task_def"].default is True
    assert "task_def" in parameters
    assert "paused" not in parameters


def test_forgotten_parentheses_are_named():
    (problem,) = refusal(lambda: worker_task(greet))
    assert "@worker_task(task_definition_name=" in problem


def test_one_function_may_serve_several_types():
    worker_task("a")(worker_task("b")(greet))
    assert [worker.task_definition_name for worker in registered_workers()] == ["b", "a"]


def test_failed_declaration_registers_nothing():
    refusal(lambda: worker_task("a", thread_count=0)(greet))
    assert registered_workers() == []


# What is refused


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("thread_count", 0),
        ("thread_count", -1),
        ("thread_count", 1.0),
        ("thread_count", "5"),
        ("thread_count", True),
        ("thread_count", None),
        ("thread_count", 2**31),
        ("poll_interval_millis", 0),
        ("poll_interval_millis", -100),
        ("poll_interval_millis", math.inf),
        ("poll_interval_millis", 10**400),
        ("poll_timeout", -1),
        ("poll_timeout", 5001),
        ("idle_poll_timeout", 0),
        ("idle_poll_timeout", 5001),
        ("idle_poll_timeout", None),
        ("timeout", 0),
        ("timeout", -1.5),
        ("timeout", math.nan),
        ("timeout", math.inf),
        ("timeout", 10**400),
        ("timeout", True),
        ("timeout", "3"),
        ("domain", ""),
        ("domain", "  "),
        ("domain", "a,b"),
        ("domain", "NO_DOMAIN"),
        ("domain", "a\nb"),
        ("domain", 3),
        ("worker_id", ""),
        ("worker_id", "a\x00b"),
        ("lease_extend_enabled", 1),
        ("register_task_def", "true"),
        ("overwrite_task_def", None),
        ("strict_schema", 0),
        ("task_def", {"name": "greet"}),
        ("task_def", TaskDef(name="greet", retry_count="3")),  # type: ignore[arg-type] # that is the point
        ("task_def", TaskDef(name="greet", retry_logic="NEVER")),  # type: ignore[arg-type] # that is the point
        ("task_def", TaskDef(name="greet", input_template={"now": object()})),
    ],
)
@pytest.mark.parametrize("declare", [worker_task, lambda name, **options: Worker(name, greet, **options)])
def test_bad_option_is_refused_by_name_and_value(declare: Callable[..., object], option: str, value: object):
    (problem,) = refusal(lambda: declare("greet", **{option: value}))
    assert f"{option}={repr(value)[:20]}" in problem
    assert "expected" in problem
    assert "'greet'" in problem
    assert len(problem) < 400


@pytest.mark.parametrize(
    "name",
    ["", " ", None, 5, ["a", "b"], "a/b", "a\\b", "a\nb", "a\x1b[31m", "a\ud800", b"greet"],
    ids=repr,
)
def test_bad_name_is_refused(name: object):
    (problem,) = refusal(lambda: worker_task(name))
    assert problem.startswith(f"task_definition_name={name!r}")
    assert len(problem.splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["greet", "a b", "größe", "a.b-c", "a%2Fb", "..", "batch", "x" * 300, "'\"?#"]
)
def test_name_that_can_be_polled_is_accepted(name: str):
    assert Worker(name, greet).task_definition_name == name


@pytest.mark.parametrize(("name", "word"), [("a:b", "colon"), (" a", "white space")])
def test_doubtful_name_is_warned_about_once(name: str, word: str, caplog: pytest.LogCaptureFixture):
    worker_task(name)(greet)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert word in record.getMessage()
    assert name in record.getMessage()


def test_all_problems_of_a_declaration_are_named_at_once():
    problems = refusal(lambda: worker_task("", thread_count=0, domain=""))
    assert [problem.split("=")[0] for problem in problems] == [
        "task_definition_name",
        "thread_count",
        "domain",
    ]


def test_unknown_option_is_a_type_error_with_the_nearest_name():
    with pytest.raises(TypeError, match="'thread_cuont': did you mean 'thread_count'"):
        worker_task("greet", thread_cuont=3)
    with pytest.raises(TypeError, match="'poll_interval': did you mean 'poll_interval_millis'"):
        Worker("greet", greet, poll_interval=3)
    with pytest.raises(TypeError, match=r"'paused'.*environment"):
        worker_task("greet", paused=True)


def test_function_that_is_no_function_is_refused():
    def generator():
        yield 1

    async def async_generator():
        yield 1

    for function, word in [
        (3, "callable"),
        (None, "callable"),
        (classmethod(greet), "callable"),
        (object(), "execute"),
        (Adder, "class"),
        (generator, "generator"),
        (functools.partial(async_generator), "generator"),
    ]:
        (problem,) = refusal(lambda function=function: Worker("greet", function))
        assert word in problem
        assert problem.startswith("worker 'greet': ")


def test_method_decorated_in_a_class_body_is_refused_with_the_remedy():
    (problem,) = refusal(lambda: worker_task("double")(Doubler.execute))
    assert "Doubler.execute" in problem
    assert "instance.method" in problem
    (problem,) = refusal(
        lambda: exec("class C:\n    @declare\n    def run(self, x): ...", {"declare": worker_task("a")})
    )
    assert "C.run" in problem


def test_function_in_a_function_may_call_its_parameter_self():
    def inner(self: str) -> str:
        return self

    assert Worker("inner", inner).execute_function is inner


def test_static_method_in_a_class_body_is_accepted():
    class Namespace:
        @staticmethod
        @worker_task("inner")
        def inner(x: int) -> int:
            return x

        @worker_task("outer")
        @staticmethod
        async def outer(x: int) -> int:
            return x

    inner, outer = registered_workers()
    assert (inner.execute_function(1), inner.is_async, outer.is_async) == (1, False, True)


# What is called, and how


@pytest.mark.parametrize(
    ("function", "is_async", "place"),
    [
        (greet, False, "greet"),
        (fetch, True, "fetch"),
        (functools.partial(greet, "Ada"), False, "greet"),
        (functools.partial(functools.partial(fetch), "x"), True, "fetch"),
        (Doubler().execute, False, "Doubler.execute"),
        (Doubler().execute_later, True, "Doubler.execute_later"),
        (Adder(), False, "Adder.__call__"),
        (AsyncAdder(), True, "AsyncAdder.__call__"),
        (functools.partial(AsyncAdder()), True, "AsyncAdder.__call__"),
        (functools.lru_cache(greet), False, "greet"),
        (staticmethod(fetch), True, "fetch"),
        (lambda: None, False, "<lambda>"),
    ],
)
def test_functions_of_all_forms_are_called_the_right_way(function: object, is_async: bool, place: str):
    worker = Worker("a", function)
    assert worker.is_async is is_async
    assert not worker.takes_task
    assert worker.execute_function is function
    assert f"test_worker.{place} ({__file__}:" in str(worker.origin)


def test_place_below_a_decorator_is_the_functions_own_and_the_wrapper_decides_the_mode():
    @functools.wraps(fetch)
    def in_a_thread(url: str) -> str:
        return url

    @functools.wraps(greet)
    async def on_the_loop(name: str) -> str:
        return greet(name)

    assert (Worker("a", in_a_thread).is_async, Worker("a", on_the_loop).is_async) == (False, True)
    assert Worker("a", in_a_thread).origin.line == fetch.__code__.co_firstlineno


def test_mocks_and_builtins_work():
    assert Worker("a", AsyncMock()).is_async
    assert not Worker("a", Mock()).is_async
    assert str(Worker("a", len).origin) == "builtins.len"


def test_object_with_execute_is_called_with_the_task():
    class Later:
        async def execute(self, task: Task) -> TaskResult:
            return TaskResult(task_id=task.task_id)

    worker = Worker("double", Doubler())
    assert (worker.takes_task, worker.is_async) == (True, False)
    assert worker.execute_function(Task(task_id="t")).task_id == "t"
    assert Worker("later", Later()).is_async


# Class-based workers


class Configured:
    thread_count = 3

    def __init__(self, task_definition_name: str) -> None:
        self.task_definition_name = task_definition_name
        self.domain = "dev"
        self.poll_interval = 250
        self.worker_id = None
        self.task_def_template = TaskDef(name="x")

    async def execute(self, task: Task) -> TaskResult:
        return TaskResult(task_id=task.task_id)


def test_class_based_worker_sets_options_by_attributes():
    worker = Worker.of(Configured("charge"))
    assert worker.task_definition_name == "charge"
    assert worker.declared == {"thread_count": 3, "domain": "dev", "poll_interval_millis": 250}
    assert (worker.takes_task, worker.is_async) == (True, True)
    assert worker.task_def is not None


def test_callable_class_based_worker_is_called_by_execute():
    class Both(Configured):
        def __call__(self) -> None:
            raise AssertionError

    assert Worker.of(Both("a")).takes_task


def test_bad_attribute_of_a_class_based_worker_is_refused():
    source = Configured("charge")
    source.domain = ""
    (problem,) = refusal(lambda: Worker.of(source))
    assert "domain=''" in problem
    (problem,) = refusal(lambda: Worker.of(Configured(["a", "b"])))
    assert "task_definition_name=['a', 'b']" in problem


def test_workers_and_decorated_functions_stand_for_themselves():
    worker_task("greet")(greet)
    (worker,) = registered_workers()
    assert Worker.of(worker) is worker
    assert Worker.of(greet) is worker
    worker_task("hello")(greet)
    (problem,) = refusal(lambda: Worker.of(greet))
    assert "2 workers" in problem


@pytest.mark.parametrize("source", [None, 3, "greet", fetch, Configured, Doubler(), object()])
def test_what_is_no_worker_is_refused_by_name(source: object):
    (problem,) = refusal(lambda: Worker.of(source))
    assert "is not a worker" in problem
    assert repr(source)[:15] in problem


def test_decorated_class_gets_one_instance_and_stays_a_class():
    made = []

    @worker_task("charge", thread_count=9)
    class Charge:
        thread_count = 2
        domain = "dev"

        def __init__(self) -> None:
            made.append(self)

        def execute(self, task: Task) -> TaskResult:
            return TaskResult(task_id=task.task_id)

    assert isinstance(Charge, type)
    (worker,) = registered_workers()
    assert [worker.execute_function.__self__] == made
    assert worker.declared == {"thread_count": 9, "domain": "dev"}
    assert worker.takes_task


def test_decorated_class_that_cannot_be_made_or_called_is_refused():
    (problem,) = refusal(lambda: worker_task("charge")(Configured))
    assert "Configured cannot be made without arguments" in problem
    (problem,) = refusal(lambda: worker_task("add")(Adder))
    assert "no method execute" in problem


def test_worker_cannot_be_changed_afterwards():
    worker = Worker("greet", greet)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        worker.thread_count = 5


def test_workers_are_compared_by_identity():
    assert Worker("greet", greet) != Worker("greet", greet)
    assert "test_worker.greet" in repr(Worker("greet", greet))


def test_worker_travels_to_another_process_without_its_module():
    worker = Worker("greet", greet, thread_count=3)
    pickled = pickle.dumps(worker)
    copy = pickle.loads(pickled)
    assert copy.execute_function is greet
    assert (copy.thread_count, str(copy.origin)) == (3, str(worker.origin))
    assert b"ModuleSpec" not in pickled


# Duplicates


def test_two_functions_for_one_type_are_refused_with_both_places():
    worker_task("greet")(greet)
    with pytest.raises(DuplicateWorkerError) as caught:
        worker_task("greet")(fetch)
    for function in (greet, fetch):
        place = f"test_worker.{function.__name__} ({__file__}:{function.__code__.co_firstlineno})"
        assert place in str(caught.value)
    assert [worker.execute_function for worker in registered_workers()] == [greet]


def test_domains_keep_workers_of_one_type_apart():
    worker_task("greet")(greet)
    worker_task("greet", domain="a")(greet)
    worker_task("greet", domain="b")(fetch)
    assert len(registered_workers()) == 3


def test_factory_that_makes_the_same_worker_twice_is_refused():
    def make() -> None:
        @worker_task("made")
        def made() -> None: ...

    make()
    with pytest.raises(DuplicateWorkerError):
        make()


def test_two_lambdas_of_one_line_are_refused():
    with pytest.raises(DuplicateWorkerError):
        [worker_task("a")(function) for function in (lambda: 1, lambda: 2)]


def test_registering_one_worker_twice_changes_nothing():
    worker = Worker("greet", greet)
    register(worker)
    register(worker)
    assert registered_workers() == [worker]


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write(name: str, source: str) -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text("from anyworker.worker import worker_task\n" + textwrap.dedent(source))
        importlib.invalidate_caches()
        return path

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


ORDERS = """
    @worker_task("charge")
    def charge(): return 1
"""


def test_reloaded_module_replaces_its_workers(write_module):
    write_module("orders", ORDERS)
    module = importlib.import_module("orders")
    write_module("orders", "# moved\n" + textwrap.dedent(ORDERS).replace("def charge", "def renamed_charge"))
    importlib.reload(module)
    (worker,) = registered_workers()
    assert worker.execute_function is module.renamed_charge


def test_reloaded_module_still_has_no_right_to_duplicates(write_module):
    write_module("orders", ORDERS)
    module = importlib.import_module("orders")
    write_module("orders", ORDERS + ORDERS)
    with pytest.raises(DuplicateWorkerError):
        importlib.reload(module)


def test_one_file_imported_under_two_names_is_no_duplicate(write_module):
    path = write_module("orders", ORDERS)
    importlib.import_module("orders")
    link = path.parent / "linked"
    link.symlink_to(path.parent)
    spec = importlib.util.spec_from_file_location("shop.orders", link / "orders.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (worker,) = registered_workers()
    assert worker.execute_function is module.charge


def test_script_that_is_imported_as_well_is_no_duplicate(write_module):
    path = write_module("orders", ORDERS)
    runpy.run_path(str(path), run_name="__main__")
    importlib.import_module("orders")
    (worker,) = registered_workers()
    assert worker.origin.module == "orders"


def test_script_run_twice_is_no_duplicate(write_module):
    path = write_module("orders", ORDERS)
    for _ in range(2):
        runpy.run_path(str(path), run_name="__main__")
    assert len(registered_workers()) == 1


def test_script_run_by_python_and_imported_by_itself_is_no_duplicate(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "from anyworker.registry import registered_workers\n"
        "from anyworker.worker import worker_task\n"
        "@worker_task('a')\n"
        "def a(): pass\n"
        "if __name__ == '__main__':\n"
        "    import script\n"
        "    print(registered_workers())\n"
    )
    for command in (["script.py"], ["-m", "script"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stderr == ""
        assert done.stdout.count("<Worker 'a': script.a (") == 1


def test_reloaded_user_of_a_factory_replaces_its_workers(write_module):
    write_module("factory", "def make(name):\n    worker_task(name)(lambda: name)\n")
    write_module("shop", "import factory\nfactory.make('a')\n")
    module = importlib.import_module("shop")
    importlib.reload(module)
    assert len(registered_workers()) == 1


def test_two_users_of_a_factory_that_choose_one_name_are_refused(write_module):
    write_module("factory", "def make(name):\n    worker_task(name)(lambda: name)\n")
    write_module("shop", "import factory\nfactory.make('a')\n")
    write_module("bank", "import factory\nfactory.make('a')\n")
    importlib.import_module("shop")
    with pytest.raises(DuplicateWorkerError):
        importlib.import_module("bank")


def test_setup_function_of_a_reloaded_module_replaces_its_workers(write_module):
    write_module("orders", "def set_up():\n    worker_task('a')(lambda: 1)\n")
    module = importlib.import_module("orders")
    module.set_up()
    importlib.reload(module)
    module.set_up()
    assert len(registered_workers()) == 1
    with pytest.raises(DuplicateWorkerError):
        module.set_up()


def test_setup_functions_of_two_modules_are_refused(write_module):
    for name in ("orders", "payments"):
        write_module(name, "def set_up():\n    worker_task('a')(lambda: 1)\n")
    importlib.import_module("orders").set_up()
    with pytest.raises(DuplicateWorkerError):
        importlib.import_module("payments").set_up()


def test_reloaded_module_may_choose_another_function(write_module):
    write_module("library", "def one(): pass\n")
    write_module("orders", "import library\nworker_task('a')(library.one)\n")
    module = importlib.import_module("orders")
    write_module("orders", "@worker_task('a')\ndef two(): pass\n")
    importlib.reload(module)
    assert [worker.origin.qualname for worker in registered_workers()] == ["two"]


def test_two_modules_with_one_type_are_refused(write_module):
    write_module("orders", ORDERS)
    write_module("payments", ORDERS)
    importlib.import_module("orders")
    with pytest.raises(DuplicateWorkerError, match=r"orders\.charge .* and payments\.charge "):
        importlib.import_module("payments")


def run_cell(source: str, namespace: dict[str, object], number: int) -> None:
    code = compile(textwrap.dedent(source), f"/tmp/kernel/{number}.py", "exec")
    exec(code.replace(co_name="<cell line: 1>"), namespace)


def test_function_redefined_in_a_notebook_is_no_duplicate(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "ps1", "In : ", raising=False)
    notebook: dict[str, object] = {"__name__": "__main__", "worker_task": worker_task}
    run_cell(ORDERS, notebook, 1)
    run_cell(ORDERS, notebook, 1)
    run_cell(ORDERS.replace("1", "2"), notebook, 2)
    (worker,) = registered_workers()
    assert worker.execute_function() == 2
    with pytest.raises(DuplicateWorkerError):
        run_cell(ORDERS.replace("def charge", "def refund"), notebook, 3)


def test_texts_run_as_code_are_not_taken_for_one_file():
    code = textwrap.dedent(ORDERS)
    exec(code, {"worker_task": worker_task, "__name__": "text"})
    with pytest.raises(DuplicateWorkerError):
        exec(code, {"worker_task": worker_task, "__name__": "text"})


def test_declaration_leaves_no_mark_on_the_function():
    worker_task("greet")(greet)
    assert vars(greet) == {}
