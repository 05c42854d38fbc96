//! How long the four verbs take on one thread, under one key that is derived and prepared beforehand.
//!
//! - sign: from an envelope in memory to its tag;
//! - verify: from an envelope in memory, writing what the tag covers again, to the verdict;
//! - seal: from an envelope in memory to the bytes of the wire form;
//! - open: from those bytes to the checked envelope, its header and payload in their own types.

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use uuid::Uuid;

use crate::{
    ROOT,
    envelope::{Envelope, Plane},
    keys::{self, origin_key},
    wire,
};

const EPOCH: u64 = 20_000;
const CALLS_A_ROUND: u32 = 100;

#[derive(Serialize, Deserialize)]
struct Header {
    route: String,
    seq: u64,
}

/// One line of JSON: the size of the signed form, and the median of many rounds, for so long a verb.
pub fn run(milliseconds: u64, payload_bytes: usize) -> Result<String, Box<dyn Error>> {
    let lasting = Duration::from_millis(milliseconds);
    let mut envelope = relayed(payload_bytes);
    let key = keys::hmac(&origin_key(
        &ROOT,
        &envelope.origin_svc,
        envelope.origin_instance,
        EPOCH,
    ));

    let sign_ns = median_ns(lasting, || envelope.sign(black_box(&key)).is_ok());
    let verify_ns = median_ns(lasting, || envelope.verify(black_box(&key)).is_ok());
    let seal_ns = median_ns(lasting, || {
        wire::seal(&envelope, None, EPOCH, black_box(&key))
    });

    let sealed = wire::seal(&envelope, None, EPOCH, &key)?;
    let open_ns = median_ns(lasting, || {
        let claim = wire::parse::<Header, ByteBuf>(black_box(&sealed));
        claim.and_then(|claim| claim.open(None, EPOCH, &key))
    });

    envelope.verify(&key)?;
    wire::parse::<Header, ByteBuf>(&sealed)?.open(None, EPOCH, &key)?;
    let bytes = envelope.to_bytes()?.len();
    Ok(format!(
        r#"{{"bytes": {bytes}, "sign_ns": {sign_ns}, "verify_ns": {verify_ns}, "seal_ns": {seal_ns}, "open_ns": {open_ns}}}"#
    ))
}

fn relayed(payload_bytes: usize) -> Envelope<Header, ByteBuf> {
    Envelope {
        plane: Plane::Node,
        origin_svc: "svc-overlay".to_owned(),
        origin_instance: Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
        tenant_id: None,
        scopes: vec!["overlay:route".to_owned()],
        nonce: [0xa5; 16],
        iat: 1_760_000_000,
        exp: 1_760_000_060,
        header: Header {
            route: "/v1/relay".to_owned(),
            seq: 300,
        },
        payload: ByteBuf::from(vec![0x5a; payload_bytes]),
        tag: [0; 32],
    }
}

/// Nanoseconds a call: the median over rounds of `CALLS_A_ROUND`.
fn median_ns<T>(lasting: Duration, mut call: impl FnMut() -> T) -> u128 {
    let mut rounds = Vec::new();
    let start = Instant::now();
    while rounds.is_empty() || start.elapsed() < lasting {
        let round = Instant::now();
        for _ in 0..CALLS_A_ROUND {
            black_box(call());
        }
        rounds.push(round.elapsed() / CALLS_A_ROUND);
    }
    rounds.sort_unstable();
    rounds[rounds.len() / 2].as_nanos()
}
