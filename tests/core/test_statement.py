"""Statements: each of the six steps of docs/spec/statement.md refuses with its code, and the first that fails decides."""

import copy
import hashlib
import json

import pytest

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.ed25519 import SigningKey
from counterfoil.core.encoding import canonical_json, encode_base64
from counterfoil.core.entry import parse_entry
from counterfoil.core.note import key_id, verifier_key
from counterfoil.core.statement import format_statement, parse_statement, statement_from
from counterfoil.core.statement_verify import Totals, verify_statement
from counterfoil.core.timestamp import format_time, to_microseconds
from tests.core.common import code_of
from tests.core.logs import KEYS, OPERATOR, SIGNER, Log
from tests.support import refused

# Twelve entries, sealed at index 5 and at the end; indices 3 to 8 are the period of most claims.
LOG = Log(12, seals={5})
NEIGHBOUR = Log(12, customer="c2", seals={5})
PERIOD = (3, 9)
MODES = pytest.mark.parametrize("mode", ["light", "full"])
STRANGER = SigningKey(hashlib.sha256(b"stranger").digest())
STRAY = encode_base64(bytes(32))


def made(mode="light", log=LOG, period=PERIOD, **options):
    return log.statement(*period, mode, **{"opened": True, **options})


def verified(document, keys=KEYS, **expected):
    return verify_statement(json.dumps(document), keys, **expected)


def shifted(time, microseconds):
    return format_time(to_microseconds(time) + microseconds)


def changed(document, change):
    copied = copy.deepcopy(document)
    change(copied)
    return copied


class TestAccepted:
    @MODES
    def test_it_says_the_period_its_totals_and_whose_log_it_is(self, mode):
        found = verified(made(mode), origin=LOG.origin, customer_id="c1")
        before, last = LOG.entries[2], LOG.entries[8]
        assert (found.start, found.end, found.mode) == (LOG.time(3), LOG.time(9), mode)
        assert (found.unit, found.customer_id, found.provisional_through) == ("credits", "c1", None)
        assert found.checkpoint.note == LOG.note
        assert found.opening == Totals(before.count, before.credits, before.debits)
        assert found.closing == Totals(last.count, last.credits, last.debits)
        assert found.deltas == last.count - before.count == 5
        amounts = [entry.amount for entry in LOG.entries[3:9]]
        assert found.credits == sum(amount for amount in amounts if amount > 0)
        assert found.debits == -sum(amount for amount in amounts if amount < 0)
        assert found.closing.balance - found.opening.balance == sum(amounts)

    def test_a_full_one_has_every_entry_of_the_period_and_a_light_one_its_first_and_last(self):
        full, light = verified(made("full")), verified(made("light"))
        assert [item.entry for item in full.inside] == LOG.entries[3:9]
        assert [item.entry for item in full.items] == LOG.entries[2:10]
        assert [item.entry.index for item in light.inside] == [3, 8]
        assert [item.entry.index for item in light.items] == [2, 3, 8, 9]
        assert [item.details for item in full.inside] == LOG.details[3:9]

    @MODES
    def test_its_bytes_its_text_its_value_and_what_was_read_of_it_say_the_same(self, mode):
        document = made(mode)
        data = canonical_json(document)
        statement = parse_statement(data)
        found = verify_statement(data, KEYS)
        assert found == verify_statement(data.decode(), KEYS) == verify_statement(statement, KEYS)
        assert found == verify_statement(statement_from(document), KEYS)
        period = (statement.start, statement.end)
        note = statement.checkpoint.note
        assert format_statement(period, mode, statement.items, statement.opening, note) == data

    @pytest.mark.parametrize("spelled", [
        json.dumps,
        lambda document: json.dumps(document, indent=4, ensure_ascii=False),
        lambda document: json.dumps(dict(reversed(document.items()))),
        lambda document: f" \t\r\n{json.dumps(document)}\n",
        lambda document: json.dumps(document).replace("/", "\\/"),
    ], ids=["ascii", "indented", "reversed", "padded", "slashes"])  # fmt: skip
    def test_another_spelling_says_the_same(self, spelled):
        assert verify_statement(spelled(made()), KEYS) == verified(made())

    @MODES
    def test_the_period_may_be_named_by_any_instants_between_the_entries(self, mode):
        for start, end in ((LOG.time(3), LOG.time(9)), (shifted(LOG.time(2), 1), shifted(LOG.time(8), 1))):
            document = {**made(mode), "from": start, "to": end}
            assert verified(document).deltas == 5

    @MODES
    def test_an_empty_period_has_the_entries_around_it(self, mode):
        found = verified(made(mode, period=(4, 4)))
        assert (found.deltas, found.credits, found.debits, found.inside) == (0, 0, 0, ())
        assert found.opening == found.closing == Totals(4 - 1, LOG.entries[3].credits, LOG.entries[3].debits)

    @MODES
    def test_before_the_log_began_there_was_nothing(self, mode):
        found = verified(made(mode, period=(0, 0)))
        assert found.opening == found.closing == Totals(0, 0, 0)
        assert [item.entry.index for item in found.items] == [0]

    @MODES
    def test_the_whole_log_begins_with_nothing(self, mode):
        found = verified(made(mode, period=(0, 12)), allow_provisional=True)
        assert found.opening == Totals(0, 0, 0)
        assert found.deltas == LOG.entries[-1].count

    def test_without_open_or_its_details_the_customer_is_not_checked(self):
        document = made()
        del document["open"]["details"]
        assert verified(document).customer_id is None
        del document["open"]
        assert verified(document).customer_id is None

    @MODES
    def test_details_may_be_left_out_one_by_one(self, mode):
        document = made(mode)
        del document["items"][1]["details"]
        found = verified(document)
        assert [item.details is None for item in found.items[:2]] == [False, True]

    def test_the_key_of_the_log_alone_is_enough(self):
        keys = KeySet([verifier_key(LOG.origin, SIGNER.public_key)])
        assert verified(made(), keys) == verified(made())


class TestStep1:
    @pytest.mark.parametrize("member", ["type", "from", "to", "mode", "items", "checkpoint"])
    def test_its_members_are_needed(self, member):
        with refused("malformed"):
            verified(changed(made(), lambda document: document.pop(member)))

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "null", '"statement"', "[" * 100_000, "{}", '{"type":1}', "\ufeff{}"],
        ids=lambda text: ascii(text)[:16],
    )  # fmt: skip
    def test_what_is_no_statement_is_malformed(self, text):
        with refused("malformed"):
            verify_statement(text, KEYS)

    @pytest.mark.parametrize("kind", ["", "counterfoil/receipt@v1", "counterfoil/statement@v2"])
    def test_another_type_is_not_judged(self, kind):
        with refused("unknown-type"):
            verify_statement(json.dumps({"type": kind, "whatever": [1]}), KEYS)

    @pytest.mark.parametrize("change", [
        lambda d: d.update(note=1), lambda d: d.update(keys=[]), lambda d: d.update(open=None),
        lambda d: d.update(mode="LIGHT"), lambda d: d.update(mode=None), lambda d: d.update(mode=["light"]),
        lambda d: d.update(items=None), lambda d: d.update(items={}), lambda d: d.update(items=[]),
        lambda d: d.update(items=[None]), lambda d: d.update(checkpoint=None),
        lambda d: d.update(checkpoint=d["checkpoint"] + "\n"),
        lambda d: d.update({"from": "2026-04-01"}), lambda d: d.update({"to": "2026-04-31T00:00:00.000000Z"}),
        lambda d: d.update({"to": d["from"]}), lambda d: d.update({"from": d["to"], "to": d["from"]}),
        lambda d: d.update({"to": None}), lambda d: d.update({"from": d["from"].replace("Z", "+00:00")}),
        lambda d: d["items"][0].update(note=1), lambda d: d["items"][0].pop("entry"),
        lambda d: d["items"][0].pop("path"), lambda d: d["items"][0].update(path=None),
        lambda d: d["items"][0].update(path=[None]), lambda d: d["items"][0].update(path=["AA=="]),
        lambda d: d["items"][0].update(path=[STRAY] * 64), lambda d: d["items"][0].update(details=None),
        lambda d: d["items"][0]["details"].update(salt="00"),
        lambda d: d["items"][0]["details"]["value"].update(more=1),
        lambda d: d["items"][0]["entry"].update(index="02"), lambda d: d["items"][0]["entry"].update(index=2),
        lambda d: d["items"][0]["entry"].pop("key"), lambda d: d["items"][0]["entry"].update(amount="0"),
        lambda d: d["open"].pop("path"), lambda d: d["open"].update(path="a"),
        lambda d: d["open"]["entry"].update(amount="1"), lambda d: d["open"].update(details=None),
        lambda d: d["items"].reverse(), lambda d: d["items"].insert(1, d["items"][0]),
        lambda d: d["items"].append(d["items"][-1]),
    ])  # fmt: skip
    @MODES
    def test_a_member_that_breaks_its_rule_is_malformed(self, mode, change):
        with refused("malformed"):
            verified(changed(made(mode), change))

    def test_the_items_of_a_light_one_have_a_path_each(self):
        for place in range(4):
            with refused("malformed"):
                verified(changed(made(), lambda d, place=place: d["items"][place].pop("path")))

    def test_of_a_full_one_the_first_and_the_last_item_have_a_path_and_no_other(self):
        for place in range(8):
            spoil = dict.pop if place in (0, 7) else dict.setdefault
            with refused("malformed"):
                verified(changed(made("full"), lambda d, s=spoil, p=place: s(d["items"][p], "path", [])))

    def test_a_light_one_has_no_more_of_the_period_than_its_first_and_last_entry(self):
        document = made()
        document["items"].insert(2, LOG.value(5, path=True))
        with refused("malformed"):
            verified(document)

    def test_a_full_one_sold_as_light_and_a_light_one_as_full_are_malformed(self):
        with refused("malformed"):
            verified({**made("full"), "mode": "light"})
        with refused("malformed"):
            verified({**made("light"), "mode": "full"})

    @MODES
    def test_two_before_the_period_or_two_after_it_are_malformed(self, mode):
        document = made(mode)
        for name, index in (("from", 4), ("to", 8)):
            with refused("malformed"):
                verified({**document, name: LOG.time(index)})

    @pytest.mark.parametrize("index", [1, 11])
    def test_an_entry_within_that_says_a_time_outside_is_malformed(self, index):
        # Signed by the operator: in the middle of the period stands an entry that says that it is of another one.
        rewritten = LOG.rewritten({5: {"recordedAt": LOG.time(index)}})
        with refused("malformed"):
            verified(rewritten.statement(*PERIOD, "full", details=False))

    def test_over_262_144_bytes_a_light_one_is_too_large_and_a_full_one_is_not(self):
        for mode, code in (("light", "too-large"), ("full", "ok")):
            text = json.dumps(made(mode))
            assert code_of(verify_statement, text + " " * (262_144 - len(text)), KEYS) == "ok"
            for larger in (text + " " * (262_145 - len(text)), (text + " " * 262_144).encode()):
                assert code_of(verify_statement, larger, KEYS) == code

    def test_the_bytes_of_a_text_are_counted_and_not_its_characters(self):
        wide = json.dumps(made()).replace("number 3", "é" * 131_000)
        assert len(wide) < 262_144 < len(wide.encode())
        with refused("too-large"):
            verify_statement(wide, KEYS)

    def test_over_33_554_432_bytes_a_full_one_is_too_large(self):
        text = json.dumps(made("full"))
        assert code_of(verify_statement, text + " " * (33_554_432 - len(text)), KEYS) == "ok"
        for larger in (text + " " * (33_554_433 - len(text)), b"\xff" * 33_554_433):
            with refused("too-large"):
                verify_statement(larger, KEYS)

    def test_over_10_000_items_are_too_large_before_one_of_them_is_looked_at(self):
        document = {**made("full"), "items": [None] * 10_001}
        with refused("too-large"):
            verified(document)
        with refused("malformed"):
            verified({**document, "items": [None] * 10_000})

    @MODES
    def test_an_entry_of_a_later_version_is_an_unknown_type_unless_something_is_malformed(self, mode):
        document = changed(
            made(mode), lambda d: d["items"][2]["entry"].update(type="counterfoil/redaction@v1")
        )
        del document["items"][2]["details"]
        with refused("unknown-type"):
            verified(document, KeySet([]))
        with refused("malformed"):
            verified({**document, "to": LOG.time(8)})
        opened = changed(made(mode), lambda d: d["open"]["entry"].update(type="counterfoil/open@v2"))
        with refused("unknown-type"):
            verified(opened)

    def test_no_key_of_the_operator_is_an_unknown_key(self):
        for keys in (KeySet([]), KeySet([verifier_key(OPERATOR, STRANGER.public_key)])):
            with refused("unknown-key"):
                verified(made(), keys)

    def test_a_key_is_never_taken_from_the_statement(self):
        forged = {**made(), "checkpoint": LOG.checkpoint(signer=STRANGER).note}
        with refused("unknown-key"):
            verified(forged)
        assert verified(forged, KeySet([verifier_key(OPERATOR, STRANGER.public_key)])).deltas == 5

    def test_a_signature_that_does_not_verify_is_bad(self):
        claimed = encode_base64(key_id(LOG.origin, SIGNER.public_key) + bytes(64))
        note = LOG.note.rpartition(" ")[0] + f" {claimed}\n"
        with refused("bad-signature"):
            verified({**made(), "checkpoint": note})
        with refused("bad-signature"):
            verified({**made(), "checkpoint": LOG.note.replace("\n12\n", "\n13\n")})

    @pytest.mark.parametrize("origin", ["", OPERATOR, LOG.origin.upper(), NEIGHBOUR.origin])
    def test_another_log_than_expected(self, origin):
        with refused("wrong-origin"):
            verified(made(), origin=origin)


class TestStep2:
    @MODES
    def test_an_entry_beyond_the_size_of_the_checkpoint(self, mode):
        document = {**made(mode), "checkpoint": LOG.checkpoint(6).note}
        with refused("root-mismatch"):
            verified(document)
        document["items"] = document["items"][-1:]
        assert document["items"][0]["entry"]["index"] == "9"
        with refused("index-mismatch"):
            verified(document)

    @MODES
    def test_another_checkpoint_another_root_another_customers_items(self, mode):
        for other in (
            {"checkpoint": LOG.checkpoint(root=bytes(32)).note},
            {"checkpoint": LOG.checkpoint(11).note},
            {"items": made(mode, NEIGHBOUR)["items"]},
            {"checkpoint": NEIGHBOUR.note},
        ):
            with refused("root-mismatch"):
                verified({**made(mode), **other})

    def test_a_path_of_a_neighbour(self):
        for place in range(3):
            document = made()
            document["items"][place]["path"] = document["items"][place + 1]["path"]
            with refused("root-mismatch"):
                verified(document)

    def test_a_full_one_without_an_entry_in_the_middle_or_with_another_one(self):
        for place in range(1, 7):
            document = made("full")
            del document["items"][place]
            with refused("root-mismatch"):
                verified(document)
            document = made("full")
            document["items"][place]["entry"]["unit"] = "EUR"
            with refused("root-mismatch"):
                verified(document)


class TestStep3:
    def test_without_the_entry_before_it_the_log_must_begin_in_the_period(self):
        with refused("incomplete-period"):
            verified(changed(made(), lambda d: d["items"].pop(0)))

    @MODES
    @pytest.mark.parametrize("place", [0, -1])
    def test_the_entries_around_it_are_neighbours_of_it(self, mode, place):
        document = made(mode)
        index = 1 if place == 0 else 10
        document["items"][place] = LOG.value(index, path=True)
        with refused("incomplete-period" if mode == "light" else "root-mismatch"):
            verified(document)

    def test_around_an_empty_period_they_are_neighbours_of_each_other(self):
        document = made(period=(4, 4))
        document["items"][1] = LOG.value(5, path=True)
        with refused("incomplete-period"):
            verified(document)


class TestStep4:
    @MODES
    def test_without_the_entry_after_it_the_period_ends_with_the_seal_at_the_end_of_the_log(self, mode):
        document = made(mode)
        document["items"].pop()
        document["items"][-1] = LOG.value(8, path=True)
        with refused("incomplete-period"):
            verified(document, allow_provisional=True)

    @MODES
    def test_the_last_entry_under_the_checkpoint_must_be_a_seal(self, mode):
        shorter = LOG.rewritten({})
        del shorter.data[9:], shorter.entries[9:]
        document = shorter.statement(3, 9, mode, details=False)
        assert shorter.entries[-1].type == "counterfoil/delta@v1"
        with refused("incomplete-period"):
            verified(document, allow_provisional=True)

    @MODES
    def test_it_is_final_when_the_seal_stands_a_microsecond_before_its_end(self, mode):
        end = shifted(LOG.time(11), 1)
        final = made(mode, period=(3, 12)) | {"to": end}
        assert verified(final).provisional_through is None
        open_still = {**final, "to": shifted(end, 1)}
        with refused("incomplete-period") as caught:
            verified(open_still)
        assert caught.value.facts == {"through": LOG.time(11)}
        assert verified(open_still, allow_provisional=True).provisional_through == LOG.time(11)

    @MODES
    def test_a_log_that_was_sealed_before_the_period_says_nothing_about_it(self, mode):
        items = [LOG.value(11, path=True)]
        document = {**made(mode), "items": items}
        document |= {"from": shifted(LOG.time(11), 1), "to": shifted(LOG.time(11), 2)}
        for allow in (False, True):
            with refused("incomplete-period"):
                verified(document, allow_provisional=allow)

    def test_the_first_year_and_the_last_have_no_instant_beyond_them(self):
        document = made(period=(0, 0)) | {"from": "0001-01-01T00:00:00.000000Z"}
        assert verified(document).deltas == 0
        assert verified({**document, "to": "0001-01-01T00:00:00.000001Z"}).deltas == 0
        late = made(period=(3, 12)) | {"to": "9999-12-31T23:59:59.999999Z"}
        assert verified(late, allow_provisional=True).provisional_through == LOG.time(11)


def signed(changes, mode, period=PERIOD):
    """A statement of a log in which the operator signed some other members."""
    return LOG.rewritten(changes).statement(*period, mode, details=False, period=LOG.period(*period))


class TestStep5:
    def test_neighbours_are_later_one_after_the_other(self):
        for time in (LOG.time(5), shifted(LOG.time(5), -1)):
            with refused("time-order"):
                verified(signed({6: {"recordedAt": time}}, "full"))

    @pytest.mark.parametrize(
        ("index", "member", "value"),
        [(6, "unit", "EUR"), (6, "count", "4"), (6, "count", "6"), (6, "credits", "1000"), (6, "debits", "10"),
         (5, "count", "5"), (5, "credits", "99999999999999")],
    )  # fmt: skip
    def test_neighbours_follow_in_unit_and_totals(self, index, member, value):
        entry = LOG.entries[index]
        if member in ("credits", "debits"):
            # More by one than what follows, so that the amount stays within.
            value = str(max(entry.credits, entry.debits) // 10**9 + 1)
        with refused("totals-mismatch"):
            verified(signed({index: {member: value}}, "full"))

    def test_a_light_one_does_not_see_what_stands_between_its_items(self):
        spoiled = {6: {"unit": "EUR", "count": "1"}}
        assert verified(signed(spoiled, "light")).deltas == 5
        with refused("totals-mismatch"):
            verified(signed(spoiled, "full"))

    def test_items_that_are_no_neighbours_are_a_microsecond_an_index_apart(self):
        start = to_microseconds(LOG.time(3))
        # Entries 3 and 8: five indices.
        near = {8: {"recordedAt": format_time(start + 5)}}
        assert verified(signed(near, "light")).deltas == 5
        nearer = {8: {"recordedAt": format_time(start + 4)}}
        with refused("time-order"):
            verified(signed(nearer, "light"))

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({8: {"count": "8"}}, "totals-mismatch"),
            ({8: {"count": "2"}, 9: {"count": "3"}}, "totals-mismatch"),
            ({8: {"unit": "EUR"}, 9: {"unit": "EUR"}}, "totals-mismatch"),
        ],
    )
    def test_counts_of_no_neighbours_grow_by_at_most_one_an_index_and_units_stay(self, changes, code):
        with refused(code):
            verified(signed(changes, "light"))

    @pytest.mark.parametrize("name", ["credits", "debits"])
    def test_totals_of_no_neighbours_never_fall(self, name):
        # A light statement of entries 0 to 11; that before is made larger than all behind.
        large = {index: {name: "999999999999999999999"} for index in (2, 3)}
        with refused("totals-mismatch"):
            verified(signed(large, "light"))

    def test_time_comes_before_totals(self):
        with refused("time-order"):
            verified(signed({6: {"recordedAt": LOG.time(5), "unit": "EUR"}}, "full"))
        with refused("totals-mismatch"):
            verified(signed({5: {"unit": "EUR"}, 7: {"recordedAt": LOG.time(6)}}, "full"))


class TestStep6:
    @MODES
    def test_other_details(self, mode):
        for place in range(4):
            document = made(mode)
            if "details" not in document["items"][place]:
                continue
            document["items"][place]["details"]["value"] = {"reason": "another"}
            with refused("details-mismatch"):
                verified(document)

    def test_a_seal_has_nothing_to_open(self):
        document = made("full")
        document["items"][3]["details"] = {"salt": "00" * 32, "value": {"reason": "sealed"}}
        with refused("details-mismatch"):
            verified(document)

    @MODES
    def test_an_open_entry_of_another_log_among_the_items(self, mode):
        foreign = LOG.rewritten({0: {"origin": NEIGHBOUR.origin}})
        with refused("wrong-origin"):
            verified(foreign.statement(0, 4, mode, details=False))

    def test_open_of_another_log_with_another_path_or_another_name(self):
        document = made()
        with refused("wrong-origin"):
            verified({**document, "open": NEIGHBOUR.value(0, path=True)})
        with refused("root-mismatch"):
            verified(changed(document, lambda d: d["open"]["path"].pop()))
        with refused("details-mismatch"):
            verified(changed(document, lambda d: d["open"]["details"]["value"].update(customerId="c2")))
        with refused("index-mismatch"):
            verified({**document, "open": LOG.value(1, path=True)})

    @pytest.mark.parametrize("customer", ["", "c2", "C1", "c1 "])
    def test_another_customer_than_expected(self, customer):
        with refused("wrong-origin"):
            verified(made(), customer_id=customer)

    def test_an_expected_customer_must_be_named(self):
        with refused("wrong-origin"):
            verified(made(opened=False), customer_id="c1")


class TestTheFirstStepThatFailsDecides:
    """Faults for every step in one statement, mended one after the other."""

    def test_they_come_in_the_order_of_the_page(self):
        good = made("light", period=(3, 12)) | {"to": shifted(LOG.time(11), 9)}
        document = copy.deepcopy(good)
        claimed = encode_base64(key_id(LOG.origin, SIGNER.public_key) + bytes(64))
        expected = {"origin": NEIGHBOUR.origin, "customer_id": "somebody", "allow_provisional": False}
        document["more"] = 1
        document["checkpoint"] = LOG.note.rpartition(" ")[0] + f" {claimed}\n"
        document["items"][0] = LOG.value(1, path=True)
        document["items"][1]["entry"]["unit"] = "EUR"
        document["items"][1]["details"]["salt"] = "00" * 32
        seen = []

        def judge(keys=KEYS):
            seen.append(code_of(verified, document, keys, **expected))

        judge(KeySet([]))
        del document["more"]
        judge(KeySet([]))
        judge()
        document["checkpoint"] = good["checkpoint"]
        judge()
        expected["origin"] = LOG.origin
        judge()
        document["items"][1]["entry"] = good["items"][1]["entry"]
        judge()
        document["items"][0] = good["items"][0]
        judge()
        expected["allow_provisional"] = True
        judge()
        document["items"][1]["details"] = good["items"][1]["details"]
        judge()
        expected["customer_id"] = "c1"
        judge()
        assert document == good
        assert seen == [
            "malformed", "unknown-key", "bad-signature", "wrong-origin", "root-mismatch", "incomplete-period",
            "incomplete-period", "details-mismatch", "wrong-origin", "ok",
        ]  # fmt: skip

    def test_times_and_totals_come_after_the_seal_and_before_details(self):
        spoiled = LOG.rewritten({6: {"unit": "EUR"}})
        document = spoiled.statement(3, 12, "full", period=(LOG.time(3), shifted(LOG.time(11), 9)))
        document["items"][1]["details"]["salt"] = "00" * 32
        assert code_of(verified, document) == "incomplete-period"
        assert code_of(verified, document, allow_provisional=True) == "totals-mismatch"
        assert parse_entry(LOG.data[6]).unit == "credits"
