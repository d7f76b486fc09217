"""The three stores, with a clock and a randomness that tests hold in their hands."""

import os
import shutil

import hypothesis
import psycopg
import pytest

from counterfoil.engine.engine import Engine
from counterfoil.storage import open_store
from counterfoil.storage.memory import MemoryStore
from counterfoil.storage.sql.postgres import PostgresDatabase
from counterfoil.storage.sql.schema import METADATA
from counterfoil.storage.sql.store import SqlStore
from tests.postgres import Cluster, find_programs, quick_folder
from tests.support import OPERATOR, FakeClock, empty_store_file, seeded

# What a developer's shell tells PostgreSQL's clients (a port, a time zone, options) is not for these servers.
for _name in [name for name in os.environ if name.startswith("PG")]:
    del os.environ[_name]

# On a developer's machine each run tries other examples; where a change is judged, the same ones each time.
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.register_profile("judge", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.load_profile("judge" if "CI" in os.environ else "explore")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="as many rounds as before a release, for hours")


@pytest.fixture
def long(request):
    """Whether a suite that goes on for as long as one lets it is to go on for long."""
    return request.config.getoption("--long")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def sqlite_path(tmp_path):
    return shutil.copy(empty_store_file(), tmp_path / "store.db")


@pytest.fixture
def sqlite_store(sqlite_path, clock):
    store = open_store(f"sqlite:///{sqlite_path}", clock=clock)
    yield store
    store.close()


@pytest.fixture(scope="session")
def postgres():
    """The server of this process, started when a test first asks for it.  Whoever wants to kill one makes a Cluster."""
    with Cluster(find_programs(), data_in=quick_folder()) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture
def postgres_url(postgres):
    """A database with nothing in it, for one test."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres):
    """A store with its tables and nothing in them; to copy it is faster than to migrate."""
    postgres.create_database("template_store")
    # Closed before it is copied: PostgreSQL copies no database that somebody is connected to.
    open_store(postgres.url("template_store"), clock=FakeClock(), create=True).close()
    return "template_store"


@pytest.fixture
def postgres_store_url(postgres, postgres_template):
    """A migrated store in a database of its own."""
    with postgres.database(template=postgres_template) as url:
        yield url


class ByOurClock(PostgresDatabase):
    """PostgreSQL with the clock that a test holds, in place of its own."""

    def now(self, cursor, clock):
        del cursor
        return clock()


@pytest.fixture(scope="session")
def shared_postgres(postgres, postgres_template):
    """A database that tests use one after another: to empty tables is faster than to make them."""
    with (
        postgres.database(template=postgres_template) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        yield url, lambda: connection.execute(f"TRUNCATE {', '.join(METADATA.tables)}")


@pytest.fixture
def postgres_store(shared_postgres, clock):
    url, empty = shared_postgres
    empty()
    store = SqlStore.open(ByOurClock(url), clock=clock, create=False)
    yield store
    store.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request, clock):
    """Every claim of the engine is made on all three stores."""
    if request.param == "memory":
        return MemoryStore(clock)
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
def engine(store):
    return Engine(store, OPERATOR, randomness=seeded())


@pytest.fixture
def sqlite_engine(sqlite_store):
    return Engine(sqlite_store, OPERATOR, randomness=seeded())
