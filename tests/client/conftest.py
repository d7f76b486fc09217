import pytest

from tests.client.server import Server, Time, connect


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def client(server, time):
    with connect(server, time) as client:
        yield client
