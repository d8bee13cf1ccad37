"""The table of `bench_task.py`: its cases, their samples, their marks."""

import statistics

import attrs
from meter import BACKENDS, PAYLOAD

SLOTS = (10, 100)
"""Those that have marks."""
LARGEST_RATIO = {"asyncio": 1.75, "uvloop": 2.5, "trio": 2.5}
LARGEST_GROWTH = 0.10
LEAST_GAIN = {
    **{("def", backend): {10: 6, 100: 6} for backend in BACKENDS},
    **{("async", backend): {10: 10, 100: 20} for backend in BACKENDS},
    ("async", "asyncio"): {10: 8, 100: 15},
}


@attrs.frozen
class Case:
    """One line of the table."""

    backend: str
    mode: str
    slots: int
    io_ms: float = 0.0
    """Milliseconds that each task waits."""
    payload: int = PAYLOAD
    """Characters of each task's input and output."""

    @property
    def is_plain(self) -> bool:
        """Whether it neither waits nor has a payload to speak of, as the marks have it."""
        return not self.io_ms and self.payload == PAYLOAD


@attrs.define
class Samples:
    """What the rounds of a case gave, in microseconds of CPU per task."""

    anyworker: list[float] = attrs.field(factory=list)
    floor: list[float] = attrs.field(factory=list)
    official: list[float] = attrs.field(factory=list)
    """Empty where it is not measured."""
    polls_per_task: list[float] = attrs.field(factory=list)
    """Polls that brought something."""
    requests_per_task: list[float] = attrs.field(factory=list)


@attrs.frozen
class Row:
    """A case with its verdicts."""

    case: Case
    samples: Samples
    growth: float | None
    """From the fewest slots to these, as a fraction."""

    @property
    def cost(self) -> float:
        """Microseconds per task."""
        return statistics.median(self.samples.anyworker)

    @property
    def floor(self) -> float:
        """Microseconds per task."""
        return statistics.median(self.samples.floor)

    @property
    def ratio(self) -> float:
        """How many times the floor: the median of the rounds' own ratios."""
        pairs = zip(self.samples.anyworker, self.samples.floor, strict=True)
        return statistics.median(cost / floor for cost, floor in pairs)

    @property
    def gain(self) -> float | None:
        """How many times this cost the official SDK has: the median of the rounds' own ratios."""
        if not self.samples.official:
            return None
        pairs = zip(self.samples.official, self.samples.anyworker, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    @property
    def verdict(self) -> str:
        """What became of the marks that this case has."""
        marks: list[str] = []
        if not self.case.is_plain:
            return ""
        if self.case.mode == "async" and self.case.slots in SLOTS:
            largest = LARGEST_RATIO[self.case.backend]
            marks.append(f"ratio <= {largest:g} {_reached(self.ratio <= largest)}")
        if self.growth is not None:
            marks.append(f"growth <= {LARGEST_GROWTH:.0%} {_reached(self.growth <= LARGEST_GROWTH)}")
        if self.gain is not None:
            least = LEAST_GAIN[self.case.mode, self.case.backend].get(self.case.slots)
            if least is not None:
                marks.append(f"gain >= {least} {_reached(self.gain >= least)}")
        return ", ".join(marks)

    def line(self) -> str:
        """Return it as a line of the table."""
        growth = "" if self.growth is None else f"{self.growth:+.0%}"
        requests = statistics.median(self.samples.requests_per_task)
        official = _spread(self.samples.official) if self.samples.official else ""
        gain = "" if self.gain is None else f"{self.gain:.1f}"
        case = self.case
        return (
            f"{case.backend:8}{case.mode:6}{case.slots:>6}{case.io_ms:>7g}{case.payload:>9}{_spread(self.samples.anyworker):>21}"
            f"{_spread(self.samples.floor):>21}{self.ratio:>7.2f}{growth:>8}{requests:>7.2f}"
            f"{official:>21}{gain:>7}  {self.verdict}"
        )

    def as_json(self) -> dict[str, object]:
        """Return it with every sample."""
        return {
            **attrs.asdict(self.case),
            **attrs.asdict(self.samples),
            "us_per_task": self.cost,
            "floor_us_per_task": self.floor,
            "ratio": self.ratio,
            "growth": self.growth,
            "gain": self.gain,
            "verdict": self.verdict,
        }


HEADING = (
    f"{'backend':8}{'mode':6}{'slots':>6}{'io ms':>7}{'payload':>9}{'anyworker us/task':>21}"
    f"{'floor us/task':>21}{'ratio':>7}{'growth':>8}{'req/t':>7}{'official us/task':>21}{'gain':>7}  marks"
)


def _reached(is_reached: bool) -> str:
    return "reached" if is_reached else "MISSED"


def _spread(samples: list[float]) -> str:
    return f"{statistics.median(samples):.1f} ({min(samples):.0f}-{max(samples):.0f})"


def rows_of(results: dict[Case, Samples]) -> list[Row]:
    """Return the lines of the table in order."""
    rows = []
    for case, samples in results.items():
        few = results.get(attrs.evolve(case, slots=SLOTS[0]))
        growth = None
        if few is not None and case.slots > SLOTS[0]:
            pairs = zip(samples.anyworker, few.anyworker, strict=True)
            growth = statistics.median(many / less for many, less in pairs) - 1
        rows.append(Row(case, samples, growth))
    return rows
