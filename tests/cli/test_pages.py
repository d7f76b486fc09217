"""Pages for people: written beside receipts and statements, and verified as they are."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import record_id

VERIFY = ("--key", "operator.vkey", "--allow-provisional")
YEARS = ("--from", "2020-01-01", "--to", "2100-01-01")


def as_printed(call, name, customer="cust_001"):
    """Run the command that a page tells its reader to run."""
    [command] = re.findall("<code>counterfoil (verify [^<]+)</code>", Path(name).read_text())
    meant = {"FILE.html": name, "KEY": "operator.vkey", "ID": customer}
    return call(*[meant.get(word, word) for word in shlex.split(command)])


@pytest.fixture
def pages(kept):
    """A page of a receipt and one of a statement of a period that goes on."""
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

    def test_one_of_another_version_is_refused_whatever_it_shows(self, pages, name, kind):
        page = Path(f"{name}.html").read_text()
        assert kind in page
        for shown in (page, page.replace("</main>", "<p>Paid.</p></main>")):
            Path(f"{name}.html").write_text(shown.replace("report@v1", "report@v2", 1))
            outcome = pages("verify", f"{name}.html", *VERIFY)
            assert (outcome.status, outcome.code) == (11, "unknown-type")
            assert "0 verified, 1 refused" in outcome.out

    def test_it_is_parsed_and_verified_once(self, pages, name, kind, monkeypatch):
        document, parsed, decode = Path(f"{name}.json").read_text(), [], json.JSONDecoder.decode

        def counting(self, text):
            parsed.append(text)
            return decode(self, text)

        monkeypatch.setattr(json.JSONDecoder, "decode", counting)
        assert f"1 {kind}" in pages("verify", f"{name}.html", *VERIFY).out
        assert parsed.count(document) == 1

    def test_the_command_that_it_prints_verifies_it(self, pages, name, kind):
        outcome = as_printed(pages, f"{name}.html")
        assert outcome.status == 0
        assert f"1 {kind}" in outcome.out
        assert as_printed(pages, f"{name}.html", "cust_002").code == "wrong-origin"

    def test_a_page_is_held_against_other_documents(self, pages, name, kind):
        outcome = pages("verify", f"{name}.html", f"{name}.json", *VERIFY)
        assert outcome.status == 0
        assert f"2 {kind}s" in outcome.out


@pytest.mark.parametrize("mode", [(), ("--full",)], ids=["light", "full"])
def test_the_command_that_a_page_of_a_final_statement_prints_verifies_it_without_more(kept, mode):
    ends = json.loads(Path("receipt.json").read_text())["entry"]["recordedAt"]
    period = ("--from", "2020-01-01", "--to", ends)
    assert kept("statement", "cust_001", *period, *mode, "-o", "f.json", "--html", "f.html").status == 0
    assert "--allow-provisional" not in Path("f.html").read_text()
    assert as_printed(kept, "f.html").status == 0


class TestInAFolder:
    @pytest.fixture
    def folder(self, pages):
        """The pages beside other people's files, one of them a page too."""
        Path("f/sub").mkdir(parents=True)
        Path("r.html").rename("f/r.html")
        Path("s.html").rename("f/sub/s.html")
        Path("f/index.html").write_text("<!doctype html>\n<title>receipts</title>")
        Path("f/notes.txt").write_text("other")
        return pages

    def test_pages_are_verified_and_those_of_others_are_counted_as_not_checked(self, folder):
        outcome = folder("verify", "f", *VERIFY)
        assert (outcome.status, outcome.err) == (0, "")
        assert [line.split()[1] for line in outcome.lines if line.startswith("verified ")] == [
            "f/r.html",
            "f/sub/s.html",
        ]
        assert "2 verified, 0 refused; 1 receipt and 1 statement" in outcome.out
        others = "2 other files in the folders (f/index.html, f/notes.txt)"
        assert outcome.lines[-1].endswith(f"; {others}")
        assert others in folder("verify", "f", *VERIFY, "--json").findings[-1]["summary"]["notChecked"]

    def test_what_is_not_ours_alone_is_no_success(self, folder):
        Path("g").mkdir()
        Path("f/index.html").rename("g/index.html")
        assert folder("verify", "g", *VERIFY).code == "nothing-checked"

    @pytest.mark.parametrize(
        "change",
        [
            lambda page: page.replace("12.5", "11.5"),
            lambda page: page.replace("\n", "\r\n"),
            lambda page: page.replace("<!doctype", "<!DOCTYPE", 1),
            lambda page: "\ufeff" + page,
            lambda page: page.replace("\n", "\n<!-- saved from url=(0014)about:internet -->\n", 1),
        ],
    )
    def test_one_that_was_edited_or_saved_again_is_refused_and_not_passed_over(self, folder, change):
        page = Path("f/r.html").read_text()
        Path("f/r.html").write_text(change(page), newline="")
        outcome = folder("verify", "f", *VERIFY)
        assert (outcome.status, outcome.code) == (13, "malformed")
        assert outcome.lines[0].startswith("refused   f/r.html")

    @pytest.mark.parametrize("padding", [0, 300_000])
    def test_one_that_a_browser_wrote_again_is_refused_with_what_to_do(self, folder, padding):
        page = Path("f/r.html").read_text()
        # What `documentElement.outerHTML` gives: without the lines before it.
        Path("f/r.html").write_text(" " * padding + page[page.index("<html") :])
        for name in ("f", "f/r.html"):
            outcome = folder("verify", name, *VERIFY)
            assert (outcome.status, outcome.code) == (13, "malformed")
            assert "it was edited, or saved again by a program" in outcome.out
            assert "counterfoil: hint: ask for the page as it was sent" in outcome.err

    def test_what_never_was_one_is_not_asked_for_again(self, folder):
        outcome = folder("verify", "f/index.html", *VERIFY)
        assert (outcome.code, "as it was sent" in outcome.err) == ("malformed", False)

    def test_of_many_other_files_the_first_are_named_and_the_others_counted(self, folder):
        for number in range(7):
            Path(f"f/{number}.pack").write_text("other")
        outcome = folder("verify", "f", *VERIFY)
        assert outcome.lines[-1].endswith(
            "; 9 other files in the folders (f/0.pack, f/1.pack, f/2.pack, f/3.pack, f/4.pack, and 4 more)"
        )

    def test_one_that_cannot_be_read_was_not_checked(self, folder, monkeypatch):
        original = os.open

        def failing(path, *arguments, **options):
            if path == "f/index.html":
                raise PermissionError(13, "Permission denied", path)
            return original(path, *arguments, **options)

        monkeypatch.setattr(os, "open", failing)
        outcome = folder("verify", "f", *VERIFY)
        assert (outcome.status, outcome.code) == (74, "io-error")


class TestWrittenByWhoeverVerifies:
    @pytest.mark.parametrize("name", ["r", "s"])
    def test_it_is_the_one_that_the_maker_of_the_document_writes(self, pages, name):
        outcome = pages("verify", f"{name}.json", *VERIFY, "--html", "mine.html")
        assert outcome == pages("verify", f"{name}.json", *VERIFY)
        assert outcome.status == 0
        assert Path("mine.html").read_bytes() == Path(f"{name}.html").read_bytes()

    def test_of_what_is_refused_there_is_none(self, pages):
        for more in (("--customer", "cust_002"), ("--origin", "another")):
            assert pages("verify", "s.json", *VERIFY, *more, "--html", "mine.html").code == "wrong-origin"
        assert pages("verify", "s.json", *VERIFY[:2], "--html", "mine.html").code == "incomplete-period"
        assert not Path("mine.html").exists()

    @pytest.mark.parametrize(
        "given", [["r.json", "s.json"], ["f"], ["r.html"], ["notes/4.checkpoint"], ["p"]]
    )
    def test_there_is_one_of_one_receipt_or_statement(self, pages, given):
        Path("f").mkdir()
        Path("f/r.json").write_bytes(Path("r.json").read_bytes())
        pages("checkpoints", "cust_001", "-o", "notes")
        pages("receipt", record_id(pages, 2), "-o", "r.json", "--tlog-proof", "p")
        outcome = pages("verify", *given, *VERIFY, "--html", "mine.html")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert not Path("mine.html").exists()

    @pytest.mark.parametrize(
        "name", ["counterfoil.db", "counterfoil-keys/signing-key.pem", "r.json", "x.html", "link"]
    )
    def test_it_replaces_a_page_and_nothing_else(self, pages, name):
        Path("x.html").write_text("<html>")
        Path("link").symlink_to("r.html")
        before = Path(name).read_bytes()
        outcome = pages("verify", "s.json", *VERIFY, "--html", name)
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
        assert Path(name).read_bytes() == before
        assert pages("verify", "s.json", *VERIFY, "--html", "r.html").status == 0
        assert Path("r.html").read_bytes() == Path("s.html").read_bytes()

    def test_a_dispute_packet_has_none(self, pages):
        Path("theirs.csv").write_text("delta\n500\n")
        pages("compare", "cust_001", "theirs.csv", *YEARS, "--dispute", "d.json")
        outcome = pages("verify", "d.json", *VERIFY, "--html", "mine.html")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "a dispute packet has no page" in outcome.err

    @pytest.mark.parametrize("bad", ["--html", "--csv"])
    def test_where_one_cannot_be_written_nothing_is_read_and_the_other_is_not_written(self, pages, bad):
        outputs = {"--html": "m.html", "--csv": "m.csv"} | {bad: "nowhere/m"}
        words = [word for pair in outputs.items() for word in pair]
        outcome = pages("verify", "s.json", *VERIFY, *words)
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
        assert not Path("m.html").exists()
        assert not Path("m.csv").exists()

    def test_where_the_page_fails_in_the_end_the_table_is_not_written_either(self, pages, monkeypatch):
        def failing(path, _):
            raise OSError(28, "No space left on device", str(path))

        monkeypatch.setattr("counterfoil.cli.verify.write_output", failing)
        outcome = pages("verify", "s.json", *VERIFY, "--html", "m.html", "--csv", "m.csv")
        assert (outcome.status, outcome.code) == (74, "out-of-space")
        assert not Path("m.csv").exists()

    def test_table_and_page_are_two_files(self, pages):
        outcome = pages("verify", "s.json", *VERIFY, "--html", "mine", "--csv", "./mine")
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
        assert pages("verify", "s.json", *VERIFY, "--html", "m.html", "--csv", "m.csv").status == 0
        assert Path("m.html").exists()
        assert Path("m.csv").exists()


def test_another_page_is_refused(kept):
    Path("x.html").write_text("<html>")
    assert kept("verify", "x.html", *VERIFY).code == "malformed"


def test_a_page_does_not_replace_the_store(kept):
    outcome = kept("receipt", record_id(kept, 2), "-o", "r.json", "--html", "counterfoil.db")
    assert outcome.code == "usage"


def test_a_receipt_and_its_page_are_two_files(kept):
    outcome = kept("receipt", record_id(kept, 2), "-o", "same", "--html", "same", "--tlog-proof", "p")
    assert (outcome.status, outcome.code) == (2, "usage")
    assert not Path("same").exists()
    assert not Path("p").exists()
