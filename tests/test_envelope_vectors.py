"""The vectors of `docs/wire.md` are what the code makes, and what it reads."""

import re
from pathlib import Path
from uuid import UUID

import ron_auth
from ron_auth import Envelope, Plane, named
from ron_kms import Secret
from ron_kms.origin_keys import OriginKeys, PairKeys

PAGE = (Path(__file__).parents[1] / "docs/wire.md").read_text()
VECTORS = PAGE.split("\n### Vectors\n")[1].split("\n## ")[0]

ROOT = OriginKeys(Secret(bytes(range(32))))
SVC, AUDIENCE, EPOCH = "svc-overlay", "svc-gateway", 20454
INSTANCE = UUID("00112233445566778899aabbccddeeff")
ENVELOPE = Envelope(
    Plane.Node,
    SVC,
    INSTANCE,
    None,
    ("overlay:route",),
    bytes(range(0xF0, 0x100)),
    1767225600,
    1767225660,
    {"seq": 300},
    b"ping",
)


def printed(name: str) -> bytes:
    """Return the hex that stands behind or below a name."""
    found = re.search(rf"^{name}\s+((?:[0-9a-f]+\n)+)", VECTORS, re.MULTILINE)
    assert found, name
    return bytes.fromhex(found[1])


def test_the_keys() -> None:
    assert ROOT.derive_origin_key(SVC, INSTANCE, EPOCH) == printed("origin key")
    assert ROOT.pair_secret(SVC, AUDIENCE) == Secret(printed("pair secret"))
    assert ROOT.derive_pair_key(SVC, INSTANCE, AUDIENCE, EPOCH) == printed("pair key")


def test_the_named_form() -> None:
    signed = ron_auth.sign_envelope(ROOT, SVC, INSTANCE, EPOCH, ENVELOPE)
    assert named.mac_input(signed) == printed("MAC input")
    assert signed.tag == printed("tag")


def test_the_wire_form() -> None:
    assert ron_auth.seal(ROOT, ENVELOPE, epoch=EPOCH) == printed("for anybody")
    assert ron_auth.seal(ROOT, ENVELOPE, audience=AUDIENCE) == printed("for svc-gateway")


def test_the_wire_form_opens_under_the_printed_secret() -> None:
    keys = PairKeys({(SVC, AUDIENCE): Secret(printed("pair secret"))})
    opened = ron_auth.open(
        keys, printed("for svc-gateway"), senders={SVC}, audience=AUDIENCE, now_s=ENVELOPE.iat
    )
    assert (opened.header, opened.payload) == (ENVELOPE.header, ENVELOPE.payload)
