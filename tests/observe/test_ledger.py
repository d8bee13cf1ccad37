"""What is new in a ledger reaches the account once, from however many processes."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from anyworker.observe import catalog
from anyworker.observe.ledger import Account, Ledger, News, Reader

steps = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.integers(0, 2), st.sampled_from("ab")),
        st.tuples(st.just("measure"), st.integers(0, 2), st.floats(1e-3, 1e3)),
        st.tuples(st.just("tell"), st.integers(0, 2), st.none()),
    ),
    max_size=80,
)


@given(steps)
def test_account_is_the_sum_of_all_ledgers_however_often_they_tell(
    script: list[tuple[str, int, object]],
) -> None:
    ledgers = [Ledger() for _ in range(3)]
    readers = [Reader(ledger) for ledger in ledgers]
    account = Account()
    counted: dict[str, float] = {}
    measured: list[float] = []

    def tell(process: int) -> None:
        # As over a pipe.
        news = msgspec.msgpack.decode(msgspec.msgpack.encode(readers[process].news()), type=News)
        account.take(news, 1.0)

    for what, process, value in script:
        if what == "count":
            ledgers[process].count(catalog.POLLS, str(value)).value += 1
            counted[str(value)] = counted.get(str(value), 0) + 1
        elif what == "measure":
            assert isinstance(value, float)
            ledgers[process].distribution(catalog.POLL_TIME, "t").add(value)
            measured.append(value)
        else:
            tell(process)
    for process in range(3):
        tell(process)
    assert account.counts() == {("task_poll_total", (label,)): count for label, count in counted.items()}
    if measured:
        [(total, recent)] = account.measured(1.0).values()
        assert total.count == len(measured) == sum(recent.values())
        assert abs(total.total - sum(measured)) < 1e-6 * max(1.0, sum(measured))


def test_nothing_new_is_nothing_to_tell() -> None:
    ledger = Ledger()
    reader = Reader(ledger)
    ledger.count(catalog.POLLS, "t")
    assert reader.news()
    assert not reader.news()
    ledger.count(catalog.POLLS, "t").value += 1
    assert reader.news().counts == [("task_poll_total", ("t",), 1.0)]
    assert not reader.news()
