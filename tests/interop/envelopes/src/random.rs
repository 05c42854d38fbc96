//! Envelopes of random shape: what Rust services put into them, and the edges of every type.
//!
//! Left out is what Python cannot write: f32, 128-bit integers, extension types.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use rmpv::Value;
use serde::Serialize;
use serde_bytes::ByteBuf;
use uuid::Uuid;

use crate::envelope::{Envelope, Plane};

/// Largest envelope made; `ron_auth` reads 64 KiB.
const ENVELOPE_BYTES_MAX: usize = 48 * 1024;

/// How deep a `Value` may nest; `ron_auth` reads as much.
const DEPTH_MAX: usize = 8;

/// Header or payload. No name of this enum reaches the bytes.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Body {
    Nothing(()),
    Marker(Marker),
    Flag(bool),
    Maybe(Option<i64>),
    Count(u64),
    Text(String),
    Metres(Metres),
    Span(Span),
    Relay(Box<Relay>),
    Event(Event),
    Octets(Vec<u8>),
    Binary(ByteBuf),
    Mixed((char, Duration, [i16; 3], ())),
    Samples(Vec<f64>),
    Grid(Vec<Vec<Option<u64>>>),
    Counters(BTreeMap<String, i64>),
    Digests(BTreeMap<ByteBuf, Event>),
    Table(Vec<BTreeMap<i64, Event>>),
    Any(Value),
}

#[derive(Serialize)]
pub struct Marker;

#[derive(Serialize)]
pub struct Metres(f64);

#[derive(Serialize)]
pub struct Span(i64, Option<u64>, String);

#[derive(Serialize)]
pub struct Relay {
    route: String,
    seq: u64,
    opt: Option<i32>,
    neg: i8,
    #[serde(skip_serializing_if = "Option::is_none")]
    hop: Option<Uuid>,
    last: Event,
    #[serde(flatten)]
    more: BTreeMap<String, Event>,
}

#[derive(Serialize)]
pub enum Event {
    Up,
    Weight(i64),
    Moved(u8, String),
    Measured { at: u64, value: f64, raw: ByteBuf },
}

/// A seeded source of envelopes that hold around `now_s`.
pub struct Random {
    rng: fastrand::Rng,
    now_s: i64,
}

impl Random {
    pub fn new(seed: u64, now_s: i64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self { rng, now_s }
    }

    /// An envelope that nobody has signed.
    pub fn envelope(&mut self) -> Envelope<Body, Body> {
        loop {
            let envelope = self.envelope_of_any_size();
            if envelope
                .to_bytes()
                .is_ok_and(|bytes| bytes.len() <= ENVELOPE_BYTES_MAX)
            {
                return envelope;
            }
        }
    }

    fn envelope_of_any_size(&mut self) -> Envelope<Body, Body> {
        Envelope {
            plane: if self.rng.bool() {
                Plane::Node
            } else {
                Plane::App
            },
            origin_svc: format!("svc-{}", self.text()),
            origin_instance: Uuid::from_u128(self.rng.u128(..)),
            tenant_id: self.maybe(Self::text),
            scopes: self.many(0..=20, Self::text),
            nonce: self.rng.u128(..).to_be_bytes(),
            iat: self.now_s - self.rng.i64(0..60),
            exp: self.now_s + self.rng.i64(0..60),
            header: self.body(),
            payload: self.body(),
            tag: [0; 32],
        }
    }

    fn body(&mut self) -> Body {
        match self.rng.u8(0..25) {
            0 => Body::Nothing(()),
            1 => Body::Marker(Marker),
            2 => Body::Flag(self.rng.bool()),
            3 => Body::Maybe(self.maybe(Self::signed)),
            4 => Body::Count(self.unsigned()),
            5 => Body::Text(self.text()),
            6 => Body::Metres(Metres(self.float())),
            7 => Body::Span(Span(self.signed(), self.maybe(Self::unsigned), self.text())),
            8 | 9 => Body::Relay(Box::new(self.relay())),
            10 => Body::Event(self.event()),
            11 => Body::Octets(self.bytes()),
            12 => Body::Binary(ByteBuf::from(self.bytes())),
            13 => Body::Mixed(self.mixed()),
            14 => Body::Samples(self.many(0..=40, Self::float)),
            15 => Body::Grid(self.many(0..=18, |random| {
                random.many(0..=18, |random| random.maybe(Self::unsigned))
            })),
            16 => Body::Counters(self.map(|random| (random.text(), random.signed()))),
            17 => Body::Digests(self.map(|random| (ByteBuf::from(random.bytes()), random.event()))),
            18 => Body::Table(self.many(0..=4, |random| {
                random.map(|random| (random.signed(), random.event()))
            })),
            _ => Body::Any(self.value(DEPTH_MAX)),
        }
    }

    fn relay(&mut self) -> Relay {
        Relay {
            route: self.text(),
            seq: self.unsigned(),
            opt: self.maybe(|random| random.rng.i32(..)),
            neg: self.rng.i8(..),
            hop: self.maybe(|random| Uuid::from_u128(random.rng.u128(..))),
            last: self.event(),
            more: self.map(|random| (format!("x-{}", random.text()), random.event())),
        }
    }

    fn event(&mut self) -> Event {
        match self.rng.u8(0..4) {
            0 => Event::Up,
            1 => Event::Weight(self.signed()),
            2 => Event::Moved(self.rng.u8(..), self.text()),
            _ => Event::Measured {
                at: self.unsigned(),
                value: self.float(),
                raw: ByteBuf::from(self.bytes()),
            },
        }
    }

    fn mixed(&mut self) -> (char, Duration, [i16; 3], ()) {
        let lasting = Duration::new(self.unsigned(), self.rng.u32(0..1_000_000_000));
        (
            self.rng.char(..),
            lasting,
            std::array::from_fn(|_| self.rng.i16(..)),
            (),
        )
    }

    /// A tree at most `depth` deep: a number is 0 deep, an empty array 1.
    fn value(&mut self, depth: usize) -> Value {
        let kinds = if depth == 0 { 6 } else { 10 };
        match self.rng.u8(0..kinds) {
            0 => Value::Nil,
            1 => self.rng.bool().into(),
            2 => self.integer(),
            3 => self.float().into(),
            4 => self.text().into(),
            5 => self.bytes().into(),
            6 | 7 => Value::Array(self.children(depth, |random| random.value(depth - 1))),
            _ => {
                let pairs = self.children(depth, |random| (random.key(), random.value(depth - 1)));
                Value::Map(without_doubles(pairs))
            }
        }
    }

    /// Many at the root, few below.
    fn children<T>(&mut self, depth: usize, make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let most = if depth == DEPTH_MAX { 20 } else { 3 };
        self.many(0..=most, make)
    }

    fn key(&mut self) -> Value {
        match self.rng.u8(0..4) {
            0 => self.integer(),
            1 => self.bytes().into(),
            _ => self.text().into(),
        }
    }

    fn integer(&mut self) -> Value {
        if self.rng.bool() {
            self.unsigned().into()
        } else {
            self.signed().into()
        }
    }

    /// A power of two at which the encoding changes, or one beside it.
    fn unsigned(&mut self) -> u64 {
        const EDGES: [u32; 8] = [0, 5, 7, 8, 15, 16, 31, 32];
        let edge: u64 = match self.rng.u8(0..10) {
            0 => 0,
            1 => 1 << 63,
            _ => 1 << EDGES[self.rng.usize(0..EDGES.len())],
        };
        edge.wrapping_add_signed(self.rng.i64(-1..=1)) // from 0 this reaches 2^64 - 1
    }

    fn signed(&mut self) -> i64 {
        let edge = self.unsigned();
        if self.rng.bool() {
            0_i64.wrapping_add_unsigned(edge)
        } else {
            0_i64.wrapping_sub_unsigned(edge)
        }
    }

    fn float(&mut self) -> f64 {
        const EDGES: [f64; 14] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            9_007_199_254_740_993.0,
            f64::MIN,
            f64::MAX,
            f64::EPSILON,
            f64::MIN_POSITIVE,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            -f64::NAN,
        ];
        match self.rng.u8(0..4) {
            0 | 1 => EDGES[self.rng.usize(0..EDGES.len())],
            2 => f64::from_bits(self.rng.u64(1..1 << 52)), // subnormal
            _ => f64::from_bits(self.rng.u64(..)),
        }
    }

    fn text(&mut self) -> String {
        let chars = self.length();
        if self.rng.bool() {
            (0..chars).map(|_| self.rng.alphanumeric()).collect()
        } else {
            (0..chars).map(|_| self.rng.char(..)).collect()
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.length()];
        self.rng.fill(&mut bytes);
        bytes
    }

    /// Mostly short; else around the lengths at which the encoding changes.
    fn length(&mut self) -> usize {
        const EDGES: [usize; 7] = [15, 16, 31, 32, 255, 256, 300];
        if self.rng.u8(0..10) == 0 {
            EDGES[self.rng.usize(0..EDGES.len())]
        } else {
            self.rng.usize(0..12)
        }
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.rng.bool().then(|| make(self))
    }

    fn many<T>(
        &mut self,
        count: RangeInclusive<usize>,
        mut make: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let count = self.rng.usize(count);
        (0..count).map(|_| make(self)).collect()
    }

    fn map<K: Ord, V>(&mut self, entry: impl FnMut(&mut Self) -> (K, V)) -> BTreeMap<K, V> {
        self.many(0..=20, entry).into_iter().collect()
    }
}

fn without_doubles(pairs: Vec<(Value, Value)>) -> Vec<(Value, Value)> {
    let mut kept: Vec<(Value, Value)> = Vec::new();
    for (key, value) in pairs {
        if kept.iter().all(|(other, _)| *other != key) {
            kept.push((key, value));
        }
    }
    kept
}
