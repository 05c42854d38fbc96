//! The signatures that everybody verifies: all different, all valid.

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

/// Distinct signatures, so that a comb is read all over and no rival repeats itself.
pub const SIGNATURES: usize = 8_192;

pub struct Workload {
    pub keys: Vec<VerifyingKey>,
    /// Of each signature: the number of its key.
    pub signers: Vec<usize>,
    pub messages: Vec<Vec<u8>>,
    pub signatures: Vec<[u8; 64]>,
}

impl Workload {
    pub fn new(keys: usize, message_bytes: usize) -> Self {
        let mut noise = StdRng::seed_from_u64(keys as u64 * 1_000 + message_bytes as u64);
        let secrets: Vec<SigningKey> = (0..keys)
            .map(|_| SigningKey::from_bytes(&noise.r#gen()))
            .collect();
        let mut workload = Self {
            keys: secrets.iter().map(SigningKey::verifying_key).collect(),
            signers: Vec::new(),
            messages: Vec::new(),
            signatures: Vec::new(),
        };
        for _ in 0..SIGNATURES {
            let signer = noise.gen_range(0..keys);
            let mut message = vec![0; message_bytes];
            noise.fill_bytes(&mut message);
            workload.signers.push(signer);
            workload
                .signatures
                .push(secrets[signer].sign(&message).to_bytes());
            workload.messages.push(message);
        }
        workload
    }
}
