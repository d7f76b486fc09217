"""Two verifiers that share no code say the same: of every vector, and of documents changed at random.

The second one is vectors/reference_verifier.py.  It is asked 100,000 receipts and statements with one to three changes,
10,000 statements of logs in which the operator signed what is not true, and 6,000 packs; without --long a fifth of each.
"""

import ast
import copy
import importlib.util
import json
import random
import sys
from collections import Counter
from pathlib import Path

from counterfoil.cli import respond
from counterfoil.conformance.runner import run
from counterfoil.conformance.vectors import load_vectors
from tests.core.logs import KEYS, Log, pack_of

PATH = Path(__file__).resolve().parents[2] / "vectors" / "reference_verifier.py"
CASES = load_vectors()
# Documents that are right, as requests.
RIGHT = {
    op: [case.input for case in CASES if case.op == op and case.result == "ok"]
    for op in ("receipt", "statement", "pack")
}
KEY_TEXTS = [str(key) for key in KEYS.keys]
# Each of 500 receipts, 500 statements, 100 statements of lies and 60 packs.
ROUNDS = 100
ROUNDS_AT_ONCE = 20


def loaded():
    spec = importlib.util.spec_from_file_location("reference_verifier", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = loaded()


def agreed(op, asked):
    """What both verifiers say of a request; they say the same."""
    request = {"id": "x", "op": op, **asked}
    ours, theirs = respond.answer(request), REFERENCE.answer(request)
    assert ours == theirs, json.dumps(request)
    return ours["result"]


class TestTheFile:
    def test_it_answers_every_vector_as_a_program(self):
        report = run([sys.executable, str(PATH)], CASES)
        assert [(failure.case.id, failure.got) for failure in report.failures] == []
        assert report.conforms

    def test_it_imports_the_standard_library_and_pynacl_alone(self):
        names = set()
        for found in ast.walk(ast.parse(PATH.read_text(encoding="utf-8"))):
            if isinstance(found, ast.Import):
                names |= {alias.name for alias in found.names}
            elif isinstance(found, ast.ImportFrom):
                names.add(found.module)
        tops = {name.partition(".")[0] for name in names}
        assert tops - sys.stdlib_module_names == {"nacl"}

    def test_an_operation_that_it_does_not_have_is_unsupported(self):
        assert REFERENCE.answer({"id": "x", "op": "guess"}) == {"id": "x", "result": "unsupported"}


class Mutator:
    """Changes documents at random, the same way for the same seed."""

    def __init__(self, seed, corpus):
        self.chance = random.Random(seed)  # noqa: S311  -- the same mutants each time
        self.corpus = corpus

    def places(self, value):
        """All members and elements, each as what holds it and its name."""
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inside in list(items):
            yield (value, name)
            if isinstance(inside, dict | list):
                yield from self.places(inside)

    def text(self, text):
        """Another text, much like it."""
        place = self.chance.randrange(len(text) + 1)
        choice = self.chance.randrange(6)
        if choice == 0:
            return text[:place] + text[place + 1 :]
        if choice == 1:
            return text[:place] + self.chance.choice("0159-+. \nZaé\ud83d=") + text[place:]
        if choice == 2 and text:
            place = min(place, len(text) - 1)
            return text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        if choice == 3 and "\n" in text:
            rows = text.split("\n")
            self.swap(rows)
            return "\n".join(rows)
        if choice == 4 and text.isascii() and text.isdigit():
            return str(int(text) + self.chance.choice([-1, 1, 10**18]))
        return self.chance.choice(self.corpus)

    def swap(self, items):
        one, other = self.chance.randrange(len(items)), self.chance.randrange(len(items))
        items[one], items[other] = items[other], items[one]

    def change(self, document):
        """Change one member or element of a document, which is changed itself."""
        holder, name = self.chance.choice(list(self.places(document)))
        value, choice = holder[name], self.chance.randrange(8)
        if choice == 0:
            del holder[name]
        elif choice == 1:
            holder[name] = self.chance.choice(
                [None, 0, True, [], {}, "", 1.5, value, [value], {"value": value}]
            )
        elif choice == 2 and isinstance(holder, list):
            holder.insert(self.chance.randrange(len(holder) + 1), copy.deepcopy(value))
        elif choice == 3 and isinstance(holder, list):
            self.swap(holder)
        elif choice == 4:
            other, key = self.chance.choice(list(self.places(document)))
            holder[name] = copy.deepcopy(other[key])
        elif isinstance(value, str):
            holder[name] = self.text(value)
        elif isinstance(value, dict):
            value[self.chance.choice(["type", "path", "details", "entry", "x"])] = self.chance.choice(
                self.corpus
            )
        elif isinstance(value, list) and value:
            self.swap(value)

    def mutant(self, asked, name):
        """A request whose document has one to three changes."""
        document = json.loads(asked[name])
        for _ in range(self.chance.choice([1, 1, 1, 2, 3])):
            if document:
                self.change(document)
        text = json.dumps(document, ensure_ascii=bool(self.chance.randrange(2)))
        if not self.chance.randrange(20):
            text = self.text(text)
        mutant = {**asked, name: text}
        if not self.chance.randrange(10):
            mutant["customer"] = self.chance.choice(["cust_001", "cust_003", "cust_004", ""])
        if name == "statement" and not self.chance.randrange(4):
            mutant["allowProvisional"] = True
        return mutant


def strings_of(value):
    if isinstance(value, str):
        return {value}
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(strings_of, inside))


def corpus_of(op):
    """Texts that stand somewhere in such documents, the short ones: they fit where they do not belong."""
    found = set().union(*(strings_of(json.loads(asked[op])) for asked in RIGHT[op][:12]))
    return sorted(text for text in found if len(text) < 300)


CORPORA = {op: corpus_of(op) for op in ("receipt", "statement")}


class TestMutants:
    def test_of_receipts_and_statements_changed_at_random_both_say_the_same(self, long):
        seen = {"receipt": Counter(), "statement": Counter()}
        for number in range(ROUNDS if long else ROUNDS_AT_ONCE):
            for op, results in seen.items():
                mutator = Mutator(f"{op} {number}", CORPORA[op])
                for _ in range(500):
                    asked = mutator.chance.choice(RIGHT[op])
                    results[agreed(op, mutator.mutant(asked, op))] += 1
        for op, results in seen.items():
            assert results.total() == (50_000 if long else 10_000)
            assert results["ok"] < results.total() / 4, op
            # The mutants reach what a step after the other refuses.
            assert results.keys() >= {
                "malformed",
                "unknown-type",
                "unknown-key",
                "bad-signature",
                "root-mismatch",
            }, op
        assert seen["receipt"].keys() >= {"index-mismatch", "details-mismatch", "wrong-origin"}
        assert seen["statement"].keys() >= {"incomplete-period", "details-mismatch", "wrong-origin"}

    def test_of_statements_of_logs_in_which_the_operator_lied_both_say_the_same(self, long):
        results = Counter()
        for number in range(ROUNDS if long else ROUNDS_AT_ONCE):
            chance = random.Random(number)  # noqa: S311  -- the same lies each time
            log = Log(chance.randrange(3, 14), seals={chance.randrange(1, 9)}, seed=number)
            ranges = log.ranges()
            for _ in range(100):
                results[agreed("statement", lying(log, chance, ranges))] += 1
        assert results.keys() >= {"ok", "malformed", "time-order", "totals-mismatch", "incomplete-period"}
        assert results["ok"] < results.total() * 2 / 3

    def test_of_packs_changed_at_random_both_say_the_same(self, long):
        results = Counter()
        for number in range(ROUNDS if long else ROUNDS_AT_ONCE):
            mutator = Mutator(f"pack {number}", CORPORA["statement"])
            logs = sorted(
                (Log(7, customer=f"p{place}", seals={3}) for place in range(2)), key=lambda log: log.origin
            )
            for _ in range(60):
                lines = pack_of(*logs)
                for _ in range(mutator.chance.choice([1, 1, 2])):
                    mutator.change(lines)
                texts = [json.dumps(line, ensure_ascii=False) for line in lines]
                held = (
                    [logs[0].checkpoint(mutator.chance.choice([4, 5, 7])).note]
                    if mutator.chance.randrange(2)
                    else []
                )
                results[agreed("pack", {"lines": texts, "keys": KEY_TEXTS, "held": held})] += 1
        assert results.keys() >= {"malformed", "index-mismatch", "root-mismatch", "unknown-type"}


def lying(log, chance, ranges):
    """A request for a statement of a log some members of which the operator made up, and signed."""
    changes = {}
    for _ in range(chance.choice([1, 1, 2, 3])):
        index = chance.randrange(len(log))
        changes.setdefault(index, {}).update(made_up(log, index, chance))
    start, end = chance.choice(ranges)
    period = log.period(start, end)
    try:
        told = log.rewritten(changes)
    except respond.CounterfoilError:  # no entry at all: that is for other tests
        told = log
    mode = chance.choice(["light", "full"])
    document = told.statement(
        start, end, mode, period=period, details=False, opened=bool(chance.randrange(2))
    )
    if not chance.randrange(8):
        document["to"] = "2027-01-01T00:00:00.000000Z"
    return {
        "statement": json.dumps(document),
        "keys": KEY_TEXTS,
        "allowProvisional": bool(chance.randrange(2)),
    }


def made_up(log, index, chance):
    entry = json.loads(log.data[index])
    name = chance.choice(
        [name for name in ("recordedAt", "unit", "count", "credits", "debits") if name in entry]
    )
    values = {
        "recordedAt": [log.time(min(max(index + step, 0), len(log) - 1)) for step in (-2, -1, 0, 1)],
        "unit": ["EUR"],
        "count": [str(max(0, int(entry["count"]) + step)) for step in (-1, 1)],
        "credits": ["0", "1", "999999999999"],
        "debits": ["0", "1", "999999999999"],
    }
    return {name: chance.choice(values[name])}
