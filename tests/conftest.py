"""The two stores, with a clock and a randomness that tests hold in their hands."""

import os
import shutil

import hypothesis
import pytest

from counterfoil.engine.engine import Engine
from counterfoil.storage import open_store
from counterfoil.storage.memory import MemoryStore
from tests.support import OPERATOR, FakeClock, empty_store_file, seeded

# On a developer's machine each run tries other examples; where a change is judged, the same ones each time.
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.register_profile("judge", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.load_profile("judge" if "CI" in os.environ else "explore")


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


@pytest.fixture(params=["memory", "sqlite"])
def store(request, clock):
    """Every claim of the engine is made on both stores."""
    if request.param == "memory":
        return MemoryStore(clock)
    return request.getfixturevalue("sqlite_store")


@pytest.fixture
def engine(store):
    return Engine(store, OPERATOR, randomness=seeded())


@pytest.fixture
def sqlite_engine(sqlite_store):
    return Engine(sqlite_store, OPERATOR, randomness=seeded())
