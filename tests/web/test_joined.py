"""What is written in one turn of the event loop goes out in one piece, and nothing is lost or kept."""

import asyncio

import pytest

from counterfoil.web.joined import Joined


class Heard:
    """A transport that remembers what it was told."""

    def __init__(self):
        self.told = []
        self.closing = False

    def write(self, data):
        self.told.append(data)

    def close(self):
        self.closing = True
        self.told.append("close")

    def is_closing(self):
        return self.closing

    def get_extra_info(self, name):
        return f"the {name}"


@pytest.fixture
def joined():
    """Do something with a joined transport in a loop; return what its transport was told."""

    def run(work):
        async def begin():
            heard = Heard()
            await work(Joined(heard, asyncio.get_running_loop()), heard)
            await asyncio.sleep(0)
            return heard.told

        return asyncio.run(begin())

    return run


def test_what_is_written_in_one_turn_goes_out_in_one_piece(joined):
    async def work(transport, _heard):
        transport.write(b"head")
        transport.write(b"body")
        await asyncio.sleep(0)
        transport.write(b"next")

    assert joined(work) == [b"headbody", b"next"]


def test_it_goes_out_before_the_connection_is_closed(joined):
    async def work(transport, _heard):
        transport.write(b"all")
        transport.close()

    assert joined(work) == [b"all", "close"]


def test_what_is_large_goes_out_at_once(joined):
    async def work(transport, heard):
        transport.write(b"a" * 65_536)
        assert heard.told == []
        transport.write(b"b")
        assert heard.told == [b"a" * 65_536 + b"b"]
        transport.write(b"c")

    assert joined(work)[1:] == [b"c"]


def test_nothing_is_written_to_a_connection_that_is_ending(joined):
    async def work(transport, heard):
        transport.write(b"too late")
        heard.closing = True

    assert joined(work) == []


def test_all_else_is_the_transports_own(joined):
    async def work(transport, _heard):
        assert transport.get_extra_info("peername") == "the peername"
        assert not transport.is_closing()

    assert joined(work) == []
