//! Tables of multiples, built with plain arithmetic (four words of 64 bits, one product at a time) that
//! shares nothing with the kernel's.

use curve25519_dalek::edwards::EdwardsPoint;

use super::{Comb, Entry, window_entries, windows};

/// A number modulo p, canonical.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Number([u64; 4]);

const P: [u64; 4] = [0xffff_ffff_ffff_ffed, u64::MAX, u64::MAX, u64::MAX >> 1];

impl Number {
    pub const ZERO: Self = Self([0; 4]);
    pub const ONE: Self = Self([1, 0, 0, 0]);

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        Self(std::array::from_fn(|k| u64::from_le_bytes(words[k]))).canonical()
    }

    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *chunk = word.to_le_bytes();
        }
        bytes
    }

    fn canonical(mut self) -> Self {
        loop {
            let mut borrow = false;
            let less: [u64; 4] = std::array::from_fn(|k| {
                let word;
                (word, borrow) = self.0[k].borrowing_sub(P[k], borrow);
                word
            });
            if borrow {
                return self;
            }
            self.0 = less;
        }
    }

    pub fn plus(self, other: Self) -> Self {
        let mut carry = false;
        Self(std::array::from_fn(|k| {
            let word;
            (word, carry) = self.0[k].carrying_add(other.0[k], carry);
            word
        }))
        .canonical()
    }

    pub fn negated(self) -> Self {
        let mut borrow = false;
        Self(std::array::from_fn(|k| {
            let word;
            (word, borrow) = P[k].borrowing_sub(self.0[k], borrow);
            word
        }))
        .canonical()
    }

    pub fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    pub fn times(self, other: Self) -> Self {
        let mut t = [0_u64; 8];
        for i in 0..4 {
            let mut carry = 0;
            for j in 0..4 {
                (t[i + j], carry) = self.0[i].carrying_mul_add(other.0[j], t[i + j], carry);
            }
            t[i + 4] = carry;
        }
        // 2^256 ≡ 38, twice.
        let (mut low, mut carry) = ([0; 4], 0);
        for k in 0..4 {
            (low[k], carry) = t[k + 4].carrying_mul_add(38, t[k], carry);
        }
        while carry != 0 {
            let mut more = carry * 38;
            carry = 0;
            for word in &mut low {
                let over;
                (*word, over) = word.overflowing_add(more);
                more = u64::from(over);
            }
            carry += more;
        }
        Self(low).canonical()
    }

    pub fn power(self, exponent: [u64; 4]) -> Self {
        let mut out = Self::ONE;
        for bit in (0..256).rev() {
            out = out.times(out);
            if (exponent[bit / 64] >> (bit % 64)) & 1 == 1 {
                out = out.times(self);
            }
        }
        out
    }

    pub fn inverse(self) -> Self {
        self.power([P[0] - 2, P[1], P[2], P[3]])
    }
}

fn d() -> Number {
    let number = |x: u64| Number([x, 0, 0, 0]);
    number(121_665).negated().times(number(121_666).inverse())
}

/// Extended coordinates.
#[derive(Clone, Copy)]
struct Extended([Number; 4]);

impl Extended {
    fn affine(x: Number, y: Number) -> Self {
        Self([x, y, Number::ONE, x.times(y)])
    }

    fn plus(self, other: Self, d2: Number) -> Self {
        let ([x1, y1, z1, t1], [x2, y2, z2, t2]) = (self.0, other.0);
        let a = y1.minus(x1).times(y2.minus(x2));
        let b = y1.plus(x1).times(y2.plus(x2));
        let c = t1.times(d2).times(t2);
        let d = z1.times(z2);
        let d = d.plus(d);
        let (e, f, g, h) = (b.minus(a), d.minus(c), d.plus(c), b.plus(a));
        Self([e.times(f), g.times(h), f.times(g), e.times(h)])
    }
}

/// The affine coordinates of an encoded point.
fn decompress(encoding: [u8; 32]) -> (Number, Number) {
    let mut y_bytes = encoding;
    y_bytes[31] &= 0x7f;
    let y = Number::from_bytes(y_bytes);
    let yy = y.times(y);
    let (u, v) = (yy.minus(Number::ONE), yy.times(d()).plus(Number::ONE));
    let ratio = u.times(v.inverse());
    // ratio^((p + 3)/8), times the root of −1 if need be.
    let mut x = ratio.power([0xffff_ffff_ffff_fffe, u64::MAX, u64::MAX, u64::MAX >> 4]);
    if x.times(x) != ratio {
        let two = Number([2, 0, 0, 0]);
        x = x.times(two.power([0xffff_ffff_ffff_fffb, u64::MAX, u64::MAX, u64::MAX >> 3]));
    }
    assert_eq!(x.times(x), ratio, "not a point");
    if x.to_bytes()[0] & 1 != encoding[31] >> 7 {
        x = x.negated();
    }
    (x, y)
}

/// A table in memory.
pub struct Table {
    pub width: u32,
    pub entries: Vec<Entry>,
}

impl Table {
    pub fn new(point: EdwardsPoint, width: u32) -> Self {
        let d2 = d().plus(d());
        let half = 1 << (width - 1);
        let (x, y) = decompress(point.compress().to_bytes());
        let mut base = Extended::affine(x, y);
        let mut points = Vec::new();
        for _ in 0..windows(width) {
            let mut point = Extended::affine(Number::ZERO, Number::ONE);
            for _ in 0..=half {
                points.push(point);
                point = point.plus(base, d2);
            }
            let last = points[points.len() - 1];
            base = last.plus(last, d2);
        }
        assert_eq!(points.len(), windows(width) * window_entries(width));
        Self {
            width,
            entries: affine(&points, d2),
        }
    }

    pub fn comb(&self) -> Comb<'_> {
        Comb::new(self.width, &self.entries).expect("the right number of entries")
    }
}

fn affine(points: &[Extended], d2: Number) -> Vec<Entry> {
    let mut product = Number::ONE;
    let before: Vec<Number> = points
        .iter()
        .map(|point| {
            let before = product;
            product = product.times(point.0[2]);
            before
        })
        .collect();
    let mut inverse = product.inverse();
    let mut entries: Vec<Entry> = points
        .iter()
        .zip(before)
        .rev()
        .map(|(&Extended([x, y, z, _]), before)| {
            let z_inverse = inverse.times(before);
            inverse = inverse.times(z);
            let (x, y) = (x.times(z_inverse), y.times(z_inverse));
            let xy2d = x.times(y).times(d2);
            let coordinates = [y.plus(x), y.minus(x), xy2d, xy2d.negated()];
            Entry(coordinates.map(Number::to_bytes))
        })
        .collect();
    entries.reverse();
    entries
}
