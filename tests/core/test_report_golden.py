"""The pages of version 1, byte for byte, of documents that between them show everything that the template can show.

Pages of version 1 are in people's hands: where one of these changes, the template is another, and REPORT_VERSION has to
be, too.  `python -m tests.core.test_report_golden` writes the hashes of the pages as they are now.
"""

import hashlib
import json
import sys
from functools import cache

import pytest

from counterfoil.core.encoding import canonical_json
from counterfoil.core.note import Note, SignatureLine, format_note
from counterfoil.core.receipt import format_receipt
from counterfoil.core.report import REPORT_START, format_report
from counterfoil.core.tlog_proof import format_tlog_proof
from tests.core.logs import KEYS, NANO, Log
from tests.core.reports import EXAMPLE_PAGES, Told, receipt, statement

BILLION = 10**9 * NANO
# The balance goes from below nothing to above it and back.
CROSSING = Told(-5 * NANO, 3 * NANO, 9 * NANO, -11 * NANO, None)
FROM_BELOW = Told(-5 * NANO, 3 * NANO, 2 * NANO, -NANO // 2, None)
FROM_ABOVE = Told(5 * NANO, -3 * NANO, -2 * NANO, NANO // 2, None)
TINY = Told(BILLION, None, 1, -3, None)
# Where one more or less shows.
NANOS = Told(1, -2, 3, -1, None)
DEEP = Told(-4, 1, -1, None)
# The widest figure of an unbroken column, without a fraction and with one; and those that are wider by a character.
WIDEST, WIDER = -(10**14) * NANO, 10**15 * NANO
FRACTION, WIDER_FRACTION = -(10**13) * NANO - NANO // 2, 10**14 * NANO + NANO // 2
WIDE = Told(
    WIDEST,
    -WIDEST,
    None,
    WIDER,
    -WIDER,
    None,
    FRACTION,
    -FRACTION,
    None,
    WIDER_FRACTION,
    -WIDER_FRACTION,
    None,
)
ESCAPED = Told(NANO, None).rewritten({index: {"unit": "<b>\"&'"} for index in range(3)})
# Nothing is recorded between these two.
YEARS = Told(None).rewritten({
    0: {"recordedAt": "2024-12-31T23:59:59.999999Z"}, 1: {"recordedAt": "2026-02-01T00:00:00.000000Z"},
})  # fmt: skip
SAYING = Told(
    NANO, 2 * NANO, 3 * NANO, 4 * NANO, 5 * NANO, None,
    said={
        1: {"reason": "r" * 120, "referenceId": "R" * 121},
        2: {"reason": "r" * 121, "referenceId": "R" * 120},
        3: {
            "reason": "<b>&\"'", "referenceId": " \u202ea\u05d0  b\n\U000e0041",
            "metadata": {"z": {"b": [1, None], "a": True}, "a": "\u00e9\u0000", "": 0.5},
        },
        4: {"reason": "", "referenceId": "", "metadata": {}},
    },
).rewritten({
    3: {"effectiveAt": "2026-03-31T23:00:00.000000Z", "adjusts": "1"},
    5: {"effectiveAt": "2026-03-31T23:00:00.000001Z"},
})  # fmt: skip


def cosigned(log):
    """A log whose checkpoint has lines of witnesses around the operator's two, of its former key and of its own."""
    other, name = log.rewritten({}), log.origin
    [own] = log.checkpoint().signatures
    lines = [
        SignatureLine("witness.example/1", b"wxyz", bytes(72)),
        SignatureLine(name, b"\x00\x01\x02\xff", bytes(64)),
        own,
        SignatureLine(f"{name}/2", b"zyxw", bytes(72)),
    ]
    other.__dict__["note"] = format_note(Note(log.checkpoint().text, tuple(lines)))
    return other


def within(log, start, end, *period, mode="full"):
    """The statement of the entries `[start, end)` for a period that is wider than they need."""
    days = [f"{day}T00:00:00.000000Z" for day in period]
    return canonical_json(log.statement(start, end, mode, period=days, opened=True))


def respelled(document):
    """A document whose members, all of them, stand in the opposite order."""

    def turned(members):
        return dict(reversed(members))

    return json.dumps(json.loads(document, object_pairs_hook=turned)).encode()


def unsealed(log, index):
    """A receipt under a checkpoint that the entry is the last one of, though it is no seal."""
    path = tuple(log.tree.path(index, index + 1))
    proof = format_tlog_proof(index, path, log.checkpoint(index + 1).note)
    return format_receipt(log.item(index), None, proof)


def unnamed(log, index, *, details=True):
    """A receipt that does not say whose log it is of."""
    proof = format_tlog_proof(index, log.path(index), log.note)
    return format_receipt(log.item(index, details=details), None, proof)


@cache
def golden_pages():
    """The pages by name: the documents are the same ones each time."""
    # More than 9999 entries are counted in groups.
    far = Log(10_010).rewritten({10_004: {"adjusts": "10003"}})
    statements = {
        "crossing": statement(CROSSING, (2, 5)),
        "crossing-light": statement(CROSSING, (2, 5), "light"),
        "below-light": statement(CROSSING, (2, 3), "light"),
        "above-light": statement(CROSSING, (4, 5), "light"),
        "from-below": statement(FROM_BELOW, (2, 5)),
        "from-above": statement(FROM_ABOVE, (2, 5)),
        "from-above-light": statement(FROM_ABOVE, (1, 4), "light"),
        "nanos-light": statement(NANOS, (2, 5), "light"),
        "nanos-first-light": statement(NANOS, (1, 2), "light"),
        "nanos-below-light": statement(NANOS, (3, 4), "light"),
        "nanos-deep-light": statement(DEEP, (2, 4), "light"),
        "nanos": statement(NANOS, (2, 4)),
        **{f"wide-{start}": statement(WIDE, (start, start + 3)) for start in (1, 4, 7, 10)},
        "escaped": statement(ESCAPED, (1, 3)),
        "opens-within": within(CROSSING, 0, 6, "2026-03-31", "2026-04-03"),
        **{
            f"month-{month}": within(
                YEARS, 1, 1, f"2025-{month:02}-01", f"{2025 + month // 12}-{month % 12 + 1:02}-01"
            )
            for month in range(1, 13)
        },
        "behind": within(CROSSING, 0, 0, "2026-02-01", "2026-03-01"),
        "behind-light": within(CROSSING, 0, 0, "2026-02-01", "2026-03-01", mode="light"),
        "months": within(YEARS, 1, 1, "2025-04-01", "2025-06-01"),
        "half-month": within(YEARS, 1, 1, "2025-04-01", "2025-04-30"),
        "late-month": within(YEARS, 1, 1, "2025-04-02", "2025-05-01"),
        "tiny": statement(TINY, (1, 5)),
        "tiny-light": statement(TINY, (3, 5), "light"),
        "tiny-unnamed": statement(TINY, (0, 5), "light", opened=False),
        "empty": statement(TINY, (3, 3)),
        "empty-light": statement(TINY, (3, 3), "light"),
        "provisional": statement(SAYING, (2, 7)),
        "provisional-light": statement(SAYING, (2, 7), "light"),
        "provisional-first": statement(TINY, (5, 6)),
        "erased": statement(SAYING, (0, 6), details=False, opened=False),
        "saying": statement(SAYING, (0, 6)),
        "two-light": statement(SAYING, (3, 5), "light"),
        "saying-light": statement(SAYING, (3, 6), "light"),
        "cosigned": statement(cosigned(CROSSING), (1, 4)),
        "far-light": statement(far, (1, 10_005), "light"),
        "largest": statement(Log(10_000), (0, 10_000)),
    }
    receipts = {
        "delta": receipt(3, SAYING),
        "delta-cut": receipt(2, SAYING),
        "delta-empty": receipt(4, SAYING),
        "delta-negative": receipt(4, CROSSING),
        "delta-erased": unnamed(SAYING, 3, details=False),
        "delta-unnamed": unnamed(SAYING, 5),
        "delta-respelled": respelled(receipt(3, SAYING)),
        "delta-escaped": receipt(1, ESCAPED),
        "delta-unsealed": unsealed(SAYING, 2),
        "delta-far": receipt(10_004, far),
        "seal-last": receipt(6, SAYING),
        "seal-before": receipt(2, TINY),
        "opening": receipt(0, SAYING),
        "opening-unnamed": unnamed(SAYING, 0, details=False),
        "cosigned-receipt": receipt(5, cosigned(CROSSING)),
    }
    documents = {**statements, **receipts}
    made = {name: format_report(documents[name], KEYS, allow_provisional=True) for name in documents}
    return EXAMPLE_PAGES | made


# SHA-256 of each.
VERSION_1 = {
    "receipt-2": "0fcb025c83ee953722be797c56c56c80626ece162860ac10c1edbd916424a441",
    "receipt-4": "b03136de092aed51a618f56989aefcef748f954bdcc13f98af7a623a4ad2a0c4",
    "statement-april": "b8e2f2a4e6805bbb50ea1c64d062dbe4aa343bb866f8ea131b36817b1913e451",
    "statement-may": "42a5c50c91eee6e27e93d9cfa51cdf91868ac721133b226340b86c05c1dc0dd6",
    "crossing": "ffd8171a71bd01e28d9ca28b4365f01a26b70a1fa566256f0438be8268c9e41a",
    "crossing-light": "a89054091a17ff48f39f1d7d99378796f18847490c0f95ccab06730338ff4210",
    "below-light": "c402f1d6771b363aac40dcd22545cd2b0e748ba443baa471cd1c24e77fb5acc8",
    "above-light": "c2c35f4ccd50e6203ba0038eb69def1cb1dabd2141326b4a21a643bf6114fb25",
    "from-below": "cf024935933a6a99b3191e5d363285194873818e9615d393ce0525737e7442a9",
    "from-above": "fc50467ee2b84e689e128d93dc542bb000ef881c283b6c51b6e08157a76338d9",
    "from-above-light": "ff648b8d357d07e8ac07c8e7e39d1be6f8a36907dc1b39f270fec511d51981c3",
    "nanos-light": "80c7788efca679d9ffaf6deaa0fefcd2d3fce298c28fc72f7e9ee67f1b684b98",
    "nanos-first-light": "3932a4e571e14aa52e243eeed1d3d38b626caad1048b1f764e6362e391a59f76",
    "nanos-below-light": "f89f9292cbf6f235ac5c9f14967f2edb29dcf946135a2a8d61562856e92cfad0",
    "nanos-deep-light": "baab7767df188bfc15c9a78a29cf1196fb15e87495aad8ad2518ee92a4a13b97",
    "nanos": "499eb11a74ac1eb5ea5d239a721559139f7100985f43d4139202f626abfd8912",
    "wide-1": "3f557638a392e061528ad2fc88ef9b25b6408aa2e9249b59d2b5c29a3a5329e8",
    "wide-4": "d0947dec73dada0cbb13747460bc5e27ed0c2b78e25745c4116a80b3f1c48a11",
    "wide-7": "c26c5e06df405ad144bbdafeaa4deb7e91c14efee819f66fc34397265b8f9b6f",
    "wide-10": "f25d617899d46ddd1747b29b9edb4105fd5bdc6a4a03ffeb20326d87e7f09d88",
    "escaped": "93cb8cfa86214e07a317c8c33592d00cc22afa55050bcfdc342349f54ae561a1",
    "opens-within": "7d4094d889ad8eede97f0a9ca12cfd37ba94e658051a9f7b7dfa3e2b20ec52bb",
    "month-1": "69cec0bcab5b637ea1b1e338734d3a8b1b1928fc917f967cfc13391802ae1072",
    "month-2": "6f8198d56b438c0f863ad857b56fc4b79356784f2a75e506f0134244161745f2",
    "month-3": "7d8eeba77d81b0cff39a9e18ceaec4f1e2e1a3496df03bc76348beefc6c47eb1",
    "month-4": "fcd4a0e6f62c8574112182a2c62c26bd54730da2e93d59fa19a41d8cbd7a059d",
    "month-5": "1545e9a172f54cecd5cbd916dbdd1a2148515d0a537212a49b2c315e545b0e4c",
    "month-6": "a44130d67967d36a105752903c5f8add90404bb51cced0dbbfb2488fa47152cd",
    "month-7": "a9c9a2c38b616a489392d11b5cb748ba3083c6c1aced2c0802d9a8c47200849c",
    "month-8": "24e5fbcf92b7d93b31a16e294eee04a86c55c50dda6b899dacabb6f8d8bd31fd",
    "month-9": "ff83a8f3652c5631844cff3b97b0e53d6826ea916cd8a632b17dfa866accef2e",
    "month-10": "84d220de8562370e571b8c3abceb58058657172ee7d46575510f180f3e8389dd",
    "month-11": "eb597a86088d965af3c0c544a0cea083196f00210e82cde821d329e391fb5165",
    "month-12": "b997c21fcde15d3c8ac262a5bdcfd9c4431559b9eb5b2a8744f25239bab38e4c",
    "behind": "e8c2e419e8952b3f66c794b40e24dca6cc756beca748a9e573666038dc3d97a0",
    "behind-light": "edc6d5d1a2836dc320c7b6b8fcc510dec9e7094e88471e5b3ac906533cdcb89b",
    "months": "b5e782b4a530d1168237b2779a3cb80499f831b1876939668b9e4acf1b56dde5",
    "half-month": "dafc09b37ae5c12e311a2769b2353341a95e2ce81da5daf40a43ada49b0cf16b",
    "late-month": "4bf6923c9c923ba6f3af4e0be6da63e9e6aaaffd8817a8dd2a90a9edae634990",
    "tiny": "a023a3fbaad65771c0c0216c9ade76e712fcfc07467b300d5a46f81484848f60",
    "tiny-light": "02513e334da772799010abb1e7a59379bbbc422dd7b0852abbe45e1ac0dd77c0",
    "tiny-unnamed": "13a1013357766909d5ac3a8c81e6c41b37a6b743c1f7a35c9f5cc10778d1d49f",
    "empty": "91380d8f062fc004f1901b29f654dcbde2c1148425e28bd1d757f98190d142d5",
    "empty-light": "fa9b5a0a1c7cf3987bcaa08d631c78249b516c984e280c696aeeb813d3e07422",
    "provisional": "2493169d959f5e4d7eaef952910bff8599276fbad0f15c1d13793ecb60e01bbb",
    "provisional-light": "1f4546eddec57c17a59a431c91eb76d012dcb0a1f89e8231a5f37af8058e20d8",
    "provisional-first": "87abd17e4234583ff35d1b42c391ff524591b68a435e9f9ea29e619808a9a9e0",
    "erased": "65dd2c865f8e0f39364b5bd49642cf9029fc8e1ccc29b9fe02f46c958ce47d79",
    "saying": "64d26a83e4125ac69c21fdb7666c761e964bd1c403e8dd35c6904d33baaa68e3",
    "two-light": "f769a4c73de0799147383a920653956c9873440b3a8bccf845e062e34aea677d",
    "saying-light": "fbca634c191efff3d3a92704f9e18dfd5c6b9478e207fc4e59437ab3caa0664d",
    "cosigned": "c473ab79623237385ca3198523d0e19ff168226707cee4fc18690b959ebfd9ff",
    "far-light": "dbf268fbd29f3ba6c73da266a0155efdc3a648e210e9854bdce471232c1e0bda",
    "largest": "b8e37872b50022d1c223be50da6b486d4d254b0806a9a958b0421280dd8dce75",
    "delta": "cfce706aabd1da5aaec76b90fc7c08b8db322a6b5cb3003b932f5d0797f8eafb",
    "delta-cut": "5338464f157035b732c437c0ee9b82e9c853472a0f17cb15fd32db8ef580d2c5",
    "delta-empty": "836882bc6bb62bed774811cb613c138f79297666e25ca61a31db22aedae3910d",
    "delta-negative": "3012a67fde3800ad1251b0c74eaab27b72ff90283ad551cb05426468996bdd2a",
    "delta-erased": "2c4bf82eb6621e1f444a40b66055081d5dbb07bb6753cb1177ed7800af2a8a32",
    "delta-unnamed": "38f3a1ee12e44090d5c12c4d3ed45aa846e6560257788ee3cb9d989c486fd9e7",
    "delta-respelled": "05b8c80169a7be56c1c62692431c50ef0e718f82cedeb3ae73160bf9e03e1a9a",
    "delta-escaped": "710e397934b3ed8ddbaac20bf039407cdb72bb9d62918622b7bd91c0c75f7ed2",
    "delta-unsealed": "f9594a6417dd04cc286a3a6c0e88d00dd8cfbbe6209f288778abc6f1e299d781",
    "delta-far": "8c13334eea5c70a5b7913d1683316de89d13811d1d1451b20c63c3fec7a61229",
    "seal-last": "d62d26410d3ccce41662d3f3d90e95d2fa160713d16370b8dfdc2f91d52f0d27",
    "seal-before": "5a85a815f635ad5d4f7788aa9b6ed2401a26885f971c86b192b908cc018813a1",
    "opening": "8cf5476e7098747f1f9750498be579042425df7d96c974ba670b555b6a9836d4",
    "opening-unnamed": "14486668bfd6c4809cfa8cc2bd636a862ae3c46fd5c2b28bee14ea07276dcb77",
    "cosigned-receipt": "3198ea13d201af07a8ccf4aba59b91f3764feb4858bd5c0eb63f5de797f3cfc8",
}


def sha256_of(page):
    return hashlib.sha256(page).hexdigest()


@pytest.mark.parametrize("name", VERSION_1)
def test_the_pages_of_version_1_are_what_they_were(name):
    page = golden_pages()[name]
    assert page.startswith(REPORT_START + b"1 -->\n")
    assert sha256_of(page) == VERSION_1[name]


def test_every_one_of_them_is_known():
    assert [*VERSION_1] == [*golden_pages()]


if __name__ == "__main__":
    sys.stdout.writelines(f'    "{name}": "{sha256_of(page)}",\n' for name, page in golden_pages().items())
