//! A Rust service of the cluster, as far as envelopes go: the other side of `ron_auth`'s tests.
//!
//! ```text
//! envelopes keys SVC INSTANCE_HEX AUDIENCE EPOCH      origin key, pair secret, pair key
//! envelopes sign COUNT SEED EPOCH NOW_S               random signed envelopes, one a line in hex
//! envelopes verify EPOCH                              a verdict for every such line on stdin
//! envelopes seal COUNT SEED EPOCH NOW_S AUDIENCE|-    the same in the wire form
//! envelopes open EPOCH AUDIENCE|-
//! envelopes bench MILLISECONDS PAYLOAD_BYTES          one line of JSON; so long for each of four verbs
//! ```
//!
//! Verdicts are `ok`, `bad_tag` and `malformed: …`. The root secret is 32 × 0x07 for everybody, here
//! and in the tests, and nobody's anywhere else.

mod bench;
mod envelope;
mod keys;
mod random;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    env,
    error::Error,
    io::{self, BufRead, Write},
    process::ExitCode,
};

use uuid::Uuid;

use crate::{
    envelope::{Read, Refused},
    keys::{Secret, origin_key, pair_key, pair_secret},
    random::Random,
};

const ROOT: Secret = [7; 32];

const USAGE: &str = "envelopes keys SVC INSTANCE_HEX AUDIENCE EPOCH
       envelopes sign COUNT SEED EPOCH NOW_S
       envelopes verify EPOCH
       envelopes seal COUNT SEED EPOCH NOW_S AUDIENCE|-
       envelopes open EPOCH AUDIENCE|-
       envelopes bench MILLISECONDS PAYLOAD_BYTES";

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("envelopes: error: {error}\nusage: {USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[&str]) -> Outcome {
    match *words {
        ["keys", svc, instance, audience, epoch] => {
            show_keys(svc, Uuid::try_parse(instance)?, audience, epoch.parse()?);
            Ok(())
        }
        ["sign", count, seed, epoch, now_s] => {
            let mut random = Random::new(seed.parse()?, now_s.parse()?);
            sign(count.parse()?, &mut random, epoch.parse()?)
        }
        ["verify", epoch] => {
            let epoch = epoch.parse()?;
            judge(|signed| verify(signed, epoch))
        }
        ["seal", count, seed, epoch, now_s, audience] => {
            let mut random = Random::new(seed.parse()?, now_s.parse()?);
            seal(count.parse()?, &mut random, epoch.parse()?, named(audience))
        }
        ["open", epoch, audience] => {
            let epoch = epoch.parse()?;
            judge(|sealed| open(sealed, epoch, named(audience)))
        }
        ["bench", milliseconds, payload_bytes] => {
            println!(
                "{}",
                bench::run(milliseconds.parse()?, payload_bytes.parse()?)?
            );
            Ok(())
        }
        _ => Err("no such command, or not its arguments".into()),
    }
}

fn named(audience: &str) -> Option<&str> {
    (audience != "-").then_some(audience)
}

fn show_keys(svc: &str, instance: Uuid, audience: &str, epoch: u64) {
    let pair = pair_secret(&ROOT, svc, audience);
    println!("{}", hex::encode(origin_key(&ROOT, svc, instance, epoch)));
    println!("{}", hex::encode(pair));
    println!("{}", hex::encode(pair_key(&pair, instance, epoch)));
}

fn sign(count: usize, random: &mut Random, epoch: u64) -> Outcome {
    let mut stdout = io::stdout().lock();
    for _ in 0..count {
        let mut envelope = random.envelope();
        let key = origin_key(&ROOT, &envelope.origin_svc, envelope.origin_instance, epoch);
        envelope.sign(&keys::hmac(&key))?;
        writeln!(stdout, "{}", hex::encode(envelope.to_bytes()?))?;
    }
    Ok(())
}

fn verify(signed: &[u8], epoch: u64) -> Result<(), Refused> {
    let envelope = Read::from_bytes(signed)?;
    let key = origin_key(&ROOT, &envelope.origin_svc, envelope.origin_instance, epoch);
    envelope.verify(&keys::hmac(&key))
}

fn seal(count: usize, random: &mut Random, epoch: u64, audience: Option<&str>) -> Outcome {
    let mut stdout = io::stdout().lock();
    for _ in 0..count {
        let envelope = random.envelope();
        let (svc, instance) = (&envelope.origin_svc, envelope.origin_instance);
        let key = wire::key(&ROOT, svc, instance, audience, epoch);
        let sealed = wire::seal(&envelope, audience, epoch, &keys::hmac(&key))?;
        writeln!(stdout, "{}", hex::encode(sealed))?;
    }
    Ok(())
}

fn open(sealed: &[u8], epoch: u64, audience: Option<&str>) -> Result<(), Refused> {
    let claim = wire::parse::<rmpv::Value, rmpv::Value>(sealed)?;
    let (svc, instance) = (&claim.envelope.origin_svc, claim.envelope.origin_instance);
    let key = wire::key(&ROOT, svc, instance, audience, epoch);
    claim.open(audience, epoch, &keys::hmac(&key)).map(drop)
}

/// Write a verdict for every line of hex on stdin.
fn judge(check: impl Fn(&[u8]) -> Result<(), Refused>) -> Outcome {
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let checked = hex::decode(line?)
            .map_err(|error| Refused::Malformed(error.to_string()))
            .and_then(|bytes| check(&bytes));
        match checked {
            Ok(()) => writeln!(stdout, "ok")?,
            Err(refused) => writeln!(stdout, "{refused}")?,
        }
    }
    Ok(())
}
