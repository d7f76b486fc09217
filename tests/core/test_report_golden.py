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
    "receipt-2": "38566eddbb28a65df0d3c1fdc4c5b72630880f15a45a977b5b4a607fa7a0dd0f",
    "receipt-4": "1f470b97e34f298a456768c038fe4b15a409b5710e9bd217141735f19173bf0d",
    "statement-april": "d9e65a98de18fdb616512083d5f7b35e1d111f93c13a2600b6973d61b8c5bf10",
    "statement-may": "0e20bf0d23d8f94578d63522865921c02b59c173fdce778042fa183f52548c85",
    "crossing": "a7bc379f4171c0bf3c41938eca4906ab36deab57628f8ae4b3b5af00bdf1bf4d",
    "crossing-light": "750b69d7be77f4943e9660725241f475ed82133ee9c6910777f83545989bdf66",
    "below-light": "ac87f513a8fb8809f76d172ec440557c4bc429f636354e8dfc38eb2d9f1e1116",
    "above-light": "88df24184d0cd48678e34e90a9272ee7ac99c4dab8d985402bf2d5522d2a9a75",
    "from-below": "07fb1eaac842ad1d284bd2706e8d98566401f1d6ae36227481c242cadd9f0aae",
    "from-above": "512c0f842db3b0c706009e4a0785e6e6664041901d7267f9d52e5e013ff3dd9c",
    "from-above-light": "9c6676109aae33ae5ac1f5787674aa6abb20009e58a92ca5757b81362734d6f9",
    "nanos-light": "e9a2a64b4b861f2a4fcb23669efe618b52f11a60e49fe145b0addedac229e8aa",
    "nanos-first-light": "fd76de877a4a1a52a24e07d350c8185485c96e9ca30b1484281d0d3dfdff5fb7",
    "nanos-below-light": "9594aeae46cc4a4097050bff12a5c01ea9cc940e25574e803e8d8458ef09baee",
    "nanos-deep-light": "4b03b54ff130db7bfed5c888252a1bcbfe14bcb80702d8f55000e61e93e7a0be",
    "nanos": "1924249dfbf356b308f45227a4ee7c5f86cd2ddd71fa45cce702272ea95cbedf",
    "wide-1": "9267c3d766a0fab12408e6196ca862699bd7acc07f5a3323450403077c8ac9f2",
    "wide-4": "e77599c59149687aa3d509187ad1d3b0532e8fa4e1123c1c1f114cd2ed0cf4ea",
    "wide-7": "0304ac0bfa015f7993048d2a41f1226216dd0f5d89b6399bc2b2867ab1999d6a",
    "wide-10": "80f7ae6b42d1c47c54e54bf56263fbfa71c21a1cac47572be7340edc46c0de8d",
    "escaped": "a153ce0bc13c620f8185368202b052724cb88f8f4cb7177eb5ad647cd0202ed1",
    "opens-within": "2e4ffdd94fc71900cb4f429de63684034302587b747485d98a6066c17a511d6a",
    "month-1": "8b2634b9f8b1ad2d33fda4b9d37e4b317baabafdbeaa610225e4166a7b376d5d",
    "month-2": "fbc0f1d9cfce4852af797f447d2f8d756e0e7770443e13af246498a08e4271c2",
    "month-3": "cd93e0701c6486b8c1aff514f6acaf137b360c6fdcc9150f1c80d86d04570877",
    "month-4": "e6a0beee47544f53d05c31fd2de947015ea16ad619b6c5333dc9c091e67e2bf1",
    "month-5": "3a1dd529dd84955f4f5c5059e456102370bfe32a7d4139636e10d5e99290b7c6",
    "month-6": "4a7bf52ed6f4abe01bc9d1e80545f93b43916bea3c2c8095413e8dbdf6f81f49",
    "month-7": "23ecd44ad4bb93e945b1d3b864868208a6e886754718e45978acea61e6bc35bf",
    "month-8": "6dcd48a96be9cc969eda5c0acc2a349e51ce5cc778b15bbf4808c76b4209dfe4",
    "month-9": "a9904441ad522cb354bbe571e61b73ae159e67f083a459392daa33a4ce238a90",
    "month-10": "0e77ca0008abb9677bd56b9145cd443ab7d44af34fd4ee8bdbac7dc7fdda2165",
    "month-11": "037ae5d72526354a0dedbf4ae931335d878db460779a725a71ce8f9389c847c0",
    "month-12": "9fc09b71ca5c5328166ccf498bf0e165d73bfba2909708cd720ec874dc8286df",
    "months": "ee2d85e1cdad458e14351a99c160a7ce74e324c75bb93c25306a5d9d5c7d1229",
    "half-month": "8680bdfee449bf9f945e9ba5800fe2c3e2e1e26b11168cde3297c46a7a029f03",
    "late-month": "02dad6c6e9a97ce2d9a8988407f849fc7fbe2434dff3d1c5b1ab9ef92e6667fa",
    "tiny": "b4ff25df318ead6537196fc7048f3ed29086a456eb9ba74ece672a8524ed95b4",
    "tiny-light": "3c7610dd2b9f8b9f63d6712f1873451445c35091410af179105fbe106fb61b82",
    "tiny-unnamed": "495564c6d7b6c08373df1530425171ffcf49eeddc9594d348072bf7650eee723",
    "empty": "97b907d2f5e5113ba5214bb47b15c4385c06f712942633dce7ef28e3ff1ff0c9",
    "empty-light": "12efc48ab6b391d63301a0b0648a1cbfa820699693052a997c5f2b81aac75e5b",
    "provisional": "c91569c4e96602aea071352174d58c750fcca05f2840e6ffa045b9ee36eecc31",
    "provisional-light": "0649bafa11afc7ec5f3da9ecc28da7d86e416c614de3b1fcef5bbf7f8050c8d8",
    "provisional-first": "388a1f980da050e77013fe66086a850f71ebf94ceff40197af5f491bfa5889af",
    "erased": "12de2aad4ab574778d6a0fd60b1110203efa8e1e5254d7e28c9efbcb25e0e895",
    "saying": "cb18d0e6209d23c194f9cc9bfcf6e4babf61732b5dd45737c1e1f4f29c990788",
    "saying-light": "4abb97761d8caeddd236d1129a4cc3efb3ae2d5ee6b0585101f1ed106f538129",
    "cosigned": "c8e62e5a734471633048ee2b42fcceb2d56ed80597070b473f7c6f42b63e5f91",
    "far-light": "4ca80951ab543f15c2ce2bffc385f365a77778beb855fa286a34a676d6095206",
    "largest": "09fa89a4b17ea3dc02fc53e7aec83704596b8c6f1e8723f3136e795cd004d439",
    "delta": "282d1c78a9035fc99f7265511d107cc66efc8eba160dfea4bdd648d02a98f14c",
    "delta-cut": "511c88ce399fb4fcbc94c31244e9e365f2336a7d0cca052d0030585a48287992",
    "delta-empty": "d2199fda7af04dfcec37e33ed5b102a0bae4f156397e13a7a8860ad9d1f6a6dd",
    "delta-negative": "9230e7a1541e1420ac32188f7415f150b2904bcb70edfb0fd1ae068cd85ef664",
    "delta-erased": "9846d358bdef553acfc27a496da07bc0e36bd1f37958900aad96cd4d6485129a",
    "delta-unnamed": "f6326305454b0427654589ad892202773ac07755efb422292f373f37feb6f5f3",
    "delta-respelled": "f5f218ced0c0c987bcaa8ae242207e26bb86e4f0bf8745026895d7486a23625c",
    "delta-escaped": "727d5d692a14ebe9efb7edfee7411bf2884e9a27abaf28f64b73d13987af104d",
    "delta-unsealed": "01baf71746be050cc18f87516bd75c43dc71d252ff51f10a357842b817c81fea",
    "delta-far": "54959257a156f73730195f773918c9c779e1234d94deabf31bdf98dfadda8875",
    "seal-last": "aa5eb21a88a565169c33b137476a60957ef0c2fdd9a6f72a543a1207776027e1",
    "seal-before": "50406399f560584ee7d7638b431e7222e7c7493232e4cc9e32e89f66579ead8e",
    "opening": "62f221b65cc9c2c7042f4aea77edcc3df56dff79aa6ee1d878462aeb5a5b067b",
    "opening-unnamed": "9ea5fad2b087e42b45ead045edc44ed745887e6e15bb9c25ea2962b4960f4f27",
    "cosigned-receipt": "388c34efb1180d4a8ff6fe51f74316e4bad3769632224aa4f1c5cfcf5027e9d6",
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
