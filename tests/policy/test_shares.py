"""Who gets the next place."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from anyworker.policy.shares import Shares, Wish


def ask(shares: Shares, owner: object, count: int) -> Wish:
    wish = Wish(owner, count)
    shares.ask(wish)
    list(shares.granted())
    return wish


def test_first_one_leaves_something_to_those_that_ask_a_moment_later() -> None:
    shares = Shares(10, workers=2)
    assert [ask(shares, owner, 64).granted for owner in "ab"] == [5, 3]


def test_worker_that_asks_alone_gets_every_place_in_the_end() -> None:
    shares, asked = Shares(10, workers=3), 0
    while shares.free:
        assert ask(shares, "a", 64).granted
        asked += 1
    assert asked <= 6


def test_place_that_becomes_free_goes_to_who_has_waited_longest() -> None:
    shares = Shares(1, workers=3)
    ask(shares, "a", 1)
    waiting = [ask(shares, owner, 5) for owner in "bca"]
    turns = []
    for _ in waiting:
        shares.give_back(1)
        turns += [wish.owner for wish in shares.granted()]
    assert turns == ["b", "c", "a"]


def test_withdrawn_wish_gets_nothing() -> None:
    shares = Shares(1, workers=2)
    ask(shares, "a", 1)
    wish = ask(shares, "b", 1)
    assert shares.withdraw("b") == [wish]
    shares.give_back(1)
    assert (list(shares.granted()), shares.free) == ([], 1)


@given(st.integers(1, 5), st.integers(2, 6), st.data())
def test_busy_workers_take_turns_whatever_they_ask_for(total: int, workers: int, data: st.DataObject) -> None:
    """Between two turns of one worker every other one that waits has had its own."""
    shares = Shares(total, workers)
    held: list[Wish] = []
    for owner in range(workers):
        shares.ask(Wish(owner, data.draw(st.integers(1, 64))))
    turns: list[object] = []
    for _ in range(10 * workers):
        held += (got := list(shares.granted()))
        turns += [wish.owner for wish in got]
        done = held.pop(data.draw(st.integers(0, len(held) - 1)))
        shares.give_back(done.granted)
        shares.ask(Wish(done.owner, data.draw(st.integers(1, 64))))
    for owner in range(workers):
        assert turns.count(owner) >= len(turns) // (workers * (total + 1))


class Places(RuleBasedStateMachine):
    """Wishes that come, are granted, withdrawn and given back."""

    @initialize(total=st.integers(1, 8), workers=st.integers(1, 4))
    def start(self, total: int, workers: int) -> None:
        self.shares = Shares(total, workers)
        self.waiting: list[Wish] = []
        self.held: list[Wish] = []

    def settle(self) -> None:
        for wish in self.shares.granted():
            assert wish is self.waiting.pop(0), "first come, first served"
            assert 1 <= wish.granted <= wish.count
            self.held.append(wish)

    @rule(owner=st.integers(0, 3), count=st.integers(1, 10))
    def ask(self, owner: int, count: int) -> None:
        wish = Wish(owner, count)
        self.waiting.append(wish)
        self.shares.ask(wish)
        self.settle()

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 100), share=st.floats(0, 1))
    def give_back(self, which: int, share: float) -> None:
        wish = self.held[which % len(self.held)]
        count = round(wish.granted * share)
        wish.granted -= count
        if not wish.granted:
            self.held.remove(wish)
        self.shares.give_back(count)
        self.settle()

    @rule(owner=st.integers(0, 3))
    def withdraw(self, owner: int) -> None:
        gone = self.shares.withdraw(owner)
        assert gone == [wish for wish in self.waiting if wish.owner == owner]
        self.waiting = [wish for wish in self.waiting if wish.owner != owner]
        self.settle()

    @invariant()
    def every_place_is_free_or_held_and_none_is_idle_while_somebody_waits(self) -> None:
        if hasattr(self, "shares"):
            assert self.shares.free + sum(wish.granted for wish in self.held) == self.shares.total
            assert not (self.shares.free and self.waiting)
            assert self.shares.is_wanted == bool(self.waiting)


TestPlaces = Places.TestCase
