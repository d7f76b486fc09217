"""Keys that were seen are known again: whole, or by a hash that names suspects and accuses nobody."""

import hashlib
import tracemalloc

import pytest

from counterfoil.core import seen_keys
from counterfoil.core.seen_keys import SUSPECTS_MAX, ExactKeys, HashedKeys


def key(number):
    return hashlib.sha256(b"%d" % number).digest()


@pytest.fixture
def one_hash(monkeypatch):
    """Every key has the same hash."""
    monkeypatch.setattr(seen_keys, "hash", lambda _: 7, raising=False)


def filled(keys, count):
    for number in range(count):
        assert not keys.add(key(number))
    return keys


@pytest.mark.parametrize("kind", [ExactKeys, HashedKeys])
def test_of_few_keys_a_second_one_is_certain(kind):
    keys = filled(kind(), 4_000)
    for number in (0, 1, 3_999):
        assert keys.add(key(number))
    assert not keys.add(key(4_000))


def test_of_many_keys_a_second_one_is_a_suspect():
    keys = filled(HashedKeys(), 10_000)
    assert keys.suspects == []
    for number in (0, 4_095, 4_096, 9_999):
        assert not keys.add(key(number))
    assert keys.suspects == [key(number) for number in (0, 4_095, 4_096, 9_999)]
    assert keys.added == 10_004
    assert not keys.overflowed


@pytest.mark.usefixtures("one_hash")
def test_different_keys_of_one_hash_are_suspects_and_not_accused():
    keys = filled(HashedKeys(), 4_100)
    assert keys.suspects == [key(number) for number in range(4_096, 4_100)]


@pytest.mark.usefixtures("one_hash")
def test_of_too_many_suspects_the_first_are_kept_and_that_there_were_more_is_known():
    keys = filled(HashedKeys(), 4_096 + SUSPECTS_MAX)
    assert not keys.overflowed
    assert not keys.add(key(-1))
    assert keys.overflowed
    assert keys.suspects == [key(number) for number in range(4_096, 4_096 + SUSPECTS_MAX)]


def test_a_key_takes_some_five_bytes(monkeypatch):
    # As full as the rows are with ten million keys, with fewer of them.
    monkeypatch.setattr(seen_keys, "_ROW_MASK", 2**9 - 1)
    tracemalloc.start()
    keys = filled(HashedKeys(), 78_000)
    current, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(keys.suspects) < 3
    assert 4 * 78_000 < current < 6 * 78_000
