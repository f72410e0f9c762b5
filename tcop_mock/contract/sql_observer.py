"""Observer of a database: each row that mentions an alarm is an effect. The extra ``sql`` installs SQLAlchemy."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote

from tcop_mock.contract.observers import CoalescingObserver
from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.domain.target import MASK
from tcop_mock.errors import ObserverError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import sqlalchemy as sa

_T = TypeVar("_T")
_DEADLINE_S = 10.0
_MAX_ROWS = 20_000
_MAX_FIRST_ROWS = 2000
"""A table without whole-number keys that has more rows at the start is searched for each alarm."""
_MAX_TEXT = 20_000
_ESCAPE = "\\"
_OPEN = re.compile(r"\s*(?P<table>[^:]+?)\s*:\s*(?P<condition>.+?)\s*", re.DOTALL)
_SQLITE_STEPS = 10_000
"""Instructions of SQLite between two checks of the time limit."""
_READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON", f"PRAGMA busy_timeout = {int(_DEADLINE_S * 1000)}"),
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        f"SET statement_timeout = {int(_DEADLINE_S * 1000)}",
    ),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", f"SET SESSION max_execution_time = {int(_DEADLINE_S * 1000)}"),
    "mariadb": ("SET SESSION TRANSACTION READ ONLY", f"SET SESSION max_statement_time = {_DEADLINE_S:g}"),
}
"""Statements that make a session read-only and limit the time of its statements, by dialect."""
_LIMITS = {
    "psycopg": ("connect_timeout",),
    "psycopg2": ("connect_timeout",),
    "pg8000": ("timeout",),
    "pymysql": ("connect_timeout", "read_timeout"),
    "mysqldb": ("connect_timeout", "read_timeout"),
    "mysqlconnector": ("connection_timeout",),
    "mariadbconnector": ("connect_timeout", "read_timeout"),
}
"""Arguments of drivers that bound, in seconds, how long they wait for the server."""
_STATE_NAMES = re.compile(r"stat(e|us)|open|clos|resol|recover|activ|over|ended|done", re.IGNORECASE)
_END_NAMES = re.compile(r"clos|resol|recover|end", re.IGNORECASE)
_OPEN_WORDS = frozenset({"open", "opened", "firing", "active", "triggered", "alarming", "unresolved"})
_MAX_STATE_CHARS = 40
_SERVER_PREFIX = re.compile(r"^(connection failed: )?connection to server at .*? failed: (FATAL: +)?")
"""The address with which PostgreSQL's messages begin; ours name the URL already."""


class Row(NamedTuple):
    """One row that mentions an alarm."""

    table: str
    key: tuple[Any, ...]
    """Its primary key; without one, its values."""
    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class OpenRule:
    """Rule that selects the open incidents from the rows of a table.

    Args:
        table: its name, with the schema if it has one.
        condition: SQL after WHERE, as the user wrote it; empty if the rule was detected.
        column: the column of the state; empty: every row is open.
        value: value of the column in an open row.
    """

    table: str
    condition: str = ""
    column: str = ""
    value: Any = None

    @classmethod
    def parse(cls, text: str) -> OpenRule:
        """Parse ``TABLE: CONDITION``.

        Raises:
            UsageError: it has another form.
        """
        match = _OPEN.fullmatch(text)
        if match is None:
            raise UsageError(f"--observe-open {text!r}: write TABLE: CONDITION, as in \"incidents: status = 'open'\"")
        return cls(match["table"], match["condition"])

    def __str__(self) -> str:
        """The rule as ``--observe-open`` takes it."""
        if self.condition:
            return f"{self.table}: {self.condition}"
        if not self.column:
            return f"{self.table}: 1 = 1"
        if self.value is None:
            return f"{self.table}: {self.column} IS NULL"
        shown = self.value if isinstance(self.value, int | float) else "'" + str(self.value).replace("'", "''") + "'"
        return f"{self.table}: {self.column} = {shown}"


def detect_open(fired: Sequence[Row], resolved: Sequence[Row]) -> OpenRule | None:
    """Return the rule for open rows, from the rows of an alarm while it fires and after it was resolved.

    A column whose value changed holds the state, if both values are short, or one is NULL. A row that is gone was open.
    If nothing changed, the state is in a column with the name of a state and a value that means open.
    """
    if sorted(fired, key=repr) == sorted(resolved, key=repr):
        return next((rule for row in fired for rule in _named_states(row)), None)
    after = {(row.table, row.key): dict(row.values) for row in resolved}
    candidates: list[tuple[int, OpenRule]] = []
    for row in fired:
        now = after.get((row.table, row.key))
        if now is None:
            candidates.append((3, OpenRule(row.table)))
            continue
        for column, value in row.values:
            if column in now and now[column] != value and _is_state(value, now[column]):
                is_named = _STATE_NAMES.search(column) is not None
                rank = (0 if value is not None else 1) if is_named else 2
                candidates.append((rank, OpenRule(row.table, column=column, value=value)))
    return min(candidates, key=lambda pair: pair[0])[1] if candidates else None


def _named_states(row: Row) -> Iterator[OpenRule]:
    for column, value in row.values:
        is_end = value is None and _END_NAMES.search(column)
        is_open_word = isinstance(value, str) and value.lower() in _OPEN_WORDS and _STATE_NAMES.search(column)
        if is_end or is_open_word:
            yield OpenRule(row.table, column=column, value=value)


def _is_state(before: object, after: object) -> bool:
    """Return whether a change may be that of a state: no counter, no time, no long text."""
    if before is None:
        return after is not None
    if isinstance(before, bool) or isinstance(after, bool):
        return True
    if isinstance(before, int) and isinstance(after, int):
        return {before, after} <= {0, 1, 2}
    texts = isinstance(before, str) and isinstance(after, str)
    return texts and all(len(str(text)) <= _MAX_STATE_CHARS and not _is_time(str(text)) for text in (before, after))


def _is_time(text: str) -> bool:
    return re.search(r"\d\d:\d\d", text) is not None


@dataclass(slots=True)
class SqlObserver:
    """Searches the text and JSON columns of all tables, in a session that cannot write.

    Args:
        url: URL of the database, in the form of SQLAlchemy; its password is never shown.
        tables: the tables whose rows are effects; empty: all, or that of ``open_rule``.
        open_rule: rule for open rows; ``None``: :meth:`learn` detects it.
    """

    url: str = field(repr=False)
    tables: tuple[str, ...] = ()
    open_rule: OpenRule | None = None
    deadline_s: float = _DEADLINE_S
    was_detected: bool = field(default=False, init=False)
    _engine: sa.Engine = field(init=False, repr=False)
    _searched: list[sa.Table] | None = field(default=None, init=False, repr=False)
    _first_ids: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    """Highest whole-number key of each table at the start: rows up to it are older than the run."""
    _first_counts: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    """Rows of each other table at the start, counted up to a limit."""
    _shared: CoalescingObserver = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._engine = _create_engine(self.url)
        self._shared = CoalescingObserver(_AllRows(self))

    async def observe(self, token: str) -> EffectSnapshot:
        """Return the rows that mention a token.

        Raises:
            ObserverError: the database cannot be read in time.
        """
        if self.shows_all:
            return await self._shared.observe("")
        return await self.look(token)

    async def look(self, token: str) -> EffectSnapshot:
        """Return the rows that mention a token, now; all new rows for an empty one.

        Raises:
            ObserverError: the database cannot be read in time.
        """
        return await self._run(lambda link: self._snapshot(link, token))

    @property
    def shows_all(self) -> bool:
        """Whether it returns all effects, whatever the token is: new rows are few, or identified by their keys."""
        return self._searched is not None and all(map(self._shows_new, self._searched))

    def _shows_new(self, table: sa.Table) -> bool:
        return table.fullname in self._first_ids or self._first_counts[table.fullname] <= _MAX_FIRST_ROWS

    def _snapshot(self, link: sa.Connection, token: str) -> EffectSnapshot:
        """Return the rows that mention a token; an empty one is in all of them."""
        rows, rule = self._search(link, token), self.open_rule
        if rule is None:
            return EffectSnapshot(tuple(map(_effect, rows)))
        is_narrow = not self.tables  # another table than that of incidents may store each request
        effects = tuple(_effect(row) for row in rows if not is_narrow or row.table == rule.table)
        return EffectSnapshot(effects, tuple(map(_effect, self._search(link, token, rule))))

    async def rows(self, token: str) -> list[Row]:
        """Return the rows that mention a token.

        Raises:
            ObserverError: the database cannot be read in time.
        """
        return await self._run(lambda link: list(self._search(link, token)))

    @property
    def has_to_learn(self) -> bool:
        """Whether the rule for open rows is unknown."""
        return self.open_rule is None

    def learn(self, fired: Sequence[Row], resolved: Sequence[Row]) -> None:
        """Find out which rows are open."""
        self.open_rule = detect_open(fired, resolved)
        self.was_detected = self.open_rule is not None

    def close(self) -> None:
        """Close the connections; the next look opens new ones."""
        self._engine.dispose()

    async def _run(self, work: Callable[[sa.Connection], _T]) -> _T:
        try:
            async with asyncio.timeout(2 * self.deadline_s):
                return await _in_thread(lambda: self._connected(work))
        except TimeoutError:
            raise ObserverError(f"--observe-sql {self}: no answer within {2 * self.deadline_s:g} s") from None

    def _connected(self, work: Callable[[sa.Connection], _T]) -> _T:
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - an extra

        try:
            with self._engine.connect() as link:
                _bound_time(link, self.deadline_s)
                if self._searched is None:
                    self._searched = self._reflect(link)
                return work(link)
        except (SQLAlchemyError, OSError, ImportError) as problem:
            raise ObserverError(f"--observe-sql {self}: {self._reason(problem)}") from None

    def _reason(self, problem: Exception) -> str:
        """Return an error of the driver in one line, without the password."""
        original = getattr(problem, "orig", None) or problem
        text = " ".join(str(original).split())
        password = self._engine.url.password
        text = text.replace(str(password), MASK) if password else text
        if "interrupted" in text or "statement timeout" in text or "max_statement_time" in text:
            return f"a search took more than {self.deadline_s:g} s; name the tables with --observe-all TABLE,..."
        return _SERVER_PREFIX.sub("", text)[:300]

    def __str__(self) -> str:
        """The URL without its password."""
        import sqlalchemy as sa  # noqa: PLC0415 - an extra

        return sa.make_url(self.url).render_as_string(hide_password=True)

    def _reflect(self, link: sa.Connection) -> list[sa.Table]:
        """Return the tables to search.

        Raises:
            ObserverError: no table has text, or a named one is missing.
        """
        import sqlalchemy as sa  # noqa: PLC0415 - an extra

        metadata = sa.MetaData()
        metadata.reflect(bind=link, views=False)
        by_name = metadata.tables
        named = [*self.tables, *([self.open_rule.table] if self.open_rule else [])]
        missing = [name for name in named if name not in by_name]
        if missing:
            known = ", ".join(sorted(by_name)) or "none"
            raise ObserverError(f"--observe-sql {self}: there is no table {missing[0]!r}; there are: {known}")
        tables = [table for name, table in by_name.items() if not self.tables or name in named]
        tables = [table for table in tables if any(map(_is_text, table.columns))]
        if not tables:
            raise ObserverError(
                f"--observe-sql {self}: no table has a text or JSON column, so no row can name an alarm"
            )
        for table in tables:
            keys = list(table.primary_key.columns)
            if len(keys) == 1 and isinstance(keys[0].type, sa.Integer):
                self._first_ids[table.fullname] = link.execute(sa.select(sa.func.max(keys[0]))).scalar()
            else:
                few = sa.select(sa.literal(1)).select_from(table).limit(_MAX_FIRST_ROWS + 1).subquery()
                self._first_counts[table.fullname] = link.execute(
                    sa.select(sa.func.count()).select_from(few)
                ).scalar_one()
        return tables

    def _search(self, link: sa.Connection, token: str, rule: OpenRule | None = None) -> Iterator[Row]:
        import sqlalchemy as sa  # noqa: PLC0415 - an extra

        for table in self._searched or []:
            if rule and table.fullname != rule.table:
                continue
            keys = list(table.primary_key.columns)
            query = sa.select(table).limit(_MAX_ROWS)
            if token:
                query = query.where(sa.or_(*(_contains(column, token) for column in table.columns if _is_text(column))))
            first = self._first_ids.get(table.fullname)
            if first is not None:
                query = query.where(keys[0] > first)
            if rule:
                query = query.where(_rule_clause(table, rule))
            for found in link.execute(query).mappings():
                values = tuple((column.name, found[column]) for column in table.columns)
                key = tuple(found[column] for column in keys) if keys else tuple(value for _, value in values)
                yield Row(table.fullname, key, values)


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Return the result of a call in a daemon thread, which does not delay the end of the process."""
    result: Future[_T] = Future()
    result.set_running_or_notify_cancel()

    def call() -> None:
        try:
            result.set_result(work())
        except BaseException as problem:  # noqa: BLE001 - raised again where it is awaited
            result.set_exception(problem)

    threading.Thread(target=call, name="observe-sql", daemon=True).start()
    return await asyncio.wrap_future(result)


@dataclass(frozen=True, slots=True)
class _AllRows:
    """Returns all new rows of a database, whatever the token is."""

    database: SqlObserver

    async def observe(self, token: str) -> EffectSnapshot:  # noqa: ARG002 - an observer's signature
        return await self.database.look("")


def _rule_clause(table: sa.Table, rule: OpenRule) -> Any:  # noqa: ANN401 - a clause of SQLAlchemy
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    if rule.condition:
        return sa.text(f"({rule.condition})")
    if not rule.column:
        return sa.true()
    column = table.columns[rule.column]
    return column.is_(None) if rule.value is None else column == rule.value


def _is_text(column: sa.Column[Any]) -> bool:
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    return isinstance(column.type, sa.String | sa.JSON) or "JSON" in type(column.type).__name__.upper()


def _contains(column: sa.Column[Any], token: str) -> Any:  # noqa: ANN401 - a clause of SQLAlchemy
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    pattern = token.replace(_ESCAPE, _ESCAPE * 2).replace("%", rf"{_ESCAPE}%").replace("_", rf"{_ESCAPE}_")
    text = column if isinstance(column.type, sa.String) else sa.cast(column, sa.Text)
    return text.like(f"%{pattern}%", escape=_ESCAPE)


def _effect(row: Row) -> Effect:
    text = json.dumps(dict(row.values), ensure_ascii=False, default=str)
    return Effect(text[:_MAX_TEXT], row.table)


def _create_engine(url: str) -> sa.Engine:
    """Return an engine whose sessions cannot write.

    Raises:
        UsageError: SQLAlchemy or the driver is not installed, the URL is invalid, or sessions of the database cannot be
            opened so that they cannot write.
    """
    try:
        import sqlalchemy as sa  # noqa: PLC0415 - an extra
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError("--observe-sql needs SQLAlchemy: install tcop-mock[sql]") from None
    try:
        parsed = _synchronous(sa.make_url(url))
        dialect = parsed.get_dialect()
        if dialect.name not in _READ_ONLY:
            raise UsageError(
                f"--observe-sql: a session of {dialect.name} cannot be opened read-only; use sqlite, postgresql, mysql "
                "or mariadb, or --observe-cmd with a command that reads the database"
            )
        engine = sa.create_engine(parsed, pool_pre_ping=True, connect_args=_limits(parsed))
    except ImportError as problem:
        raise UsageError(f"--observe-sql: the driver of the database is not installed: {problem}") from None
    except (SQLAlchemyError, ValueError):  # the message may quote the URL, and with it the password
        raise UsageError(
            "--observe-sql: not a database URL; write for example sqlite:///incidents.db or "
            "postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        ) from None

    def forbid_writes(connection: Any, _record: object) -> None:  # noqa: ANN401 - of any driver
        cursor = connection.cursor()
        for statement in _READ_ONLY[dialect.name]:
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    sa.event.listen(engine, "connect", forbid_writes)
    return engine


def _limits(url: sa.URL) -> dict[str, int]:
    """Return the arguments that bound how long a driver waits, but for those that the URL has."""
    names = _LIMITS.get(url.get_dialect().driver, ())
    return {name: int(_DEADLINE_S) for name in names if name not in url.query}


_ASYNC_DRIVERS = {
    "sqlite+aiosqlite": "sqlite",
    "postgresql+asyncpg": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql+aiomysql": "mysql+pymysql",
    "mysql+asyncmy": "mysql+pymysql",
    "mysql": "mysql+pymysql",
}
"""Drivers that we use in place of those that need an event loop, or of old defaults."""


def _synchronous(url: sa.URL) -> sa.URL:
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    url = url.set(drivername=_ASYNC_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() != "sqlite":
        return url
    path = (url.database or "").removeprefix("file:")
    if path in ("", ":memory:"):
        raise UsageError("--observe-sql: a database in the memory of another process cannot be seen; name a file")
    if path != url.database:  # a URI of the user's own, with its escapes; the rest must not end it before our mode
        return url.set(database=f"file:{quote(path, safe='/:%')}").update_query_dict({"mode": "ro", "uri": "true"})
    return sa.URL.create("sqlite", database=f"file:{quote(path)}", query={"mode": "ro", "uri": "true"})


def _bound_time(link: sa.Connection, seconds: float) -> None:
    """Bound statements of SQLite, which has no setting for that."""
    connection: Any = link.connection.driver_connection
    if hasattr(connection, "set_progress_handler"):
        until_s = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > until_s, _SQLITE_STEPS)


def split_tables(text: str | None) -> tuple[str, ...]:
    """Return the tables of ``--observe-all``, which are separated by commas."""
    names: Iterable[str] = (text or "").split(",")
    return tuple(filter(None, (name.strip() for name in names)))
