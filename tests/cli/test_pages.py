"""Pages for people: written beside receipts and statements, and verified as they are."""

from pathlib import Path

import pytest

from tests.cli.conftest import record_id

VERIFY = ("--key", "operator.vkey", "--allow-provisional")
YEARS = ("--from", "2020-01-01", "--to", "2100-01-01")


@pytest.fixture
def pages(kept):
    """A page of a receipt and one of a statement."""
    assert kept("receipt", record_id(kept, 2), "-o", "r.json", "--html", "r.html").status == 0
    assert kept("statement", "cust_001", *YEARS, "--full", "-o", "s.json", "--html", "s.html").status == 0
    return kept


@pytest.mark.parametrize(("name", "kind"), [("r", "receipt"), ("s", "statement")])
class TestAPage:
    def test_it_says_what_its_document_says(self, pages, name, kind):
        [page, _] = pages("verify", f"{name}.html", *VERIFY, "--json").findings
        [document, _] = pages("verify", f"{name}.json", *VERIFY, "--json").findings
        assert page == document | {"file": f"{name}.html", "shownChecked": True}
        assert page["kind"] == kind
        assert "; the page shows this" in pages("verify", f"{name}.html", *VERIFY).lines[0]

    def test_one_that_was_edited_is_refused(self, pages, name, kind):
        page = Path(f"{name}.html").read_text()
        assert kind in page
        Path(f"{name}.html").write_text(page.replace("12.5", "11.5"))
        outcome = pages("verify", f"{name}.html", *VERIFY)
        assert (outcome.status, outcome.code) == (13, "malformed")

    def test_one_of_another_version_has_its_document_verified_and_says_so(self, pages, name, kind):
        page = Path(f"{name}.html").read_text()
        Path(f"{name}.html").write_text(page.replace("report@v1", "report@v2", 1))
        outcome = pages("verify", f"{name}.html", *VERIFY)
        assert outcome.status == 0
        assert outcome.lines[0].endswith("what the page shows was not checked")
        assert "what 1 page of another version shows" in outcome.lines[-1]
        assert pages("verify", f"{name}.html", *VERIFY, "--json").findings[0]["kind"] == kind

    def test_a_page_is_held_against_other_documents(self, pages, name, kind):
        outcome = pages("verify", f"{name}.html", f"{name}.json", *VERIFY)
        assert outcome.status == 0
        assert f"2 {kind}s" in outcome.out


def test_another_page_is_refused(kept):
    Path("x.html").write_text("<html>")
    assert kept("verify", "x.html", *VERIFY).code == "malformed"


def test_a_page_does_not_replace_the_store(kept):
    outcome = kept("receipt", record_id(kept, 2), "-o", "r.json", "--html", "counterfoil.db")
    assert outcome.code == "usage"
