"""Every statement of every range of every log of up to 40 entries says what is true, and nothing done to it is taken.

What is true is computed from the amounts of the deltas, one by one.  Whatever is accepted, mutant or not, must say that
of the period that it names.
"""

import copy
import random
from collections import Counter
from fractions import Fraction

import pytest

from counterfoil.core.encoding import encode_base64
from counterfoil.core.entry import DELTA
from counterfoil.core.statement import format_statement, parse_statement, statement_from
from counterfoil.core.statement_verify import verify_statement
from counterfoil.errors import CounterfoilError
from tests.core.logs import KEYS, NANO, Log

SIZE = 40
# Sizes whose every range gets every mutation, also where time is short.
SMALL = 14
LOGS = {size: Log(size, seals={size // 2, size // 3}, steady=bool(size % 2)) for size in range(2, SIZE + 1)}
MODES = ("light", "full")


def truth(log, start, end):
    """What a period [start, end) of a log adds up to, from its amounts alone: opening, period, closing."""
    sums = [[0, Fraction(0), Fraction(0)] for _ in range(3)]
    for entry in log.entries:
        if entry.type != DELTA or entry.recorded_at >= end:
            continue
        for place in (0, 2) if entry.recorded_at < start else (1, 2):
            sums[place][0] += 1
            sums[place][1 if entry.amount > 0 else 2] += abs(Fraction(entry.amount, NANO))
    return [tuple(found) for found in sums]


def said(verified):
    def in_units(*nano):
        return tuple(Fraction(value, NANO) for value in nano)

    opening, closing = verified.opening, verified.closing
    return [
        (opening.count, *in_units(opening.credits, opening.debits)),
        (verified.deltas, *in_units(verified.credits, verified.debits)),
        (closing.count, *in_units(closing.credits, closing.debits)),
    ]


def verdict(log, document):
    """The code of a statement; one that is taken must be true, and whole where it is a full one."""
    try:
        verified = verify_statement(statement_from(document), KEYS, allow_provisional=True)
    except CounterfoilError as error:
        return error.code
    start, end = document["from"], document["to"]
    assert said(verified) == truth(log, start, end)
    through = verified.provisional_through
    if verified.mode == "full":
        within = [entry for entry in log.entries if start <= entry.recorded_at < end]
        assert [item.entry for item in verified.inside] == within
    assert through is None or through == log.entries[-1].recorded_at
    return "ok"


class TestEveryRange:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("size", range(2, SIZE + 1))
    def test_its_statement_is_taken_and_says_what_is_true(self, size, mode):
        log = LOGS[size]
        for start, end in log.ranges():
            assert verdict(log, log.statement(start, end, mode)) == "ok", (start, end)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("size", [2, 3, 8, SIZE])
    def test_it_is_written_and_read_again_as_it_is(self, size, mode):
        log = LOGS[size]
        for start, end in log.ranges():
            statement = statement_from(log.statement(start, end, mode, opened=bool(start % 2)))
            period = (statement.start, statement.end)
            data = format_statement(
                period, mode, statement.items, statement.opening, statement.checkpoint.note
            )
            assert parse_statement(data) == statement


def with_items(document, items):
    return {**document, "items": items}


def with_item(document, place, **members):
    items = list(document["items"])
    items[place] = {**items[place], **members}
    return with_items(document, items)


def dropped(log, document):
    del log
    items, full = document["items"], document["mode"] == "full"
    for place in range(len(items)):
        if len(items) == 1:
            code = "malformed"
        elif full and len(items) > 2:
            code = "malformed" if place in (0, len(items) - 1) else "root-mismatch"
        else:
            code = "incomplete-period"
        yield code, with_items(document, items[:place] + items[place + 1 :])


def duplicated(log, document):
    del log
    items = document["items"]
    for place in range(len(items)):
        yield "malformed", with_items(document, [*items[: place + 1], *items[place:]])
        yield "malformed", with_items(document, [*items, items[place]])


def moved(log, document):
    del log
    items = document["items"]
    for place in range(len(items) - 1):
        for target in {place + 1, len(items) - 1}:
            rest = items[:place] + items[place + 1 :]
            yield "malformed", with_items(document, [*rest[:target], items[place], *rest[target:]])
            # As one who knows the format would do it: the ends keep what ends have.
            reshaped = [{**item} for item in (*rest[:target], items[place], *rest[target:])]
            if document["mode"] == "full":
                for item in reshaped:
                    item.pop("path", None)
                reshaped[0]["path"], reshaped[-1]["path"] = items[0]["path"], items[-1]["path"]
            yield "malformed", with_items(document, reshaped)


def edited(log, document):
    del log
    for place, item in enumerate(document["items"]):
        for name, value in (("unit", "EUR"), ("recordedAt", _later(item["entry"]["recordedAt"]))):
            if name == "recordedAt" and _changes_role(document, item["entry"]["recordedAt"], value):
                continue
            yield "root-mismatch", with_item(document, place, entry={**item["entry"], name: value})


def _later(time):
    """The same time with another last digit, which is later unless it was a 9."""
    return f"{time[:-2]}{(int(time[-2]) + 1) % 10}Z"


def _changes_role(document, before, after):
    return any((before < document[name]) != (after < document[name]) for name in ("from", "to"))


def added(log, document):
    present = {int(item["entry"]["index"]) for item in document["items"]}
    light = document["mode"] == "light"
    first, last = min(present), max(present)
    for index in range(len(log)):
        if index in present or (not light and index not in (first - 1, last + 1)):
            continue
        items = [*document["items"], log.value(index, path=True)]
        items.sort(key=lambda item: int(item["entry"]["index"]))
        yield "malformed", with_items(document, items)
        if not light:
            items = [
                {
                    name: member
                    for name, member in item.items()
                    if name != "path" or place in (0, len(items) - 1)
                }
                for place, item in enumerate(items)
            ]
            yield "malformed", with_items(document, items)


def paths_spoiled(log, document):
    del log
    stray = encode_base64(bytes(32))
    for place, item in enumerate(document["items"]):
        path = item.get("path", [])
        for number, found in enumerate(path):
            yield "root-mismatch", with_item(document, place, path=path[:number] + path[number + 1 :])
            yield (
                "root-mismatch",
                with_item(document, place, path=[*path[:number], stray, *path[number + 1 :]]),
            )
            yield "root-mismatch", with_item(document, place, path=[*path[:number], found, *path[number:]])
            if number and path[number - 1] != found:
                swapped = [*path[: number - 1], found, path[number - 1], *path[number + 1 :]]
                yield "root-mismatch", with_item(document, place, path=swapped)
        if "path" in item:
            yield "root-mismatch", with_item(document, place, path=[*path, stray])
        else:
            yield "malformed", with_item(document, place, path=[stray])


MUTATIONS = (dropped, duplicated, moved, edited, added, paths_spoiled)


def judge_all(log, start, end, mode):
    """Judge every mutant of one statement; return how many there were of each mutation."""
    document = log.statement(start, end, mode, details=False)
    kept = copy.deepcopy(document)
    seen = Counter()
    for mutate in MUTATIONS:
        for code, mutant in mutate(log, document):
            assert verdict(log, mutant) == code, (mutate.__name__, start, end, mutant)
            seen[mutate.__name__] += 1
    assert document == kept
    return seen


class TestMutants:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("size", range(2, SIZE + 1))
    def test_nothing_dropped_doubled_moved_edited_or_added_is_taken(self, size, mode, long):
        seen = Counter()
        chance = random.Random(size)  # noqa: S311  -- the same ranges each time
        for start, end in LOGS[size].ranges():
            # Where time is short, a few ranges of the larger logs.
            if long or size <= SMALL or chance.random() < 1 / size**1.5:
                seen += judge_all(LOGS[size], start, end, mode)
        wanted = {mutate.__name__ for mutate in MUTATIONS}
        assert seen.keys() >= wanted if size > 5 else seen

    @pytest.mark.parametrize("mode", MODES)
    def test_whatever_period_is_written_over_it_what_is_taken_is_true(self, mode):
        taken = refused = 0
        for size in range(2, 11):
            log = LOGS[size]
            instants = [log.time(index) for index in range(size + 1)]
            instants += [_later(time) for time in instants]
            for start, end in log.ranges():
                document = log.statement(start, end, mode, details=False)
                for first in instants:
                    for behind in instants:
                        code = verdict(log, {**document, "from": first, "to": behind})
                        assert code in {"ok", "malformed", "incomplete-period"}
                        taken += code == "ok"
                        refused += code != "ok"
        assert refused > taken > 0

    @pytest.mark.parametrize("mode", MODES)
    def test_no_item_of_another_log_is_taken(self, mode):
        for size in (2, 5, 9):
            log = LOGS[size]
            other = Log(size, customer="c2", seals={size // 2}, steady=bool(size % 2))
            for start, end in (found for found in log.ranges() if other.period(*found)):
                document, foreign = (each.statement(start, end, mode) for each in (log, other))
                for place, item in enumerate(foreign["items"]):
                    items = [*document["items"][:place], item, *document["items"][place + 1 :]]
                    # Seals before the first delta may be the same bytes in both.
                    if item["entry"] not in [found["entry"] for found in document["items"]]:
                        assert verdict(log, with_items(document, items)) == "root-mismatch"
                assert verdict(log, {**document, "checkpoint": foreign["checkpoint"]}) == "root-mismatch"


class TestLongLogs:
    @pytest.mark.parametrize("seed", range(8))
    def test_random_ranges_of_logs_of_up_to_ten_thousand_entries(self, seed):
        chance = random.Random(seed)  # noqa: S311  -- the same ranges each time
        size = 10_000 if seed == 0 else int(10 ** chance.uniform(1.5, 3.6))
        seals = {chance.randrange(1, size) for _ in range(5)}
        log = Log(size, seals=seals, steady=bool(seed % 2), seed=seed)
        some = [(0, size), (size - 1, size), (size // 2, size // 2)]
        some += [sorted(chance.randrange(size) for _ in range(2)) for _ in range(4)]
        for start, end in (found for found in some if log.period(*found)):
            for mode in MODES:
                document = log.statement(start, end, mode, details=False)
                assert verdict(log, document) == "ok", (start, end, mode)
                for mutate in (dropped, edited, paths_spoiled):
                    mutants = list(mutate(log, document)) if mode == "light" else []
                    for code, mutant in mutants:
                        assert verdict(log, mutant) == code
                if mode == "full":
                    self.spoil_some(log, document, chance)

    def spoil_some(self, log, document, chance):
        items = document["items"]
        for place in {chance.randrange(len(items)) for _ in range(3)} - {0, len(items) - 1}:
            spoiled = {**items[place]["entry"], "unit": "EUR"}
            assert verdict(log, with_item(document, place, entry=spoiled)) == "root-mismatch"
            without = with_items(document, items[:place] + items[place + 1 :])
            assert verdict(log, without) == "root-mismatch"
