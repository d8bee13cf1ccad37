"""What a task's log shows of an exception."""

import traceback
from pathlib import Path

_OWN_CODE = str(Path(__file__).parents[2])

TRACEBACK_LIMIT = 20_000
"""Characters of a traceback that go to a task's log."""


def traceback_of(error: BaseException) -> str:
    """Return the traceback from the user's first frame on, cut in the middle where it is very long."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_OWN_CODE):
        frame = frame.tb_next
    text = "".join(traceback.format_exception(type(error), error, frame))
    if len(text) <= TRACEBACK_LIMIT:
        return text
    half = TRACEBACK_LIMIT // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"
