"""What a scan has found, as a table."""

from collections.abc import Iterable

from anyworker.worker import Worker


def summary(workers: list[Worker], module_count: int, problems: Iterable[str]) -> str:
    """Return a table of workers, and below it what could not be imported."""
    modules = f"{module_count} module{'' if module_count == 1 else 's'}"
    if not workers:
        lines = [f"No workers discovered in {modules}"]
    else:
        count = len(workers)
        lines = [f"Discovered {count} worker{'' if count == 1 else 's'} in {modules}:"]
        lines += _table([_row(worker) for worker in workers])
    failed = list(problems)
    if failed:
        lines += ["Not imported:", *(f"  {problem}" for problem in failed)]
    return "\n".join(lines) + "\n"


def _row(worker: Worker) -> tuple[str, str, str, str]:
    name = worker.task_definition_name + (f" ({worker.domain})" if worker.domain else "")
    kind = "async def" if worker.is_async else "def"
    return name, kind, worker.origin.qualname, worker.origin.declaring_module


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows as lines, each column as wide as its longest cell."""
    table = [("TASK TYPE", "KIND", "FUNCTION", "MODULE"), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
