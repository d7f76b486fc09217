"""The application over each store, with a clock and seconds that tests hold in their hands."""

from contextlib import ExitStack

import pytest

from counterfoil.storage.memory import MemoryStore
from counterfoil.web.app import create_app
from counterfoil.web.state import Services, Settings
from tests.support import OPERATOR, FakeClock, seeded
from tests.web.api import Api, key_of
from tests.web.calling import Web

PUBLIC_URL = "https://ledger.example.com"


@pytest.fixture
def steady():
    """Seconds that pass where a test says so."""
    return FakeClock(0, 0)


@pytest.fixture
def settings():
    return Settings(public_url=PUBLIC_URL)


@pytest.fixture
def make_app(clock, steady, settings):
    """Stand a server over a store."""
    with ExitStack() as stack:

        def make(store):
            services = Services(store, OPERATOR, settings, now=clock, steady=steady, randomness=seeded())
            stack.callback(services.close)
            return create_app(services)

        yield make


@pytest.fixture
def make_api():
    """Make a client of a server: of which tenant, and what its key opens."""
    randomness = seeded("keys")
    with ExitStack() as stack:

        def make(app, tenant="default", scopes=("read", "write")):
            key = key_of(app.services.store, tenant, scopes, randomness=randomness)
            api = Api(app, key)
            stack.callback(api.close)
            return api

        yield make


@pytest.fixture
def app(make_app, store):
    return make_app(store)


@pytest.fixture
def api(make_api, app):
    """The API over each of the three stores, for a key of the default tenant that opens everything."""
    return make_api(app)


@pytest.fixture
def theirs(make_api, app):
    """The same server, for the key of another tenant."""
    return make_api(app, "theirs")


@pytest.fixture
def sqlite_api(make_api, make_app, sqlite_store):
    """The API over a store of which a test may change the bytes."""
    return make_api(make_app(sqlite_store))


@pytest.fixture
def serve(clock, steady):
    """Start a server over a store, with the settings that a test names."""
    with ExitStack() as stack:

        def begin(store, **named):
            services = Services(
                store, OPERATOR, Settings(**named), now=lambda: clock.now, steady=steady, randomness=seeded()
            )
            web = Web(services)
            stack.callback(web.close)
            return web

        yield begin


@pytest.fixture
def web(store, serve):
    """A server over each of the three stores."""
    return serve(store)


@pytest.fixture
def quick(serve, clock):
    """A server over a store in memory, for what has nothing to do with stores."""
    return serve(MemoryStore(clock))
