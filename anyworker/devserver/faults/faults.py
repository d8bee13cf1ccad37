"""Faults on demand: what a server does to the requests of a worker that is tested against it.

::

    server.faults.drop("POST /tasks", after_effect=True, times=1)
    server.faults.answer(503, "POST /tasks", retry_after=2, times=3, skip=10)
    with server.faults.hang("GET /tasks/poll/batch/{type}", lasting=60) as silence:
        ...
    assert silence.hits == 1

Every kind takes the same limits (:class:`~anyworker.devserver.faults.rules.Limits`) and returns the fault,
which counts what it has hit. Of the faults that decide what a client gets (connections lost, other answers,
broken bodies), a request meets one, the one that was asked for first; delays add up beside it. What has a
limit of ``times`` therefore makes way for what was asked for later: bursts follow each other.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Unpack

from anyworker.devserver.faults import checks
from anyworker.devserver.faults.book import POLLS, FaultBook
from anyworker.devserver.faults.chaos import CHAOS_KINDS, Chaos
from anyworker.devserver.faults.kinds import (
    LOSSES,
    PAGE,
    Drop,
    Duplicate,
    Forget,
    Loss,
    Nothing,
    Pause,
    Say,
    Surplus,
    Truncate,
    body_of,
)
from anyworker.devserver.faults.patterns import ANY
from anyworker.devserver.faults.rules import Fault, Limits
from anyworker.devserver.faults.steps import add_steps, read_step
from anyworker.devserver.http.exchange import HTML

Match = str | Sequence[str]
"""A pattern or several, see :func:`~anyworker.devserver.faults.patterns.parse`."""

BATCH_POLL = "GET /tasks/poll/batch/{type}"


class Faults(FaultBook):
    """The faults of a server."""

    # Kinds

    def drop(
        self, match: Match = ANY, *, after_effect: bool = False, how: Loss = "close", **limits: Unpack[Limits]
    ) -> Fault:
        """Lose the connection, before the request has its effect or after.

        Args:
            match: For which requests.
            after_effect: The server has done what was asked, and nobody learns of it.
            how: ``close`` without an answer, ``reset``, or ``refuse`` to connect (on a socket, where the
                request can only come over a connection: reset).
            limits: How often.
        """
        checks.refuse(checks.flag("after_effect", after_effect), checks.one_of(*LOSSES)("how", how))
        if how == "refuse" and after_effect is True:
            checks.refuse("how: a connection that is refused has no effect")
        return self._add("drop", match, Drop(how, after_effect), limits)

    def answer(
        self,
        status: int,
        match: Match = ANY,
        *,
        retry_after: float | str | None = None,
        body: object = None,
        after_effect: bool = False,
        **limits: Unpack[Limits],
    ) -> Fault:
        """Give another answer, such as 401, 429, 500 or 503.

        Args:
            status: The HTTP status.
            match: For which requests.
            retry_after: Seconds for the header ``Retry-After``, or its text (a date).
            body: Text or bytes as they are, anything else as JSON; by default what the server would say.
            after_effect: The server has done what was asked all the same.
            limits: How often.
        """
        checks.refuse(
            checks.whole(200, 599)("status", status),
            checks.flag("after_effect", after_effect),
            checks.header("retry_after", retry_after),
            checks.value("body", body),
        )
        header = f"{retry_after:g}" if isinstance(retry_after, (int, float)) else retry_after
        return self._add("answer", match, Say(status, *body_of(body), header, after_effect), limits)

    def garble(
        self,
        match: Match = ANY,
        *,
        body: str | bytes = PAGE,
        after_effect: bool = False,
        **limits: Unpack[Limits],
    ) -> Fault:
        """Answer 200 with what is no JSON: a proxy's page, or the given text.

        Args:
            match: For which requests.
            body: What to say.
            after_effect: The server has done what was asked all the same.
            limits: How often.
        """
        checks.refuse(
            checks.flag("after_effect", after_effect),
            checks.content("body", body),
        )
        content_type, data = body_of(body)
        return self._add("garble", match, Say(200, content_type or HTML, data, None, after_effect), limits)

    def truncate(self, match: Match = ANY, *, keep: int | None = None, **limits: Unpack[Limits]) -> Fault:
        """Close the connection in the midst of the body, after the effect. Answers without body are spared.

        Args:
            match: For which requests.
            keep: Bytes of the body that arrive; by default the half.
            limits: How often.
        """
        checks.refuse(checks.optional(checks.whole(0))("keep", keep))
        return self._add("truncate", match, Truncate(keep), limits)

    def without_update_v2(self, status: Literal[404, 405] = 404, **limits: Unpack[Limits]) -> Fault:
        """Be a server that has no update-v2: 404 or 405 for its path."""
        checks.refuse(checks.one_of(404, 405)("status", status))
        return self._add("without_update_v2", "POST /tasks/update-v2", Forget(status), limits)

    def delay(
        self, seconds: float, match: Match = ANY, *, after_effect: bool = False, **limits: Unpack[Limits]
    ) -> Fault:
        """Be slow, before the request has its effect or after."""
        checks.refuse(checks.number("seconds", seconds), checks.flag("after_effect", after_effect))
        return self._add("delay", match, Pause(seconds, after_effect), limits)

    def hang(
        self,
        match: Match = ANY,
        *,
        seconds: float | None = None,
        after_effect: bool = False,
        **limits: Unpack[Limits],
    ) -> Fault:
        """Stop answering. What hangs goes on when its time is over, or when it is released.

        Args:
            match: For which requests.
            seconds: For how long each of them hangs; by default until ``release`` or ``remove`` of the fault,
                or :meth:`clear`.
            after_effect: The server has done what was asked all the same.
            limits: How often.
        """
        checks.refuse(
            checks.optional(checks.number)("seconds", seconds), checks.flag("after_effect", after_effect)
        )
        return self._add("hang", match, Pause(seconds, after_effect), limits)

    def duplicate(self, match: Match = POLLS, **limits: Unpack[Limits]) -> Fault:
        """Give the tasks of one poll to the next poll of the same queue as well. Empty polls are spared.

        Args:
            match: For which requests; some of them must be polls.
            limits: How often.
        """
        return self._add("duplicate", match, Duplicate(), limits)

    def surplus(self, extra: int = 1, match: Match = BATCH_POLL, **limits: Unpack[Limits]) -> Fault:
        """Let batch polls bring more tasks than asked for. Where no more are queued, they are spared.

        Args:
            extra: How many more.
            match: For which requests; some of them must be polls.
            limits: How often.
        """
        checks.refuse(checks.whole(1)("extra", extra))
        return self._add("surplus", match, Surplus(extra), limits)

    def chaos(
        self,
        match: Match = ANY,
        *,
        rate: float = 0.1,
        kinds: Sequence[str] = CHAOS_KINDS,
        **limits: Unpack[Limits],
    ) -> Fault:
        """Let something happen to a share of the requests; the same seed, the same things.

        What happens to the n-th request to an endpoint is the same in every run, in whatever order those to
        different endpoints come.

        Args:
            match: For which requests.
            rate: The share, from 0 to 1.
            kinds: What may happen.
            limits: How often; with the ``seed``.
        """
        checks.refuse(
            checks.whole(0)("seed", limits.get("seed", 0)),
            checks.share("rate", rate),
            *checks.some_of(*CHAOS_KINDS)("kinds", kinds),
        )
        return self._add("chaos", match, Chaos(limits.get("seed", 0), rate, tuple(kinds)), limits)

    def script(self, steps: Sequence[Mapping[str, Any]]) -> list[Fault]:
        """Let one thing after another happen: each step begins when the one before it is over.

        Args:
            steps: Each ``{"kind": NAME, ...}``: the name of one of the methods above and its arguments, or
                ``pass`` to let requests pass. A step without ``times`` or ``lasting`` happens once.

        Raises:
            ConfigurationError: Naming the step; then none is added.
        """
        return add_steps(self.add, steps)

    def add(self, step: Mapping[str, Any]) -> Fault:
        """Add a fault that is given like a step of a script, without its order."""
        name, arguments = read_step(step)
        kinds: dict[str, Callable[..., Fault]] = {
            "drop": self.drop,
            "answer": self.answer,
            "garble": self.garble,
            "truncate": self.truncate,
            "without_update_v2": self.without_update_v2,
            "delay": self.delay,
            "hang": self.hang,
            "duplicate": self.duplicate,
            "surplus": self.surplus,
            "chaos": self.chaos,
            "pass": self.spare,
        }
        return kinds[name](**arguments)

    def spare(self, match: Match = ANY, **limits: Unpack[Limits]) -> Fault:
        """Let requests pass that later faults would decide about."""
        return self._add("pass", match, Nothing(), limits)
