"""Make results ready for the wire without keeping the event loop, and look at how large they are."""

import logging
from functools import partial

import attrs

from anyworker.conductor.models import TaskResult
from anyworker.logs import fields_of_result
from anyworker.policy.outcome import Draft
from anyworker.runner.parcel import Parcel, pack
from anyworker.runner.threads import RunSync
from anyworker.values.collector import without_collections
from anyworker.values.payload import size_on_server
from anyworker.values.weight import is_heavy

logger = logging.getLogger(__name__)


@attrs.define(eq=False)
class Packer:
    """Packs the results of one worker."""

    task_type: str
    run_sync: RunSync
    """Runs what takes long."""
    output_warning: int | None
    """Bytes of an output above which there is a warning, None for never."""
    output_limit: int | None
    """The most bytes of an output, None for any number."""
    _has_warned: bool = False

    async def pack(self, result: TaskResult, wire_poll_count: int, draft: Draft) -> Parcel:
        """Encode a result; one that cannot be sent becomes a failure that says why.

        An output above the warning gets a line in its task's log, and the first of them one in the process's.
        """
        packed = partial(self._packed, result, wire_poll_count, draft)
        if is_heavy(result.output_data):
            return await self.run_sync(partial(without_collections, packed))
        return packed()

    def _packed(self, result: TaskResult, wire_poll_count: int, draft: Draft) -> Parcel:
        parcel = pack(result, wire_poll_count, output_limit=self.output_limit, kept=draft.output)
        parcel.attempt = draft.task.retry_count
        # As the server counts, a text may be three times as long.
        if self.output_warning is not None and len(parcel.body) > self.output_warning // 3:
            self._weigh(parcel, self.output_warning)
        return parcel

    def _weigh(self, parcel: Parcel, threshold: int) -> None:
        size = size_on_server(parcel.result, parcel.body)
        if size <= threshold:
            return
        kibibytes = threshold // 1024
        line = (
            f"the output has {size / 1e6:.1f} MB ({size} bytes), above output_warning_kb={kibibytes}; "
            "beyond its own threshold, usually 3072 KiB, the server stores an output where no worker that "
            "takes it as input can read it"
        )
        level = logging.DEBUG if self._has_warned else logging.WARNING
        self._has_warned = True
        result = parcel.result
        extra = fields_of_result(result, self.task_type, parcel.attempt)
        logger.log(level, "Task %s (type %s): %s", result.task_id, self.task_type, line, extra=extra)
        parcel.surplus_logs = (*parcel.surplus_logs, line)
