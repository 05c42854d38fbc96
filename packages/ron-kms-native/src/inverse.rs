//! One inverse modulo p = 2²⁵⁵ − 19, by divisions by two: Bernstein and Yang's "safegcd", in the variable
//! time form of libsecp256k1's `modinv64`. A third of the time that exponentiation takes.
//!
//! Numbers are five limbs of 62 bits in `i64`: the lower four from 0 to 2⁶² − 1, the top one signed.

#![expect(
    clippy::many_single_char_names,
    reason = "the letters are those of the paper"
)]

const LOW_62: u64 = (1 << 62) - 1;

/// p: −19 + 2⁷·2²⁴⁸.
const P: [i64; 5] = [-19, 0, 0, 0, 1 << 7];

/// 1/p modulo 2⁶².
const P_INVERSE: u64 = 0x3943_5e50_d794_35e5;

/// 62 division steps, as a matrix by which (f, g) and (d, e) are multiplied, times 2⁶².
/// |u| + |v| ≤ 2⁶² and |q| + |r| ≤ 2⁶².
struct Steps {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

/// 1/`x` for the canonical `x`, both in words; 0 for 0.
#[must_use]
pub(crate) fn inverse(x: [u64; 4]) -> [u64; 4] {
    let (mut d, mut e) = ([0; 5], [1, 0, 0, 0, 0]);
    let (mut f, mut g) = (P, limbs(x));
    let mut eta = -1;
    // Invariant: f ≡ d·x and g ≡ e·x modulo p. It ends with g = 0 and f = ±gcd(p, x), after at most
    // twelve rounds, for 735 steps are enough for numbers below 2^256.
    while g != [0; 5] {
        let steps;
        (eta, steps) = division_steps(eta, f[0].cast_unsigned(), g[0].cast_unsigned());
        (d, e) = steps.apply_modulo_p(d, e);
        (f, g) = steps.apply(f, g);
    }
    words(normalized(d, f[4] < 0))
}

/// 62 steps on the low limbs of f and g.
fn division_steps(mut eta: i64, mut f: u64, mut g: u64) -> (i64, Steps) {
    let (mut u, mut v, mut q, mut r) = (1_u64, 0_u64, 0_u64, 1_u64);
    let mut left = 62_u32;
    loop {
        // Even g: halve it, as often as it goes.
        let zeros = (g | (u64::MAX << left)).trailing_zeros();
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        eta -= i64::from(zeros);
        left -= zeros;
        if left == 0 {
            break;
        }
        // Odd g: swap if it is due, then add that multiple of f to g which clears its lowest bits.
        let swap = eta < 0;
        if swap {
            eta = -eta;
            (f, g) = (g, f.wrapping_neg());
            (u, q) = (q, u.wrapping_neg());
            (v, r) = (r, v.wrapping_neg());
        }
        // No more bits than steps are left, and no more than until the next swap.
        let limit = left.min(u32::try_from(eta + 1).unwrap_or(u32::MAX));
        let bits = u64::MAX >> (64 - limit);
        let multiple = if swap {
            // −g/f modulo 2^6, by one Newton step.
            f.wrapping_mul(g)
                .wrapping_mul(f.wrapping_mul(f).wrapping_sub(2))
                & bits
                & 63
        } else {
            // −g/f modulo 2^4: here eta is small, more bits would be wasted.
            let inverse = f.wrapping_add((f.wrapping_add(1) & 4) << 1);
            inverse.wrapping_neg().wrapping_mul(g) & bits & 15
        };
        g = g.wrapping_add(f.wrapping_mul(multiple));
        q = q.wrapping_add(u.wrapping_mul(multiple));
        r = r.wrapping_add(v.wrapping_mul(multiple));
    }
    let [u, v, q, r] = [u, v, q, r].map(u64::cast_signed);
    (eta, Steps { u, v, q, r })
}

impl Steps {
    /// (u·f + v·g, q·f + r·g) / 2⁶², which divides exactly.
    fn apply(&self, f: [i64; 5], g: [i64; 5]) -> ([i64; 5], [i64; 5]) {
        (
            combine(self.u, f, self.v, g, 0),
            combine(self.q, f, self.r, g, 0),
        )
    }

    /// (u·d + v·e, q·d + r·e) / 2⁶² modulo p, for d and e between −2p and p; so is the result.
    fn apply_modulo_p(&self, d: [i64; 5], e: [i64; 5]) -> ([i64; 5], [i64; 5]) {
        let row = |u: i64, v: i64| {
            // Make negative d and e positive, then add the multiple of p that clears the low limb.
            let added = (u & (d[4] >> 63)) + (v & (e[4] >> 63));
            let low = u
                .wrapping_mul(d[0])
                .wrapping_add(v.wrapping_mul(e[0]))
                .cast_unsigned();
            let surplus = P_INVERSE
                .wrapping_mul(low)
                .wrapping_add(added.cast_unsigned())
                & LOW_62;
            combine(u, d, v, e, added - surplus.cast_signed())
        };
        (row(self.u, self.v), row(self.q, self.r))
    }
}

/// (u·x + v·y + m·p) / 2⁶², which must divide exactly. |u| + |v| ≤ 2⁶² and |m| < 2⁶³, limbs below 2⁶²:
/// each sum of products is below 2¹²⁶ in magnitude.
#[expect(
    clippy::cast_possible_truncation,
    reason = "low limbs are meant; the top one fits"
)]
fn combine(u: i64, x: [i64; 5], v: i64, y: [i64; 5], m: i64) -> [i64; 5] {
    let at = |k: usize| {
        i128::from(u) * i128::from(x[k])
            + i128::from(v) * i128::from(y[k])
            + i128::from(m) * i128::from(P[k])
    };
    let mut out = [0; 5];
    let mut sum = at(0) >> 62;
    for k in 1..5 {
        sum += at(k);
        out[k - 1] = sum as i64 & LOW_62.cast_signed();
        sum >>= 62;
    }
    out[4] = sum as i64;
    out
}

/// ±x, canonical, for x between −2p and p.
fn normalized(mut x: [i64; 5], negate: bool) -> [i64; 5] {
    if x[4] < 0 {
        x = std::array::from_fn(|k| x[k] + P[k]); // between −p and p
    }
    if negate {
        x = x.map(|limb| -limb);
    }
    x = carried(x);
    if x[4] < 0 {
        x = carried(std::array::from_fn(|k| x[k] + P[k]));
    }
    x
}

fn carried(mut x: [i64; 5]) -> [i64; 5] {
    for k in 0..4 {
        x[k + 1] += x[k] >> 62;
        x[k] &= LOW_62.cast_signed();
    }
    x
}

fn limbs([w0, w1, w2, w3]: [u64; 4]) -> [i64; 5] {
    [
        w0 & LOW_62,
        ((w0 >> 62) | (w1 << 2)) & LOW_62,
        ((w1 >> 60) | (w2 << 4)) & LOW_62,
        ((w2 >> 58) | (w3 << 6)) & LOW_62,
        w3 >> 56,
    ]
    .map(u64::cast_signed)
}

fn words(limbs: [i64; 5]) -> [u64; 4] {
    let [v0, v1, v2, v3, v4] = limbs.map(i64::cast_unsigned);
    [
        v0 | (v1 << 62),
        (v1 >> 2) | (v2 << 60),
        (v2 >> 4) | (v3 << 58),
        (v3 >> 6) | (v4 << 56),
    ]
}

#[cfg(test)]
mod tests;
