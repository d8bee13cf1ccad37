"""Failures in a row: told when they begin, when another one follows, and when they end."""

import attrs


@attrs.define(eq=False)
class Streak:
    """Failures since something last worked."""

    count: int = 0
    """How many there were."""
    kind: object = None
    """What the last one was."""

    def failed(self, kind: object) -> bool:
        """Count a failure; return whether it is to be told: the one before was none, or another one."""
        is_new = self.count == 0 or kind != self.kind
        self.count += 1
        self.kind = kind
        return is_new

    def ended(self) -> int:
        """Begin anew; return how many failures there were."""
        count, self.count, self.kind = self.count, 0, None
        return count
