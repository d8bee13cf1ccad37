"""What can be sent to another process, and what is said of the rest."""

import ssl
import threading
from typing import Any

import pytest

from anyworker import Configuration, ConfigurationError, Worker, worker_task
from anyworker.fleet.references import pack, unpack
from anyworker.registry import registered_workers


def greet(name: str) -> str:
    return name


class Greeter:
    def __init__(self, word: str) -> None:
        self.word = word

    def execute(self, task: Any) -> str:
        return self.word


class Locked(Greeter):
    def __init__(self) -> None:
        super().__init__("x")
        self.lock = threading.Lock()


class Slotted:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.Lock()


def refusals(parts: dict[str, object], *workers: Worker) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        pack(parts, workers)
    return list(caught.value.problems)


def test_worker_made_by_hand_is_sent_with_its_options_and_state() -> None:
    plain = Worker("plain", greet, thread_count=7)
    stateful = Worker("stateful", Greeter("hello"))
    package = pack({"grace": 3.0}, (plain, stateful))
    (again, other), parts = unpack(package.payload)
    assert parts == {"grace": 3.0}
    assert (again.task_definition_name, again.thread_count) == ("plain", 7)
    assert again.execute_function is greet
    assert other.execute_function(None) == "hello"
    assert other.takes_task
    assert not package.needs_main


def test_function_is_sent_by_its_name_wherever_it_was_declared_a_worker() -> None:
    worker_task("greet", domain="d")(greet)
    [worker] = registered_workers()
    [again], _ = unpack(pack({}, (worker,)).payload)
    assert again.execute_function is greet
    assert again.domain == "d"


def test_every_worker_that_does_not_exist_elsewhere_is_named() -> None:
    def inner() -> None: ...

    closure, nameless = refusals({}, Worker("closure", inner), Worker("nameless", lambda: None))
    assert "'closure'" in closure
    assert "<locals>.inner" in closure
    assert "'nameless'" in nameless
    assert "lambda" in nameless
    assert "processes=1" in closure


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ((Greeter("x"), Slotted()), "parts[1] (Slotted): its attribute lock,"),
        ({"a": [1, threading.Lock()]}, "its attribute ['a'][1],"),
        (threading.Lock(), "lock"),
        (Worker("locked", Locked()), "its attribute execute_function.__self__.lock,"),
        (Configuration(token_provider=lambda: "t", environ={}), "its attribute token_provider,"),
        ([ssl.create_default_context()], "parts[0] (SSLContext): <ssl.SSLContext"),
    ],
    ids=["slots", "containers", "itself", "worker", "configuration", "ssl"],
)
def test_what_cannot_be_pickled_is_named_by_its_innermost_attribute(value: object, path: str) -> None:
    [problem] = refusals({"parts": value})
    assert path in problem
    assert "factory" in problem
