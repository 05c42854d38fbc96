//! Points of the curve −x² + y² = 1 + d·x²·y², in the three forms a comb needs.
//!
//! The addition law is complete here (−1 is a square modulo p and d is not): it holds for equal points, for
//! opposite ones, for the neutral element and for torsion, and Z is never 0. So no input needs a branch, and
//! none can spoil an inversion shared with others.

use crate::field::{Element, Sum};

/// d = −121665/121666.
pub(crate) const D: Element = Element([
    929_955_233_495_203,
    466_365_720_129_213,
    1_662_059_464_998_953,
    2_033_849_074_728_123,
    1_442_794_654_840_575,
]);

/// A square root of −1.
const SQRT_MINUS_ONE: Element = Element([
    1_718_705_420_411_056,
    234_908_883_556_509,
    2_233_514_472_574_048,
    2_117_202_627_021_982,
    765_476_049_583_133,
]);

/// A point by its two coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affine {
    /// x
    pub x: Element,
    /// y
    pub y: Element,
}

/// A point prepared to be added: (y + x, y − x, 2d·x·y).
#[derive(Clone, Copy, Debug)]
pub struct Addend {
    /// y + x
    pub plus: Element,
    /// y − x
    pub minus: Element,
    /// 2d·x·y
    pub product: Element,
}

/// x = X/Z, y = Y/Z: a sum that still waits for its division.
#[derive(Clone, Copy, Debug)]
pub struct Projective {
    /// X
    pub x: Element,
    /// Y
    pub y: Element,
    /// Z, never 0
    pub z: Element,
}

/// x = X/Z, y = Y/Z, xy = T/Z: a running sum (RFC 8032 §5.1.4).
#[derive(Clone, Copy, Debug)]
pub struct Extended {
    /// X, Y and Z
    pub point: Projective,
    /// T
    pub t: Element,
}

impl Affine {
    /// The neutral element (0, 1).
    pub const NEUTRAL: Self = Self {
        x: Element::ZERO,
        y: Element::ONE,
    };

    /// Decode 32 bytes (RFC 8032 §5.1.3), or `None` where there is no such point.
    ///
    /// As lenient as dalek's `decompress`: y ≥ p and "−0" pass. The caller refuses what is not canonical.
    #[must_use]
    pub fn decode(bytes: &[u8; 32]) -> Option<Self> {
        let y = Element::from_bytes(bytes);
        let yy = y.square();
        let u = (yy - Element::ONE).carry();
        let v = (yy * D + Element::ONE).carry();
        let v3 = v.square() * v;
        let v7 = v3.square() * v;
        let candidate = u * v3 * (u * v7).power_p58();
        let vxx = candidate.square() * v;
        let x = if vxx == u {
            candidate
        } else if vxx == u.negate() {
            candidate * SQRT_MINUS_ONE
        } else {
            return None;
        };
        let is_odd = x.to_bytes()[0] & 1 == 1;
        let asked_odd = bytes[31] >> 7 == 1;
        let x = if is_odd == asked_odd { x } else { x.negate() };
        Some(Self { x, y })
    }

    /// The canonical 32 bytes (RFC 8032 §5.1.2).
    #[inline]
    #[must_use]
    pub fn encode(&self) -> [u8; 32] {
        let mut bytes = self.y.to_bytes();
        bytes[31] |= (self.x.to_bytes()[0] & 1) << 7;
        bytes
    }

    /// The opposite point.
    #[must_use]
    pub fn negate(&self) -> Self {
        Self {
            x: self.x.negate(),
            y: self.y,
        }
    }

    /// The same point, ready to be added.
    #[must_use]
    pub fn addend(&self) -> Addend {
        let dxy = self.x * self.y * D;
        Addend {
            plus: (self.y + self.x).carry(),
            minus: (self.y - self.x).carry(),
            product: (dxy + dxy).carry(),
        }
    }
}

impl From<Affine> for Extended {
    fn from(point: Affine) -> Self {
        let Affine { x, y } = point;
        Self {
            point: Projective {
                x,
                y,
                z: Element::ONE,
            },
            t: x * y,
        }
    }
}

impl Extended {
    /// The neutral element.
    pub const NEUTRAL: Self = Self {
        point: Projective {
            x: Element::ZERO,
            y: Element::ONE,
            z: Element::ONE,
        },
        t: Element::ZERO,
    };

    /// The sum: seven products, complete ("madd-2008-hwcd-3").
    #[expect(clippy::many_single_char_names, reason = "they are the formula's own")]
    #[inline(always)]
    #[must_use]
    pub fn add(&self, other: &Addend) -> Self {
        let Projective { x, y, z } = self.point;
        let a = (y - x) * other.minus;
        let b = (y + x) * other.plus;
        let c = self.t * other.product;
        let (e, h) = (b - a, b + a);
        let (f, g) = (Sum::twice_less(z, c), Sum::twice_plus(z, c));
        Self {
            point: Projective {
                x: e * f,
                y: g * h,
                z: f * g,
            },
            t: e * h,
        }
    }
}

impl Extended {
    /// The sum of two running sums: nine products, complete ("add-2008-hwcd-3").
    #[expect(clippy::many_single_char_names, reason = "they are the formula's own")]
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let (p, q) = (self.point, other.point);
        let a = (p.y - p.x) * (q.y - q.x);
        let b = (p.y + p.x) * (q.y + q.x);
        let half_c = self.t * D * other.t;
        let half_d = p.z * q.z;
        let (c, d) = ((half_c + half_c).carry(), (half_d + half_d).carry());
        let (e, f, g, h) = (b - a, d - c, d + c, b + a);
        Self {
            point: Projective {
                x: e * f,
                y: g * h,
                z: f * g,
            },
            t: e * h,
        }
    }
}

impl Projective {
    /// Divide: all of `points` for one inversion and five products each.
    #[must_use]
    pub fn to_affine(points: &[Self]) -> Vec<Affine> {
        // before[i] = z₀·z₁·…·zᵢ₋₁
        let mut all = Element::ONE;
        let before: Vec<Element> = points
            .iter()
            .map(|point| {
                let before = all;
                all = before * point.z;
                before
            })
            .collect();
        let mut inverse = all.invert(); // of z₀·…·zᵢ, for i from the last one down
        let mut divided = vec![Affine::NEUTRAL; points.len()];
        for ((point, before), divided) in points.iter().zip(before).zip(&mut divided).rev() {
            let z = inverse * before;
            inverse = inverse * point.z;
            *divided = Affine {
                x: point.x * z,
                y: point.y * z,
            };
        }
        divided
    }
}

#[cfg(test)]
mod tests;
