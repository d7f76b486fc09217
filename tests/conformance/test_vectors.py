"""Vector files are read strictly: what is no vector is refused by name, before anything is run."""

import json
import sys
from pathlib import Path

import pytest

import counterfoil
from counterfoil.conformance import vectors
from counterfoil.conformance.vectors import bundled_folder, load_vectors
from tests.support import refused

CASE = {
    "id": "amount/one",
    "comment": "one",
    "spec": "docs/spec/conventions.md#amount",
    "op": "amount",
    "input": {"text": "1"},
    "result": "ok",
    "output": {"nano": "1000000000"},
}
DOCUMENT = {"$schema": "../schema.json", "topic": "amount", "about": "x", "source": "x", "cases": [CASE]}


def write(folder, document, name="amount/accepted.json"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return folder


def changed(**members):
    """The document with members of its case changed, or left out where they are None."""
    case = {name: value for name, value in {**CASE, **members}.items() if value is not None}
    return {**DOCUMENT, "cases": [case]}


def test_a_case_is_read_with_the_topic_of_its_file(tmp_path):
    [case] = load_vectors(write(tmp_path, DOCUMENT))
    assert (case.id, case.topic, case.result) == ("amount/one", "amount", "ok")
    assert (case.input, case.output) == ({"text": "1"}, {"nano": "1000000000"})


def test_cases_come_in_the_order_of_the_files(tmp_path):
    write(tmp_path, DOCUMENT)
    write(tmp_path, changed(id="amount/two", result="malformed", output=None), "amount/refused.json")
    write(tmp_path, {**changed(id="base64/one"), "topic": "base64"}, "base64/accepted.json")
    assert [case.id for case in load_vectors(tmp_path)] == ["amount/one", "amount/two", "base64/one"]


def test_the_vectors_of_others_are_not_read(tmp_path):
    write(tmp_path, DOCUMENT)
    write(tmp_path, {"cases": []}, "external/theirs.json")
    assert len(load_vectors(tmp_path)) == 1


def test_without_a_folder_the_vectors_of_the_checkout_are_read():
    assert bundled_folder() == Path(counterfoil.__file__).resolve().parents[2] / "vectors"
    assert load_vectors() == load_vectors(bundled_folder())


def test_an_installed_package_brings_its_vectors_along(tmp_path, monkeypatch):
    inside = tmp_path / "site-packages" / "counterfoil"
    write(inside / "vectors", DOCUMENT)
    monkeypatch.setattr(vectors, "__file__", str(inside / "conformance" / "vectors.py"))
    assert bundled_folder() == inside / "vectors"
    assert [case.id for case in load_vectors()] == ["amount/one"]


def test_a_folder_without_vectors_is_a_mistake_of_the_caller(tmp_path):
    with refused("usage"):
        load_vectors(tmp_path)
    with refused("usage"):
        load_vectors(tmp_path / "nowhere")


def test_a_file_that_cannot_be_read_is_an_io_error(tmp_path):
    (tmp_path / "amount" / "folder.json").mkdir(parents=True)
    with refused("io-error"):
        load_vectors(tmp_path)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
        {**DOCUMENT, "more": 1},
        {"cases": [CASE]},
        {**DOCUMENT, "cases": {}},
        {**DOCUMENT, "topic": 1},
        {**DOCUMENT, "cases": [1]},
        {**DOCUMENT, "cases": [CASE, CASE]},
        changed(output=None),
        changed(output="1"),
        changed(result="malformed"),
        changed(result="guess", output=None),
        changed(result=1, output=None),
        changed(id=""),
        changed(id=None),
        changed(input=[]),
        changed(input={"id": "x"}),
        changed(input={"op": "x"}),
        changed(note="x"),
    ],
)
def test_a_file_that_holds_no_vectors_is_refused(tmp_path, document):
    with refused("malformed"):
        load_vectors(write(tmp_path, document))


def test_the_package_imports_nothing_that_it_judges():
    names = {"counterfoil.core", "counterfoil.engine", "counterfoil.storage", "counterfoil.cli"}
    folder = Path(vectors.__file__).parent
    found = [line for path in folder.glob("*.py") for line in path.read_text(encoding="utf-8").splitlines()]
    imports = [line.split()[1] for line in found if line.startswith(("import ", "from "))]
    ours = {name for name in imports if name.startswith("counterfoil")}
    assert not {name for name in ours if ".".join(name.split(".")[:2]) in names}
    assert {name for name in imports if not name.startswith("counterfoil")} <= {
        *sys.stdlib_module_names,
        "collections.abc",
    }
