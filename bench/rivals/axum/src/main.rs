//! Three routes of the passport service, as a Rust engineer would write them.
//!
//! `rival JWKS_FILE [HOST:PORT]` verifies what the service issued, under the service's published keys,
//! and signs with a throw-away key of its own. `TOKIO_WORKER_THREADS` threads; one by default.

use std::{collections::HashMap, env, error::Error, fs, io, sync::Arc, time::SystemTime};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ISSUER: &str = "svc-passport";
const ALG: &str = "Ed25519";
const OWN_KID: &str = "ed25519/rival/v1";
const TTL_S: i64 = 3_600;
const SKEW_S: i64 = 120;

#[derive(Serialize, Deserialize)]
struct Envelope {
    alg: String,
    aud: String,
    kid: String,
    msg_b64: String,
    sig_b64: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Vec<String>,
    kid: String,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    x: String,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

struct Rival {
    keys: HashMap<String, VerifyingKey>,
    signing: SigningKey,
}

impl Rival {
    fn new(jwks: &Jwks) -> Result<Self, Box<dyn Error>> {
        let signing = SigningKey::from_bytes(&rand::random());
        let mut keys = HashMap::from([(OWN_KID.to_owned(), signing.verifying_key())]);
        for jwk in &jwks.keys {
            let x = BASE64_URL_SAFE_NO_PAD.decode(&jwk.x)?;
            keys.insert(jwk.kid.clone(), VerifyingKey::try_from(x.as_slice())?);
        }
        Ok(Self { keys, signing })
    }

    /// `None` when the envelope cannot be read.
    fn verify(&self, envelope: &Envelope, now_s: i64) -> Option<bool> {
        let key = self.keys.get(&envelope.kid)?;
        let msg = BASE64_STANDARD.decode(&envelope.msg_b64).ok()?;
        let sig = BASE64_STANDARD.decode(&envelope.sig_b64).ok()?;
        let sig = Signature::from_slice(&sig).ok()?;
        if envelope.alg != ALG {
            return None;
        }
        if key.verify_strict(&msg, &sig).is_err() {
            return Some(false);
        }
        let Ok(claims) = serde_json::from_slice::<Claims>(&msg) else {
            return Some(false);
        };
        Some(
            claims.iss == ISSUER
                && claims.kid == envelope.kid
                && claims.iat <= now_s + SKEW_S
                && now_s <= claims.exp + SKEW_S
                && claims.aud.contains(&envelope.aud),
        )
    }

    /// `None` when there is no audience in the claims.
    fn issue(&self, mut claims: Map<String, Value>, now_s: i64) -> Option<Envelope> {
        if claims.get("aud")?.is_string() {
            let one = claims.remove("aud")?;
            claims.insert("aud".into(), json!([one]));
        }
        let aud = claims["aud"].get(0)?.as_str()?.to_owned();
        let ttl_s = claims.remove("ttl_s").map_or(Some(TTL_S), |t| t.as_i64())?;
        let jti = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        claims.insert("iss".into(), ISSUER.into());
        claims.insert("kid".into(), OWN_KID.into());
        claims.insert("iat".into(), now_s.into());
        claims.insert("exp".into(), (now_s + ttl_s).into());
        claims.insert("jti".into(), jti.into());
        let msg = serde_json::to_vec(&claims).ok()?;
        Some(Envelope {
            alg: ALG.into(),
            aud,
            kid: OWN_KID.into(),
            sig_b64: BASE64_STANDARD.encode(self.signing.sign(&msg).to_bytes()),
            msg_b64: BASE64_STANDARD.encode(msg),
        })
    }
}

#[allow(clippy::cast_possible_wrap)] // good for 292 billion years
fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |elapsed| elapsed.as_secs() as i64)
}

type Shared = State<Arc<Rival>>;

async fn verify(rival: Shared, Json(one): Json<Envelope>) -> Result<Json<bool>, StatusCode> {
    let verdict = rival.verify(&one, now_s());
    verdict.map(Json).ok_or(StatusCode::BAD_REQUEST)
}

async fn verify_batch(rival: Shared, Json(many): Json<Vec<Envelope>>) -> Json<Vec<bool>> {
    let now_s = now_s();
    let verdict = |one| rival.verify(one, now_s).unwrap_or(false);
    Json(many.iter().map(verdict).collect())
}

async fn issue(
    rival: Shared,
    Json(claims): Json<Map<String, Value>>,
) -> Result<Json<Envelope>, StatusCode> {
    let envelope = rival.issue(claims, now_s());
    envelope.map(Json).ok_or(StatusCode::BAD_REQUEST)
}

async fn serve(rival: Rival, bind: &str) -> io::Result<()> {
    let routes = Router::new()
        .route("/v1/passport/verify", post(verify))
        .route("/v1/passport/verify_batch", post(verify_batch))
        .route("/v1/passport/issue", post(issue))
        .with_state(Arc::new(rival));
    let listener = tokio::net::TcpListener::bind(bind).await?;
    println!("axum: listening on http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let jwks = args.next().ok_or("usage: rival JWKS_FILE [HOST:PORT]")?;
    let bind = args.next().unwrap_or_else(|| "127.0.0.1:0".into());
    let rival = Rival::new(&serde_json::from_slice(&fs::read(jwks)?)?)?;
    // One worker needs no work stealing; this is the faster of tokio's two for it.
    let runtime = match env::var("TOKIO_WORKER_THREADS").as_deref() {
        Err(_) | Ok("1") => tokio::runtime::Builder::new_current_thread(),
        Ok(_) => tokio::runtime::Builder::new_multi_thread(),
    }
    .enable_all()
    .build()?;
    Ok(runtime.block_on(serve(rival, &bind))?)
}
