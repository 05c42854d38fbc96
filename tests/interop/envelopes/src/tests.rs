//! The vectors, the keys, and every verdict.

use std::{collections::BTreeMap, iter};

use serde::Serialize;
use uuid::{Uuid, uuid};

use crate::{
    ROOT,
    envelope::{Envelope, Plane, Read, Refused},
    keys::{self, origin_key, pair_key, pair_secret},
    open,
    random::{Body, Random},
    verify, wire,
};

const INSTANCE: Uuid = uuid!("00112233-4455-6677-8899-aabbccddeeff");
const EPOCH: u64 = 20_376;
const NOW_S: i64 = 1_760_000_000;
const ME: Option<&str> = Some("svc-mail");

/// Made with rmp-serde 1.3.0 and HMAC-SHA256 under 32 × 0x07: what stands after `name` in the `case`th case.
fn vector(case: usize, name: &str) -> &'static str {
    let lines = include_str!("../tests/vectors.txt").lines();
    let mut values = lines.filter_map(|line| line.trim().strip_prefix(name));
    values.nth(case).expect("a vector").trim()
}

fn assert_is_vector<H: Serialize, P: Serialize>(mut envelope: Envelope<H, P>, case: usize) {
    envelope.sign(&keys::hmac(&[7; 32])).expect("a tag");
    assert_eq!(
        hex::encode(envelope.mac_input().expect("bytes")),
        vector(case, "mac_input")
    );
    assert_eq!(hex::encode(envelope.tag), vector(case, "tag"));
    assert_eq!(
        hex::encode(envelope.to_bytes().expect("bytes")),
        vector(case, "envelope_named")
    );
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn vector_a_a_node_without_tenant() {
    let nonce = *INSTANCE.as_bytes();
    let envelope = Envelope {
        plane: Plane::Node,
        origin_svc: "svc-overlay".to_owned(),
        origin_instance: INSTANCE,
        tenant_id: None,
        scopes: texts(&["overlay:route"]),
        nonce,
        iat: 1_757_800_000,
        exp: 1_757_800_060,
        header: (),
        payload: ("ping", 1),
        tag: [0; 32],
    };
    assert_is_vector(envelope, 0);
}

#[test]
fn vector_b_a_struct_for_a_header() {
    #[derive(Serialize)]
    struct Header {
        route: &'static str,
        seq: u32,
        opt: Option<u8>,
        neg: i8,
    }
    let header = Header {
        route: "/x",
        seq: 300,
        opt: None,
        neg: -33,
    };
    let envelope = Envelope {
        plane: Plane::App,
        origin_svc: "svc-overlay".to_owned(),
        origin_instance: INSTANCE,
        tenant_id: Some("t1".to_owned()),
        scopes: texts(&["a", "b", "c", "d", "e"]),
        nonce: [0; 16],
        iat: 0,
        exp: -1,
        header,
        payload: vec![1_u8, 200, 3],
        tag: [0; 32],
    };
    assert_is_vector(envelope, 1);
}

#[test]
fn vector_c_no_scopes_and_a_map() {
    let envelope = Envelope {
        plane: Plane::App,
        origin_svc: "svc-overlay".to_owned(),
        origin_instance: INSTANCE,
        tenant_id: Some(String::new()),
        scopes: vec![],
        nonce: [0xff; 16],
        iat: 1 << 32,
        exp: i64::MAX,
        header: BTreeMap::from([("z", 1), ("a", -129)]),
        payload: "é",
        tag: [0; 32],
    };
    assert_is_vector(envelope, 2);
}

#[test]
fn keys_stay_what_they_are() {
    let origin = origin_key(&ROOT, "svc-overlay", INSTANCE, EPOCH);
    let pair = pair_secret(&ROOT, "svc-overlay", "svc-mail");
    assert_eq!(
        hex::encode(origin),
        "5552f84733b13ffbf1677c51fd42f37e39b75d9dcca8578b8046a450964b2c07"
    );
    assert_eq!(
        hex::encode(pair),
        "540fa5846eab9e210332427d8291b2b71820c9d8e51d3f8f3cda8cd90cd9af37"
    );
    assert_eq!(
        hex::encode(pair_key(&pair, INSTANCE, EPOCH)),
        "75d986a879724152bae483136054016410b735e3b6fed1288bac7202480d1487"
    );
}

/// The shortest of a few, where a test looks at each of its bits.
fn short(make: impl FnMut() -> Vec<u8>) -> Vec<u8> {
    let few = iter::repeat_with(make).take(30);
    few.min_by_key(Vec::len).expect("one of them")
}

fn signed(mut envelope: Envelope<Body, Body>) -> Vec<u8> {
    let key = origin_key(&ROOT, &envelope.origin_svc, envelope.origin_instance, EPOCH);
    envelope.sign(&keys::hmac(&key)).expect("a tag");
    envelope.to_bytes().expect("bytes")
}

fn sealed(random: &mut Random, audience: Option<&str>) -> Vec<u8> {
    let envelope = random.envelope();
    let key = wire::key(
        &ROOT,
        &envelope.origin_svc,
        envelope.origin_instance,
        audience,
        EPOCH,
    );
    wire::seal(&envelope, audience, EPOCH, &keys::hmac(&key)).expect("bytes")
}

#[test]
fn what_is_signed_verifies_and_is_written_again_as_it_was() {
    let mut random = Random::new(1, NOW_S);
    for _ in 0..500 {
        let bytes = signed(random.envelope());
        assert_eq!(verify(&bytes, EPOCH), Ok(()));
        let read = Read::from_bytes(&bytes).expect("an envelope");
        assert_eq!(read.to_bytes().expect("bytes"), bytes);
    }
}

#[test]
fn no_bit_of_a_signed_envelope_may_change() {
    let mut random = Random::new(2, NOW_S);
    let bytes = short(|| {
        let mut envelope = random.envelope();
        envelope.tenant_id = None; // a field that serde would forgive the lack of
        signed(envelope)
    });
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&changed, EPOCH).is_err(), "bit {bit}");
    }
}

#[test]
fn a_signed_envelope_holds_for_one_epoch() {
    let bytes = signed(Random::new(3, NOW_S).envelope());
    assert_eq!(verify(&bytes, EPOCH + 1), Err(Refused::BadTag));
}

#[test]
fn what_is_sealed_opens() {
    let mut random = Random::new(4, NOW_S);
    for audience in [None, ME].repeat(250) {
        let bytes = sealed(&mut random, audience);
        assert_eq!(open(&bytes, EPOCH, audience), Ok(()));
    }
}

#[test]
fn no_bit_of_a_sealed_envelope_may_change() {
    let mut random = Random::new(5, NOW_S);
    for audience in [None, ME] {
        let bytes = short(|| sealed(&mut random, audience));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&changed, EPOCH, audience).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn a_sealed_envelope_opens_for_its_audience_and_epoch_only() {
    let mut random = Random::new(6, NOW_S);
    let to_me = sealed(&mut random, ME);
    let to_all = sealed(&mut random, None);
    assert_eq!(open(&to_me, EPOCH, Some("svc-pay")), Err(Refused::BadTag));
    assert_eq!(open(&to_me, EPOCH, None), Err(Refused::BadTag));
    assert_eq!(open(&to_all, EPOCH, ME), Err(Refused::BadTag));
    assert_eq!(open(&to_me, EPOCH + 1, ME), Err(Refused::BadTag));
}

#[test]
fn bytes_that_are_no_envelope_are_malformed() {
    for noise in [b"".as_slice(), b"\x01", &[0xc1; 40], &[1; 33]] {
        assert!(matches!(verify(noise, EPOCH), Err(Refused::Malformed(_))));
        assert!(matches!(
            open(noise, EPOCH, None),
            Err(Refused::Malformed(_))
        ));
    }
}

#[test]
fn a_verdict_is_one_line_whatever_it_quotes() {
    let refused = Read::from_bytes(b"\x81\xa5a\nb\x85c\xc0").map_err(Refused::from);
    let line = refused.expect_err("no envelope").to_string();
    assert!(line.starts_with("malformed: "));
    assert!(
        line.chars()
            .all(|char| char.is_ascii_graphic() || char == ' '),
        "{line}"
    );
}
