//! The signatures that everybody verifies: all different, all valid.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand::{RngCore, SeedableRng, rngs::StdRng};

/// Distinct signatures, so that a comb is read all over and no rival repeats itself.
pub const SIGNATURES: usize = 8_192;

pub struct Workload {
    pub keys: Vec<VerifyingKey>,
    /// The key of each signature, by its number and as dalek wants it.
    pub signers: Vec<usize>,
    pub verifying: Vec<VerifyingKey>,
    pub messages: Vec<Vec<u8>>,
    pub signatures: Vec<Signature>,
}

impl Workload {
    pub fn new(keys: usize, message_bytes: usize) -> Self {
        let mut noise = StdRng::seed_from_u64(keys as u64 * 1_000 + message_bytes as u64);
        let secrets: Vec<SigningKey> = (0..keys)
            .map(|_| {
                let mut seed = [0; 32];
                noise.fill_bytes(&mut seed);
                SigningKey::from_bytes(&seed)
            })
            .collect();
        let signers: Vec<usize> = (0..SIGNATURES)
            .map(|_| noise.next_u32() as usize % keys)
            .collect();
        let messages: Vec<Vec<u8>> = (0..SIGNATURES)
            .map(|_| {
                let mut message = vec![0; message_bytes];
                noise.fill_bytes(&mut message);
                message
            })
            .collect();
        let signatures = signers
            .iter()
            .zip(&messages)
            .map(|(&signer, message)| secrets[signer].sign(message))
            .collect();
        let keys: Vec<VerifyingKey> = secrets.iter().map(SigningKey::verifying_key).collect();
        Self {
            verifying: signers.iter().map(|&signer| keys[signer]).collect(),
            keys,
            signers,
            messages,
            signatures,
        }
    }
}
