"""A Conductor server in memory: its task and workflow API, exact in what a worker can observe.

::

    server = DevServer()
    transport = server.transport()  # in process: any URL, for httpx or Configuration(transport=...)
    app = server.asgi()  # on a socket: uvicorn.run(app)

Its rooms stand on top of each other: ``shells`` bring requests past ``faults`` to the ``api``, which asks the
``engine``, ``control`` and ``searches``; the engine is made of ``lifecycle``, ``queueing``, ``records``,
``metadata`` and ``timing``. ``http`` and ``wire`` are the forms of what is said, ``orkes`` the other flavor.
"""

import math
import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, get_args

from anyworker.devserver.engine import POSTPONE, Engine
from anyworker.devserver.faults.faults import Faults
from anyworker.devserver.faults.rules import Fault
from anyworker.devserver.http.exchange import Answer, Request
from anyworker.devserver.orkes.orkes import Orkes
from anyworker.devserver.orkes.tokens import Tokens
from anyworker.devserver.queueing.polls import Waiting
from anyworker.devserver.shells.admin import Admin
from anyworker.devserver.shells.asgi import DevServerApp
from anyworker.devserver.shells.shell import Respond, Shell
from anyworker.errors import ConfigurationError

if TYPE_CHECKING:
    from anyworker.devserver.transport import DevServerTransport

__all__ = ["DevServer", "DevServerApp", "Fault", "Faults", "Flavor", "Waiting"]

Flavor = Literal["oss", "orkes"]


class DevServer:
    """One server and its state; everything that :meth:`transport` and :meth:`asgi` return shares it.

    It belongs to one event loop at a time. Its time is the loop's: it follows a virtual clock.

    Args:
        waiting: The queues of which back end these are. ``fill``, as SQLite's: a poll looks every 100 ms and
            holds what it finds until all that were asked for are there or the time is over; higher priorities
            go first; a call-back that is negative or beyond the year 9999 never comes; jitter is whole
            seconds; a task handed back keeps its place under ``concurrentExecLimit``. ``first``, as Redis's:
            a poll answers at the first task and brings 64 at most; priorities 1 to 99 go in this order and 0
            last; such a call-back comes at once; jitter is in milliseconds; the place is given up. Logs and
            searches are those of SQLite either way.
        epoch: Epoch seconds at the first request; the wall clock's by default.
        seed: Makes ids repeatable.
        max_finished: How many ended workflows are kept; the one that ended first is forgotten first.
        flavor: ``orkes`` adds ``/schema`` and ``/token``, which Conductor OSS answers with 404.
        auth: For the Orkes flavor: a key and its secret, without which nobody gets a token, and without a
            token nothing; None lets everybody in.
        token_lifetime: Seconds for which a token is good.
        rate_limits: Whether ``rateLimitPerFrequency`` has an effect, as on Redis and not on SQL.
        postpone: Seconds for which a poll pushes a task back that a limit keeps from being handed out; a real
            server is shipped with 60.
        lease_race: Seconds for which a heartbeat is under way. A report on its task that comes meanwhile is
            answered with 200 and lost, as on a real server now and then: the task is in work again without
            its output, and its workflow goes on all the same or waits for it. 0 for never.

    Raises:
        ConfigurationError: Whatever makes no sense: a way of waiting or a flavor that is unknown, a number
            below 0, a key that would not be asked for, tokens that are never good.
    """

    def __init__(
        self,
        *,
        waiting: Waiting = "fill",
        epoch: float | None = None,
        seed: int | None = None,
        max_finished: int = 10_000,
        flavor: Flavor = "oss",
        auth: tuple[str, str] | None = None,
        token_lifetime: float = 3600.0,
        rate_limits: bool = False,
        postpone: float = POSTPONE / 1000,
        lease_race: float = 0.0,
    ) -> None:
        counts = {"max_finished": max_finished, "postpone": postpone, "lease_race": lease_race}
        problems = [*_unknown(waiting, flavor), *_below_zero(counts), *_useless(flavor, auth, token_lifetime)]
        if problems:
            raise ConfigurationError(problems)
        chance = random.Random(seed)  # noqa: S311  # ids, not secrets
        self.engine = Engine(
            waiting=waiting,
            chance=chance,
            max_finished=max_finished,
            rate_limits=rate_limits,
            postpone=round(postpone * 1000),
            lease_race=round(lease_race * 1000),
        )
        orkes = None
        if flavor == "orkes":
            orkes = Orkes(Tokens(chance.randbytes(32), token_lifetime, auth))
        self._shell = Shell(self.engine, epoch, orkes)

    @property
    def faults(self) -> Faults:
        """What goes wrong on demand."""
        return self._shell.faults

    def answer(self, request: Request) -> Answer:
        """Carry out a request at once and free of faults; where no event loop runs, time stands still.

        Raises:
            ValueError: Its answer is still to be waited for.
        """
        return self._shell.answer(request)

    def seconds_to_next(self) -> float:
        """Return how long nothing happens by itself, infinite if nothing ever does."""
        return self._shell.seconds_to_next()

    def hurry(self) -> None:
        """Answer the polls that wait, and from now on every poll at once; from any thread."""
        self._shell.hurry()

    def relax(self) -> None:
        """Let polls wait again."""
        self.engine.is_hurried = False

    def transport(self, *, admin: bool = False) -> "DevServerTransport":
        """Return an httpx transport that answers in process.

        Args:
            admin: Whether there is the admin route (:mod:`anyworker.devserver.shells.admin`).
        """
        # Here, because httpx takes longest to import, and a server on a socket has no use for it.
        from anyworker.devserver.transport import DevServerTransport  # noqa: PLC0415

        return DevServerTransport(self._front(admin=admin))

    def asgi(self, *, admin: bool = False) -> DevServerApp:
        """Return an ASGI application, for uvicorn.

        Args:
            admin: Whether there is the admin route (:mod:`anyworker.devserver.shells.admin`).
        """
        return DevServerApp(self._front(admin=admin))

    def _front(self, *, admin: bool) -> Respond:
        return Admin(self.faults, self._shell.respond).respond if admin else self._shell.respond


def _unknown(waiting: str, flavor: str) -> Iterator[str]:
    for name, value, known in (("waiting", waiting, Waiting), ("flavor", flavor, Flavor)):
        if value not in get_args(known):
            yield f"{name}: {value!r} is not one of {', '.join(get_args(known))}"


def _below_zero(numbers: Mapping[str, object]) -> Iterator[str]:
    for name, value in numbers.items():
        if not (isinstance(value, (int, float)) and 0 <= value < math.inf):
            yield f"{name}: {value!r} is not a number, 0 or more"


def _useless(flavor: str, auth: tuple[str, str] | None, token_lifetime: float) -> Iterator[str]:
    if auth is not None and flavor == "oss":
        yield "auth: only the orkes flavor asks for a key and a secret; add flavor='orkes', or leave it out"
    if not token_lifetime > 0:
        yield f"token_lifetime: {token_lifetime} is not greater than 0"
