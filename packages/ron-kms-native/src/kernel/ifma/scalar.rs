//! Eight integers modulo L = 2²⁵² + c, the order of the base point, in limbs of 52 bits.

use super::lanes::{Lanes, Vector};

/// c = L − 2²⁵² < 2¹²⁵, in limbs.
const C: [u64; 3] = [0x2_631a_5cf5_d3ed, 0xd_ea2f_79cd_6581, 0x14_def9];

/// 2·L, in limbs.
const ORDER_TWICE: [u64; 5] = [
    0x4_c634_b9eb_a7da,
    0xb_d45e_f39a_cb02,
    0x29_bdf3,
    0,
    0x2000_0000_0000,
];

const LOW_52: u64 = (1 << 52) - 1;
/// Of limb 4, what lies below 2²⁵².
const LOW_44: u64 = (1 << 44) - 1;

/// 512-bit integers modulo L: the representative from 0 to L − 1, in words.
///
/// 2²⁵² ≡ −c. Split at bit 252 and fold, three times:
/// `x = x₀ + 2²⁵²·x₁ ≡ x₀ − c·x₁`, and `c·x₁ = p₀ + 2²⁵²·p₁ ≡ p₀ − c·p₁`, and `c·p₁ = r₀ + 2²⁵²·r₁ ≡
/// r₀ − c·r₁`. So `x ≡ x₀ − p₀ + r₀ − c·r₁`, with `x₁` < 2²⁶⁰, `p₁` < 2¹³³ and `r₁` < 2⁶: adding 2·L
/// leaves a number between 0 and 2·L + 2·2²⁵² < 2²⁵⁵.
#[inline(always)]
pub fn reduce<L: Lanes>(lanes: L, x: [L::Vector; 8]) -> [L::Vector; 4] {
    let low_52 = lanes.splat(LOW_52);
    let low_44 = lanes.splat(LOW_44);
    let [w0, w1, w2, w3, w4, w5, w6, w7] = x;
    let x_low = [
        w0 & low_52,
        w0.funnel::<52>(w1) & low_52,
        w1.funnel::<40>(w2) & low_52,
        w2.funnel::<28>(w3) & low_52,
        w3.funnel::<16>(w4) & low_44,
    ];
    let x_high = [
        w3.funnel::<60>(w4) & low_52,
        w4.funnel::<48>(w5) & low_52,
        w5.funnel::<36>(w6) & low_52,
        w6.funnel::<24>(w7) & low_52,
        w7.shr::<12>(),
    ];

    let [p0, p1, p2, p3, p4, p5, p6, p7] = times_c(lanes, x_high); // < 2^385
    let p_low = [p0, p1, p2, p3, p4 & low_44];
    let p_high = [
        (p4.shr::<44>() | p5.shl::<8>()) & low_52,
        (p5.shr::<44>() | p6.shl::<8>()) & low_52,
        p6.shr::<44>() | p7.shl::<8>(), // 385 − 252 − 104 = 29 bits
    ];

    let [r0, r1, r2, r3, r4, _] = times_c(lanes, p_high); // < 2^258: five limbs
    let r_low = [r0, r1, r2, r3, r4 & low_44];
    let [s0, s1, s2, _] = times_c(lanes, [r4.shr::<44>()]); // < 2^131: three limbs

    let [d0, d1, d2, d3, d4] = ORDER_TWICE;
    // Limbs from here on are signed, of magnitude < 2⁵⁵.
    let y = carry(
        lanes,
        [
            x_low[0] + r_low[0] + lanes.splat(d0) - (p_low[0] + s0),
            x_low[1] + r_low[1] + lanes.splat(d1) - (p_low[1] + s1),
            x_low[2] + r_low[2] + lanes.splat(d2) - (p_low[2] + s2),
            x_low[3] + r_low[3] + lanes.splat(d3) - p_low[3],
            x_low[4] + r_low[4] + lanes.splat(d4) - p_low[4],
        ],
    );

    // y = y₀ + 2²⁵²·q with q ≤ 4; y − q·L = y₀ − q·c is below L and may be negative, by less than L.
    let [y0, y1, y2, y3, y4] = y;
    let [q0, q1, q2, _] = times_c(lanes, [y4.shr::<44>()]);
    let [y0, y1, y2, y3, y4] = carry(lanes, [y0 - q0, y1 - q1, y2 - q2, y3, y4 & low_44]);
    let negative = y4.negative();
    let [y0, y1, y2, y3, y4] = carry(
        lanes,
        [
            y0.add_where(negative, lanes.splat(C[0])),
            y1.add_where(negative, lanes.splat(C[1])),
            y2.add_where(negative, lanes.splat(C[2])),
            y3,
            y4.add_where(negative, lanes.splat(1 << 44)),
        ],
    );
    [
        y0 | y1.shl::<52>(),
        y1.shr::<12>() | y2.shl::<40>(),
        y2.shr::<24>() | y3.shl::<28>(),
        y3.shr::<36>() | y4.shl::<16>(),
    ]
}

/// Signed limbs to limbs from 0 to 2⁵² − 1; the top one takes what is left, and the sign.
#[inline(always)]
fn carry<L: Lanes>(lanes: L, limbs: [L::Vector; 5]) -> [L::Vector; 5] {
    let low_52 = lanes.splat(LOW_52);
    let [y0, y1, y2, y3, y4] = limbs;
    let y1 = y1 + y0.sar::<52>();
    let y2 = y2 + y1.sar::<52>();
    let y3 = y3 + y2.sar::<52>();
    let y4 = y4 + y3.sar::<52>();
    [y0 & low_52, y1 & low_52, y2 & low_52, y3 & low_52, y4]
}

/// `c·x` for the limbs of `x`, each < 2⁵². All limbs of the product but the top one are < 2⁵²: no column
/// holds more than six halves of products and a carry, < 2⁵⁵.
#[inline(always)]
fn times_c<L: Lanes, const N: usize, const N_AND_3: usize>(
    lanes: L,
    x: [L::Vector; N],
) -> [L::Vector; N_AND_3] {
    const { assert!(N + 3 == N_AND_3) };
    let low_52 = lanes.splat(LOW_52);
    let c = [lanes.splat(C[0]), lanes.splat(C[1]), lanes.splat(C[2])];
    let mut t = [lanes.splat(0); N_AND_3];
    for i in 0..N {
        t[i] = t[i].madd_lo(x[i], c[0]);
        t[i + 1] = t[i + 1].madd_hi(x[i], c[0]).madd_lo(x[i], c[1]);
        t[i + 2] = t[i + 2].madd_hi(x[i], c[1]).madd_lo(x[i], c[2]);
        t[i + 3] = t[i + 3].madd_hi(x[i], c[2]);
    }
    for k in 0..N + 2 {
        t[k + 1] = t[k + 1] + t[k].shr::<52>();
        t[k] = t[k] & low_52;
    }
    t
}

#[cfg(test)]
mod tests;
