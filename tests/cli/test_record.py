"""`record`, `customers`, `customer`."""

import pytest

from tests.cli.conftest import record_id


class TestRecord:
    @pytest.mark.parametrize(
        ("typed", "kept"),
        [("-12.5", "-12.5"), ("+500", "500"), ("-0.50", "-0.5"), ("1e3", "1000"), ("-1e-9", "-0.000000001")],
    )
    def test_an_amount_is_taken_as_typed(self, book, typed, kept):
        outcome = book("record", "cust_001", typed, "--reason", "x", "--json")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.findings[0]["delta"] == kept

    @pytest.mark.parametrize(
        "line",
        [
            "record cust_001 -12.5 --reason x",
            "record --reason x cust_001 -12.5",
            "record cust_001 --reason x -12.5",
            "record cust_001 --reason -5 -12.5",
            "record --reason x -- cust_001 -12.5",
        ],
    )
    def test_a_negative_one_may_stand_anywhere(self, book, line):
        name, *arguments = line.split()
        assert book(name, "--json", *arguments).findings[0]["delta"] == "-12.5"

    @pytest.mark.parametrize(
        ("line", "name", "meant"),
        [
            ("record --raeson cust_001 5 --reason x", "--raeson", "--reason"),
            ("record cust_001 5 --reson y", "--reson", "--reason"),
            ("record cust_001 5 --reson=y", "--reson", "--reason"),
            ("record cust_001 5 --reason x --reson y", "--reson", "--reason"),
            ("record cust_001 --reason x --metadat -5", "--metadat", "--metadata"),
            ("record cust_001 -x --reason x", "-x", None),
        ],
    )
    def test_a_misspelt_option_is_no_argument(self, book, line, name, meant):
        outcome = book(*line.split())
        assert (outcome.status, outcome.code) == (2, "usage")
        before, _, after = outcome.err.partition(name)
        assert "no such option" in before
        assert meant is None or meant in after
        assert "extra" not in outcome.err
        assert "issing" not in outcome.err

    def test_the_answer_names_record_balance_and_key(self, book):
        outcome = book("record", "cust_001", "-12.5", "--reason", "x")
        recorded, balance, key = outcome.lines
        assert recorded.startswith(f"recorded  {record_id(book, 1)}  -12.5 EUR  at 20")
        assert balance == "balance   -12.5 EUR after 1 of cust_001's deltas"
        again = book("record", "cust_001", "-12.5", "--reason", "x", "--idempotency-key", key.split()[1])
        assert again.lines[0] == recorded.replace("recorded", "replayed")

    def test_all_members_reach_the_record(self, book):
        first = book("record", "cust_001", "5", "--reason", "x", "--unit", "USD", "--json").findings[0]
        outcome = book(
            "record", "cust_001", "-5", "--reason", "wrong", "--reference", "line 1", "--metadata", '{"a": 1.5}',
            "--effective-at", "2026-04-01", "--adjusts", first["recordId"], "--unit", "USD", "--idempotency-key", "k",
        )  # fmt: skip
        assert outcome.status == 0
        book("checkpoint", "cust_001")
        finding = book("verify", "-", "--key", book("key", "show").out.strip(), "--json", stdin=book(
            "receipt", record_id(book, 2)).out.encode()).findings[0]  # fmt: skip
        assert finding["details"] == {"reason": "wrong", "referenceId": "line 1", "metadata": {"a": 1.5}}
        assert (finding["adjusts"], finding["effectiveAt"]) == (1, "2026-04-01T00:00:00.000000Z")
        assert (finding["amount"], finding["unit"], finding["balance"]) == ("-5", "USD", "0")

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ("record cust_001 0 --reason x", "amount-out-of-range"),
            ("record cust_001 0.0000000001 --reason x", "amount-out-of-range"),
            ("record cust_001 five --reason x", "invalid-field"),
            ("record cust_001 0x5 --reason x", "invalid-field"),
            ("record not/one 5 --reason x", "invalid-field"),
            ("record summary 5 --reason x", "invalid-field"),
            ("record cust_001 5 --reason x --metadata []", "invalid-field"),
            ("record cust_001 5 --reason x --effective-at yesterday", "invalid-field"),
            ("record cust_001 5 --reason x --adjusts nothing", "invalid-field"),
            ("record cust_001 5 --reason x --unit two\xa0units", "invalid-field"),
        ],
    )
    def test_a_request_that_breaks_a_rule_ends_with_14_and_nothing_is_written(self, book, line, code):
        outcome = book(*line.split(" "))
        assert (outcome.status, outcome.out, outcome.code) == (14, "", code)
        assert book("customers", "--json").out == ""

    def test_a_key_is_one_delta_for_ever(self, book):
        line = ["record", "cust_001", "5", "--reason", "x", "--idempotency-key", "k"]
        assert book(*line, "--json").findings[0]["replayed"] is False
        assert book(*line, "--json").findings[0]["replayed"] is True
        line[2] = "6"
        outcome = book(*line)
        assert (outcome.status, outcome.code) == (14, "idempotency-conflict")
        assert record_id(book, 1) in outcome.err

    def test_what_it_adjusts_must_be_there(self, kept):
        outcome = kept("record", "cust_001", "5", "--reason", "x", "--adjusts", record_id(kept, 99))
        assert (outcome.status, outcome.code) == (14, "record-not-found")

    def test_a_clock_far_behind_stops_recording(self, kept, monkeypatch):
        monkeypatch.setattr("counterfoil.cli.context.HostClock", lambda: lambda: 0)
        for line in ("record cust_001 5 --reason x", "checkpoint cust_001 --refresh"):
            outcome = kept(*line.split())
            assert (outcome.status, outcome.code) == (20, "clock-regressed")


class TestCustomers:
    def test_each_that_is_damaged_is_refused_and_the_others_are_listed(self, kept, tamper):
        for number in (2, 3, 4):
            kept("record", f"cust_00{number}", "7", "--reason", "x")
        references = {
            number: kept("customer", f"cust_00{number}", "--json").findings[0]["customerReference"]
            for number in (2, 3)
        }
        for reference in references.values():
            tamper(
                "UPDATE entries SET entry = X'7B7D' WHERE idx = 0 AND log = ?", bytes.fromhex(reference[2:])
            )
        outcome = kept("customers", "--json")
        refused = {found["customerReference"]: found for found in outcome.findings if "result" in found}
        assert refused.keys() == set(references.values())
        assert {found["result"] for found in refused.values()} == {"log-corrupt"}
        assert len(outcome.findings) == 4
        assert (outcome.status, outcome.code) == (20, "log-corrupt")
        assert "2 of 4 were refused" in outcome.err
        lines = kept("customers").lines
        assert sum(line.startswith("(refused) ") for line in lines) == 2
        assert sum(line.startswith("cust_00") for line in lines) == 2

    def test_there_may_be_none(self, book):
        assert book("customers") == (
            0,
            "no customers yet of tenant default: the first delta opens a customer's log\n",
            "",
        )
        assert book("customers", "--json") == (0, "", "")

    def test_each_is_one_line(self, kept):
        kept("record", "cust_002", "3", "--reason", "x", "--unit", "tokens")
        outcome = kept("customers")
        assert len(outcome.lines) == 3
        assert {line.split()[0]: line.split()[2:6] for line in outcome.lines[1:]} == {
            "cust_001": ["2", "2", "487.5", "EUR"],
            "cust_002": ["1", "0", "3", "tokens"],
        }

    def test_the_record_of_one_says_what_is_verified(self, kept):
        kept("record", "cust_001", "1", "--reason", "x")
        record = kept("customer", "cust_001", "--json").findings[0]
        assert (record["totalDeltas"], record["verifiedDeltas"], record["computedBalance"]) == (3, 2, "488.5")
        outcome = kept("customer", "cust_001")
        assert "verified          2 deltas, 1 waiting for the next checkpoint" in outcome.lines
        assert f"verified through  {record['verifiedThroughAt']}" in outcome.lines

    def test_one_that_is_not_there_is_refused(self, kept):
        outcome = kept("customer", "nobody")
        assert (outcome.status, outcome.out, outcome.code) == (14, "", "customer-not-found")

    def test_a_log_that_does_not_read_is_refused_among_the_others(self, kept, tamper):
        kept("record", "cust_002", "3", "--reason", "x")
        tamper(
            "UPDATE entries SET entry = X'7B7D' WHERE idx = 0 AND log = (SELECT log FROM logs ORDER BY log LIMIT 1)"
        )
        outcome = kept("customers", "--json")
        assert (outcome.status, outcome.code) == (20, "log-corrupt")
        assert [found.get("result") for found in outcome.findings] == ["log-corrupt", None]


class TestMonths:
    def test_a_month_is_shown_with_its_figures(self, book):
        month = book("record", "c", "5", "--reason", "x") and book("customer", "c", "--json").findings[0]
        assert month["recordedThisPeriod"] == 1
        assert (month["recordedAmountThisPeriod"], month["closingBalance"]) == ("5", "5")
        assert month["verifiedThisPeriod"] == 0
        assert month["mostRecentActivePeriod"] == month["period"]

    def test_an_empty_month_names_the_most_recent_one(self, book):
        book("record", "c", "5", "--reason", "x")
        outcome = book("customer", "c", "--period", "2020-02")
        assert any(line.startswith("most recent ") for line in outcome.lines)
        assert book("customer", "c", "--period", "2020-02", "--json").findings[0]["recordedThisPeriod"] == 0

    def test_months_are_shown_one_by_one(self, book):
        book("record", "c", "5", "--reason", "x")
        months = book("customer", "c", "--months", "3", "--json").findings[0]["months"]
        assert [month["recordedThisPeriod"] for month in months] == [0, 0, 1]

    def test_what_is_no_month_is_refused(self, book):
        assert book("customer", "c", "--period", "2020-13").code == "invalid-field"
