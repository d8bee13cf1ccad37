"""What a seed stands for: workers, workflows, and all that goes wrong, drawn by chance."""

import random
from typing import Literal

import attrs
from weather import STORM_ENDS, Outage, Weather

Leaving = Literal["drain", "stop", "kill"]
Ending = Literal["complete", "fail", "fail for good", "go on"]

OUTAGE_TARGETS = ("*", "POST /tasks", "GET /tasks/poll/batch/{type}", "GET /tasks/{id}")


@attrs.frozen
class TaskKind:
    """A task type and the worker that runs it."""

    name: str
    thread_count: int
    is_async: bool
    extends_leases: bool
    response_timeout: int
    """Seconds."""
    retry_count: int
    timeout: float | None
    """The worker's own limit for a call, in seconds."""


@attrs.frozen
class Flow:
    """One workflow."""

    number: int
    starts: float
    steps: tuple[str, ...]
    """Names of task types, one after another."""
    terminated: float | None
    """When somebody terminates it."""


@attrs.frozen
class Departure:
    """The end of a process; another takes its place at once."""

    at: float
    how: Leaving
    grace: float


@attrs.frozen
class Deed:
    """What a function does for one task."""

    seconds: float
    ending: Ending
    pause: int
    """Seconds after which it wants to go on, if it does."""


@attrs.frozen
class Scenario:
    """One run, from its seed."""

    seed: int
    waiting: Literal["fill", "first"]
    kinds: tuple[TaskKind, ...]
    flows: tuple[Flow, ...]
    chaos_rate: float
    has_surplus: bool
    outages: tuple[Outage, ...]
    departures: tuple[Departure, ...]
    retry_delays: tuple[float, ...]
    """Seconds between the attempts to deliver a result; short ones bring the outbox into play."""
    has_file: bool
    """Whether results are written to a file before they are sent, which outlives a killed process."""
    weather: Weather
    """What happens to server and machines as a whole."""

    @classmethod
    def drawn(cls, seed: int) -> "Scenario":
        """Return what a seed stands for; the same for ever, as long as this module stays the same."""
        chance = random.Random(f"scenario {seed}")
        kinds = tuple(_kind(chance, name) for name in ("a", "b")[: chance.randint(1, 2)])
        names = [kind.name for kind in kinds]
        return cls(
            seed=seed,
            waiting=chance.choice(("fill", "first")),
            kinds=kinds,
            flows=tuple(_flow(chance, number, names) for number in range(chance.randint(3, 8))),
            chaos_rate=chance.choice((0.0, 0.05, 0.2, 0.4)),
            has_surplus=chance.random() < 0.15,
            outages=tuple(_outage(chance) for _ in range(chance.choice((0, 0, 1, 1, 2)))),
            departures=_departures(chance),
            retry_delays=chance.choice(((10.0, 20.0, 30.0), (1.0, 2.0), ())),
            has_file=chance.random() < 0.25,
            weather=Weather.drawn(seed),
        )

    @property
    def is_peaceful(self) -> bool:
        """Whether nothing happens to any request."""
        return not self.chaos_rate and not self.outages and self.weather.is_calm

    @property
    def hands_out_twice(self) -> bool:
        """Whether the server may give the tasks of one poll to the next as well.

        Beside a second process it does not: nobody could tell then whose a task is.
        """
        return self.chaos_rate > 0 and self.weather.company is None

    def deed(self, flow: int, reference: str, attempt: int, call: int) -> Deed:
        """Return what a function does for a task of a workflow, in an attempt, when it is called so often."""
        chance = random.Random(f"deed {self.seed} {flow} {reference} {attempt} {call}")
        longest = chance.choice((0.0, 0.0, 0.2, 2.0, 15.0))
        ending: Ending = chance.choices(("complete", "fail", "fail for good", "go on"), (65, 15, 3, 17))[0]
        if call > 3:
            ending = "complete"
        return Deed(round(chance.uniform(0, longest), 3), ending, chance.choice((1, 1, 3)))


def _kind(chance: random.Random, name: str) -> TaskKind:
    return TaskKind(
        name=name,
        thread_count=chance.choice((1, 1, 2, 3, 4)),
        is_async=chance.random() < 0.75,
        extends_leases=chance.random() < 0.6,
        response_timeout=chance.choice((3, 8, 20)),
        retry_count=chance.choice((0, 2, 5)),
        timeout=chance.choice((None, None, None, 5.0)),
    )


def _flow(chance: random.Random, number: int, names: list[str]) -> Flow:
    starts = round(chance.uniform(0, STORM_ENDS * 0.7), 3)
    is_terminated = chance.random() < 0.15
    return Flow(
        number=number,
        starts=starts,
        steps=tuple(chance.choice(names) for _ in range(chance.randint(1, 3))),
        terminated=round(starts + chance.uniform(0, 10), 3) if is_terminated else None,
    )


def _outage(chance: random.Random) -> Outage:
    starts = chance.uniform(1, STORM_ENDS - 10)
    return Outage(
        round(starts, 3),
        round(min(chance.choice((3.0, 15.0, STORM_ENDS)), STORM_ENDS - starts), 3),
        chance.choice(OUTAGE_TARGETS),
    )


def _departures(chance: random.Random) -> tuple[Departure, ...]:
    times = sorted(chance.uniform(1, STORM_ENDS) for _ in range(chance.choice((0, 0, 1, 1, 2))))
    ways: tuple[Leaving, ...] = ("drain", "drain", "stop", "kill")
    return tuple(
        Departure(round(at, 3), chance.choice(ways), chance.choice((0.0, 2.0, 10.0))) for at in times
    )
