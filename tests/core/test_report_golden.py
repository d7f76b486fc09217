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
    "receipt-2": "1208a7e9d8de610e9139c2847a542d8c13217687fbe1834166508a6ead58053f",
    "receipt-4": "d8cfcf601e4eea172a05af2c103c441dc805c3fcace7228094e2047e86200c5f",
    "statement-april": "47b42bba389b86bf826718da18d4f20cfae4e8dee45fabba2b0e70a04a88df27",
    "statement-may": "9be28f206cae51236ef9d053e2cca01a92a6d9b1f067ed5774a9552c325d3097",
    "crossing": "24d83621d328086836a30049f04634a85db2f079f1de6676b5c081ecbf29fdc1",
    "crossing-light": "8ac33365060156b9fb6a70212fd732f881d986d609d99398bac5586ae44b126a",
    "below-light": "a0e97c4dec3cdafd26fb69450e4b0de6eaa91eea66c567d39dd7530347fb0830",
    "above-light": "d0372f1a2c1d0172b6a1e2d04909ae6355eb63199211a72a5a7af93e5f1632d2",
    "from-below": "65881ee99d09baa9de553924f62a9f01dbb11beacf1ece401e7c3716a6ca787f",
    "from-above": "5056ced574f527e256c6a1d79bb2a910935b0008ccaec0b6cbadcce0284e0ddb",
    "from-above-light": "01c8d10a1eb819e2cfe554f6277775c442df56e87da55bea9319afdc665cf414",
    "nanos-light": "dec2cf3bd709ceb9d7d5e1a004f4f3da47cadbbe6b5d6b730b133d2b422cb947",
    "nanos-first-light": "b7936388c4f92c86ffbe1d01322ace2fbcd9397351d1065a55348cd1ded089ef",
    "nanos-below-light": "2ba159e4931d3b55f39786976e726c54781c6c186b5d16a8eeee56d6be82772c",
    "nanos-deep-light": "14960867e2701a89bdb321dcc3c8a9752a6e25538457d2c5ec70a46bf679be3d",
    "nanos": "fe081a822d8366fd6337899103eac0af64b93e7aff5364b17cf2fe61e2cecdac",
    "wide-1": "2d9c030d1def401d208352da40db740bb268af3c99b70a8660ea656ccb49bb8a",
    "wide-4": "ce4209054daa83d9e69989f5b8cb601741fa7e3865934de8b1780c5a4412feac",
    "wide-7": "5afb162d130f7d3dda358028586849efabf1f0adfe63942a0dcb1352b5bb1031",
    "wide-10": "b23375134d9310cc5daba235fe223f638d06553599febd30e1ebae0ee1b9c6d6",
    "escaped": "2a2a4a2125794dd3d216b4ca543fd8402b7109d9dc9b83c6dc5b22b23e940452",
    "opens-within": "bb04b5c6cd827a1beeb4d95826561a6985c0cd861041db1f261c4f0b8f7d7d86",
    "month-1": "3797749c41e5892d06748bb5713802dfc3e629fa8fabce286eb844a8f6029af3",
    "month-2": "a99329b8fbafa64f9551554506f27f51065adbb3de1dccc0f4ad237f8835236d",
    "month-3": "9a5f787d4a89a6ae3886565836e02686141c2b4ff8808cb5b3ce2ab0cadc405d",
    "month-4": "9a78a1d2a227a21f52f58955968844f0362e08ed51cb906f5c3af0b0849b3d95",
    "month-5": "2ffe961deb956ff38eb187e94482bd408842be6bd4e0d72de08110706401e9a6",
    "month-6": "50639e281950ff506db234ef76e58e0093df1638fc09bdc775baf2fc9beb13ea",
    "month-7": "01559ae12be82501d8e1aba739ef326f797d0be524a3ed9e57a4b0b49f5f8f98",
    "month-8": "5e694c0cc8ee8c35a8ac1f12384f5b8bc148c2aaed6b7575a6c4e67990a26ab3",
    "month-9": "f4919a1114f6d33f9bfb12198e7f44a720eea328b9648a1ff3e9da19fb27ccfd",
    "month-10": "415d88d20689aa8a922c96b3406da5e706b03c65b4989af620b1fe11309790ad",
    "month-11": "a1cbda6e6e0e774de69f62c1b1c29ecf2de8169ec59c2954590e48f7c177eddf",
    "month-12": "ec4d849f8392bbf6f5d41b5bd44b06de2837334acf4bbe682f914c8c60a11280",
    "months": "7cc34c6c8a99dd20840cf91583ff96b83a2d7cf03f2ce81fc9da3073a17353f0",
    "half-month": "8491e53a37ddcd6a92dcee586f365741e8145d0400cd6fd8cd1eac1c0f258aaf",
    "late-month": "024d6232d688a19d458f36a439ab522c903f2eda9920384b0d2e79fe81a481b3",
    "tiny": "71c6703f7c9555ff2e73d84f500a951db17f88efbccb5826a6bd4c6c4c0675e7",
    "tiny-light": "a46f309165680a2b96a55fc467b1937cdeea0ddc8a9010413027361f219feb68",
    "tiny-unnamed": "778411da8fd9149846026179b9b5aa30db6f2c01afa2020e8ea342c2ad0b1eab",
    "empty": "c1057ea01292ec4e281e3b1470ac02d4449d412a63b812e40ce31ae2f4a02f75",
    "empty-light": "e99f4e3a640e709ef38006af1f33b8b72d3b884f03f8f81ad65db91ea338e4d0",
    "provisional": "3761179d1c602a79320dfb158357cb93efabb05a43045c8c7efd87ee58d6266b",
    "provisional-light": "96a1cf1979c2a2ccd24ab9a408d456c35ddbe3097dd9684afc727e49fa29977e",
    "provisional-first": "f311fc05e24d4d225a47938c21871dd1026a2b13cf6013d506738374facf1f4f",
    "erased": "344173343b5db674427025f60d024622a7e61466a7d9a327198ae7781c6684c7",
    "saying": "4f6c20ead18a533c05288263451e3fd299166c2769374163da113c004abe87aa",
    "saying-light": "b7a32726c3880e6d355a6ec23d4221888ceffd7ae7a6443e5ece97d6a31f05b2",
    "cosigned": "f1a15744f70fd6ec2415c68d4701962dc4d3134bd02bdc61b3420672a7752fba",
    "far-light": "221b4baac0b7fd2fa0f33583e975fa14873f2ce7cf6cbc195b0f1bf769fd1182",
    "largest": "88fa75a3e44a11c999bd33d81c8e272b7ae1d0c7ebf10866ce33b6db639567a3",
    "delta": "214c5358e7090f22dc73124eed1755463d4e4ebeda234b112e315f15a2232e6b",
    "delta-cut": "481ac3b47e9aaf2ae83f96884d0fe23a55379027a556622fb7ab785e4e3d2e29",
    "delta-empty": "ea2c6c8b658a683ccb397097b28408d4b9297c6f5bdd55a5033622d5f38e6179",
    "delta-negative": "1f6e5e8d12edd463f66740b8990e7671980b7a1d0ad64fd06d10a5c73fe9f0b1",
    "delta-erased": "cc1c6d717b8179d5aef2610caafeb6a3db12779507ee6320ade69a27bf3cd0eb",
    "delta-unnamed": "36d5ba25043b1895d4be6c5405f32138f7209f75bb012135d0c8ec1e4d7ffe15",
    "delta-respelled": "9ef468a545658b37c94a290f75e53355cd451542bc577b1b1358815a4286675e",
    "delta-escaped": "61147505f732fff84b10973a9c2419fb1b29c28b1531d9c1474f1cc8c02afc32",
    "delta-unsealed": "b0da0ee920e7cfbd5454b3e63ec6754710bf70be37ff88abe53d6ddb00df1b7a",
    "delta-far": "5081e32b1e0664b071ec79b8e3fd79724762d6f23b20a0fc091bdf38cd282c9b",
    "seal-last": "242b43f6f65ff343f841b4c66f442e13be0973da03344e1b43db74ac14768556",
    "seal-before": "f9c91e9e9fe9fd61023c3f0192b162d8b821bcb54a69eef61ae908816aea126d",
    "opening": "22efae629333dde930dc7ac78ae09c758d00c7e95370ee50599fce569228c60e",
    "opening-unnamed": "4b8002bb39d3efce61a9fcf28d29a4119ce682148782c8e2c18b598b67ec6fd4",
    "cosigned-receipt": "8320cec363c069fa5948a1fcfc2101067b9e197c8200058a3dc2602c1a3c95a5",
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
