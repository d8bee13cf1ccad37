"""Signals become stages: what can be seen inside one process."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator

import anyio
import pytest

from anyworker.fleet.control.signals import SignalStages, Stage


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """Give every test the usual handlers and put those of the test run back."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_drains_and_second_cancels(signum: signal.Signals) -> None:
    with SignalStages() as signals:
        assert (signals.stage, signals.signum) == (Stage.NONE, None)
        signal.raise_signal(signum)
        assert (signals.stage, signals.signum) == (Stage.DRAIN, signum)
        signal.raise_signal(signal.SIGTERM)
        assert (signals.stage, signals.signum) == (Stage.CANCEL, signum)


def test_both_signals_count_together() -> None:
    with SignalStages() as signals:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert signals.stage is Stage.CANCEL
        assert signals.signum is signal.SIGTERM


def test_earlier_handlers_come_back_also_when_the_body_raises() -> None:
    def mine(signum: int, frame: object) -> None:
        raise AssertionError("not called")

    signal.signal(signal.SIGTERM, mine)
    signals = SignalStages()
    with contextlib.suppress(LookupError), signals:
        assert signal.getsignal(signal.SIGTERM) != mine
        assert signals.is_installed
        raise LookupError
    assert signal.getsignal(signal.SIGTERM) is mine
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not signals.is_installed


def test_all_of_several_hear_every_signal() -> None:
    with SignalStages() as first, SignalStages() as second:
        signal.raise_signal(signal.SIGUSR1)
        assert (first.is_quiet, second.is_quiet) == (True, True)
        signal.raise_signal(signal.SIGTERM)
        assert (first.stage, second.stage) == (Stage.DRAIN, Stage.DRAIN)


@pytest.mark.parametrize("order", ["012", "021", "102", "120", "201", "210"])
def test_several_may_end_in_any_order(order: str) -> None:
    all_stages = [SignalStages(), SignalStages(), SignalStages()]
    for stages in all_stages:
        stages.__enter__()
    left = list(all_stages)
    for number in order:
        all_stages[int(number)].__exit__(None, None, None)
        left.remove(all_stages[int(number)])
        assert all(stages.is_installed for stages in left)
        heard = len(left[0]._arrived) if left else 0
        if left and not heard:
            signal.raise_signal(signal.SIGINT)
            assert [stages.stage for stages in left] == [Stage.DRAIN] * len(left)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_stage_stays_readable_after_the_block() -> None:
    with SignalStages() as signals:
        signal.raise_signal(signal.SIGTERM)
    assert signals.stage is Stage.DRAIN
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signals.stage is Stage.DRAIN


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGTERM])
def test_an_ignored_signal_stays_ignored(ignored: signal.Signals) -> None:
    signal.signal(ignored, signal.SIG_IGN)
    with SignalStages() as signals:
        signal.raise_signal(ignored)
        assert signals.stage is Stage.NONE
        assert signal.getsignal(ignored) is signal.SIG_IGN
    assert signal.getsignal(ignored) is signal.SIG_IGN


def test_outside_the_main_thread_nothing_is_installed_and_a_warning_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = []

    def elsewhere() -> None:
        with SignalStages() as signals:
            seen.append((signals.is_installed, signals.stage, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(5)
    assert seen == [(False, Stage.NONE, signal.SIG_DFL)]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "main thread" in caplog.text


def test_blocks_can_be_nested() -> None:
    with SignalStages() as outer:
        with SignalStages() as inner:
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert (inner.stage, outer.stage) == (Stage.DRAIN, Stage.CANCEL)


def test_the_first_signal_lets_an_import_finish() -> None:
    with SignalStages() as signals:
        with signals.importing():
            signal.raise_signal(signal.SIGTERM)
            finished = True
        assert finished
        assert signals.stage is Stage.DRAIN


def test_the_second_signal_breaks_an_import_off() -> None:
    reached = []

    def module() -> None:
        signal.raise_signal(signal.SIGINT)
        reached.append("first")
        signal.raise_signal(signal.SIGTERM)
        reached.append("second")

    with SignalStages() as signals:
        with pytest.raises(SystemExit) as exit_info, signals.importing():
            module()
        assert exit_info.value.code == 128 + signal.SIGTERM
    assert reached == ["first"]


def test_an_import_that_swallows_the_second_signal_still_ends_in_an_exit() -> None:
    def module() -> None:
        signal.raise_signal(signal.SIGINT)
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    with SignalStages() as signals, pytest.raises(SystemExit), signals.importing():
        module()


def test_an_import_does_not_begin_after_two_signals() -> None:
    with SignalStages() as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(SystemExit), signals.importing():
            raise AssertionError("not reached")


def test_a_keyboard_interrupt_of_the_module_itself_passes() -> None:
    with SignalStages() as signals, pytest.raises(KeyboardInterrupt), signals.importing():
        raise KeyboardInterrupt


def test_after_the_import_the_second_signal_raises_nothing() -> None:
    with SignalStages() as signals:
        with signals.importing():
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert signals.stage is Stage.CANCEL


def test_a_handler_installed_by_an_import_is_replaced_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with SignalStages() as signals:
        with signals.importing():
            signal.signal(signal.SIGTERM, lambda *_: None)
        signal.raise_signal(signal.SIGTERM)
        assert signals.stage is Stage.DRAIN
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "SIGTERM" in caplog.text
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_follow_tells_every_stage_in_order_and_ends_after_the_last() -> None:
    entered: list[Stage] = []
    with SignalStages() as signals, anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(signals.follow, entered.append)
            await anyio.wait_all_tasks_blocked()
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
    assert entered == [Stage.DRAIN, Stage.CANCEL]


async def test_follow_begins_with_what_came_before_it() -> None:
    entered: list[Stage] = []
    with SignalStages() as signals, anyio.fail_after(5):
        signal.raise_signal(signal.SIGTERM)
        async with anyio.create_task_group() as group:
            group.start_soon(signals.follow, entered.append)
            await anyio.wait_all_tasks_blocked()
            assert entered == [Stage.DRAIN]
            group.cancel_scope.cancel()


async def test_follow_tells_of_quiet_from_before_and_of_every_word_since() -> None:
    """Although nothing has changed since the last one: something else may have begun to poll again."""
    said, words = anyio.create_memory_object_stream[bool](1)
    with said, words, SignalStages(is_quiet=True) as signals, anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(signals.follow, pytest.fail, said.send_nowait)
            assert await words.receive()
            for signum in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR2):
                signal.raise_signal(signum)
                assert await words.receive() is (signum is signal.SIGUSR1)
            group.cancel_scope.cancel()


async def test_follow_calls_in_the_thread_of_the_loop() -> None:
    threads: list[int] = []
    with SignalStages() as signals, anyio.fail_after(5):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        await signals.follow(lambda _: threads.append(threading.get_ident()))
    assert threads == [threading.get_ident()] * 2


async def test_follow_waits_for_ever_where_nothing_is_installed() -> None:
    signals = SignalStages()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(signals.follow, pytest.fail)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()


async def test_follow_leaves_the_wakeup_descriptor_as_it_was() -> None:
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before, warn_on_full_buffer=False)
    with SignalStages() as signals, anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(signals.follow, pytest.fail)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    after = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(after, warn_on_full_buffer=False)
    assert after == before


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_released_signal_comes_as_it_would_have(signum: signal.Signals) -> None:
    with SignalStages() as stages:
        signal.raise_signal(signum)
        with pytest.raises(KeyboardInterrupt if signum is signal.SIGINT else SystemExit) as caught:
            stages.release(4)
        assert signum is signal.SIGINT or caught.value.args == (4,)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_released_signal_comes_to_the_program_s_own_handler_and_so_do_later_ones() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _: heard.append(signum))
    with SignalStages() as stages:
        stages.release(0)
        assert heard == []
        signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        assert stages.stage is Stage.NONE


def test_signal_is_released_when_the_last_of_several_lets_it_go() -> None:
    with SignalStages() as first, SignalStages() as second:
        signal.raise_signal(signal.SIGINT)
        second.release(0)
        signal.raise_signal(signal.SIGTERM)
        assert (first.stage, second.stage) == (Stage.CANCEL, Stage.DRAIN)
        with pytest.raises(KeyboardInterrupt):
            first.release(0)


def test_main_thread_that_waits_for_the_end_gets_no_released_signal() -> None:
    with SignalStages() as stages:
        stages.is_awaited = True
        signal.raise_signal(signal.SIGTERM)
        stages.release(0)
        signal.raise_signal(signal.SIGTERM)
        assert stages.stage is Stage.DRAIN
