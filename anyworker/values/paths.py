"""Where a value stands inside a payload, in the notation of messages: ``$.order.items[2].price``."""


def member(key: object) -> str:
    """Return the step to an object's member: ``.price``, or ``['unit price']`` if the key is no name."""
    text = str(key)
    if len(text) > 50:
        text = f"{text[:50]}..."
    return f".{text}" if text.isidentifier() else f"[{text!r}]"


def item(index: int) -> str:
    """Return the step to an array's item: ``[2]``."""
    return f"[{index}]"
