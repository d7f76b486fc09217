"""A command writes onto nothing that it reads, and replaces only what it may have written before."""

import gzip
from pathlib import Path

import pytest

from tests.cli.conftest import record_id

YEARS = ("--from", "2020-01-01", "--to", "2100-01-01")
COMPARE = ("compare", "cust_001", "theirs.csv", *YEARS)
STATEMENT = ("statement", "cust_001", *YEARS, "--full")
# What each kind of file is called below, and how it is written.
WRITES = {
    "receipt.json": ("receipt", "RECORD", "-o"),
    "light.json": ("statement", "cust_001", *YEARS, "-o"),
    "full.json": (*STATEMENT, "-o"),
    "table.csv": (*STATEMENT, "-o", "full.json", "--csv"),
    "page.html": (*STATEMENT, "-o", "full.json", "--html"),
    "receipt.html": ("receipt", "RECORD", "-o", "receipt.json", "--html"),
    "log.pack": ("pack", "cust_001", "-o"),
    "log.pack.gz": ("pack", "cust_001", "-o"),
    "dispute.json": (*COMPARE, "--dispute"),
}
ALIKE = ({"light.json", "full.json"}, {"page.html", "receipt.html"}, {"log.pack", "log.pack.gz"})


@pytest.fixture
def written(kept):
    """Write one of each kind, and files of other people; return a function that writes one again, by another name."""
    Path("theirs.csv").write_text("delta\n500\n-12\n")
    record = record_id(kept, 2)

    def write(kind, name):
        return kept(*[record if part == "RECORD" else part for part in WRITES[kind]], name)

    for kind in WRITES:
        assert write(kind, kind).status == 0
    Path("notes.txt").write_text("mine")
    Path("other.json").write_text('{"type":"other@v1"}')
    Path("archive.tar.gz").write_bytes(gzip.compress(b"a name and bytes" * 100))
    Path("link").symlink_to("receipt.json")
    return write


@pytest.mark.parametrize("kind", WRITES)
def test_what_it_wrote_before_is_written_again(written, kind):
    Path(kind).chmod(0o600)
    before = Path(kind).stat().st_ino
    assert written(kind, kind).status == 0
    assert Path(kind).stat().st_ino != before


@pytest.mark.parametrize("kind", WRITES)
def test_an_empty_file_is_filled(written, kind):
    Path("empty").touch()
    assert written(kind, "empty").status == 0
    assert Path("empty").stat().st_size


@pytest.mark.parametrize("kind", WRITES)
def test_nothing_of_another_kind_is_replaced(written, kind):
    alike = next((group for group in ALIKE if kind in group), {kind})
    people = {"operator.vkey", "theirs.csv", "notes.txt", "other.json", "archive.tar.gz", "link"}
    for name in sorted(people | WRITES.keys() - alike):
        before = Path(name).read_bytes()
        outcome = written(kind, name)
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage"), name
        assert Path(name).read_bytes() == before


def test_what_a_pipe_wrote_counts_as_well(written, kept):
    Path("piped.json").write_text(kept(*STATEMENT).out)
    assert written("full.json", "piped.json").status == 0


@pytest.mark.parametrize("name", ["theirs.csv", "./theirs.csv", "folder/../theirs.csv"])
@pytest.mark.parametrize("text", ["delta\n500\n", ""])
def test_a_packet_does_not_replace_the_rows_that_it_is_made_from(kept, name, text):
    Path("folder").mkdir()
    Path("theirs.csv").write_text(text)
    outcome = kept(*COMPARE, "--dispute", name)
    assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
    assert Path("theirs.csv").read_text() == text


def test_a_page_does_not_replace_the_one_that_it_is_made_from(kept):
    kept("receipt", record_id(kept, 2), "-o", "receipt.json", "--html", "receipt.html")
    before = Path("receipt.html").stat().st_ino
    outcome = kept("verify", "receipt.html", "--key", "operator.vkey", "--html", "receipt.html")
    assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
    assert Path("receipt.html").stat().st_ino == before


@pytest.mark.parametrize(
    "text", ["# Notes\n\ncounterfoil/report@v1 is a page.\n", "<!doctype html>\n<p>counterfoil/report@v1"]
)
def test_a_page_does_not_replace_a_text_about_pages(kept, text):
    Path("notes.html").write_text(text)
    outcome = kept("verify", "receipt.json", "--key", "operator.vkey", "--html", "notes.html")
    assert (outcome.status, outcome.code) == (2, "usage")
    assert Path("notes.html").read_text() == text
