"""Every command that works on a store, on PostgreSQL; and passwords, which nobody gets to see."""

import json
from pathlib import Path

import pytest

from counterfoil.storage import shown
from tests.cli.conftest import record_id

SECRET = "hunter2"  # noqa: S105  -- of nobody


@pytest.fixture
def shop(cf, postgres_url, monkeypatch):
    """Call a command on a new store of PostgreSQL, whose URL bears a password; it must not show."""
    # The tests' server trusts who connects, with a password or without.
    url = postgres_url.replace("postgres@", f"postgres:{SECRET}@")
    assert url != postgres_url
    monkeypatch.setenv("COUNTERFOIL_STORE", url)

    def call(*arguments, **named):
        outcome = cf(*arguments, **named)
        assert SECRET not in outcome.out + outcome.err
        return outcome

    return call


class TestCommands:
    def test_a_store_is_made_once_and_is_its_operators(self, shop, postgres_url):
        outcome = shop("init", "--operator", "ledger.example.com", "--unit", "EUR")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.lines[2] == f"store         {postgres_url}"
        again = shop("init")
        assert (again.status, again.out, again.code) == (2, "", "usage")
        assert f"the store {postgres_url} is there already and belongs to ledger.example.com" in again.err
        checked = shop("key", "check")
        assert (checked.status, checked.err) == (0, "")
        assert f"holds  {postgres_url}  made with " in checked.out

    def test_a_store_without_tables_is_told_from_one_that_is_somebody_elses(self, shop, book):
        # Keys are there, in the folder that came with `book`; the database is empty.
        outcome = shop("customers")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "run `counterfoil init` first" in outcome.err
        assert shop("init", "--keys", "others").status == 0
        assert book("customers").code == "key-mismatch"

    def test_from_a_delta_to_an_audit(self, shop):
        assert shop("init", "--operator", "ledger.example.com", "--unit", "EUR").status == 0
        first = shop("record", "cust_001", "500", "--reason", "deposit", "--idempotency-key", "a", "--json")
        again = shop("record", "cust_001", "500", "--reason", "deposit", "--idempotency-key", "a", "--json")
        assert first.findings == [{**again.findings[0], "replayed": False}]
        rows = b"customerId,delta,reason\n" + b"".join(b"c%d,-1.5,x\n" % number for number in range(300))
        imported = shop("import", "-", "--source", "s", "--json", stdin=rows).findings[-1]
        assert (imported["recorded"], imported["refused"]) == (300, 0)
        assert shop("receipt", record_id(shop, 1)).code == "not-yet-checkpointed"
        assert shop("checkpoint", "--all").lines == ["301 checkpoints signed, 0 refused"]
        assert shop("checkpoints", "cust_001", "-o", "notes").status == 0
        assert shop("record", "cust_001", "-0.000000001", "--reason", "dust").status == 0
        assert shop("checkpoint", "cust_001", "--refresh").status == 0
        found = shop("customer", "cust_001", "--json").findings[0]
        assert (found["computedBalance"], found["verifiedDeltas"]) == ("499.999999999", 2)
        assert len(shop("customers", "--json").findings) == 301
        assert shop("receipt", record_id(shop, 1), "-o", "receipt.json").status == 0
        assert shop("receipts", "--all", "-o", "receipts").status == 0
        Path("operator.vkey").write_text(shop("key", "show").out)
        for document in ("receipt.json", "receipts", "notes"):
            assert shop("verify", document, "--key", "operator.vkey").status == 0
        assert (
            shop("consistency", "make", "cust_001", "--from", "notes/3.checkpoint", "-o", "growth").status
            == 0
        )
        verify = ("consistency", "verify", "notes/3.checkpoint", "growth", "--key", "operator.vkey")
        assert shop(*verify).status == 0
        for processes in ("1", "2"):
            audited = shop("audit", "--all", "--json", "--processes", processes)
            assert (audited.status, audited.findings[-1]["summary"]["held"]) == (0, 301)
        assert shop("migrate").status == 0

    def test_what_is_refused_is_refused_with_the_same_codes(self, shop):
        assert shop("init").status == 0
        shop("record", "cust_001", "1", "--reason", "x", "--idempotency-key", "a")
        for line, code in (
            ("record cust_001 2 --reason x --idempotency-key a", "idempotency-conflict"),
            ("record cust_001 0 --reason x", "amount-out-of-range"),
            ("record cust_001 1 --reason x --unit EUR", "invalid-field"),
            ("customer nobody", "customer-not-found"),
            (f"receipt {record_id(shop, 9)}", "record-not-found"),
        ):
            assert shop(*line.split()).code == code

    def test_text_that_postgresql_has_no_column_for_comes_back_as_it_went_in(self, shop):
        assert shop("init").status == 0
        strange = "a\x00b\u2028\U0001f9fe"
        row = json.dumps({"customerId": "cust_001", "delta": "1", "reason": strange})
        assert shop("import", "-", "--source", "s", stdin=f"{row}\n".encode()).status == 0
        assert shop("checkpoint", "--all").status == 0
        receipt = json.loads(shop("receipt", record_id(shop, 1)).out)
        assert receipt["details"]["value"]["reason"] == strange


class TestPasswords:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("postgresql://u:secret@h/db", "postgresql://u@h/db"),
            ("postgres://u:secret@h:5432/db?sslmode=require", "postgresql://u@h:5432/db"),
            ("postgresql://u:s%40e:cret@h/db", "postgresql://u@h/db"),
            ("postgresql://:secret@/db?host=/run", "postgresql://@/db?host=/run"),
            ("postgresql://h:5432/db?user=u&password=secret&sslmode=require", "postgresql://h:5432/db"),
            ("postgresql:///db?sslpassword=secret", "postgresql:///db"),
            ("postgresql://h1:1,h2:2/db", "postgresql://h1:1,h2:2/db"),
            # What is no proper URL may hold one all the same.
            ("postgresql://u:sec@ret@h/db", "postgresql://u@h/db"),
            ("postgresql://u:sec/ret@h/db", "postgresql://u@h/db"),
            ("mysql://u:secret@h/db", "(no URL of a store)"),
            ("postgresql:/u:secret@h/db", "(no URL of a store)"),
            ("host=h password=secret dbname=db", "(no URL of a store)"),
            ("postgresql+psycopg://u:secret@h/d", "(no URL of a store)"),
            ("postgresql://u:sec?ret@h/db?password=x", "postgresql://u@h/db"),
            ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
        ],
    )  # fmt: skip
    def test_a_url_is_shown_without(self, url, words):
        assert shown(url) == words

    @pytest.mark.parametrize(
        ("url", "status"),
        [
            # Nobody is there.
            ("postgresql://u:{}@/db?host=/nowhere", 74),
            ("postgresql://u@/db?host=/nowhere&password={}", 74),
            ("postgresql://u:{}@host.invalid/db", 74),
            # What libpq would take for a host, a port or a database.
            ("postgresql://u:a@{}@host.invalid/db", 2),
            ("postgresql://u:a/{}@host.invalid/db", 2),
            ("postgresql://u:{} {}@host.invalid/db", 2),
            ("postgresql://u:%zz{}@host.invalid/db", 2),
            ("postgresql://u:{}@host.invalid/db?nosuch=1", 2),
            ("postgresql:/u:{}@host.invalid/db", 2),
            ("mysql://u:{}@host.invalid/db", 2),
        ],
    )
    @pytest.mark.parametrize("line", ["customers", "init", "migrate", "worker", "key check"])
    def test_an_error_does_not_repeat_one(self, book, url, status, line):
        outcome = book(*line.split(), "--store", url.format(SECRET, SECRET))
        assert (outcome.status, outcome.out) == (status, "")
        assert SECRET not in outcome.err

    def test_an_error_of_the_server_does_not_repeat_one(self, shop, monkeypatch, postgres_url):
        assert shop("init").status == 0
        for wrong in (
            postgres_url.replace("postgres@", f"nobody:{SECRET}@"),
            postgres_url.replace("postgres@/", f"postgres:{SECRET}@/nosuch_"),
        ):
            monkeypatch.setenv("COUNTERFOIL_STORE", wrong)
            outcome = shop("customers")
            # While it connects, the driver gives no code of the server's.
            assert (outcome.status, outcome.code) == (74, "store-unavailable")
            assert "does not exist" in outcome.err
