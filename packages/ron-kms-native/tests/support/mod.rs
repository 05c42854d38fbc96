//! The judge, and the material an attacker would make.

#![allow(dead_code, reason = "each test takes what it needs")]

pub mod campaign;

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION},
    edwards::CompressedEdwardsY,
};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha512};

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

/// ed25519-dalek's `verify_strict`, with the key's encoding made canonical.
pub fn judge(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(public_key), Ok(signature)) = (public_key.try_into(), signature.try_into()) else {
        return false;
    };
    let Ok(key) = VerifyingKey::from_bytes(public_key) else {
        return false;
    };
    let encoded = CompressedEdwardsY(*public_key);
    let is_canonical = encoded
        .decompress()
        .is_some_and(|point| point.compress() == encoded);
    let signature = Signature::from_bytes(signature);
    is_canonical && key.verify_strict(message, &signature).is_ok()
}

/// A repeatable stream of noise (`SplitMix64`).
pub struct Noise(pub u64);

impl Noise {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.word() % end as u64).expect("below a usize")
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = (0..count.div_ceil(8)).flat_map(|_| self.word().to_le_bytes());
        words.take(count).collect()
    }

    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().expect("as many")
    }

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
        Self {
            secret,
            public_key: point(&secret, torsion).compress().0.to_vec(),
        }
    }

    /// A key the rule refuses: of small order, in a second encoding, no point, or of another length.
    pub fn odd(noise: &mut Noise) -> Self {
        let public_key = match noise.below(5) {
            0 => noise.pick(&small_orders()).to_vec(),
            1 | 2 => noise.pick(&beyond_p()).to_vec(),
            3 => noise.array::<32>().to_vec(), // half of them are points
            _ => {
                let length = noise.below(70);
                noise.bytes(length)
            }
        };
        Self {
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
        signer,
        message,
        signature,
    };
    let mut cases = vec![valid; 6];
    flip(noise, &mut cases[1].signature[..32]);
    flip(noise, &mut cases[2].signature[32..]);
    flip(noise, &mut cases[3].message);
    cases[4].signer = noise.below(signers.len());
    match noise.below(4) {
        0 => cases[5].signature.truncate(noise.below(64)),
        1 => cases[5].signature.push(0),
        2 => cases[5].message.push(0),
        _ => {
            let commitment: [u8; 32] = noise.array();
            cases[5].signature[..32].copy_from_slice(&commitment);
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
    let made = |signature| Case {
        signer,
        message: message.clone(),
        signature,
    };
    let honest = |r: &Scalar| signers[signer].sign(&message, r, point(r, 0).compress().0);
    match noise.below(8) {
        // Torsion in R, which the key's may cancel.
        0..3 => {
            let commitment = point(&r, torsion).compress().0;
            vec![made(signers[signer].sign(&message, &r, commitment))]
        }
        // S + L, S + 2L, …
        3 => {
            let mut signature = honest(&r);
            for _ in 0..=noise.below(14) {
                add(&mut signature[32..], &L);
            }
            vec![made(signature)]
        }
        // R of small order, in all its encodings.
        4 => {
            let commitment = *noise.pick(&small_orders());
            vec![made(signers[signer].sign(
                &message,
                &Scalar::ZERO,
                commitment,
            ))]
        }
        // R in a second encoding, or with the other sign.
        5 => {
            let mut commitment = *noise.pick(&beyond_p());
            if noise.below(2) == 0 {
                commitment = point(&r, torsion).compress().0;
                commitment[31] ^= 0x80;
            }
            vec![made(signers[signer].sign(&message, &r, commitment))]
        }
        // A pair whose faults cancel in their sum: in S, or in R.
        6 => {
            let (q, fault) = (noise.scalar(), noise.scalar());
            let mut pair = [honest(&r), honest(&q)];
            for (signature, fault) in pair.iter_mut().zip([fault, -fault]) {
                let s: [u8; 32] = signature[32..].try_into().expect("32 bytes");
                let s = Scalar::from_bytes_mod_order(s) + fault;
                signature[32..].copy_from_slice(s.as_bytes());
            }
            pair.map(made).into()
        }
        _ => {
            let q = noise.scalar();
            let pair = [(&r, torsion), (&q, 8 - torsion)];
            pair.map(|(r, torsion)| {
                let commitment = point(r, torsion).compress().0;
                made(signers[signer].sign(&message, r, commitment))
            })
            .into()
        }
    }
}

/// A scalar times the base point, plus so many times a point of order 8.
fn point(scalar: &Scalar, torsion: usize) -> EdwardsPoint {
    scalar * ED25519_BASEPOINT_TABLE + EIGHT_TORSION[torsion % 8]
}

/// Every 32 bytes that a lenient decoder reads as a point of small order.
pub fn small_orders() -> Vec<[u8; 32]> {
    let canonical = EIGHT_TORSION.iter().map(|point| point.compress().0);
    let second = beyond_p().into_iter().filter(|encoded| {
        let point = CompressedEdwardsY(*encoded).decompress();
        point.is_some_and(|point| point.is_small_order())
    });
    let minus_zero = [0x01, 0xec].map(|low| {
        let mut encoded = if low == 1 { [0; 32] } else { P };
        (encoded[0], encoded[31]) = (low, encoded[31] | 0x80);
        encoded
    });
    canonical.chain(second).chain(minus_zero).collect()
}

/// y = p … 2²⁵⁵ − 1 with either sign: the encodings of 0 … 18 that are not canonical.
pub fn beyond_p() -> Vec<[u8; 32]> {
    let signs = [P[31], P[31] | 0x80];
    (0..19u8)
        .flat_map(|y| signs.map(|top| (y, top)))
        .map(|(y, top)| {
            let mut encoded = P;
            (encoded[0], encoded[31]) = (P[0] + y, top);
            encoded
        })
        .collect()
}

fn flip(noise: &mut Noise, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        bytes[noise.below(bytes.len())] ^= 1 << noise.below(8);
    }
}

fn add(number: &mut [u8], addend: &[u8; 32]) {
    let mut carry = 0;
    for (byte, addend) in number.iter_mut().zip(addend) {
        let sum = u16::from(*byte) + u16::from(*addend) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
}
