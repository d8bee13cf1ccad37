"""Import modules while signals act as they do on the workers that are to come."""

from collections.abc import Sequence

from anyworker.fleet.control.signals import SignalStages, Stage
from anyworker.fleet.control.waking import in_main_thread
from anyworker.fleet.discovery.loader import load_all
from anyworker.fleet.main_module import is_imported_again


def load_by_signals(modules: Sequence[str]) -> bool:
    """Import modules or files; return whether a signal has asked to end meanwhile.

    Outside of the main thread, and in a child process, signals are left alone.

    Raises:
        SystemExit: A second signal has come; the code is 128 + its number.
        WorkerImportError: As for `load_all`.
    """
    if not modules or not in_main_thread() or is_imported_again():
        load_all(modules)
        return False
    with SignalStages() as stages, stages.importing():
        load_all(modules)
    return stages.stage is not Stage.NONE
