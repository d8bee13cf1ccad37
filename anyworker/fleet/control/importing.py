"""Import modules while signals act as they do on the workers that are to come."""

from collections.abc import Sequence

import attrs

from anyworker.fleet.control.signals import SignalStages, Stage
from anyworker.fleet.control.waking import in_main_thread
from anyworker.fleet.discovery.loader import load_all
from anyworker.fleet.main_module import is_imported_again


@attrs.frozen
class Told:
    """What signals have asked for meanwhile."""

    is_to_end: bool = False
    is_to_be_quiet: bool = False


def load_by_signals(modules: Sequence[str]) -> Told:
    """Import modules or files; return what signals have asked for meanwhile.

    Outside of the main thread, and in a child process, signals are left alone.

    Raises:
        SystemExit: A second signal has come; the code is 128 + its number.
        WorkerImportError: As for `load_all`.
    """
    if not modules or not in_main_thread() or is_imported_again():
        load_all(modules)
        return Told()
    with SignalStages() as stages, stages.importing():
        load_all(modules)
    return Told(stages.stage is not Stage.NONE, stages.is_quiet)
