"""What may be sent again when nobody knows whether the server got it.

The one table of it. A request that the server refused with 401 or 403 was not executed, so any of these may
follow a renewed token.
"""

import attrs


@attrs.frozen
class Operation:
    """A kind of request."""

    method: bytes
    may_repeat: bool
    """Whether a second copy of a request that may have been executed does no harm."""
    heeds_cancellation: bool = True
    """Whether it is not sent by who has been cancelled already, which costs a look at all scopes around."""


READ = Operation(b"GET", may_repeat=True)
FINISH = Operation(b"POST", may_repeat=True, heeds_cancellation=False)
"""A result with a terminal status: the server ignores it once the task is terminal.

Who is cancelled with a result in hand rather sends it.
"""
EXTEND_LEASE = Operation(b"POST", may_repeat=True)
REPLACE = Operation(b"PUT", may_repeat=True)
REMOVE = Operation(b"DELETE", may_repeat=True)
FETCH_TOKEN = Operation(b"POST", may_repeat=True)
"""Changes nothing on the server; a token that got lost expires by itself."""

POLL = Operation(b"GET", may_repeat=False)
"""The first copy may still run, and its tasks would go to nobody."""
FINISH_AND_POLL = Operation(b"POST", may_repeat=False)
"""A poll as well."""
HAND_BACK = Operation(b"POST", may_repeat=False)
"""A result with IN_PROGRESS: a second one takes the task from whoever got it after the first."""
ADD_LOG = Operation(b"POST", may_repeat=False)
START = Operation(b"POST", may_repeat=False)
CREATE = Operation(b"POST", may_repeat=False)
"""Definitions: a second copy could undo what somebody else wrote meanwhile, or find its own first one."""
