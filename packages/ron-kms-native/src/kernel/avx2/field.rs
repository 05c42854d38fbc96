//! Four field elements side by side, five limbs of 51 bits each, multiplied by the floating-point unit.
//!
//! A fused multiply-add rounds once, so it yields both halves of a product of 51-bit integers exactly:
//!
//! ```text
//! high = fma(a, b, 2¹⁰³)            the unit in the last place of 2¹⁰³ is 2⁵¹:
//!                                   its mantissa is H, the product in units of 2⁵¹, rounded to the nearest
//! low  = fma(a, b, (2¹⁰³ + M) − high)   = M + (a·b − H·2⁵¹),   M = 1.5·2⁵², whose unit is 1
//! ```
//!
//! Both are added up as the integers their bits are; what the exponents put in is a constant, taken off
//! beforehand. H < 2⁵¹·⁰⁰¹ and −2⁵⁰ ≤ low − M ≤ 2⁵⁰.

use std::arch::x86_64::{
    __m256d, __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_castpd_si256, _mm256_castsi256_pd,
    _mm256_fmadd_pd, _mm256_mul_epu32, _mm256_or_si256, _mm256_set1_epi64x, _mm256_set1_pd,
    _mm256_slli_epi64, _mm256_srli_epi64, _mm256_sub_epi64, _mm256_sub_pd,
};

const LOW_51: i64 = (1 << 51) - 1;

/// 2¹⁰³, and 2¹⁰³ + M.
const HIGH: f64 = power_of_two(103);
const BOTH: f64 = HIGH + LOW;
/// M = 1.5·2⁵².
const LOW: f64 = 1.5 * INTEGER;
/// 2⁵²: its bits, or-ed with an integer below it, are the sum of both as a float.
const INTEGER: f64 = power_of_two(52);

/// 512p, limb by limb: just below 2⁶⁰.
const BIAS: [i64; 5] = [
    512 * (LOW_51 - 18),
    512 * LOW_51,
    512 * LOW_51,
    512 * LOW_51,
    512 * LOW_51,
];

/// What a product gives, not carried: −2⁵⁶·³ < limb < 2⁵⁸·², and 512p more where it is biased.
#[derive(Clone, Copy)]
pub(super) struct Raw(pub [__m256i; 5]);

/// What a product takes: integers 0 ≤ limb < 2⁵¹ + 2¹⁶, as floats.
#[derive(Clone, Copy)]
pub(super) struct Ready(pub [__m256d; 5]);

impl Raw {
    /// The same small integer in every lane.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn small(value: i64) -> Self {
        let zero = _mm256_set1_epi64x(0);
        Self([_mm256_set1_epi64x(value), zero, zero, zero, zero])
    }

    /// 512p more.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn biased(self) -> Self {
        self.plus(&Self(BIAS.map(|limb| _mm256_set1_epi64x(limb))))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn plus(&self, other: &Self) -> Self {
        let limb = |i: usize| _mm256_add_epi64(self.0[i], other.0[i]);
        Self([limb(0), limb(1), limb(2), limb(3), limb(4)])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn minus(&self, other: &Self) -> Self {
        let limb = |i: usize| _mm256_sub_epi64(self.0[i], other.0[i]);
        Self([limb(0), limb(1), limb(2), limb(3), limb(4)])
    }

    /// One pass of carries, for 0 ≤ limb < 2⁶²: limbs < 2⁵¹ + 19·2¹¹.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn carried(&self) -> [__m256i; 5] {
        let low = |i: usize| _mm256_and_si256(self.0[i], _mm256_set1_epi64x(LOW_51));
        let [c0, c1, c2, c3, c4] = self.carries();
        [
            _mm256_add_epi64(low(0), c4),
            _mm256_add_epi64(low(1), c0),
            _mm256_add_epi64(low(2), c1),
            _mm256_add_epi64(low(3), c2),
            _mm256_add_epi64(low(4), c3),
        ]
    }

    /// `carried`, as floats.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn ready(&self) -> Ready {
        Ready::from_integers(self.carried())
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn carries(&self) -> [__m256i; 5] {
        let carry = |i: usize| _mm256_srli_epi64::<51>(self.0[i]); // < 2¹¹
        let top = _mm256_mul_epu32(carry(4), _mm256_set1_epi64x(19));
        [carry(0), carry(1), carry(2), carry(3), top]
    }
}

impl Ready {
    /// Integers 0 ≤ limb < 2⁵², as floats.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn from_integers(limbs: [__m256i; 5]) -> Self {
        let integer = _mm256_set1_pd(INTEGER);
        let float = |i: usize| {
            let sum = _mm256_or_si256(limbs[i], _mm256_castpd_si256(integer));
            _mm256_sub_pd(_mm256_castsi256_pd(sum), integer)
        };
        Self([float(0), float(1), float(2), float(3), float(4)])
    }

    /// The product, with 512p added if it is to be biased.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn times<const BIASED: bool>(&self, other: &Self) -> Raw {
        let (Self(a), Self(b)) = (self, other);
        let (high, both) = (_mm256_set1_pd(HIGH), _mm256_set1_pd(BOTH));
        let start = const { starts(BIASED) };
        let mut t: [__m256i; 10] = start.map(|limb| _mm256_set1_epi64x(limb));
        macro_rules! products {
            ($(($i:literal, $j:literal))*) => {$(
                let upper = _mm256_fmadd_pd(a[$i], b[$j], high);
                let lower = _mm256_fmadd_pd(a[$i], b[$j], _mm256_sub_pd(both, upper));
                t[$i + $j] = _mm256_add_epi64(t[$i + $j], _mm256_castpd_si256(lower));
                t[$i + $j + 1] = _mm256_add_epi64(t[$i + $j + 1], _mm256_castpd_si256(upper));
            )*};
        }
        products! { (0, 4) (1, 3) (2, 2) (3, 1) (4, 0) }
        products! { (1, 4) (2, 3) (3, 2) (4, 1) }
        products! { (2, 4) (3, 3) (4, 2) }
        products! { (3, 4) (4, 3) (4, 4) }
        products! { (0, 0) }
        products! { (0, 1) (1, 0) }
        products! { (0, 2) (1, 1) (2, 0) }
        products! { (0, 3) (1, 2) (2, 1) (3, 0) }
        // At 5 to 8: at most 4·2⁵⁰ + 5·2⁵¹·⁰⁰¹ < 2⁵³·⁸¹, at least −4·2⁵⁰. What leaves there comes back 19 times.
        let limb = |i: usize| _mm256_add_epi64(t[i], times_19(t[i + 5]));
        Raw([limb(0), limb(1), limb(2), limb(3), limb(4)])
    }
}

const fn power_of_two(exponent: u64) -> f64 {
    f64::from_bits((1_023 + exponent) << 52)
}

/// What the ten sums start from: less the exponents that will be added, more the bias.
const fn starts(is_biased: bool) -> [i64; 10] {
    let mut starts = [0i64; 10];
    let mut i = 0;
    while i < 5 {
        let mut j = 0;
        while j < 5 {
            starts[i + j] = starts[i + j].wrapping_sub(LOW.to_bits().cast_signed());
            starts[i + j + 1] = starts[i + j + 1].wrapping_sub(HIGH.to_bits().cast_signed());
            j += 1;
        }
        if is_biased {
            starts[i] = starts[i].wrapping_add(BIAS[i]);
        }
        i += 1;
    }
    starts
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn times_19(limb: __m256i) -> __m256i {
    let (twice, sixteen) = (_mm256_slli_epi64::<1>(limb), _mm256_slli_epi64::<4>(limb));
    _mm256_add_epi64(_mm256_add_epi64(limb, twice), sixteen)
}

#[cfg(test)]
mod tests;
