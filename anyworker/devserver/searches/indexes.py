"""Queries over an index, as on SQLite: ``taskType=greet AND status IN (FAILED,CANCELED)``."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

import attrs

from anyworker.devserver.wire.errors import RequestRefused, bad_request, failure

Row = TypeVar("Row")
Value = str | int | None
"""A time is a whole number of epoch milliseconds."""

_CONDITION = re.compile(r"([a-zA-Z]+)\s?(=|>|<|IN)\s?(.*)")
_QUOTES = re.compile(r"[\"'()]")
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
_WORD_START = re.compile(r"\B([A-Z])")
_KNOWN = frozenset(
    {
        *("workflow_id", "correlation_id", "workflow_type", "start_time", "status", "task_id", "task_type"),
        *("task_def_name", "update_time", "json_data", "parent_workflow_id", "classifier", "end_time"),
    }
)
"""Columns of one index or another; a query may name others, without effect."""
_ORDERS = frozenset({"ASC", "DESC"})
_COMPARISONS = {"=": operator.eq, ">": operator.gt, "<": operator.lt}
_PAGING = 2
"""Parameters of a statement that say which page is wanted."""


@attrs.frozen
class _Condition:
    """One condition of a query."""

    column: str
    sign: str
    values: tuple[str, ...]
    moment: int = 0
    """What a column that is a time is compared with, epoch milliseconds."""

    @property
    def text(self) -> str:
        """The condition in the statement, by which the server sorts them."""
        if self.sign == "IN":
            return f"{self.column} IN ({','.join('?' * len(self.values))})"
        if self.column.endswith("_time"):
            return f"{self.column} {self.sign} datetime(?)"
        if self.sign == "=" and len(self.values) == 1 and "*" in self.values[0]:
            return f"lower({self.column}) LIKE lower(?)"
        return f"{self.column} {self.sign} ?"

    @property
    def surplus(self) -> int:
        """How many more values there are than places for them."""
        return len(self.values) - self.text.count("?")

    def fits(self, value: Value) -> bool:
        """Tell whether a column with this value fits; nothing does where there is none."""
        if value is None:
            return False
        if isinstance(value, int):
            return self.sign != "IN" and bool(_COMPARISONS[self.sign](value, self.moment))
        if self.sign == "IN":
            return value in self.values
        wanted = self.values[0]
        if self.sign == "=" and "*" in wanted:
            return _like(wanted.replace("*", "%")).fullmatch(value) is not None
        return bool(_COMPARISONS[self.sign](value, wanted))


@attrs.frozen
class Query:
    """What to look for in an index."""

    conditions: str = ""
    """Joined with AND, ``*`` in a value for anything."""
    free_text: str = "*"
    """To be found anywhere in a row's document, in upper or lower case; ``*`` for any."""
    sort: str = ""
    """``status:ASC|startTime:DESC``."""


class Index(Generic[Row]):
    """A table of one kind of row.

    Args:
        columns: How each of its columns is read, by the column's name.
        document: Returns what a search by free text looks through.
    """

    def __init__(self, columns: Mapping[str, Callable[[Row], Value]], document: Callable[[Row], str]) -> None:
        self._columns = {**columns, "json_data": document}
        self._document = document

    def find(self, rows: Iterable[Row], query: Query) -> list[Row]:
        """Return the rows that fit, in the order of the query, else in their own.

        Raises:
            RequestRefused: 400, a part of the query is no condition; 500, it names a column that this index
                has not, or has more values than places for them, or no number for a time.
        """
        given = [_condition(part) for part in query.conditions.split(" AND ")] if query.conditions else []
        conditions = sorted((one for one in given if one.column in _KNOWN), key=lambda one: one.text)
        orders = _orders(query.sort)
        self._check(conditions, [column for column, _ in orders])
        found = [row for row in rows if all(one.fits(self._columns[one.column](row)) for one in conditions)]
        if query.free_text not in {"", "*"}:
            pattern = _like(f"%{query.free_text.replace('*', '%')}%")
            found = [row for row in found if pattern.fullmatch(self._document(row))]
        for column, is_descending in reversed(orders):
            read = self._columns[column]
            found.sort(key=lambda row: _sortable(read(row)), reverse=is_descending)  # used at once
        return found

    def _check(self, conditions: list[_Condition], sorted_by: list[str]) -> None:
        for column in [*(one.column for one in conditions), *sorted_by]:
            if column not in self._columns:
                raise _no_column(column)
        places = sum(one.text.count("?") for one in conditions) + _PAGING
        if any(one.surplus > 0 for one in conditions):
            message = f"Index {places} out of bounds for length {places}"
            raise failure(message)


def _condition(text: str) -> _Condition:
    found = _CONDITION.search(text)
    if found is None:
        message = f"Incorrectly formatted query string: {text}"
        raise bad_request(message)
    column, sign = _column(found[1]), found[2]
    values = _QUOTES.sub("", found[3]).split(",")
    while len(values) > 1 and not values[-1]:
        values.pop()
    if sign == "IN" and len(values) == 1:
        sign = "="
    if not any(values) and "," in found[3]:
        raise _no_value()
    moment = _moment(values[0]) if column.endswith("_time") else 0
    return _Condition(column, sign, tuple(values), moment)


def _column(name: str) -> str:
    return _WORD_START.sub(r"_\1", name).lower()


def _moment(millis: str) -> int:
    if not (_NUMBER.fullmatch(millis) and -(2**63) <= int(millis) < 2**63):
        message = f'For input string: "{millis}"'
        raise failure(message)
    return int(millis)


def _orders(sort: str) -> list[tuple[str, bool]]:
    orders = []
    for part in sort.split("|"):
        name, _, order = part.partition(":")
        column = _column(name)
        if column in _KNOWN and order.upper() in _ORDERS:
            orders.append((column, order.upper() == "DESC"))
    return orders


def _like(pattern: str) -> re.Pattern[str]:
    """Return what SQL's LIKE looks for: ``%`` is anything, ``_`` any one character."""
    pieces = {"%": ".*", "_": "."}
    source = "".join(pieces.get(char) or re.escape(char) for char in pattern)
    return re.compile(source, re.IGNORECASE | re.DOTALL)


def _sortable(value: Value) -> tuple[bool, str, int]:
    """Return what a column is sorted by: those without a value come first."""
    return (value is not None, *((value, 0) if isinstance(value, str) else ("", value or 0)))


def _no_value() -> RequestRefused:
    return failure("Index 0 out of bounds for length 0")


def _no_column(column: str) -> RequestRefused:
    return failure(
        "Cannot prepare statement for query: [SQLITE_ERROR] SQL error or missing database "
        f"(no such column: {column})"
    )
