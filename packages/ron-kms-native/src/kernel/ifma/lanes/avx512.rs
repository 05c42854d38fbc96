//! The eight lanes as one `zmm` register.

use std::{
    arch::x86_64::{
        __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_loadu_si256, _mm512_abs_epi64, _mm512_add_epi64,
        _mm512_and_si512, _mm512_castsi256_si512, _mm512_cmpeq_epi64_mask, _mm512_cmplt_epu64_mask,
        _mm512_inserti64x4, _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
        _mm512_mask_add_epi64, _mm512_mask_blend_epi64, _mm512_mask_mov_epi8,
        _mm512_maskz_loadu_epi8, _mm512_min_epu64, _mm512_movepi64_mask, _mm512_mullo_epi64,
        _mm512_or_si512, _mm512_permutex_epi64, _mm512_ror_epi64, _mm512_set_epi64,
        _mm512_set1_epi8, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shrdi_epi64,
        _mm512_shrdv_epi64, _mm512_shuffle_epi8, _mm512_shuffle_i64x2, _mm512_slli_epi64,
        _mm512_srai_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64,
        _mm512_ternarylogic_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
    },
    ops::{Add, BitAnd, BitOr, BitXor, Sub},
    ptr::without_provenance,
};

use super::{Lanes, Mask, Vector};

/// Lanes of a CPU with AVX-512 F, VL, DQ, BW, IFMA and VBMI2. Only `detect` makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

/// Eight numbers in a register. Exists only where an `Avx512` does.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Zmm(__m512i);

impl Avx512 {
    /// The token, if CPU and operating system have what it stands for.
    #[must_use]
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512vbmi2"))
        .then_some(Self(()))
    }
}

/// A call of intrinsics that read and write no memory, as a `Zmm`.
macro_rules! zmm {
    ($call:expr) => {
        // SAFETY: an `Avx512` or a `Zmm` is at hand, so the CPU has every feature of `outline`.
        unsafe { Zmm($call) }
    };
}

impl Lanes for Avx512 {
    type Vector = Zmm;

    #[inline(always)]
    fn splat(self, x: u64) -> Zmm {
        zmm!(_mm512_set1_epi64(x.cast_signed()))
    }

    #[inline(always)]
    fn load(self, x: &[u64; 8]) -> Zmm {
        // SAFETY: the token; and 64 bytes are readable at `x`.
        unsafe { Zmm(_mm512_loadu_si512(x.as_ptr().cast())) }
    }

    #[inline(always)]
    fn words(self, rows: [&[u8; 32]; 8]) -> [Zmm; 4] {
        let [a, b, c, d] = [
            self.pair(rows[0], rows[2]).0,
            self.pair(rows[1], rows[3]).0,
            self.pair(rows[4], rows[6]).0,
            self.pair(rows[5], rows[7]).0,
        ];
        // SAFETY: the token.
        unsafe {
            let (low, low_2) = (_mm512_unpacklo_epi64(a, b), _mm512_unpacklo_epi64(c, d));
            let (high, high_2) = (_mm512_unpackhi_epi64(a, b), _mm512_unpackhi_epi64(c, d));
            [
                Zmm(_mm512_shuffle_i64x2::<0x88>(low, low_2)),
                Zmm(_mm512_shuffle_i64x2::<0x88>(high, high_2)),
                Zmm(_mm512_shuffle_i64x2::<0xdd>(low, low_2)),
                Zmm(_mm512_shuffle_i64x2::<0xdd>(high, high_2)),
            ]
        }
    }

    #[inline(always)]
    fn pair(self, low: &[u8; 32], high: &[u8; 32]) -> Zmm {
        // SAFETY: the token; and 32 bytes are readable at each reference.
        unsafe {
            let low = _mm256_loadu_si256(low.as_ptr().cast());
            let high = _mm256_loadu_si256(high.as_ptr().cast());
            Zmm(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
        }
    }

    #[inline(always)]
    fn padded(self, bytes: &[u8], at: usize) -> Zmm {
        let Some(rest) = bytes.get(at..) else {
            return zmm!(_mm512_setzero_si512());
        };
        if let Some(chunk) = rest.first_chunk::<64>() {
            // SAFETY: the token; and 64 bytes are readable at `chunk`.
            return unsafe { Zmm(_mm512_loadu_si512(chunk.as_ptr().cast())) };
        }
        let end = 1_u64 << rest.len(); // fewer than 64 bytes are left
        // SAFETY: the token; and the mask lets exactly `rest.len()` bytes be read.
        unsafe {
            let text = _mm512_maskz_loadu_epi8(end - 1, rest.as_ptr().cast());
            Zmm(_mm512_mask_mov_epi8(text, end, _mm512_set1_epi8(i8::MIN)))
        }
    }

    #[inline(always)]
    fn transpose(self, rows: [Zmm; 8]) -> [Zmm; 8] {
        let [
            Zmm(r0),
            Zmm(r1),
            Zmm(r2),
            Zmm(r3),
            Zmm(r4),
            Zmm(r5),
            Zmm(r6),
            Zmm(r7),
        ] = rows;
        // SAFETY: the token.
        unsafe {
            // Words 0, 2, 4, 6 and 1, 3, 5, 7 of two neighbouring rows, word by word.
            let (even_01, odd_01) = (_mm512_unpacklo_epi64(r0, r1), _mm512_unpackhi_epi64(r0, r1));
            let (even_23, odd_23) = (_mm512_unpacklo_epi64(r2, r3), _mm512_unpackhi_epi64(r2, r3));
            let (even_45, odd_45) = (_mm512_unpacklo_epi64(r4, r5), _mm512_unpackhi_epi64(r4, r5));
            let (even_67, odd_67) = (_mm512_unpacklo_epi64(r6, r7), _mm512_unpackhi_epi64(r6, r7));
            // Words k and k + 4 of four rows.
            let w04_low = _mm512_shuffle_i64x2::<0x88>(even_01, even_23);
            let w26_low = _mm512_shuffle_i64x2::<0xdd>(even_01, even_23);
            let w15_low = _mm512_shuffle_i64x2::<0x88>(odd_01, odd_23);
            let w37_low = _mm512_shuffle_i64x2::<0xdd>(odd_01, odd_23);
            let w04_high = _mm512_shuffle_i64x2::<0x88>(even_45, even_67);
            let w26_high = _mm512_shuffle_i64x2::<0xdd>(even_45, even_67);
            let w15_high = _mm512_shuffle_i64x2::<0x88>(odd_45, odd_67);
            let w37_high = _mm512_shuffle_i64x2::<0xdd>(odd_45, odd_67);
            [
                Zmm(_mm512_shuffle_i64x2::<0x88>(w04_low, w04_high)),
                Zmm(_mm512_shuffle_i64x2::<0x88>(w15_low, w15_high)),
                Zmm(_mm512_shuffle_i64x2::<0x88>(w26_low, w26_high)),
                Zmm(_mm512_shuffle_i64x2::<0x88>(w37_low, w37_high)),
                Zmm(_mm512_shuffle_i64x2::<0xdd>(w04_low, w04_high)),
                Zmm(_mm512_shuffle_i64x2::<0xdd>(w15_low, w15_high)),
                Zmm(_mm512_shuffle_i64x2::<0xdd>(w26_low, w26_high)),
                Zmm(_mm512_shuffle_i64x2::<0xdd>(w37_low, w37_high)),
            ]
        }
    }

    #[inline(always)]
    fn prefetch(self, entries: &[u64; 8]) {
        for &entry in entries {
            // A negative digit points 32 bytes into its line, which is the same line.
            #[expect(clippy::cast_possible_truncation, reason = "x86_64: usize is u64")]
            let line = without_provenance::<i8>(entry as usize);
            // SAFETY: SSE is part of x86-64; a prefetch is a hint and never faults.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(line);
                _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(64));
            }
        }
    }

    #[inline(always)]
    fn outline<R>(self, work: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512ifma,avx512vbmi2")]
        fn compiled<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        // rustc 1.95 drops `inline(never)` from a function with target features. This one, without
        // them, keeps it; and `compiled` cannot be inlined here, for the features are missing.
        #[inline(never)]
        fn outlined<R>(_token: Avx512, work: impl FnOnce() -> R) -> R {
            // SAFETY: the token: `detect` found every one of these features.
            unsafe { compiled(work) }
        }
        outlined(self, work)
    }
}

impl Vector for Zmm {
    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        zmm!(_mm512_slli_epi64::<BITS>(self.0))
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        zmm!(_mm512_srli_epi64::<BITS>(self.0))
    }

    #[inline(always)]
    fn sar<const BITS: u32>(self) -> Self {
        zmm!(_mm512_srai_epi64::<BITS>(self.0))
    }

    #[inline(always)]
    fn ror<const BITS: i32>(self) -> Self {
        zmm!(_mm512_ror_epi64::<BITS>(self.0))
    }

    #[inline(always)]
    fn funnel<const BITS: i32>(self, high: Self) -> Self {
        zmm!(_mm512_shrdi_epi64::<BITS>(self.0, high.0))
    }

    #[inline(always)]
    fn funnel_by(self, high: Self, bits: Self) -> Self {
        zmm!(_mm512_shrdv_epi64(self.0, high.0, bits.0))
    }

    #[inline(always)]
    fn madd_lo(self, a: Self, b: Self) -> Self {
        zmm!(_mm512_madd52lo_epu64(self.0, a.0, b.0))
    }

    #[inline(always)]
    fn madd_hi(self, a: Self, b: Self) -> Self {
        zmm!(_mm512_madd52hi_epu64(self.0, a.0, b.0))
    }

    #[inline(always)]
    fn mul_lo(self, other: Self) -> Self {
        zmm!(_mm512_mullo_epi64(self.0, other.0))
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        zmm!(_mm512_ternarylogic_epi64::<0x96>(self.0, b.0, c.0))
    }

    #[inline(always)]
    fn choose(self, yes: Self, no: Self) -> Self {
        zmm!(_mm512_ternarylogic_epi64::<0xca>(self.0, yes.0, no.0))
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        zmm!(_mm512_ternarylogic_epi64::<0xe8>(self.0, b.0, c.0))
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        const HIGH: i64 = 0x0809_0a0b_0c0d_0e0f;
        const LOW: i64 = 0x0001_0203_0405_0607;
        zmm!(_mm512_shuffle_epi8(
            self.0,
            _mm512_set_epi64(HIGH, LOW, HIGH, LOW, HIGH, LOW, HIGH, LOW)
        ))
    }

    #[inline(always)]
    fn less_than(self, other: Self) -> Mask {
        // SAFETY: a `Zmm` exists only where the CPU has AVX-512.
        unsafe { _mm512_cmplt_epu64_mask(self.0, other.0) }
    }

    #[inline(always)]
    fn equals(self, other: Self) -> Mask {
        // SAFETY: as in `less_than`.
        unsafe { _mm512_cmpeq_epi64_mask(self.0, other.0) }
    }

    #[inline(always)]
    fn negative(self) -> Mask {
        // SAFETY: as in `less_than`.
        unsafe { _mm512_movepi64_mask(self.0) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        zmm!(_mm512_abs_epi64(self.0))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        zmm!(_mm512_min_epu64(self.0, other.0))
    }

    #[inline(always)]
    fn add_where(self, mask: Mask, x: Self) -> Self {
        zmm!(_mm512_mask_add_epi64(self.0, mask, self.0, x.0))
    }

    #[inline(always)]
    fn replace_where(self, mask: Mask, x: Self) -> Self {
        zmm!(_mm512_mask_blend_epi64(mask, self.0, x.0))
    }

    #[inline(always)]
    fn exchange<const DISTANCE: usize>(self) -> Self {
        const { assert!(DISTANCE == 1 || DISTANCE == 2 || DISTANCE == 4) };
        match DISTANCE {
            1 => zmm!(_mm512_permutex_epi64::<0b10_11_00_01>(self.0)),
            2 => zmm!(_mm512_permutex_epi64::<0b01_00_11_10>(self.0)),
            _ => zmm!(_mm512_shuffle_i64x2::<0b01_00_11_10>(self.0, self.0)),
        }
    }

    #[inline(always)]
    fn store(self) -> [u64; 8] {
        let mut words = [0; 8];
        // SAFETY: a `Zmm` exists only where the CPU has AVX-512; and `words` is 64 bytes.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self.0) };
        words
    }
}

impl Add for Zmm {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        zmm!(_mm512_add_epi64(self.0, other.0))
    }
}

impl Sub for Zmm {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        zmm!(_mm512_sub_epi64(self.0, other.0))
    }
}

impl BitAnd for Zmm {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        zmm!(_mm512_and_si512(self.0, other.0))
    }
}

impl BitOr for Zmm {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        zmm!(_mm512_or_si512(self.0, other.0))
    }
}

impl BitXor for Zmm {
    type Output = Self;

    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        zmm!(_mm512_xor_si512(self.0, other.0))
    }
}
