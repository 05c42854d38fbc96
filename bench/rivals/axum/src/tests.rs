//! The rival reads what libsodium signed, and refuses what was touched.

use serde::Deserialize;
use serde_json::json;

use super::{Envelope, Jwks, OWN_KID, Rival, SKEW_S};

/// Made with `PyNaCl`: see `made_by` in the file.
#[derive(Deserialize)]
struct Vectors {
    jwks: Jwks,
    exp: i64,
    envelope: Envelope,
}

fn vectors() -> (Rival, Envelope, i64) {
    let text = include_str!("../tests/pynacl.json");
    let vectors: Vectors = serde_json::from_str(text).expect("vectors");
    let rival = Rival::new(&vectors.jwks).expect("keys");
    (rival, vectors.envelope, vectors.exp)
}

/// Replace the character at `index` of a base64 text by another letter of the alphabet.
fn touch(text: &mut String, index: usize) {
    let other = if text[index..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    text.replace_range(index..=index, other);
}

#[test]
fn a_token_signed_by_libsodium_is_true_to_its_last_second() {
    let (rival, envelope, exp) = vectors();
    assert_eq!(rival.verify(&envelope, exp), Some(true));
    assert_eq!(rival.verify(&envelope, exp + SKEW_S), Some(true));
    assert_eq!(rival.verify(&envelope, exp + SKEW_S + 1), Some(false));
}

#[test]
fn a_touched_message_or_signature_is_false() {
    let (rival, mut envelope, exp) = vectors();
    touch(&mut envelope.msg_b64, 40);
    assert_eq!(rival.verify(&envelope, exp), Some(false));

    let (_, mut envelope, _) = vectors();
    touch(&mut envelope.sig_b64, 40);
    assert_eq!(rival.verify(&envelope, exp), Some(false));
}

#[test]
fn another_audience_is_false() {
    let (rival, mut envelope, exp) = vectors();
    envelope.aud.push('x');
    assert_eq!(rival.verify(&envelope, exp), Some(false));
}

#[test]
fn an_unknown_kid_or_alg_cannot_be_read() {
    let (rival, mut envelope, exp) = vectors();
    envelope.kid.push('1');
    assert_eq!(rival.verify(&envelope, exp), None);

    let (_, mut envelope, _) = vectors();
    envelope.alg = "none".into();
    assert_eq!(rival.verify(&envelope, exp), None);
}

#[test]
fn what_it_issues_it_verifies() {
    let (rival, _, now_s) = vectors();
    let claims = json!({"aud": "svc-mail", "sub": "user-1", "ttl_s": 60});
    let serde_json::Value::Object(claims) = claims else {
        unreachable!()
    };
    let envelope = rival.issue(claims, now_s).expect("claims");
    assert_eq!(envelope.kid, OWN_KID);
    assert_eq!(rival.verify(&envelope, now_s + 60 + SKEW_S), Some(true));
    assert_eq!(rival.verify(&envelope, now_s + 61 + SKEW_S), Some(false));
}
