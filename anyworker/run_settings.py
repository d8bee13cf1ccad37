"""How workers are run: what the command line says, else a settings file, else the defaults."""

from collections.abc import Mapping
from typing import Any

import attrs

from anyworker.settings_file import SettingsFile
from anyworker.settings_table import RUN


@attrs.frozen
class Chosen:
    """A value and who says so."""

    value: Any
    source: str
    """``command line``, ``file:key`` or ``default``."""


def choose(flags: Mapping[str, object], file: SettingsFile | None) -> dict[str, Chosen]:
    """Return each setting of a run, by its key in ``settings_table.RUN``.

    Args:
        flags: What the command line says, by the same keys; None or an empty tuple for nothing.
        file: The settings file, if there is one.
    """
    said = {} if file is None else file.run
    chosen: dict[str, Chosen] = {}
    for key, entry in RUN.items():
        if (flag := flags.get(key)) not in (None, ()):
            chosen[key] = Chosen(flag, "command line")
        elif (setting := said.get(key)) is not None:
            chosen[key] = Chosen(setting.value, setting.source)
        else:
            chosen[key] = Chosen(entry.default, "default")
    return chosen
