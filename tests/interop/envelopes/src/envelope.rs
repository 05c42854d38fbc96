//! The signed form: serde derives it, rmp-serde writes it.
//!
//! ```text
//! to_vec_named(Envelope)    map of 11: the ten fields, then the tag as an array of 32 integers
//! to_vec_named(MacInput)    map of 10: what the tag covers
//! ```
//!
//! The tag covers what the fields *mean*: whoever checks it writes them again.

use std::{error::Error, fmt};

use hmac::Mac as _;
use rmp_serde::{decode, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::keys::Mac;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Plane {
    Node,
    App,
}

/// Field order is wire order.
///
/// A field that is not known is refused: else `tenant_id` with a letter changed would read as no tenant, and
/// where there was none the tag would still hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope<H, P> {
    pub plane: Plane,
    pub origin_svc: String,
    pub origin_instance: Uuid,
    pub tenant_id: Option<String>,
    pub scopes: Vec<String>,
    pub nonce: [u8; 16],
    pub iat: i64,
    pub exp: i64,
    pub header: H,
    pub payload: P,
    pub tag: [u8; 32],
}

/// An envelope whose header and payload may be anything.
pub type Read = Envelope<rmpv::Value, rmpv::Value>;

/// `Envelope` without its tag.
#[derive(Serialize)]
struct MacInput<'a, H, P> {
    plane: Plane,
    origin_svc: &'a str,
    origin_instance: Uuid,
    tenant_id: Option<&'a str>,
    scopes: &'a [String],
    nonce: [u8; 16],
    iat: i64,
    exp: i64,
    header: &'a H,
    payload: &'a P,
}

#[derive(Debug, PartialEq)]
pub enum Refused {
    Malformed(String),
    BadTag,
}

impl<H: Serialize, P: Serialize> Envelope<H, P> {
    /// Set the tag to the one that `key` makes.
    pub fn sign(&mut self, key: &Mac) -> Result<(), encode::Error> {
        self.tag = self.mac(key)?.finalize().into_bytes().into();
        Ok(())
    }

    /// Return only if `key` made the tag.
    pub fn verify(&self, key: &Mac) -> Result<(), Refused> {
        let mac = self.mac(key)?;
        mac.verify_slice(&self.tag).map_err(|_| Refused::BadTag)
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, encode::Error> {
        rmp_serde::to_vec_named(self)
    }

    pub fn mac_input(&self) -> Result<Vec<u8>, encode::Error> {
        rmp_serde::to_vec_named(&MacInput {
            plane: self.plane,
            origin_svc: &self.origin_svc,
            origin_instance: self.origin_instance,
            tenant_id: self.tenant_id.as_deref(),
            scopes: &self.scopes,
            nonce: self.nonce,
            iat: self.iat,
            exp: self.exp,
            header: &self.header,
            payload: &self.payload,
        })
    }

    fn mac(&self, key: &Mac) -> Result<Mac, encode::Error> {
        Ok(key.clone().chain_update(self.mac_input()?))
    }
}

impl Read {
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, decode::Error> {
        rmp_serde::from_slice(bytes)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The reason may quote a stranger's bytes, line ends and all.
            Self::Malformed(why) => write!(f, "malformed: {}", why.escape_default()),
            Self::BadTag => write!(f, "bad_tag"),
        }
    }
}

impl Error for Refused {}

impl From<decode::Error> for Refused {
    fn from(error: decode::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<encode::Error> for Refused {
    fn from(error: encode::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}
