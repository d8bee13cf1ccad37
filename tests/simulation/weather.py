"""What happens to the server and to machines as a whole, drawn by chance."""

import random

import attrs

STORM_ENDS = 40.0
"""Seconds; from then on nothing goes wrong any more."""


@attrs.frozen
class Outage:
    """A time in which some requests are refused."""

    starts: float
    seconds: float
    match: str


@attrs.frozen
class Jump:
    """A clock is set."""

    at: float
    seconds: float
    """Forward; back if below 0."""


@attrs.frozen
class Weather:
    """What a seed brings beside its faults."""

    token_lifetime: float | None
    """Seconds for which a token is good, where the server asks for one."""
    lockout: Outage | None
    """When key and secret are refused."""
    restarts: tuple[Outage, ...]
    """When the server ends, with every request under way, and for how long it is away."""
    server_jumps: tuple[Jump, ...]
    worker_jumps: tuple[Jump, ...]
    """Of the wall clock that all processes see."""
    company: Outage | None
    """When a second process serves beside the others, from the same file."""

    @classmethod
    def drawn(cls, seed: int) -> "Weather":
        """Return what a seed stands for."""
        chance = random.Random(f"weather {seed}")
        lifetime = chance.choice((None, None, None, 3.0, 20.0))
        is_locked_out = lifetime is not None and chance.random() < 0.3
        return cls(
            token_lifetime=lifetime,
            lockout=_time(chance, (2.0, 10.0), "POST /token") if is_locked_out else None,
            restarts=tuple(_time(chance, (0.5, 3.0, 12.0)) for _ in range(chance.choice((0, 0, 0, 1, 2)))),
            server_jumps=_jumps(chance, (-20.0, -2.0, 2.0, 30.0)),
            worker_jumps=_jumps(chance, (-3600.0, -20.0, 20.0, 3600.0)),
            company=_time(chance, (5.0, 15.0)) if chance.random() < 0.2 else None,
        )

    @property
    def is_calm(self) -> bool:
        """Whether every request is answered."""
        return self.lockout is None and not self.restarts

    def wall_clock(self, at: float) -> float:
        """Return by how many seconds the workers' wall clock is wrong."""
        return sum(jump.seconds for jump in self.worker_jumps if jump.at <= at)


def _time(chance: random.Random, lengths: tuple[float, ...], match: str = "*") -> Outage:
    seconds = chance.choice(lengths)
    return Outage(round(chance.uniform(1, STORM_ENDS - seconds), 3), seconds, match)


def _jumps(chance: random.Random, lengths: tuple[float, ...]) -> tuple[Jump, ...]:
    number = chance.choice((0, 0, 0, 1, 2))
    return tuple(Jump(round(chance.uniform(1, STORM_ENDS), 3), chance.choice(lengths)) for _ in range(number))
