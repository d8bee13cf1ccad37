"""What somebody may have meant who wrote a name that there is not."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name most like another, if one is; ``cutoff`` is difflib's."""
    import difflib  # noqa: PLC0415 - only where something is misspelt

    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)
