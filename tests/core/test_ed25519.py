"""Ed25519 without forgiveness: what lets one signature fit many texts is refused when a key is read."""

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.ed25519 import SigningKey, check_public_key, verify_signature
from counterfoil.core.encoding import encode_base64
from counterfoil.core.note import key_id, parse_verifier_key, verifier_key
from tests.support import refused

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SEED = hashlib.sha256(b"a test").digest()
KEY = SigningKey(SEED)
MESSAGE = b"a text\n"
SIGNATURE = KEY.sign(MESSAGE)

# Every encoding of a point of small order that a forgiving reader takes: the 8 points, and other spellings of some.
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


def decoded(encoding):
    """The point of an encoding, as forgiving as can be; None where the curve has none."""
    number = int.from_bytes(encoding, "little")
    sign, y = number >> 255, number % 2**255 % P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (-x % P if x & 1 != sign else x, y)


def added(one, other):
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def encoded(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def in_a_verifier_key(public_key):
    """As somebody would hand it round, its id right."""
    typed = b"\x01" + public_key
    return f"log.example+{key_id('log.example', public_key).hex()}+{encode_base64(typed)}"


class TestPublicKeys:
    def test_the_list_holds_14_encodings_of_the_8_points_of_small_order(self):
        points = set()
        for text in SMALL_ORDER:
            point = decoded(bytes.fromhex(text))
            points.add(point)
            for _ in range(3):
                point = added(point, point)
            assert point == (0, 1)
        assert len(set(SMALL_ORDER)) == 14
        assert len(points) == 8

    @pytest.mark.parametrize("text", SMALL_ORDER)
    def test_a_key_of_small_order_is_malformed(self, text):
        key = bytes.fromhex(text)
        with refused("malformed"):
            check_public_key(key)
        with refused("malformed"):
            verifier_key("log.example", key)
        with refused("malformed"):
            parse_verifier_key(in_a_verifier_key(key))

    def test_a_coordinate_that_is_not_reduced_is_malformed(self):
        on_the_curve = 0
        for y in range(P, 2**255):
            for sign in (0, 1):
                key = (y | sign << 255).to_bytes(32, "little")
                on_the_curve += decoded(key) is not None
                with refused("malformed"):
                    parse_verifier_key(in_a_verifier_key(key))
        # Most of the 38 would be keys to a forgiving reader.
        assert on_the_curve > 14

    def test_a_point_with_a_part_of_small_order_is_malformed(self):
        point = decoded(KEY.public_key)
        assert encoded(point) == KEY.public_key
        for text in SMALL_ORDER:
            mixed = encoded(added(point, decoded(bytes.fromhex(text))))
            if mixed == KEY.public_key:  # the neutral element was added
                continue
            with refused("malformed"):
                parse_verifier_key(in_a_verifier_key(mixed))

    def test_what_is_no_point_is_malformed(self):
        off_the_curve = 0
        for number in range(2, 200):
            key = number.to_bytes(32, "little")
            if decoded(key) is None:
                off_the_curve += 1
                with refused("malformed"):
                    check_public_key(key)
        assert off_the_curve > 50

    @pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
    def test_a_key_of_another_length_is_malformed(self, size):
        with refused("malformed"):
            check_public_key(bytes(size))
        with refused("malformed"):
            parse_verifier_key(in_a_verifier_key(KEY.public_key[:size] + bytes(max(0, size - 32))))

    @given(st.binary(min_size=32, max_size=32))
    def test_every_seed_makes_a_key_that_is_taken(self, seed):
        check_public_key(SigningKey(seed).public_key)

    @pytest.mark.parametrize("size", [0, 31, 33, 64])
    def test_a_seed_of_another_length_is_malformed(self, size):
        with refused("malformed"):
            SigningKey(bytes(size))


class TestSignatures:
    def test_the_first_vector_of_rfc_8032(self):
        key = SigningKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
        assert key.public_key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        signature = key.sign(b"")
        assert signature.hex() == (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        )
        verify_signature(key.public_key, b"", signature)

    @given(st.binary(max_size=300))
    def test_what_is_signed_verifies_and_nothing_else_does(self, message):
        signature = KEY.sign(message)
        assert len(signature) == 64
        assert KEY.sign(message) == signature
        verify_signature(KEY.public_key, message, signature)
        for other in {message + b"\n", message[:-1] + b"!", b"\x00" + message} - {message}:
            with refused("bad-signature"):
                verify_signature(KEY.public_key, other, signature)

    def test_every_flipped_bit_of_signature_and_message_is_refused(self):
        for place in range(64 * 8):
            flipped = bytearray(SIGNATURE)
            flipped[place // 8] ^= 1 << place % 8
            with refused("bad-signature"):
                verify_signature(KEY.public_key, MESSAGE, bytes(flipped))
        for place in range(len(MESSAGE) * 8):
            flipped = bytearray(MESSAGE)
            flipped[place // 8] ^= 1 << place % 8
            with refused("bad-signature"):
                verify_signature(KEY.public_key, bytes(flipped), SIGNATURE)

    def test_an_s_that_is_not_reduced_is_refused(self):
        s = int.from_bytes(SIGNATURE[32:], "little")
        assert s < L
        for more in range(L, 2**256 - s, L):
            with refused("bad-signature"):
                verify_signature(KEY.public_key, MESSAGE, SIGNATURE[:32] + (s + more).to_bytes(32, "little"))

    @pytest.mark.parametrize("text", SMALL_ORDER)
    def test_a_key_or_an_r_of_small_order_fits_no_text(self, text):
        point = bytes.fromhex(text)
        for signature in (point + bytes(32), SIGNATURE[:32] + bytes(32), point + SIGNATURE[32:]):
            # A forgiving verifier takes R = A = a point of small order with S = 0 for one text in eight, or for all.
            for message in [bytes([number]) for number in range(64)]:
                with refused("bad-signature"):
                    verify_signature(point, message, signature)
                with refused("bad-signature"):
                    verify_signature(KEY.public_key, message, signature)

    @pytest.mark.parametrize(
        "signature", [b"", SIGNATURE[:63], SIGNATURE + b"\x00", SIGNATURE * 2, bytes(64), b"\xff" * 64]
    )
    def test_a_signature_of_another_length_or_none_is_refused(self, signature):
        with refused("bad-signature"):
            verify_signature(KEY.public_key, MESSAGE, signature)

    def test_the_length_of_the_signature_cannot_be_borrowed_from_the_message(self):
        # libsodium takes signature and message as one string: the border must not move.
        with refused("bad-signature"):
            verify_signature(KEY.public_key, SIGNATURE[60:] + MESSAGE, SIGNATURE[:60])
        with refused("bad-signature"):
            verify_signature(KEY.public_key, MESSAGE[1:], SIGNATURE + MESSAGE[:1])

    @pytest.mark.parametrize(
        "key", [b"", KEY.public_key[:31], KEY.public_key + b"\x00", bytes(32), b"\xff" * 32]
    )
    def test_under_another_key_nothing_verifies(self, key):
        with refused("bad-signature"):
            verify_signature(key, MESSAGE, SIGNATURE)


class TestSecrecy:
    def test_a_private_key_is_not_shown_and_not_pickled(self):
        assert KEY.public_key.hex() in repr(KEY)
        assert SEED.hex() not in repr(KEY)
        with pytest.raises(TypeError):
            pickle.dumps(KEY)
