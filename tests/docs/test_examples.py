"""What the documentation shows of a shell or of Python is what happens."""

import doctest
import re

import pytest

from tests.docs.examples import PAGES, ROOT, Ran, Session, Step, Values, rewrite, run_page, steps

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = [ROOT / "docs" / name for name in ("recording.md", "verifying.md")]
A, B, C, D = (f"0x{digit * 40}" for digit in "abcd")


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_of_a_page_prints_what_stands_there_and_ends_with_the_status_that_is_shown(
    page, tmp_path
):
    text = page.read_text(encoding="utf-8")
    assert steps(text)
    wrong = run_page(text, tmp_path)
    assert not wrong, "\n\n".join(map(str, wrong))


def test_the_python_of_the_front_page_does_what_stands_there():
    run_python(ROOT / "README.md")


@pytest.mark.parametrize("page", PROGRAMS, ids=name_of)
def test_a_guide_for_programs_does_what_stands_there(page, tmp_path, monkeypatch):
    wrong = run_page(page.read_text(encoding="utf-8"), tmp_path)
    assert not wrong, "\n\n".join(map(str, wrong))
    # The Python of the page works on what its shell has made.
    monkeypatch.chdir(tmp_path)
    run_python(page)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CHANGELOG.md"], ids=name_of)
def test_every_link_of_a_page_at_the_top_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    files = [link.partition("#")[0] for link in links if not link.startswith("https://")]
    assert [file for file in files if not (ROOT / file).is_file()] == []


def run_python(page):
    """Run a page's blocks of Python as one session."""
    text = page.read_text(encoding="utf-8")
    blocks = list(PYTHON.finditer(text))
    assert all(">>> " in block[1] for block in blocks)
    # What stands between the blocks is no output; its lines stay, so that a failure names the line of the page.
    kept = [
        line if any(block.start(1) <= start < block.end(1) for block in blocks) else "\n"
        for start, line in zip(_starts(text), text.splitlines(keepends=True), strict=True)
    ]
    session = doctest.DocTestParser().get_doctest("".join(kept), {}, page.name, str(page), 0)
    assert session.examples
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(session, out=report.append)
    assert not runner.failures, "".join(report)


def _starts(text):
    place = 0
    for line in text.splitlines(keepends=True):
        yield place
        place += len(line)


class TestTheRule:
    """The examples are compared as `tests/docs/examples.py` says."""

    def test_a_page_is_read_as_commands_and_their_output(self):
        text = (
            "a\n```console\n$ one \\\n>   two\nx\n```\nb\n```text\n$ no\n```\n```console\n$ three\n\ny\n```\n"
        )
        assert steps(text) == [Step(2, "one \\\n  two", ["x"], 4), Step(11, "three", ["", "y"], 12)]

    @pytest.mark.parametrize(
        ("shown", "printed", "agree"),
        [
            (["a"], ["a"], True),
            (["a"], ["b"], False),
            (["a"], ["a", "b"], False),
            (["a"], [], False),
            ([], ["a"], False),
            (["a", "..."], ["a", "b", "c"], True),
            (["a", "...", "c"], ["a", "c"], True),
            (["a", "...", "d"], ["a", "b", "c"], False),
            (["a ... c"], ["a b c"], True),
            (["a ... c"], ["a b d"], False),
            (["at 2001-01-01T00:00:00.000000Z"], ["at 2002-02-02T00:00:00.000000Z"], True),
            ([f"{A}.1"], [f"{B}.1"], True),
            ([f"{A}.1"], [f"{B}.2"], False),
            ([A, f"{B} 1"], [f"{C} 1", D], True),
            ([A, f"{B} 1", B], [f"{C} 1", D, D], False),
            ([f"{A} 1", f"{A} 2"], [f"{C} 2", f"{C} 1"], False),
            (["a" * 64, "a" * 64], ["b" * 64, "b" * 64], True),
            (["a" * 64, "a" * 64], ["b" * 64, "c" * 64], False),
        ],
    )
    def test_output_agrees_but_for_values_that_vary(self, shown, printed, agree):
        assert Values().agree_all(shown, printed) is agree

    def test_a_later_command_is_given_the_value_of_the_run(self):
        values = Values()
        assert values.agree(f"id {A}", f"id {B}")
        assert values.of_run(f"receipt {A}.2") == f"receipt {B}.2"

    def test_a_session_keeps_its_folder_and_hands_on_the_status(self, tmp_path):
        (tmp_path / "inner").mkdir()
        with Session(tmp_path) as session:
            assert session.run("cd inner") == Ran([], 0)
            assert session.run("pwd") == Ran([str(tmp_path / "inner")], 0)
            assert session.run("printf half; cat; (exit 7)") == Ran(["half"], 7)
            assert session.run("echo $?") == Ran(["7"], 0)
            assert session.run("cat <<E\na\nE") == Ran(["a"], 0)

    def test_wrong_output_and_a_status_that_is_not_shown_are_found_and_output_is_written_anew(self, tmp_path):
        text = "```console\n$ echo a\nb\n$ false\n$ false\n$ echo $?\n1\n$ echo c\n```\n"
        wrong = run_page(text, tmp_path)
        assert [found.step.command for found in wrong] == ["echo a", "false", "echo c"]
        written = "```console\n$ echo a\na\n$ false\n$ false\n$ echo $?\n1\n$ echo c\nc\n```\n"
        assert rewrite(text, wrong) == written
