"""All kinds of events at a glance."""

import inspect

from anyworker.events.listener import KINDS


def events_table() -> str:
    """Return the events as a Markdown table, in the words of the first paragraphs of their docstrings."""
    rows = ["| event | when |", "|---|---|"]
    for kind in KINDS:
        paragraph = (inspect.getdoc(kind) or "").partition("\n\n")[0]
        rows.append(f"| `{kind.__name__}` | {' '.join(paragraph.split())} |")
    return "\n".join(rows) + "\n"
