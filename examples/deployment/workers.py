"""The workers of the image: put yours in their place."""

import anyio

from anyworker import worker_task


@worker_task("greet", thread_count=20, restartable=True)
async def greet(name: str = "World", seconds: float = 0.0) -> str:
    """Return a greeting, after so many seconds of work."""
    await anyio.sleep(seconds)
    return f"Hello {name}"
