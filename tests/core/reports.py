"""Pages of the worked example and of a log, and a reader that sees of them what a person sees."""

import html
import re
from html.parser import HTMLParser

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.encoding import canonical_json
from counterfoil.core.report import format_report
from tests.core.common import example_blocks, example_values
from tests.core.disputes import receipt
from tests.core.logs import KEYS, Log

BLOCKS, VALUES = example_blocks(), example_values()
EXAMPLE_KEYS = KeySet.parse(VALUES["operator key"])
LOG = Log(12, seals={5})
PERIOD = (3, 9)


class Told(Log):
    """A log of these amounts, in nano, from entry 1 on; None is a seal.  What its deltas say may be named by index."""

    def __init__(self, *amounts, said=None, **options):
        self._amounts, self._said = amounts, said or {}
        seals = {index for index, amount in enumerate(amounts, 1) if amount is None}
        super().__init__(len(amounts) + 1, seals=seals, **options)

    def amount_at(self, index):
        return self._amounts[index - 1]

    def value_at(self, index):
        return self._said.get(index) or super().value_at(index)


def statement(log=LOG, period=PERIOD, mode="full", **options):
    return canonical_json(log.statement(*period, mode, **{"opened": True, **options}))


def before_the_log(mode="full"):
    """The statement of a month in which the log had not begun."""
    return statement(period=(0, 0), mode=mode)


def page_of(document=None, **options):
    return format_report(statement() if document is None else document, KEYS, **options)


class Reader(HTMLParser):
    """A page as elements with their attributes, the text that is seen, and the rows of its tables."""

    VOID = ("meta", "br", "wbr", "line", "rect", "path")
    CELLS = ("th", "td")

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.texts, self.rows = [], [], [], []
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in self.CELLS:
            self.rows[-1].append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "template", "title"} & {*self.open}:
            self.texts.append(data)
        if {*self.CELLS} & {*self.open}:
            self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join("".join(self.texts).split(" "))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def titles_of(page):
    """A page's title and its first heading, as they read."""
    found = re.findall(r"<(title|h1)>(.*?)</\1>", page.decode())
    return [html.unescape(re.sub("<[^>]+>", "", markup)) for _, markup in found]


def seen(page):
    return Reader(page).text


def facts_of(page):
    """What stands beside each name in the tables of a page."""
    return {name: " ".join(values) for name, *values in Reader(page).rows}


EXAMPLE_PAGES = {
    name: format_report(BLOCKS[name], EXAMPLE_KEYS)
    for name in ("receipt-2", "receipt-4", "statement-april", "statement-may")
}
PAGES = {
    **EXAMPLE_PAGES,
    "full": page_of(),
    "light": page_of(statement(mode="light")),
    "empty": page_of(statement(period=(4, 4))),
    "empty-light": page_of(statement(period=(4, 4), mode="light")),
    "behind": page_of(before_the_log()),
    "behind-light": page_of(before_the_log(mode="light")),
    "one-light": page_of(statement(period=(4, 5), mode="light")),
    "two-light": page_of(statement(period=(3, 5), mode="light")),
    "open": page_of(receipt(0, LOG)),
    "seal": page_of(receipt(5, LOG)),
    "provisional": page_of(statement(period=(9, 12)), allow_provisional=True),
    "provisional-light": page_of(statement(period=(9, 12), mode="light"), allow_provisional=True),
}
