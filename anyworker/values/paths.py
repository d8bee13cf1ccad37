"""Where a value stands inside a payload, in the notation of messages: ``$.order.items[2].price``."""


def member(key: object) -> str:
    """Return the step to an object's member: ``.price``, or ``["unit price"]`` if the key is no name."""
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    text = repr(key) if len(key := str(key)) <= 50 else repr(f"{key[:50]}...")
    return f"[{text}]"


def item(index: int) -> str:
    """Return the step to an array's item: ``[2]``."""
    return f"[{index}]"
