"""What becomes of a name of the official SDK, conductor-python 2.0.0."""

from typing import Literal

import attrs

Verdict = Literal["same", "renamed", "better", "gone"]
WORDS: dict[Verdict, str] = {"same": "same", "renamed": "renamed", "better": "better", "gone": "not there"}
"""For people."""


@attrs.frozen
class Fate:
    """What becomes of a name, an option or a variable."""

    name: str
    verdict: Verdict
    ours: str
    """What to write instead, empty where nothing is needed any more."""
    why: str = ""
    home: str = ""
    """Of names that are imported: the module, or the package of modules, below ``conductor.client``."""
