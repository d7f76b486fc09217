"""The vectors reach every rule of the second verifier: each of them, forgiven by itself, changes an answer.

A rule is a condition that `require` is given, each part of one that has several, a refusal that is raised, a bound, or
the edge of a comparison: what is said of two that are equal.  To forgive a condition changes nothing where it holds, and
an edge nothing where the two differ: so only the other cases are asked again.
"""

import ast
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from counterfoil.conformance.vectors import load_vectors

PATH = Path(__file__).resolve().parents[2] / "vectors" / "reference_verifier.py"
CASES = load_vectors()
# Integers from here on are bounds in bytes, characters or items; those below are parts of formulas, or tell more than
# how long something may be.
BOUND_MIN = 2_048
# vectors/README.md says why.
WITHOUT_A_CASE = {
    "utf8: not re.search('[\\ud800-\\udfff]', value)",
    "details: at most 262144",
    "statement: at most 33554432",
}


class Rules(ast.NodeTransformer):
    """Makes each rule of a program ask `_holds`, `_edge` or `_bound` with its number.

    Attributes:
        names: of the rules, by number: the function, and what is demanded there.
    """

    def __init__(self):
        self.names = []
        self._function = ""

    def visit_FunctionDef(self, node):
        if node.name == "require":
            return node
        self._function = node.name
        return self.generic_visit(node)

    def visit_Call(self, node):
        if ast.unparse(node.func) != "require":
            return self.generic_visit(node)
        condition, *code = node.args
        return ast.Call(node.func, [self.parts(condition), *code], [])

    def visit_Compare(self, node):
        name = f"the edge of {ast.unparse(node)}"
        self.generic_visit(node)
        if len(node.ops) > 1 or not isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            return node
        return self.asked("_edge", name, node, ast.Compare(node.left, [ast.Eq()], node.comparators))

    def visit_Raise(self, node):
        refused = self.asked("_holds", ast.unparse(node), ast.Constant(value=False))
        return ast.If(ast.UnaryOp(ast.Not(), refused), [node], [])

    def visit_Constant(self, node):
        if isinstance(node.value, int) and node.value >= BOUND_MIN:
            return self.asked("_bound", f"at most {node.value}", node)
        return node

    def parts(self, node):
        """The parts of a condition, each of which can be forgiven."""
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            return ast.BoolOp(node.op, [self.parts(part) for part in node.values])
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            sides = pairwise([node.left, *node.comparators])
            chain = [
                ast.Compare(one, [op], [other]) for (one, other), op in zip(sides, node.ops, strict=True)
            ]
            return ast.BoolOp(ast.And(), [self.parts(part) for part in chain])
        name = ast.unparse(node)
        return self.asked("_holds", name, self.visit(node))

    def asked(self, function, demanded, *nodes):
        self.names.append(f"{self._function}: {demanded}")
        number = ast.Constant(len(self.names) - 1)
        return ast.Call(ast.Name(function, ast.Load()), [number, *nodes], [])


class Forgiving:
    """The second verifier, of which one rule is forgiven at a time.

    Attributes:
        names: of the rules.
        forgiven: the number of the rule that is, None where none is.
        reached: the conditions that did not hold, and the edges that were met, since this was emptied.
    """

    def __init__(self):
        rules = Rules()
        tree = ast.fix_missing_locations(rules.visit(ast.parse(PATH.read_text(encoding="utf-8"))))
        self.names = rules.names
        self.forgiven = None
        self.reached = set()
        self._names = {"__name__": PATH.stem, "_holds": self.holds, "_edge": self.edge, "_bound": self.bound}
        exec(compile(tree, PATH, "exec"), self._names)  # noqa: S102  -- our own file

    def holds(self, number, value):
        if value:
            return value
        self.reached.add(number)
        return number == self.forgiven

    def edge(self, number, value, same):
        if same:
            self.reached.add(number)
        return value ^ (same and number == self.forgiven)

    def bound(self, number, value):
        return value * 1_000 if number == self.forgiven else value

    def is_right(self, case):
        """Whether it answers a case as it should; a crash is no right answer either."""
        try:
            answer = self._names["answer"]({"id": case.id, "op": case.op, **case.input})
        except Exception:  # noqa: BLE001  -- without a rule it may come to anything
            return False
        return (answer["result"], answer.get("output")) == (case.result, case.output)


def rules_without_a_case(cases):
    """The names of the rules that can be forgiven while all of these cases are answered as they should be."""
    verifier = Forgiving()
    reached = defaultdict(list)
    for case in cases:
        verifier.reached.clear()
        assert verifier.is_right(case), case.id
        for number in verifier.reached:
            reached[number].append(case)
    too_much = [case for case in cases if case.result in {"too-large", "malformed"}]
    found = set()
    for number, name in enumerate(verifier.names):
        verifier.forgiven = number
        asked = too_much if ": at most " in name else reached[number]
        if all(verifier.is_right(case) for case in asked):
            found.add(name)
    return found


def test_without_any_of_its_rules_a_vector_is_answered_otherwise():
    assert rules_without_a_case(CASES) == WITHOUT_A_CASE


def test_a_rule_is_missed_as_soon_as_its_only_case_is():
    only = {"statement/from-is-to", "note/too-large", "pack/held-two"}
    assert rules_without_a_case([case for case in CASES if case.id not in only]) - WITHOUT_A_CASE == {
        "statement: the edge of start < end",
        "read_note: at most 262144",
        "pack: len({point['origin'] for point in held}) == len(held)",
    }
