"""Summaries of packs: what each log says of itself, at what cost, and which packs have none."""

import json

import pytest

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.pack.summary import LogSummary, PackSummary, summarize_pack
from counterfoil.limits import PACK_LINE_BYTES_MAX
from tests.core.common import code_of
from tests.core.logs import KEYS, OPERATOR, Log, ended, pack_of
from tests.core.test_pack_audit import written
from tests.support import refused

FIRST, LOG, LAST = sorted(
    (Log(8, customer=f"c{number}", seals={3}) for number in range(3)), key=lambda log: log.origin
)


def summary(lines, keys=None):
    return [*summarize_pack(written(lines), keys)]


def verdict(lines, keys=None):
    return code_of(summary, lines, keys)


def spoiled(change):
    """A pack of three logs, the lines of one of which were changed; its end counts what is there."""
    lines = LOG.lines()
    change(lines)
    return pack_of(FIRST, lines, LAST)


class TestSaid:
    def test_each_log_says_whose_it_is_and_how_far_it_goes(self):
        assert summary(pack_of(FIRST, LOG)) == [
            *(LogSummary(log.origin, log.customer, 8, 2, log.checkpoint()) for log in (FIRST, LOG)),
            PackSummary(OPERATOR, 2, 16, 4),
        ]

    def test_one_that_withholds_its_details_names_no_customer(self):
        [found, _] = summary(pack_of(LOG.lines(details=False)))
        assert (found.customer_id, found.entries) == (None, 8)

    def test_one_without_a_checkpoint_has_none(self):
        [found, _] = summary(pack_of(LOG.lines()[:3]))
        assert (found.entries, found.checkpoints, found.newest) == (2, 0, None)

    def test_lines_may_be_spelled_otherwise(self):
        lines = pack_of(FIRST, LOG)
        assert [*summarize_pack([json.dumps(line, indent=None) for line in lines])] == summary(lines)
        assert [*summarize_pack([f" {json.dumps(line)}" for line in lines])] == summary(lines)

    def test_of_a_pack_without_logs_that_is_all(self):
        assert summary(pack_of()) == [PackSummary(OPERATOR, 0, 0, 0)]

    def test_entries_behind_the_first_are_counted_unread(self):
        lines = written(pack_of(LOG))
        lines[3] = b'{"entry" and then anything'
        assert [*summarize_pack(lines)] == summary(pack_of(LOG))


class TestKeys:
    def test_with_keys_every_checkpoint_is_verified(self):
        assert summary(pack_of(FIRST, LOG), KEYS) == summary(pack_of(FIRST, LOG))
        assert verdict(pack_of(FIRST, LOG), KeySet([])) == "unknown-key"
        old = LOG.checkpoint(4).note

        def change(lines):
            lines[5]["checkpoint"] = old.replace("\n4\n", "\n5\n")

        assert verdict(spoiled(change), KEYS) == "bad-signature"
        # Without keys it is a claim like any other.
        assert verdict(spoiled(change)) == "ok"

    def test_a_checkpoint_of_another_log_does_not_speak_for_this_one(self):
        def change(lines):
            lines[-1]["checkpoint"] = FIRST.note

        assert verdict(spoiled(change), KEYS) == "wrong-origin"
        assert verdict(spoiled(change)) == "ok"


class TestRefused:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda lines: lines.insert(2, {"else": 1}), "malformed"),
            (lambda lines: lines.insert(2, b"{"), "malformed"),
            (lambda lines: lines[1]["entry"].update(index="01"), "malformed"),
            (lambda lines: lines[-1].update(checkpoint=5), "malformed"),
            (lambda lines: lines[-1].update(checkpoint="note"), "malformed"),
            (lambda lines: lines[0].update(log="nobody's"), "malformed"),
            (lambda lines: lines.insert(0, {"log": LAST.origin}), "malformed"),
            (lambda lines: lines.insert(2, b'{"entry"' + b" " * PACK_LINE_BYTES_MAX), "too-large"),
        ],
    )
    def test_a_line_that_cannot_stand_where_it_stands(self, change, code):
        assert verdict(spoiled(change)) == code

    def test_a_line_that_stands_in_no_log(self):
        for line in LOG.lines()[1:3] + LOG.lines()[-1:]:
            assert verdict(pack_of([line], LOG)) == "malformed"

    @pytest.mark.parametrize("kind", ["logs", "entries", "checkpoints"])
    def test_an_end_that_counts_other_lines(self, kind):
        lines = pack_of(FIRST, LOG)
        lines[-1]["end"][kind] = "1"
        assert verdict(lines) == "malformed"

    def test_a_refusal_names_the_line(self):
        lines = pack_of(FIRST, LOG)
        for place in (0, 1, 2, len(lines) - 1):
            with refused("malformed") as caught:
                summary([*lines[:place], b"{", *lines[place + 1 :]])
            assert caught.value.facts["line"] == str(place + 1)

    def test_one_that_was_cut_at_any_line(self):
        lines = written(pack_of(FIRST, LOG))
        for end in range(len(lines)):
            with refused("malformed"):
                [*summarize_pack(lines[:end])]

    def test_lines_behind_the_end(self):
        assert verdict([*pack_of(LOG), {"log": LAST.origin}]) == "malformed"
        assert verdict(ended([*pack_of(LOG)[:-1]])) == "ok"

    def test_another_type_or_none(self):
        first, *rest = pack_of(LOG)
        assert verdict([first | {"type": "counterfoil/pack@v2"}, *rest]) == "unknown-type"
        assert verdict([{"operator": OPERATOR}, *rest]) == "malformed"
        assert verdict(rest) == "malformed"
