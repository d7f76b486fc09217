"""A pack comes as lines, however it is cut into chunks, packed or not; a bomb costs little."""

import gzip
import tracemalloc

import pytest

from counterfoil.core.pack.stream import split_lines
from tests.core.common import code_of
from tests.support import refused

TEXT = b"".join(b"line %d \xc3\xa9\n" % number for number in range(1_000))
LINES = TEXT.split(b"\n")[:-1]
PACKED = gzip.compress(TEXT, mtime=0)
MAX = 262_144


def chunks(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


def lines_of(data, size=65_536):
    return list(split_lines(chunks(data, size)))


class TestLines:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 4_096, 10**6])
    @pytest.mark.parametrize("data", [TEXT, PACKED], ids=["plain", "gzip"])
    def test_they_are_the_same_in_chunks_of_any_size(self, data, size):
        assert lines_of(data, size) == LINES

    def test_the_last_one_need_not_end(self):
        assert lines_of(TEXT[:-1]) == LINES
        assert lines_of(gzip.compress(TEXT[:-1])) == LINES

    def test_nothing_has_none_and_an_empty_one_is_one(self):
        assert lines_of(b"") == lines_of(gzip.compress(b"")) == []
        assert lines_of(b"\n") == [b""]
        assert lines_of(b"a\n\nb") == [b"a", b"", b"b"]

    def test_gzip_of_several_members_is_read_through(self):
        several = gzip.compress(TEXT[:5_000]) + gzip.compress(b"") + gzip.compress(TEXT[5_000:])
        for size in (1, 100, 10**6):
            assert lines_of(several, size) == LINES

    @pytest.mark.parametrize("long", [b"x" * 10**6, b"".join(LINES) * 40], ids=["same", "other"])
    def test_of_a_line_that_is_too_long_the_beginning_comes_and_nothing_behind_it(self, long):
        data = b"a\n" + long + b"\nb\n"
        for written in (data, gzip.compress(data)):
            first, second = lines_of(written)
            assert first == b"a"
            assert long.startswith(second)
            assert len(second) > MAX

    def test_no_more_is_asked_for_than_is_needed(self):
        asked = []

        def endless():
            while True:
                asked.append(1)
                yield b"x" * 65_536

        [line] = split_lines(endless())
        assert len(line) > MAX
        assert len(asked) == 5


class TestDamage:
    @pytest.mark.parametrize("size", [1, 1_000, 10**6])
    def test_gzip_that_was_cut_is_malformed(self, size):
        for end in (2, 10, len(PACKED) // 2, len(PACKED) - 1):
            with refused("malformed"):
                lines_of(PACKED[:end], size)

    def test_gzip_that_was_damaged_is_malformed(self):
        codes = set()
        for place in range(2, len(PACKED), 7):
            damaged = PACKED[:place] + bytes([PACKED[place] ^ 0x10]) + PACKED[place + 1 :]
            codes.add(code_of(lines_of, damaged))
        # Bytes of the header say when and by whom; all others count.
        assert codes == {"malformed", "ok"}
        body = [code_of(lines_of, PACKED[:place] + b"\x55" + PACKED[place + 1 :]) for place in range(20, 400)]
        assert set(body) - {"ok"} == {"malformed"}
        assert body.count("ok") <= 5

    def test_what_stands_behind_a_member_and_is_none_is_malformed(self):
        for rest in (b"x", b"\n", b"\x00" * 20, TEXT):
            with refused("malformed"):
                lines_of(PACKED + rest)


class TestBombs:
    def test_one_long_line_ends_at_once(self):
        bomb = gzip.compress(b"x" * 10**8)
        tracemalloc.start()
        [line] = lines_of(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert MAX < len(line) < 2 * MAX + 1
        assert peak < 4 * 10**6

    @pytest.mark.parametrize("line", [b"\n", b'{"entry":1}\n'])
    def test_many_short_lines_are_refused_before_they_take_long(self, line):
        bomb = gzip.compress(line * (10**8 // len(line)))
        seen = 0
        with refused("too-large"):
            for found in split_lines(chunks(bomb, 65_536)):
                seen += len(found) + 1
        assert 16_000_000 < seen < 40_000_000
