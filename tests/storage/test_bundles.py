"""Bundles: what goes in comes out, byte for byte; other bytes are no bundle, and never cost more than one."""

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import bundle_oracle

from counterfoil.engine.store import StoredEntry
from counterfoil.limits import DETAILS_BYTES_MAX, ENTRY_BYTES_MAX, INTEGER_MAX, SALT_BYTES
from counterfoil.storage.sql.bundles import BUNDLE_ENTRIES_MAX, Bundle, pack, unpack

LOG = bytes(range(20))
FULL = BUNDLE_ENTRIES_MAX

details = st.none() | st.tuples(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
contents = st.lists(st.tuples(st.binary(min_size=1, max_size=300), details), min_size=1, max_size=40)


def rows_of(contents, first=0):
    return [
        StoredEntry(LOG, index, entry, *(opened or (None, None)))
        for index, (entry, opened) in enumerate(contents, first)
    ]


def some_rows(count, first=0):
    return rows_of(
        [
            (b"entry %d" % n, (bytes([n % 256]) * 32, b'{"n":%d}' % n) if n % 3 else None)
            for n in range(count)
        ],
        first,
    )


def bundle_of(rows):
    (bundle,) = pack(rows)
    return bundle


def refused(bundle):
    with pytest.raises(ValueError, match="a bundle"):
        unpack(bundle)


class TestRoundTrip:
    @given(contents, st.integers(0, INTEGER_MAX - FULL))
    def test_what_goes_in_comes_out(self, contents, first):
        rows = rows_of(contents, first)
        bundle = bundle_of(rows)
        assert (bundle.log, bundle.first, bundle.last) == (LOG, first, first + len(rows) - 1)
        assert unpack(bundle) == rows

    @pytest.mark.parametrize("count", [1, 255, 256, 257, 511, 512, 513, 1000])
    def test_a_row_holds_up_to_256_entries(self, count):
        rows = some_rows(count, first=77)
        bundles = list(pack(rows))
        assert [bundle.last - bundle.first + 1 for bundle in bundles] == [
            min(FULL, count - start) for start in range(0, count, FULL)
        ]
        assert [row for bundle in bundles for row in unpack(bundle)] == rows

    def test_of_nothing_there_is_no_bundle(self):
        assert list(pack([])) == []

    @pytest.mark.parametrize("random_bytes", [random.Random(0).randbytes, bytes])  # noqa: S311  -- the same each time
    def test_the_largest_entries_and_details_fit(self, random_bytes):
        rows = rows_of(
            [
                (random_bytes(ENTRY_BYTES_MAX), (random_bytes(SALT_BYTES), random_bytes(DETAILS_BYTES_MAX)))
                for _ in range(FULL)
            ]
        )
        assert unpack(bundle_of(rows)) == rows

    def test_empty_details_are_not_none(self):
        rows = rows_of([(b"a", (bytes(32), b"")), (b"b", None)])
        assert [row.value for row in unpack(bundle_of(rows))] == [b"", None]


class TestLayout:
    """Held against a reader of its own, which follows the description."""

    def test_an_example_byte_by_byte(self):
        bundle = bundle_of(rows_of([(b"abc", None), (b"d" * 258, (b"s" * 32, b"{}"))], 5))
        assert zlib.decompress(bundle.entries) == b"\x00\x03abc" + b"\x01\x02" + b"d" * 258
        assert zlib.decompress(bundle.details) == b"\x00\x00" + b"\x00\x22" + b"s" * 32 + b"{}"

    @given(contents)
    def test_another_reader_reads_the_same(self, contents):
        rows = rows_of(contents, 3)
        bundle = bundle_of(rows)
        assert bundle_oracle.rows_of(3, bundle.entries, bundle.details) == [row[1:] for row in rows]

    @given(contents, st.integers(-1, 9))
    def test_what_another_writer_compressed_as_it_likes_is_read(self, contents, level):
        rows = rows_of(contents)
        beside = [b"" if row.salt is None else row.salt + row.value for row in rows]
        entries = bundle_oracle.join([row.entry for row in rows], level)
        assert unpack(Bundle(LOG, len(rows) - 1, 0, entries, bundle_oracle.join(beside, level))) == rows

    def test_the_same_entries_give_the_same_bytes(self):
        assert bundle_of(some_rows(99)) == bundle_of(some_rows(99))


class TestErasure:
    def test_details_go_one_by_one_and_all_else_stays(self):
        rows = some_rows(60)
        bundle = bundle_of(rows)
        places = [place for place, row in enumerate(rows) if row.value is not None]
        random.Random(0).shuffle(places)  # noqa: S311  -- the same order each time
        assert len(places) == 40
        for place in places:
            bundle = bundle._replace(details=bundle_oracle.emptied(bundle.details, place))
            rows[place] = rows[place]._replace(salt=None, value=None)
            assert unpack(bundle) == rows
        assert bundle.entries == bundle_of(some_rows(60)).entries
        # Nothing of what was erased is left in the packed bytes.
        assert zlib.decompress(bundle.details) == bytes(2 * 60)


class TestHostile:
    def test_every_beginning_of_a_bundle_is_none(self):
        bundle = bundle_of(some_rows(9))
        for column in ("entries", "details"):
            packed = getattr(bundle, column)
            for end in range(len(packed)):
                refused(bundle._replace(**{column: packed[:end]}))

    @pytest.mark.parametrize("more", [b"\x00", b"x", zlib.compress(b""), zlib.compress(b"\x00\x01x")])
    def test_nothing_stands_behind_it(self, more):
        bundle = bundle_of(some_rows(9))
        refused(bundle._replace(entries=bundle.entries + more))
        refused(bundle._replace(details=bundle.details + more))

    def test_every_other_bit_is_refused_or_says_the_same(self):
        rows = some_rows(9)
        bundle = bundle_of(rows)
        found = {"refused": 0, "the same": 0}
        for column in ("entries", "details"):
            packed = getattr(bundle, column)
            for bit in range(8 * len(packed)):
                changed = bytearray(packed)
                changed[bit // 8] ^= 1 << bit % 8
                try:
                    assert unpack(bundle._replace(**{column: bytes(changed)})) == rows
                    found["the same"] += 1
                except ValueError:
                    found["refused"] += 1
        # What is left over of the last byte of the compressed data says nothing.
        assert found["the same"] <= 2 * 7
        assert found["refused"] > 500

    @pytest.mark.parametrize(
        ("first", "last"), [(1, 9), (0, 8), (0, 10), (5, 20), (9, 0), (0, -1), (0, 2**62)]
    )
    def test_a_row_that_says_another_number_is_refused(self, first, last):
        bundle = bundle_of(some_rows(10))
        refused(bundle._replace(first=first, last=last))

    def test_entries_and_details_of_other_bundles_are_refused(self):
        one, two = bundle_of(some_rows(10)), bundle_of(some_rows(11))
        refused(one._replace(entries=two.entries))
        refused(one._replace(details=two.details))

    @pytest.mark.parametrize(
        "framed", [b"\x00", b"\x00\x02a", b"\x00\x01a\x00", b"\x00\x01a\xff\xff", b"\x00\x00" * 2, b""]
    )
    def test_parts_that_do_not_add_up_are_refused(self, framed):
        bundle = bundle_of(some_rows(1))
        refused(bundle._replace(entries=zlib.compress(framed)))
        refused(bundle._replace(details=zlib.compress(framed)))

    @pytest.mark.parametrize("packed", [b"", b"x", bytes(100), b"\x78\x9c", b"\x78\xbb" + bytes(9)])
    def test_other_bytes_are_refused(self, packed):
        bundle = bundle_of(some_rows(1))
        refused(bundle._replace(entries=packed))
        refused(bundle._replace(details=packed))

    def test_a_preset_dictionary_is_refused(self):
        packing = zlib.compressobj(zdict=b"counterfoil")
        refused(bundle_of(some_rows(1))._replace(entries=packing.compress(b"\x00\x01x") + packing.flush()))

    @given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 300), st.integers(0, 300))
    def test_whatever_is_stored_is_read_or_refused(self, entries, beside, first, last):
        for bundle in (
            Bundle(LOG, last, first, entries, beside),
            Bundle(LOG, last, first, zlib.compress(entries), zlib.compress(beside)),
        ):
            try:
                rows = unpack(bundle)
            except ValueError:
                continue
            assert [row.index for row in rows] == list(range(first, last + 1))

    def test_one_byte_more_than_could_have_been_packed_is_refused(self):
        entries_max = FULL * (2 + ENTRY_BYTES_MAX)
        parts = [bytes(ENTRY_BYTES_MAX)] * FULL
        bundle = bundle_of(some_rows(FULL))
        assert len(unpack(bundle._replace(entries=bundle_oracle.join(parts)))) == FULL
        assert sum(len(part) + 2 for part in parts) == entries_max
        refused(bundle._replace(entries=bundle_oracle.join([*parts[:-1], parts[-1] + b"x"])))
        largest = bytes(SALT_BYTES + DETAILS_BYTES_MAX)
        assert len(unpack(bundle._replace(details=bundle_oracle.join([largest] * FULL)))) == FULL
        refused(bundle._replace(details=bundle_oracle.join([*[largest] * (FULL - 1), largest + b"x"])))

    @pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
    @pytest.mark.parametrize("mebibytes", [1, 4, 256])
    def test_what_would_unpack_to_much_more_costs_no_more_than_the_largest_bundle(self, byte, mebibytes):
        packing = zlib.compressobj(9)
        bomb = b"".join(packing.compress(byte * 2**20) for _ in range(mebibytes)) + packing.flush()
        assert len(bomb) < 2**19
        bundle = bundle_of(some_rows(FULL))
        tracemalloc.start()
        try:
            refused(bundle._replace(entries=bomb))
            refused(bundle._replace(details=bomb))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 3 * FULL * (2 + SALT_BYTES + DETAILS_BYTES_MAX) < 2**24
