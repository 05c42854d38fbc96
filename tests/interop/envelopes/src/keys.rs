//! Keys from secrets: HKDF-SHA256, empty salt, 32 bytes out; info names what the key is for.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use uuid::Uuid;

pub type Secret = [u8; 32];
pub type Mac = Hmac<Sha256>;

/// What instance `instance` of `svc` signs with for all the cluster.
pub fn origin_key(root: &Secret, svc: &str, instance: Uuid, epoch: u64) -> Secret {
    let info = [
        b"ron-auth/origin/v1",
        svc.as_bytes(),
        instance.as_bytes(),
        &epoch.to_be_bytes(),
    ];
    derive(root, &info)
}

/// What `svc` and `audience` hold, and no third.
pub fn pair_secret(root: &Secret, svc: &str, audience: &str) -> Secret {
    derive(
        root,
        &[b"ron-auth/pair/v1", svc.as_bytes(), audience.as_bytes()],
    )
}

/// What instance `instance` signs with for one audience.
pub fn pair_key(pair: &Secret, instance: Uuid, epoch: u64) -> Secret {
    let info = [
        b"ron-auth/pair-key/v1",
        b"HMAC-SHA256".as_slice(),
        instance.as_bytes(),
        &epoch.to_be_bytes(),
    ];
    derive(pair, &info)
}

/// HMAC-SHA256 with its key in place; clone it for each message.
pub fn hmac(key: &Secret) -> Mac {
    Mac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn derive(secret: &Secret, parts: &[&[u8]]) -> Secret {
    let mut info = Vec::new();
    for part in parts {
        let length = u16::try_from(part.len()).expect("a name shorter than 64 KiB");
        info.extend_from_slice(&length.to_be_bytes());
        info.extend_from_slice(part);
    }
    let mut key = [0; 32];
    let hkdf = Hkdf::<Sha256>::new(None, secret);
    hkdf.expand(&info, &mut key).expect("32 bytes are few");
    key
}
