"""The examination every engine sits before it is used: edge cases of the strict rule, with their verdicts.

The table is made by ``scripts/make_selftest_vectors.py``. Its faults come one at a time: where an engine
does not look for the fault, the equation holds, and the engine is found out.
"""

from typing import NamedTuple

from ron_kms.engines import Engine, Item
from ron_kms.errors import AlgUnavailable
from ron_kms.secret import Secret


class Vector(NamedTuple):
    """One signature and its verdict. The bytes are in hexadecimal."""

    what: str
    holds: bool
    public_key: str
    message: str
    r: str
    s: str


def check(engine: Engine) -> None:
    """Return only if the engine gives every verdict (in one call, beside a good neighbour, alone) and signs.

    Raises:
        AlgUnavailable: It gave a wrong verdict or signature, or raised.
    """
    good = VECTORS[0]
    before = [one for vector in VECTORS for one in (vector, good)]
    after = [one for vector in VECTORS for one in (good, vector)]
    # Both, so that every lane of an engine sees the faults and the good one. Read backwards it differs.
    for asked in [before + after, *([vector] for vector in VECTORS)]:
        try:
            verdicts = list(engine.verify_many([_item(engine, vector) for vector in asked]))
        except Exception as error:
            raise AlgUnavailable("the engine raised in its self-test") from error
        if verdicts != [vector.holds for vector in asked]:
            raise AlgUnavailable("the engine gave a wrong verdict in its self-test")
    for seed, message, r, s in SIGNED:
        try:
            signed = engine.signer(Secret(bytes.fromhex(seed))).sign(bytes.fromhex(message))
        except Exception as error:
            raise AlgUnavailable("the engine raised in its self-test") from error
        if signed.hex() != r + s:
            raise AlgUnavailable("the engine gave a wrong signature in its self-test")


def _item(engine: Engine, vector: Vector) -> Item:
    key = engine.load(bytes.fromhex(vector.public_key))
    return key, bytes.fromhex(vector.message), bytes.fromhex(vector.r + vector.s)


SIGNED = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155",
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "70617373706f7274" * 40,
        "b0ce344d3934d3e287165aab48e3526e2bb0dadf041a97aed42c56f69ed6f199",
        "84dc9023cd986a7f27f057aac2b74ca47b982a5c9afceeb5b2c326cbcbf7db07",
    ),
]
"""(seed, message, R, S) in hexadecimal: tests 1 and 2 of RFC 8032 §7.1; a message as long as claims."""

VECTORS = [
    Vector(
        "a message",
        True,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "63a60565a8946238a3b3f929387136f5cca1cc4697ba349aa0c65112da121009",
    ),
    Vector(
        "an empty message",
        True,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "951e4fc38c59d18ee31b8a38cfd867e4318c55bef5ddd43a743dd14339ff9502",
    ),
    Vector(
        "a message that goes on in a second SHA-512 block",
        True,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f727470617373706f727470617373706f727470617373706f727470617373706f727470617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "6212714e00468e0d4f7ed357d8ba67cebbba68881b7eecedddef36ec562b3701",
    ),
    Vector(
        "a flipped bit in the message",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "71617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "63a60565a8946238a3b3f929387136f5cca1cc4697ba349aa0c65112da121009",
    ),
    Vector(
        "a flipped bit in R",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f7274",
        "de128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "63a60565a8946238a3b3f929387136f5cca1cc4697ba349aa0c65112da121009",
    ),
    Vector(
        "a flipped bit in S",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "62a60565a8946238a3b3f929387136f5cca1cc4697ba349aa0c65112da121009",
    ),
    Vector(
        "S + L",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "507afbc1c2f774907950f1cc166b150acda1cc4697ba349aa0c65112da121019",
    ),
    Vector(
        "S = L",
        False,
        "0100000000000000000000000000000000000000000000000000000000000000",
        "70617373706f7274",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010",
    ),
    Vector(
        "the neutral element as key",
        False,
        "0100000000000000000000000000000000000000000000000000000000000000",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "10fa76c06bc38f33d138392f7afa4cd3c19a9feeb095b94257bd9c1cfb339208",
    ),
    Vector(
        "the neutral element as key, with y = p + 1",
        False,
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "10fa76c06bc38f33d138392f7afa4cd3c19a9feeb095b94257bd9c1cfb339208",
    ),
    Vector(
        "a key of order 8, and 8 divides k",
        False,
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "3234",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "10fa76c06bc38f33d138392f7afa4cd3c19a9feeb095b94257bd9c1cfb339208",
    ),
    Vector(
        "a key that is no point",
        False,
        "0200000000000000000000000000000000000000000000000000000000000000",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "10fa76c06bc38f33d138392f7afa4cd3c19a9feeb095b94257bd9c1cfb339208",
    ),
    Vector(
        "the neutral element as R",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f7274",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "8e47c01516aaee62ac8c395bb8e281fd5c96cb0ed624e8f9a90ccfbe7bd50603",
    ),
    Vector(
        "the neutral element as R, with y = p + 1",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f7274",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "1f00d25fc10dc76b3367816d5b56618d98d3230d23ae0461067f517ef9a01108",
    ),
    Vector(
        "a mixed-order key, and 8 divides k",
        True,
        "9d2291ab06adffe47e21bb82196df70971b54b071105371c84e906b60c34bae1",
        "36",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "c6c6d6084f9c234385b762791faa13beabdaa4af3c36b24c7dafeefcd9ed2a08",
    ),
    Vector(
        "a mixed-order key, and 8 divides k before it is reduced",
        False,
        "9d2291ab06adffe47e21bb82196df70971b54b071105371c84e906b60c34bae1",
        "3139",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "769790a270bb2ddc8a1762bd9cf16d623e039d44bcaf3c6a136cacf5c6bab50a",
    ),
    Vector(
        "torsion in R",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f7274",
        "f647928398fc53151c4f9a867e8d8af9db4a4548f657d9cea4e96a122e9eb4e1",
        "32714e3d7cda0572db60f36c801889936ceda586f0abb849d939e3f4e706ca0f",
    ),
    Vector(
        "torsion in R that cancels the key's",
        True,
        "9d2291ab06adffe47e21bb82196df70971b54b071105371c84e906b60c34bae1",
        "31",
        "53a600192e6d418e5813f1f894c865e6697833b62734132fa03c9f0dd97ceb0f",
        "1a74c839466e5264be7c35d467bd57f3430432bd8982be6fe8763e3cce01b20b",
    ),
    Vector(
        "a key of 31 bytes",
        False,
        "965b1df3879600b412806924467b4aa5406c30d5be27adb8f182f037c7a688",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "6e0cc9e787f4dd6a143123dfac6f52a6ad68ce9cbbae3fa0fb08adfa67271505",
    ),
    Vector(
        "a key of 33 bytes",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca0600",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "63a60565a8946238a3b3f929387136f5cca1cc4697ba349aa0c65112da121009",
    ),
    Vector(
        "a key of none",
        False,
        "",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "63a60565a8946238a3b3f929387136f5cca1cc4697ba349aa0c65112da121009",
    ),
    Vector(
        "a signature of 63 bytes",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "3131",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "31f3823b303290544bde279b8b628def421aec94e9374aaea3aea86ca6744a",
    ),
    Vector(
        "a signature of 65 bytes",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f7274",
        "df128da6b7e92cc2ce4071f71f3c842b354e07af497fa0bb471a23922f105bdd",
        "63a60565a8946238a3b3f929387136f5cca1cc4697ba349aa0c65112da12100900",
    ),
    Vector(
        "a signature of none",
        False,
        "a82b980790088b90b6879aeefe780cb694e3cfe66fd0aae1c9614ab0cd3fca06",
        "70617373706f7274",
        "",
        "",
    ),
]
