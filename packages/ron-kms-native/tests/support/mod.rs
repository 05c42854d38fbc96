//! Signatures as people make them, and as an attacker would.

#![allow(dead_code, reason = "each test takes what it needs")]

pub mod campaign;
pub mod judges;
#[path = "../../src/noise.rs"]
mod noise;

use std::sync::LazyLock;

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION},
    edwards::CompressedEdwardsY,
};
use ron_kms_native::Path;
use sha2::{Digest, Sha512};

pub use self::noise::Noise;

/// L, little-endian.
pub const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// p, little-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    (p[0], p[31]) = (0xed, 0x7f);
    p
};

const LENGTH_MAX: usize = 5_000;

/// Every path there is; the model stands in for instructions that this machine lacks.
pub fn paths() -> Vec<Path> {
    let here = Path::available();
    let lacking = here.iter().all(|path| path.name() != "avx512ifma");
    [here, if lacking { &[Path::MODEL] } else { &[] }].concat()
}

impl Noise {
    pub fn scalar(&mut self) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.array())
    }

    /// A message: mostly short, now and then up to 5,000 bytes.
    pub fn message(&mut self) -> Vec<u8> {
        let end = match self.below(16) {
            0 => LENGTH_MAX + 1,
            1..4 => 1,
            _ => 300,
        };
        let length = self.below(end);
        self.bytes(length)
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Somebody who signs: honestly, or with torsion in the key, or with no key worth the name.
pub struct Signer {
    /// What sort of key it is.
    pub sort: &'static str,
    pub secret: Scalar,
    pub public_key: Vec<u8>,
}

impl Signer {
    pub fn honest(noise: &mut Noise) -> Self {
        Self::mixed(noise, 0)
    }

    /// a·B plus so many times a point of order 8.
    pub fn mixed(noise: &mut Noise, torsion: usize) -> Self {
        let secret = noise.scalar();
        let is_honest = torsion.is_multiple_of(8);
        Self {
            sort: if is_honest { "honest" } else { "with torsion" },
            secret,
            public_key: point(&secret, torsion).compress().0.to_vec(),
        }
    }

    /// A key that the rule refuses, but for half of those that are just 32 bytes.
    pub fn odd(noise: &mut Noise) -> Self {
        let (sort, public_key) = match noise.below(5) {
            0 => ("small order", noise.pick(&SMALL_ORDERS).to_vec()),
            1 | 2 => ("second encoding", noise.pick(&BEYOND_P).to_vec()),
            3 => ("any 32 bytes", noise.bytes(32)),
            _ => {
                let length = noise.below(70);
                ("any length", noise.bytes(length))
            }
        };
        Self {
            sort,
            secret: Scalar::ZERO,
            public_key,
        }
    }

    /// Sign as if the key were a·B and `commitment` r·B, whatever they are.
    pub fn sign(&self, message: &[u8], r: &Scalar, commitment: [u8; 32]) -> Vec<u8> {
        let digest = Sha512::new()
            .chain_update(commitment)
            .chain_update(&self.public_key)
            .chain_update(message)
            .finalize();
        let k = Scalar::from_bytes_mod_order_wide(&digest.into());
        let s = r + k * self.secret;
        [commitment, s.to_bytes()].concat()
    }

    pub fn sign_honestly(&self, noise: &mut Noise, message: &[u8]) -> Vec<u8> {
        let r = noise.scalar();
        self.sign(message, &r, point(&r, 0).compress().0)
    }
}

/// One signature to be judged. `signer` is an index into the signers it was made with.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was done to it.
    pub what: &'static str,
    pub signer: usize,
    pub message: Vec<u8>,
    pub signature: Vec<u8>,
}

/// A valid signature and some spoilt ones.
pub fn random_cases(noise: &mut Noise, signers: &[Signer]) -> Vec<Case> {
    let signer = noise.below(signers.len());
    let message = noise.message();
    let signature = signers[signer].sign_honestly(noise, &message);
    let valid = Case {
        what: "as signed",
        signer,
        message,
        signature,
    };
    let mut cases = vec![valid; 6];
    cases[1].what = "a bit of R flipped";
    flip(noise, &mut cases[1].signature[..32]);
    cases[2].what = "a bit of S flipped";
    flip(noise, &mut cases[2].signature[32..]);
    if !cases[3].message.is_empty() {
        cases[3].what = "a bit of the message flipped";
        flip(noise, &mut cases[3].message);
    }
    cases[4].signer = noise.below(signers.len());
    if cases[4].signer != signer {
        cases[4].what = "under another key";
    }
    let other = &mut cases[5];
    match noise.below(4) {
        0 => {
            other.what = "signature too short";
            other.signature.truncate(noise.below(64));
        }
        1 => {
            other.what = "signature too long";
            other.signature.push(0);
        }
        2 => {
            other.what = "message longer by a 0";
            other.message.push(0);
        }
        _ => {
            other.what = "R any 32 bytes";
            other.signature[..32].copy_from_slice(&noise.array::<32>());
        }
    }
    cases
}

/// Signatures made to slip through: each holds in some laxer verifier, or in a batch equation.
pub fn adversarial_cases(noise: &mut Noise, signers: &[Signer]) -> Vec<Case> {
    let signer = noise.below(signers.len());
    let message = noise.message();
    let r = noise.scalar();
    let torsion = noise.below(8);
    let made = |what, signature| Case {
        what,
        signer,
        message: message.clone(),
        signature,
    };
    let sign = |r: &Scalar, commitment| signers[signer].sign(&message, r, commitment);
    let honest = |r: &Scalar| sign(r, point(r, 0).compress().0);
    match noise.below(8) {
        // The key's torsion may cancel it.
        0..3 => {
            let signature = sign(&r, point(&r, torsion).compress().0);
            let what = ["R without torsion", "torsion in R"][usize::from(torsion > 0)];
            vec![made(what, signature)]
        }
        3 => {
            let mut signature = honest(&r);
            for _ in 0..=noise.below(14) {
                add(&mut signature[32..], &L);
            }
            vec![made("S + L, S + 2L, …", signature)]
        }
        // In all its encodings.
        4 => {
            let signature = sign(&Scalar::ZERO, *noise.pick(&SMALL_ORDERS));
            vec![made("R of small order", signature)]
        }
        5 if noise.below(2) == 0 => {
            let mut commitment = point(&r, torsion).compress().0;
            commitment[31] ^= 0x80;
            vec![made("R with the other sign", sign(&r, commitment))]
        }
        5 => {
            let signature = sign(&r, *noise.pick(&BEYOND_P));
            vec![made("R in a second encoding", signature)]
        }
        6 => {
            let (q, fault) = (noise.scalar(), noise.scalar());
            let mut pair = [honest(&r), honest(&q)];
            for (signature, fault) in pair.iter_mut().zip([fault, -fault]) {
                let s: [u8; 32] = signature[32..].try_into().expect("32 bytes");
                let s = Scalar::from_bytes_mod_order(s) + fault;
                signature[32..].copy_from_slice(s.as_bytes());
            }
            let what = "pair with faults in S that cancel";
            pair.map(|signature| made(what, signature)).into()
        }
        _ => {
            let (q, torsion) = (noise.scalar(), 1 + noise.below(7));
            let what = "pair with torsion in R that cancels";
            [(&r, torsion), (&q, 8 - torsion)]
                .map(|(r, torsion)| made(what, sign(r, point(r, torsion).compress().0)))
                .into()
        }
    }
}

/// A scalar times the base point, plus so many times a point of order 8.
pub fn point(scalar: &Scalar, torsion: usize) -> EdwardsPoint {
    scalar * ED25519_BASEPOINT_TABLE + EIGHT_TORSION[torsion % 8]
}

/// Every 32 bytes that a lenient decoder reads as a point of small order.
pub static SMALL_ORDERS: LazyLock<Vec<[u8; 32]>> = LazyLock::new(|| {
    let canonical = EIGHT_TORSION.iter().map(|point| point.compress().0);
    let second = BEYOND_P.iter().copied().filter(|encoded| {
        let point = CompressedEdwardsY(*encoded).decompress();
        point.is_some_and(|point| point.is_small_order())
    });
    let minus_zero = [0x01, 0xec].map(|low| {
        let mut encoded = if low == 1 { [0; 32] } else { P };
        (encoded[0], encoded[31]) = (low, encoded[31] | 0x80);
        encoded
    });
    canonical.chain(second).chain(minus_zero).collect()
});

/// y = p … 2²⁵⁵ − 1 with either sign: the encodings of 0 … 18 that are not canonical.
pub static BEYOND_P: LazyLock<Vec<[u8; 32]>> = LazyLock::new(|| {
    let signs = [P[31], P[31] | 0x80];
    (0..19u8)
        .flat_map(|y| signs.map(|top| (y, top)))
        .map(|(y, top)| {
            let mut encoded = P;
            (encoded[0], encoded[31]) = (P[0] + y, top);
            encoded
        })
        .collect()
});

fn flip(noise: &mut Noise, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        bytes[noise.below(bytes.len())] ^= 1 << noise.below(8);
    }
}

pub fn add(number: &mut [u8], addend: &[u8; 32]) {
    let mut carry = 0;
    for (byte, addend) in number.iter_mut().zip(addend) {
        let sum = u16::from(*byte) + u16::from(*addend) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
}
