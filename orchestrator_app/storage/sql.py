"""Statements with named values, run by the database's own driver: the same words on SQLite and PostgreSQL.

SQLAlchemy describes and migrates the tables. It is not used to run statements: what it does around each one costs
several times what the statement costs, and a run consists of dozens (see decision 10).
"""

import re
from collections import namedtuple
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

# Lists have their own values for each length.
_LIST = re.compile(r"\bIN :([a-z_]\w*)")
# A name with one colon before it; two are a cast of PostgreSQL.
_NAME = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_ON_POSTGRESQL = {"json_group_array": "json_agg", "json_array": "json_build_array"}
_NO_VALUES: Mapping[str, Any] = {}


class DatabaseError(Exception):
    """The database did not do what it was told.

    Attributes:
        orig: What the driver raised.
        is_lost: The connection is of no use any more.
    """

    def __init__(self, orig: Exception, *, is_lost: bool = False) -> None:
        super().__init__(str(orig))
        self.orig = orig
        self.is_lost = is_lost


class Violation(DatabaseError):
    """A constraint of the tables forbids it."""


class Unfit(DatabaseError):
    """A value does not fit its column."""


class WrongStatement(DatabaseError):
    """The statement itself is wrong."""


# The names that the standard for Python's database drivers (PEP 249) gives to mistakes of the program.
_MEANINGS: dict[str, type[DatabaseError]] = {
    "IntegrityError": Violation,
    "DataError": Unfit,
    "NotSupportedError": WrongStatement,
    "ProgrammingError": WrongStatement,
}


class Cursor(Protocol):
    """What both drivers give for a statement."""

    @property
    def description(self) -> Any:
        """The columns, or None when there are no rows."""
        ...

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...


class Driver(Protocol):
    """What both drivers' connections can do."""

    def execute(self, query: Any, params: Any = ..., /) -> Cursor:
        """Run a statement."""
        ...

    def cursor(self) -> Any:
        """A cursor, which can run a statement many times."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


class Statement:
    """SQL in which ``:name`` stands for a value, and ``IN :name`` for a list of values.

    The functions that make JSON are named as in SQLite.
    """

    __slots__ = ("_lists", "_on_postgresql", "_row", "postgresql", "sqlite")

    def __init__(self, words: str, on_postgresql: str = "") -> None:
        self.sqlite = words
        self._on_postgresql = on_postgresql
        self._lists = _LIST.findall(words)
        tail = f" {on_postgresql}" if on_postgresql else ""
        self.postgresql = _NAME.sub(r"%(\1)s", words.replace("%", "%%")) + tail
        for name, other in _ON_POSTGRESQL.items():
            self.postgresql = self.postgresql.replace(f"{name}(", f"{other}(")
        self._row: Any = None

    def with_lists(self, values: Mapping[str, Any]) -> "tuple[Statement, Mapping[str, Any]]":
        """The statement for lists as long as these, and the values for it."""
        if not self._lists:
            return self, values
        words, single = self.sqlite, dict(values)
        for name in self._lists:
            items = {f"{name}_{number}": item for number, item in enumerate(single.pop(name))}
            # An empty list: nothing is in it, not even nothing.
            places = ", ".join(f":{item}" for item in items) or "NULL"
            words = re.sub(rf"\bIN :{name}\b", f"IN ({places})", words)
            single |= items
        return Statement(words, self._on_postgresql), single

    def rows(self, cursor: Cursor) -> list[Any]:
        """All rows, as tuples whose values can be asked for by the names of their columns."""
        make = self._row_type(cursor)
        return [make(row) for row in cursor.fetchall()]

    def row(self, cursor: Cursor) -> Any:
        """The next row, or None."""
        found = cursor.fetchone()
        return None if found is None else self._row_type(cursor)(found)

    def _row_type(self, cursor: Cursor) -> Any:
        # A statement always has the same columns, so the type is made once.
        if self._row is None:
            names = [column[0] for column in cursor.description]
            self._row = namedtuple("Row", names, rename=True)._make  # noqa: PYI024  # pyright: ignore[reportUntypedNamedTuple] - the columns are not known before
        return self._row


def text(words: str, *, on_postgresql: str = "") -> Statement:
    """A statement. ``on_postgresql`` is added to it there only: locks, which SQLite with its one writer does not need."""
    return Statement(words, on_postgresql)


class Result:
    """What a statement gave back."""

    __slots__ = ("_cursor", "_statement")

    def __init__(self, statement: Statement, cursor: Cursor) -> None:
        self._statement = statement
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._cursor.rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._statement.rows(self._cursor))

    def all(self) -> list[Any]:
        """All rows."""
        return self._statement.rows(self._cursor)

    def scalars(self) -> list[Any]:
        """The first value of each row."""
        return [row[0] for row in self._cursor.fetchall()]

    def one_or_none(self) -> Any:
        """The only row, or None."""
        row = self._statement.row(self._cursor)
        if row is not None and self._cursor.fetchone() is not None:
            raise LookupError("There are several rows where there can be one at most.")
        return row

    def one(self) -> Any:
        """The only row."""
        row = self.one_or_none()
        if row is None:
            raise LookupError("There is no row where there must be one.")
        return row

    def scalar_one_or_none(self) -> Any:
        """The first value of the only row, or None."""
        row = self._cursor.fetchone()
        if row is None:
            return None
        if self._cursor.fetchone() is not None:
            raise LookupError("There are several rows where there can be one at most.")
        return row[0]

    def scalar_one(self) -> Any:
        """The first value of the only row."""
        return self.one()[0]


class Connection:
    """A connection of one driver. Whoever uses it runs statements; transactions are the database's business."""

    __slots__ = ("_errors", "_savepoints", "driver", "is_sqlite")

    def __init__(self, driver: Driver, errors: type[Exception], *, is_sqlite: bool) -> None:
        self.driver = driver
        self.is_sqlite = is_sqlite
        self._errors = errors
        self._savepoints = 0

    def execute(self, statement: Statement, values: Mapping[str, Any] = _NO_VALUES) -> Result:
        """Run a statement with these values; further ones do no harm.

        Raises:
            DatabaseError: It was not done; a subclass says whose mistake it is.
        """
        statement, values = statement.with_lists(values)
        words = statement.sqlite if self.is_sqlite else statement.postgresql
        try:
            return Result(statement, self.driver.execute(words, values))
        except self._errors as error:
            raise self.explained(error) from error

    def execute_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once for each row of values. Raises as ``execute`` does."""
        words = statement.sqlite if self.is_sqlite else statement.postgresql
        try:
            self.driver.cursor().executemany(words, rows)
        except self._errors as error:
            raise self.explained(error) from error

    def command(self, words: str) -> Cursor:
        """Run words without values: ``BEGIN``, ``COMMIT``, ``PRAGMA …``. Raises as ``execute`` does."""
        try:
            return self.driver.execute(words)
        except self._errors as error:
            raise self.explained(error) from error

    @contextmanager
    def begin_nested(self) -> Generator[None]:
        """What is done inside is undone alone when it fails."""
        self._savepoints += 1
        name = f"nested_{self._savepoints}"
        self.command(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self.command(f"ROLLBACK TO SAVEPOINT {name}")
            raise
        finally:
            self._savepoints -= 1
        self.command(f"RELEASE SAVEPOINT {name}")

    def explained(self, error: Exception) -> DatabaseError:
        """The driver's error as one of ours."""
        is_lost = bool(getattr(self.driver, "closed", False))
        for kind in type(error).__mro__:
            meaning = _MEANINGS.get(kind.__name__)
            if meaning is not None:
                return meaning(error, is_lost=is_lost)
        return DatabaseError(error, is_lost=is_lost)

    def close(self) -> None:
        """Hang up."""
        self.driver.close()
