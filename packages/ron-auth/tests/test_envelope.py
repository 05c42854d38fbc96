"""An envelope as a value."""

import pytest
from envelopes import EPOCH, NOW_S, envelope, sealed, signed

import ron_auth
from ron_auth import Envelope, Plane, epoch_of, from_bytes, generate_nonce


def test_the_fields_stand_in_the_order_under_the_mac() -> None:
    assert " ".join(Envelope.__struct_fields__) == (
        "plane origin_svc origin_instance tenant_id scopes nonce iat exp header payload tag"
    )


def test_the_planes_are_spelled_as_rust_spells_them() -> None:
    assert [(plane.name, plane.value) for plane in Plane] == [("Node", "Node"), ("App", "App")]


def test_every_public_name_is_there() -> None:
    spec = {
        "Plane", "Envelope", "KeyDeriver", "sign_envelope", "verify_envelope", "verify_envelope_from_any",
        "generate_nonce", "VerifyError", "Expired", "MissingScope", "WrongOrigin", "BadTag", "Crypto", "seal",
        "open", "to_bytes", "from_bytes", "ReplayGuard", "Scope",
    }  # fmt: skip
    assert spec <= set(ron_auth.__all__)
    assert all(hasattr(ron_auth, name) for name in ron_auth.__all__)


def test_an_envelope_does_not_change() -> None:
    env = signed()
    for name in env.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(env, name, None)


@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, lambda e: f"{[e]!r}"], ids=["repr", "str", "format", "list"]
)
@pytest.mark.parametrize(
    "secret",
    [
        pytest.param({"header": {"Authorization": "hunter2"}}, id="header"),
        pytest.param({"payload": ["hunter2"]}, id="payload"),
        pytest.param({"tag": b"hunter2"}, id="tag"),
        pytest.param({"nonce": b"hunter2 hunter2 "}, id="nonce"),
    ],
)
def test_an_envelope_shows_no_content_and_no_tag(show: object, secret: dict[str, object]) -> None:
    assert callable(show)
    shown = show(envelope(**secret))
    assert "svc-overlay" in shown
    assert "hunter2" not in shown
    assert b"hunter2".hex() not in shown


def test_what_was_read_from_bytes_shows_no_content_either() -> None:
    shown = repr(from_bytes(sealed(header="hunter2", payload=b"hunter2")))
    assert "svc-overlay" in shown
    assert "hunter2" not in shown
    assert "tag" not in shown


def test_nonces_are_16_bytes_and_new() -> None:
    nonces = {generate_nonce() for _ in range(1000)}
    assert len(nonces) == 1000
    assert {(type(nonce), len(nonce)) for nonce in nonces} == {(bytes, 16)}


@pytest.mark.parametrize(
    ("unix_s", "epoch"),
    [
        pytest.param(0, 0, id="the first second"),
        pytest.param(86_399, 0, id="the last of the first day"),
        pytest.param(86_400, 1, id="the first of the second day"),
        pytest.param(-1, -1, id="before the first"),
        pytest.param(NOW_S, EPOCH, id="now"),
    ],
)
def test_an_epoch_is_a_day(unix_s: int, epoch: int) -> None:
    assert epoch_of(unix_s) == epoch
