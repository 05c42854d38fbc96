//! The wire form: the tag covers the bytes as received.
//!
//! ```text
//! offset 0      1                       len-32        len
//!        | 0x01 | msgpack array of 13   | tag, 32 B    |
//!        |<-- covered by the tag ------>|
//! ```

use hmac::Mac as _;
use rmp_serde::encode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::{ByteArray, Bytes};
use uuid::Uuid;

use crate::{
    envelope::{Envelope, Plane, Refused},
    keys::{Mac, Secret, origin_key, pair_key, pair_secret},
};

const VERSION: u8 = 1;
const HMAC_SHA256: u8 = 1;
const LABEL: &[u8] = b"ron-auth/wire/v1";
const TAG_BYTES: usize = 32;

/// The array as it is read; `seal` writes the same from references.
#[derive(Deserialize)]
#[serde(bound = "H: DeserializeOwned, P: DeserializeOwned")]
struct Array<H, P>(
    u8,             // MAC algorithm
    u64,            // epoch
    Option<String>, // audience
    Plane,          // plane
    String,         // origin_svc
    Uuid,           // origin_instance
    Option<String>, // tenant_id
    Vec<String>,    // scopes
    ByteArray<16>,  // nonce
    i64,            // iat
    i64,            // exp
    H,              // header
    P,              // payload
);

/// What somebody wrote. Nobody has checked the tag yet.
pub struct Claim<'a, H, P> {
    pub envelope: Envelope<H, P>,
    audience: Option<String>,
    epoch: u64,
    covered: &'a [u8],
}

/// The pair's key where there is an audience, else the sender's own.
pub fn key(root: &Secret, svc: &str, instance: Uuid, audience: Option<&str>, epoch: u64) -> Secret {
    match audience {
        Some(audience) => pair_key(&pair_secret(root, svc, audience), instance, epoch),
        None => origin_key(root, svc, instance, epoch),
    }
}

/// The wire form of an envelope. Its own tag is not looked at.
pub fn seal<H: Serialize, P: Serialize>(
    envelope: &Envelope<H, P>,
    audience: Option<&str>,
    epoch: u64,
    key: &Mac,
) -> Result<Vec<u8>, encode::Error> {
    let mut wire = vec![VERSION];
    // A tuple is an array in the named form too, and what is inside keeps its names.
    let array = (
        HMAC_SHA256,
        epoch,
        audience,
        envelope.plane,
        &envelope.origin_svc,
        envelope.origin_instance,
        &envelope.tenant_id,
        &envelope.scopes,
        Bytes::new(&envelope.nonce),
        envelope.iat,
        envelope.exp,
        &envelope.header,
        &envelope.payload,
    );
    encode::write_named(&mut wire, &array)?;
    let tag = mac(key, &wire).finalize().into_bytes();
    wire.extend_from_slice(&tag);
    Ok(wire)
}

/// Read what somebody wrote.
///
/// As serde does it: an array may be written longer than it need be, and have something behind it. Under the
/// tag of a service that holds the key that is no forgery; `ron_auth` refuses it all the same.
pub fn parse<H: DeserializeOwned, P: DeserializeOwned>(
    wire: &[u8],
) -> Result<Claim<'_, H, P>, Refused> {
    let malformed = |why: &str| Refused::Malformed(why.to_owned());
    let (covered, tag) = wire
        .split_last_chunk::<TAG_BYTES>()
        .ok_or_else(|| malformed("shorter than a tag"))?;
    let (&version, array) = covered
        .split_first()
        .ok_or_else(|| malformed("nothing before the tag"))?;
    if version != VERSION {
        return Err(malformed("another version"));
    }
    let Array(
        alg,
        epoch,
        audience,
        plane,
        origin_svc,
        origin_instance,
        tenant_id,
        scopes,
        nonce,
        iat,
        exp,
        header,
        payload,
    ) = rmp_serde::from_slice(array)?;
    if alg != HMAC_SHA256 {
        return Err(malformed("another MAC algorithm"));
    }
    let envelope = Envelope {
        plane,
        origin_svc,
        origin_instance,
        tenant_id,
        scopes,
        nonce: nonce.into_array(),
        iat,
        exp,
        header,
        payload,
        tag: *tag,
    };
    Ok(Claim {
        envelope,
        audience,
        epoch,
        covered,
    })
}

impl<H, P> Claim<'_, H, P> {
    /// The envelope, if `key` made the tag, for this audience and epoch and no other.
    pub fn open(
        self,
        audience: Option<&str>,
        epoch: u64,
        key: &Mac,
    ) -> Result<Envelope<H, P>, Refused> {
        mac(key, self.covered)
            .verify_slice(&self.envelope.tag)
            .map_err(|_| Refused::BadTag)?;
        if self.audience.as_deref() != audience || self.epoch != epoch {
            return Err(Refused::BadTag);
        }
        Ok(self.envelope)
    }
}

fn mac(key: &Mac, covered: &[u8]) -> Mac {
    key.clone().chain_update(LABEL).chain_update(covered)
}
