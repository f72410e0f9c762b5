"""Rows of a database as effects: SQLite always, PostgreSQL where the machine has a server."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from tcop_mock.contract import sql_observer
from tcop_mock.contract.observation import LearnsOpen, ObservationConfig
from tcop_mock.contract.sql_observer import OpenRule, Row, SqlObserver, detect_open, split_tables
from tcop_mock.errors import ObserverError, UsageError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    import sqlalchemy as sa

    from tcop_mock.domain.effects import EffectSnapshot

_T = TypeVar("_T")
INCIDENTS = "CREATE TABLE incidents (id INTEGER PRIMARY KEY, what TEXT, status TEXT)"


_RUNNERS: list[asyncio.Runner] = []


@pytest.fixture(autouse=True)
def _runner() -> Iterator[None]:
    """Have one event loop for all looks of a test, as a check has."""
    with asyncio.Runner() as runner:
        _RUNNERS[:] = [runner]
        yield


@pytest.fixture(autouse=True)
def _disposal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a test's observers opened, as a check does: Python 3.13 warns of SQLite connections left open."""
    engines = []
    create_engine = sql_observer._create_engine

    def create(url: str) -> sa.Engine:
        engines.append(create_engine(url))
        return engines[-1]

    monkeypatch.setattr(sql_observer, "_create_engine", create)
    yield
    for engine in engines:
        engine.dispose()


def run(look_at: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of a coroutine."""
    return _RUNNERS[0].run(look_at)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Give a database in ``tmp_path / 'app.db'``."""
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")
        yield connection


def url_of(tmp_path: Path) -> str:
    """Return the URL of the database."""
    return f"sqlite:///{tmp_path / 'app.db'}"


def look(observer: SqlObserver, token: str = "ins-1") -> EffectSnapshot:  # noqa: S107 - an object
    """Return what an observer shows now."""
    return run(observer.observe(token))


def test_new_rows_of_all_tables_are_effects(tmp_path: Path, database: sqlite3.Connection) -> None:
    """Text and JSON columns; rows that were there before, and tables without text, are left out."""
    database.execute(INCIDENTS)
    database.execute("CREATE TABLE notices (body JSON, n INTEGER)")
    database.execute("CREATE TABLE counters (n INTEGER)")
    database.execute("INSERT INTO incidents (what, status) VALUES ('ins-1 of another run', 'open')")
    observer = SqlObserver(url_of(tmp_path))
    assert look(observer).effects == ()
    database.execute("INSERT INTO incidents (what, status) VALUES ('名 ins-1', 'open')")
    database.execute("""INSERT INTO notices VALUES ('{"name": "ins-1"}', 1)""")
    effects = look(observer).effects
    assert [effect.location for effect in effects] == ["incidents", "notices"]
    assert effects[0].text == '{"id": 2, "what": "名 ins-1", "status": "open"}'
    assert look(observer).open_incidents is None


def test_a_large_table_without_whole_number_keys_is_searched_for_the_token(
    tmp_path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is a bound parameter, and signs of LIKE and quotes in it are literal."""
    monkeypatch.setattr(sql_observer, "_MAX_FIRST_ROWS", 2)
    database.execute("CREATE TABLE incidents (uid TEXT PRIMARY KEY, what TEXT, doc JSON)")
    database.executemany("INSERT INTO incidents VALUES (?, 'old', '{}')", [(str(number),) for number in range(3)])
    observer = SqlObserver(url_of(tmp_path))
    run(observer.rows("x"))
    assert not observer.shows_all
    strange = "100%_o'x\\"
    for number, text in enumerate(["100%_o'x\\", "100 xo'x\\"]):
        database.execute("INSERT INTO incidents VALUES (?, ?, '{}')", (f"new {number}", text))
    database.execute("""INSERT INTO incidents VALUES ('j', '', '["ins-1"]')""")
    assert len(look(observer, strange).effects) == 1
    assert len(look(observer, "ins-1").effects) == 1


def test_what_is_open_is_found_out(tmp_path: Path, database: sqlite3.Connection) -> None:
    """Then only rows of that table are effects, because another may keep each request that came."""
    database.execute(INCIDENTS)
    database.execute("CREATE TABLE requests (id INTEGER PRIMARY KEY, body TEXT)")
    observer = SqlObserver(url_of(tmp_path))
    assert isinstance(observer, LearnsOpen)
    assert observer.has_to_learn
    run(observer.rows("ins-1"))
    database.execute("INSERT INTO incidents (what, status) VALUES ('ins-1', 'open')")
    database.execute("INSERT INTO requests (body) VALUES ('ins-1')")
    fired = run(observer.rows("ins-1"))
    database.execute("UPDATE incidents SET status = 'closed'")
    observer.learn(fired, run(observer.rows("ins-1")))
    assert (str(observer.open_rule), observer.was_detected) == ("incidents: status = 'open'", True)
    snapshot = look(observer)
    assert (snapshot.count, snapshot.open_count, len(snapshot.effects)) == (1, 0, 1)
    database.execute("INSERT INTO incidents (what, status) VALUES ('ins-1', 'open')")
    assert look(observer).open_count == 1


@pytest.mark.parametrize("condition, table, count", [("status = 'open'", "incidents", 1), ("1 = 1", "incidents", 2)])
def test_what_is_open_may_be_reported(
    condition: str, table: str, count: int, tmp_path: Path, database: sqlite3.Connection
) -> None:
    """A condition in SQL selects the open rows."""
    database.execute(INCIDENTS)
    rule = OpenRule.parse(f" {table} : {condition} ")
    observer = SqlObserver(url_of(tmp_path), ("incidents",), rule)
    assert (observer.has_to_learn, str(rule)) == (False, f"incidents: {condition}")
    look(observer)
    for status in ("open", "closed"):
        database.execute("INSERT INTO incidents (what, status) VALUES ('ins-1', ?)", (status,))
    assert look(observer).open_count == count


def row(table: str, key: int, **values: Any) -> Row:
    """Return a row."""
    return Row(table, (key,), tuple(values.items()))


@pytest.mark.parametrize(
    "fired, resolved, rule",
    [
        ({"status": "open", "at": "12:00:01"}, {"status": "closed", "at": "12:00:02"}, "t: status = 'open'"),
        ({"is_open": True}, {"is_open": False}, "t: is_open = True"),
        ({"done": 0, "n": 1}, {"done": 1, "n": 2}, "t: done = 0"),
        ({"closed_at": None}, {"closed_at": "2026-01-01 00:00:00"}, "t: closed_at IS NULL"),
        ({"updated": None, "state": "it's on"}, {"updated": "x", "state": "off"}, "t: state = 'it''s on'"),
        ({"x": "a"}, {"x": "b"}, "t: x = 'a'"),
        ({"n": 5}, {"n": 6}, ""),
        ({"text": "long " * 20}, {"text": "longer " * 20}, ""),
        ({"at": "2026-01-01 12:00:00"}, {"at": "2026-01-01 12:00:01"}, ""),
        ({"doc": {"a": 1}}, {"doc": {"a": 2}}, ""),
        ({"x": "a"}, {}, ""),
        ({"status": "firing"}, {"status": "firing"}, "t: status = 'firing'"),
        ({"resolved_at": None}, {"resolved_at": None}, "t: resolved_at IS NULL"),
        ({"status": "stored", "note": None, "kind": "open"}, {"status": "stored", "note": None, "kind": "open"}, ""),
    ],
)
def test_a_column_that_changes_like_a_state_reports(fired: dict[str, Any], resolved: dict[str, Any], rule: str) -> None:
    """No counter, no time, no text; where nothing changes, a state by its name and its value."""
    found = detect_open([row("t", 1, **fired)], [row("t", 1, **resolved)])
    assert ("" if found is None else str(found)) == rule


def test_a_row_that_is_gone_was_open() -> None:
    """A deleted row was open; a changed state is preferred, and a new row alone shows no state."""
    assert str(detect_open([row("t", 1, x="a")], [])) == "t: 1 = 1"
    both = [row("t", 1, x="a"), row("s", 1, state="on")]
    assert str(detect_open(both, [row("s", 1, state="off")])) == "s: state = 'on'"
    event = row("t", 1, alarm_status="1", state="open")
    assert detect_open([event], [event, row("t", 2, alarm_status="0", state="open")]) is None


def test_rules_that_were_found_out_select(tmp_path: Path, database: sqlite3.Connection) -> None:
    """A column that is NULL while open, and rows that go."""
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, what TEXT, ended TEXT)")
    database.execute("INSERT INTO t (what) VALUES ('old')")
    observers = [SqlObserver(url_of(tmp_path), (), rule) for rule in (OpenRule("t", column="ended"), OpenRule("t"))]
    for observer in observers:
        look(observer)
    database.execute("INSERT INTO t (what) VALUES ('ins-1')")
    database.execute("INSERT INTO t (what, ended) VALUES ('ins-1', 'now')")
    assert [look(observer).open_count for observer in observers] == [1, 2]


def test_the_session_cannot_write(tmp_path: Path, database: sqlite3.Connection) -> None:
    """A condition of the user cannot write either."""
    database.execute(INCIDENTS)
    observer = SqlObserver(url_of(tmp_path))
    look(observer)
    with observer._engine.connect() as link, pytest.raises(Exception, match=r"readonly|read-only"):
        link.exec_driver_sql("INSERT INTO incidents (what) VALUES ('x')")


@pytest.mark.parametrize(
    "tables, rule, message",
    [
        ((), None, "no table has a text or JSON column, so no row can name an alarm"),
        (("incident",), None, "there is no table 'incident'; there are: numbers"),
        ((), OpenRule("incidents", "1"), "there is no table 'incidents'; there are: numbers"),
    ],
)
def test_a_database_without_what_is_needed_is_reported(
    tables: tuple[str, ...], rule: OpenRule | None, message: str, tmp_path: Path, database: sqlite3.Connection
) -> None:
    """A database without the needed tables or columns is an error of one line."""
    database.execute("CREATE TABLE numbers (n INTEGER)")
    with pytest.raises(ObserverError) as problem:
        look(SqlObserver(url_of(tmp_path), tables, rule))
    assert str(problem.value).endswith(message)


def test_a_database_without_tables_is_reported(tmp_path: Path, database: sqlite3.Connection) -> None:
    """None is none."""
    database.execute("CREATE TABLE gone (n TEXT)")
    database.execute("DROP TABLE gone")
    with pytest.raises(ObserverError, match="there is no table 'x'; there are: none"):
        look(SqlObserver(url_of(tmp_path), ("x",)))


def test_a_database_that_is_absent_or_no_database_is_reported(tmp_path: Path) -> None:
    """The error has the driver's reason, and no file is created."""
    with pytest.raises(ObserverError, match=r"app\.db.*: unable to open database file"):
        look(SqlObserver(url_of(tmp_path)))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "app.db").write_bytes(b"no database " * 100)
    with pytest.raises(ObserverError, match="file is not a database"):
        look(SqlObserver(url_of(tmp_path)))


def test_a_database_that_is_locked_is_reported(
    tmp_path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a bounded time."""
    monkeypatch.setitem(sql_observer._READ_ONLY, "sqlite", ("PRAGMA busy_timeout = 10",))
    database.execute(INCIDENTS)
    observer = SqlObserver(url_of(tmp_path))
    database.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ObserverError, match="database is locked"):
        look(observer)


def test_a_search_that_takes_too_long_is_ended(tmp_path: Path, database: sqlite3.Connection) -> None:
    """A search of ten million rows is ended, and the error says what to do."""
    database.execute("CREATE TABLE t (uid TEXT PRIMARY KEY, what TEXT)")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
    database.execute(f"INSERT INTO t {numbers} SELECT 'k' || i, 'x' || i FROM n")  # noqa: S608 - our own text
    observer = SqlObserver(url_of(tmp_path), deadline_s=0.0)
    with pytest.raises(ObserverError, match=r"a search took more than 0 s; name the tables with --observe-all TABLE,"):
        observer._connected(lambda link: list(observer._search(link, "ins-1")))


def test_a_database_that_hangs_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop goes on meanwhile."""
    observer = SqlObserver(url_of(tmp_path), deadline_s=0.01)
    monkeypatch.setattr(SqlObserver, "_connected", lambda *_: time.sleep(0.1))
    with pytest.raises(ObserverError, match=r"app\.db.*: no answer within 0\.02 s"):
        look(observer)


@pytest.mark.parametrize(
    "url, message",
    [
        ("not a url", "--observe-sql: not a database URL; write for example sqlite:///incidents.db"),
        ("nosuch://h/db", "--observe-sql: not a database URL"),
        (
            "mysql+pymysql://u:hunter2@127.0.0.1/x",
            "the driver of the database is not installed: No module named 'pymysql'",
        ),
        ("sqlite://", "--observe-sql: a database in the memory of another process cannot be seen; name a file"),
        ("sqlite:///:memory:", "--observe-sql: a database in the memory of another process"),
    ],
)
def test_a_url_that_cannot_be_used_is_reported(url: str, message: str) -> None:
    """Before anything is sent, and without its password."""
    with pytest.raises(UsageError) as problem:
        SqlObserver(url)
    assert message in str(problem.value)
    assert "hunter2" not in str(problem.value)


def test_sqlalchemy_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names it."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(UsageError, match=r"--observe-sql needs SQLAlchemy: install tcop-mock\[sql\]"):
        SqlObserver("sqlite:///x.db")


def test_a_password_is_never_shown() -> None:
    """Neither by the observer nor by an error of the driver."""
    observer = SqlObserver("postgresql+asyncpg://me:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in repr(observer) + str(observer)
    assert observer._engine.dialect.driver == "psycopg"
    assert observer._reason(ValueError("bad  hunter2\nthere")) == "bad *** there"
    failed = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: FATAL:  no pg_hba.conf entry'
    assert observer._reason(ValueError(failed)) == "no pg_hba.conf entry"
    with pytest.raises(
        ObserverError, match=r"--observe-sql postgresql\+asyncpg://me:\*\*\*@127\.0\.0\.1:1/x: .*refused"
    ):
        look(observer)


@pytest.mark.parametrize("text", ["incidents", ": x", "t:", ""])
def test_a_rule_of_another_form_is_reported(text: str) -> None:
    """The error has an example."""
    with pytest.raises(UsageError, match=r"write TABLE: CONDITION, as in \"incidents: status = 'open'\""):
        OpenRule.parse(text)


def test_a_file_url_is_left_as_it_is(tmp_path: Path, database: sqlite3.Connection) -> None:
    """The user who writes such a URL knows its settings."""
    database.execute(INCIDENTS)
    assert look(SqlObserver(f"sqlite:///file:{tmp_path / 'app.db'}?mode=ro&uri=true")).effects == ()


def test_tables_are_separated_by_commas() -> None:
    """Blanks do not matter."""
    assert (split_tables(None), split_tables(" a, b ,")) == ((), ("a", "b"))


def _wait_until_ready(url: str) -> None:
    """Wait until the server accepts a connection; its socket is there before that."""
    import psycopg  # noqa: PLC0415 - only where there is a server

    until_s = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.02)
        else:
            return


def _find_programs() -> list[Path]:
    """Return initdb and postgres: of PATH, or of the newest version where Debian and Red Hat put them."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    places.sort(key=lambda place: [int(digits) for digits in re.findall(r"\d+", str(place))], reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, places)])
    found = [shutil.which(name, path=path) for name in ("initdb", "postgres")]
    if None in found:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    return [Path(program).resolve() for program in found if program]  # of one folder, also where PATH has links


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Give the URL of a PostgreSQL server that runs for these tests, in a folder of theirs."""
    initdb, server_program = _find_programs()
    user = "postgres" if os.geteuid() == 0 else None
    folder = tempfile.TemporaryDirectory(prefix="tcop-mock-pg-")  # folders of pytest are closed to other users
    data = Path(folder.name)
    if user:
        shutil.chown(data, user)
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "user": user, "cwd": "/"}
    subprocess.run([str(initdb), "-D", data, "-U", "me", "-A", "trust", "-N"], check=True, **quiet)  # noqa: S603 - theirs
    command = [str(server_program), "-D", str(data), "-k", str(data), "-F", "-c", "listen_addresses="]
    with subprocess.Popen(command, **quiet) as server:  # noqa: S603 - theirs
        url = f"postgresql://me:hunter2@/postgres?host={data}"
        try:
            _wait_until_ready(url)
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
            folder.cleanup()


@pytest.mark.proof
def test_postgresql(postgres: str) -> None:
    """JSONB and text are searched, what is open is found out, nothing can be written, and a statement is bounded."""
    import psycopg  # noqa: PLC0415 - only where there is a server
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - an extra

    with psycopg.connect(postgres.replace("postgresql://", "postgres://"), autocommit=True) as link:
        link.execute(
            "CREATE TABLE incidents (uid UUID DEFAULT gen_random_uuid() PRIMARY KEY, doc JSONB, ended TIMESTAMPTZ)"
        )
        observer = SqlObserver(postgres)
        assert look(observer).effects == ()
        link.execute("""INSERT INTO incidents (doc) VALUES ('{"name": "ins-1"}')""")
        fired = run(observer.rows("ins-1"))
        link.execute("UPDATE incidents SET ended = now()")
        observer.learn(fired, run(observer.rows("ins-1")))
        assert str(observer.open_rule) == "incidents: ended IS NULL"
        assert (look(observer).count, look(observer).open_count) == (1, 0)
        with observer._engine.connect() as session, pytest.raises(SQLAlchemyError, match="read-only transaction"):
            session.exec_driver_sql("INSERT INTO incidents (doc) VALUES ('1')")
        observer._engine.dispose()


def test_rules_are_written_as_the_flag_takes_them(tmp_path: Path, database: sqlite3.Connection) -> None:
    """Texts, numbers, NULL, and rows that go."""
    rules = [OpenRule("t", column="a", value=value) for value in ("it's", 0, None)]
    assert list(map(str, rules)) == ["t: a = 'it''s'", "t: a = 0", "t: a IS NULL"]
    assert str(OpenRule("t")) == "t: 1 = 1"
    assert str(OpenRule.parse("t:a=1")) == "t: a=1"
    assert detect_open([row("t", 1, a=None, b=1)], [row("t", 1, a=None, b=1)]) is None
    assert str(detect_open([row("t", 1, state="open")], [row("t", 1, state="open")])) == "t: state = 'open'"
    changes: list[tuple[dict[str, Any], dict[str, Any]]]
    changes = [({"a": 1.5}, {"a": 2.5}), ({"a": 7}, {"a": 8}), ({"a": True}, {"a": None}), ({"a": None}, {"a": 1})]
    found = [detect_open([row("t", 1, **fired)], [row("t", 1, **resolved)]) for fired, resolved in changes]
    assert [str(rule) for rule in found] == ["None", "None", "t: a = True", "t: a IS NULL"]
    database.execute(INCIDENTS)
    observer = SqlObserver(url_of(tmp_path), (), OpenRule.parse("incidents: status = 'open'"))
    assert look(observer).open_incidents == ()


def test_urls_that_cannot_be_used() -> None:
    """Before anything is sent."""
    for url in ("x", "nosuch://h/db", "sqlite://", "mysql+pymysql://u@127.0.0.1/x"):
        with pytest.raises(UsageError, match="--observe-sql: "):
            SqlObserver(url)
    for text in ("incidents", ""):
        with pytest.raises(UsageError, match="write TABLE: CONDITION"):
            OpenRule.parse(text)


def test_other_databases_bound_their_statements_themselves() -> None:
    """Their connections have no handler of progress."""
    link = SimpleNamespace(connection=SimpleNamespace(driver_connection=object()))
    sql_observer._bound_time(cast("Any", link), 1.0)


def test_one_whose_rows_go_has_no_column(tmp_path: Path, database: sqlite3.Connection) -> None:
    """All its rows are open."""
    database.execute(INCIDENTS)
    observer = SqlObserver(url_of(tmp_path), (), OpenRule("incidents"))
    look(observer)
    database.execute("INSERT INTO incidents (what) VALUES ('ins-1')")
    assert look(observer).open_count == 1


def test_a_server_that_never_answers_does_not_hold_the_process() -> None:
    """It accepts and is silent: the error comes in time, and no thread is left that the end would wait for."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql+psycopg://me:hunter2@127.0.0.1:{server.getsockname()[1]}/x"
        observer = SqlObserver(url, deadline_s=0.01)
        with pytest.raises(ObserverError, match=r"no answer within 0\.02 s"):
            look(observer)
        waiting = [thread for thread in threading.enumerate() if thread.name == "observe-sql"]
        assert len(waiting) == 1
        assert waiting[0].daemon
        server.accept()[0].close()
    waiting[0].join(5)


@pytest.mark.parametrize(
    "url, arguments",
    [
        ("postgresql://h/x", {"connect_timeout": 10}),
        ("postgresql://h/x?connect_timeout=3", {}),
        ("mysql://h/x", {"connect_timeout": 10, "read_timeout": 10}),
        ("mariadb+pymysql://h/x?read_timeout=3", {"connect_timeout": 10}),
        ("sqlite:///x.db", {}),
    ],
)
def test_drivers_wait_for_a_bounded_time(url: str, arguments: dict[str, int]) -> None:
    """Unless the URL says for how long."""
    from sqlalchemy import make_url  # noqa: PLC0415 - an extra

    assert sql_observer._limits(make_url(url)) == arguments


def test_its_connections_are_closed_after_the_run(tmp_path: Path, database: sqlite3.Connection) -> None:
    """A database that is to be dropped, or a folder that is to be removed, is not held."""
    database.execute(INCIDENTS)
    observer = SqlObserver(url_of(tmp_path))

    async def scene() -> None:
        async with ObservationConfig(observer).listening():
            await observer.observe("ins-1")
            assert "Connections in pool: 1" in observer._engine.pool.status()

    run(scene())
    assert "Connections in pool: 0" in observer._engine.pool.status()


@pytest.mark.parametrize(
    "path", ["a#b.db", "a%23b.db", "a%3Fb.db", "a?b.db", "file:a#b.db?uri=true", "file:a%3Fb.db", "file:a.db?mode=rwc"]
)
def test_no_file_is_made(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing SQLite file is an error and is not created, also if its name looks like a URI."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ObserverError, match="unable to open database file"):
        look(SqlObserver(f"sqlite:///{path}"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b.db", "a#b.db", "a?b.db", "名.db", "a:b+c&d=e.db"])
@pytest.mark.parametrize("prefix", ["", "file:"])
def test_a_file_of_any_name_is_read(prefix: str, name: str, tmp_path: Path) -> None:
    """The path of a URL of SQLAlchemy is percent-encoded."""
    from sqlalchemy import URL  # noqa: PLC0415 - an extra

    with closing(sqlite3.connect(tmp_path / name)) as connection:
        connection.execute(INCIDENTS)
    url = URL.create("sqlite", database=f"{prefix}{tmp_path / name}").render_as_string()
    assert look(SqlObserver(url)).effects == ()
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("url", ["mssql+pyodbc://u:hunter2@h/x"])
def test_a_database_that_cannot_be_read_only_is_refused(url: str) -> None:
    """The error lists the databases that can be read-only, and hides the password."""
    with pytest.raises(
        UsageError, match="cannot be opened read-only; use sqlite, postgresql, mysql or maria"
    ) as raised:
        SqlObserver(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("database", ["file:", "file::memory:"])
def test_a_uri_of_a_database_in_memory_is_reported(database: str) -> None:
    """A URI of a database in memory is an error, as its plain form is."""
    with pytest.raises(UsageError, match="in the memory of another process"):
        SqlObserver(f"sqlite:///{database}?uri=true")
