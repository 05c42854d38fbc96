//! SHA-512 (FIPS 180-4) of eight strings R ‖ A ‖ M at once, whatever their lengths.

use super::lanes::{Lanes, Vector};
use crate::kernel::Claim;

const BLOCK_BYTES: usize = 128;
/// R and A fill the first half of the first block.
const PREFIX_BYTES: usize = 64;
/// The byte 0x80 and the length, 16 bytes.
const TAIL_BYTES: usize = 17;

/// The digests, as eight little-endian words each.
///
/// Every lane runs as many blocks as the longest message has; a finished one keeps its state.
#[inline(always)]
pub fn digests<L: Lanes>(lanes: L, claims: &[&Claim; 8]) -> [L::Vector; 8] {
    let mut blocks = [0; 8];
    let mut bits = [0; 8];
    for (l, claim) in claims.iter().enumerate() {
        let bytes = PREFIX_BYTES + claim.message.len();
        blocks[l] = (bytes + TAIL_BYTES).div_ceil(BLOCK_BYTES) as u64;
        bits[l] = 8 * bytes as u64; // no slice has 2^61 bytes: the upper word of the length is 0
    }
    let blocks_max = blocks.iter().fold(0, |max, &blocks| blocks.max(max));
    let (blocks, bits) = (lanes.load(&blocks), lanes.load(&bits));

    let mut state = splat_all(lanes, &INITIAL);
    for block in 0..blocks_max {
        let mut words = block_words(lanes, claims, block);
        let last = blocks.equals(lanes.splat(block + 1));
        words[15] = words[15].add_where(last, bits); // zero until now, in a last block
        let before = state;
        lanes.outline(
            #[inline(always)]
            || compress(lanes, &mut state, &mut words),
        );
        let finished = !lanes.splat(block).less_than(blocks);
        if finished != 0 {
            for (state, before) in state.iter_mut().zip(before) {
                *state = state.replace_where(finished, before);
            }
        }
    }
    for word in &mut state {
        *word = word.swap_bytes();
    }
    state
}

/// Block `block` of each lane's padded string (zeros beyond its end), without the length.
#[inline(always)]
fn block_words<L: Lanes>(lanes: L, claims: &[&Claim; 8], block: u64) -> [L::Vector; 16] {
    let zero = lanes.splat(0);
    let (mut upper, mut lower) = ([zero; 8], [zero; 8]);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the string's blocks, hence its bytes"
    )]
    let at = block as usize * BLOCK_BYTES; // of the second half, in the message
    for (l, claim) in claims.iter().enumerate() {
        upper[l] = match at.checked_sub(PREFIX_BYTES) {
            None => lanes.pair(claim.commitment, claim.key),
            Some(at) => lanes.padded(claim.message, at),
        };
        lower[l] = lanes.padded(claim.message, at);
    }
    let [a0, a1, a2, a3, a4, a5, a6, a7] = lanes.transpose(upper);
    let [b0, b1, b2, b3, b4, b5, b6, b7] = lanes.transpose(lower);
    let mut words = [
        a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7,
    ];
    for word in &mut words {
        *word = word.swap_bytes();
    }
    words
}

/// One block. The schedule overwrites `w`, sixteen words ahead of the rounds.
#[inline(always)]
fn compress<L: Lanes>(lanes: L, state: &mut [L::Vector; 8], w: &mut [L::Vector; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    macro_rules! round {
        ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $w:expr, $k:expr) => {
            let sum = $h + ($w + lanes.splat($k)) + (upper_sigma_1($e) + $e.choose($f, $g));
            $d = $d + sum;
            $h = sum + (upper_sigma_0($a) + $a.majority($b, $c));
        };
    }
    macro_rules! given {
        ($i:literal) => {
            w[$i]
        };
    }
    macro_rules! extended {
        ($i:literal) => {{
            w[$i] = w[$i]
                + w[($i + 9) % 16]
                + (lower_sigma_1(w[($i + 14) % 16]) + lower_sigma_0(w[($i + 1) % 16]));
            w[$i]
        }};
    }
    macro_rules! sixteen {
        ($word:ident, $k:ident) => {
            round!(a b c d e f g h $word!(0), $k[0]);
            round!(h a b c d e f g $word!(1), $k[1]);
            round!(g h a b c d e f $word!(2), $k[2]);
            round!(f g h a b c d e $word!(3), $k[3]);
            round!(e f g h a b c d $word!(4), $k[4]);
            round!(d e f g h a b c $word!(5), $k[5]);
            round!(c d e f g h a b $word!(6), $k[6]);
            round!(b c d e f g h a $word!(7), $k[7]);
            round!(a b c d e f g h $word!(8), $k[8]);
            round!(h a b c d e f g $word!(9), $k[9]);
            round!(g h a b c d e f $word!(10), $k[10]);
            round!(f g h a b c d e $word!(11), $k[11]);
            round!(e f g h a b c d $word!(12), $k[12]);
            round!(d e f g h a b c $word!(13), $k[13]);
            round!(c d e f g h a b $word!(14), $k[14]);
            round!(b c d e f g h a $word!(15), $k[15]);
        };
    }
    let [first, later @ ..] = &ROUND_CONSTANTS;
    sixteen!(given, first);
    for k in later {
        sixteen!(extended, k);
    }
    for (state, word) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *state = *state + word;
    }
}

#[inline(always)]
fn upper_sigma_0<V: Vector>(x: V) -> V {
    x.ror::<28>().xor3(x.ror::<34>(), x.ror::<39>())
}

#[inline(always)]
fn upper_sigma_1<V: Vector>(x: V) -> V {
    x.ror::<14>().xor3(x.ror::<18>(), x.ror::<41>())
}

#[inline(always)]
fn lower_sigma_0<V: Vector>(x: V) -> V {
    x.ror::<1>().xor3(x.ror::<8>(), x.shr::<7>())
}

#[inline(always)]
fn lower_sigma_1<V: Vector>(x: V) -> V {
    x.ror::<19>().xor3(x.ror::<61>(), x.shr::<6>())
}

#[inline(always)]
fn splat_all<L: Lanes>(lanes: L, words: &[u64; 8]) -> [L::Vector; 8] {
    let mut vectors = [lanes.splat(0); 8];
    for (vector, &word) in vectors.iter_mut().zip(words) {
        *vector = lanes.splat(word);
    }
    vectors
}

/// FIPS 180-4 §5.3.5.
const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// FIPS 180-4 §4.2.3.
static ROUND_CONSTANTS: [[u64; 16]; 5] = [
    [
        0x428a_2f98_d728_ae22,
        0x7137_4491_23ef_65cd,
        0xb5c0_fbcf_ec4d_3b2f,
        0xe9b5_dba5_8189_dbbc,
        0x3956_c25b_f348_b538,
        0x59f1_11f1_b605_d019,
        0x923f_82a4_af19_4f9b,
        0xab1c_5ed5_da6d_8118,
        0xd807_aa98_a303_0242,
        0x1283_5b01_4570_6fbe,
        0x2431_85be_4ee4_b28c,
        0x550c_7dc3_d5ff_b4e2,
        0x72be_5d74_f27b_896f,
        0x80de_b1fe_3b16_96b1,
        0x9bdc_06a7_25c7_1235,
        0xc19b_f174_cf69_2694,
    ],
    [
        0xe49b_69c1_9ef1_4ad2,
        0xefbe_4786_384f_25e3,
        0x0fc1_9dc6_8b8c_d5b5,
        0x240c_a1cc_77ac_9c65,
        0x2de9_2c6f_592b_0275,
        0x4a74_84aa_6ea6_e483,
        0x5cb0_a9dc_bd41_fbd4,
        0x76f9_88da_8311_53b5,
        0x983e_5152_ee66_dfab,
        0xa831_c66d_2db4_3210,
        0xb003_27c8_98fb_213f,
        0xbf59_7fc7_beef_0ee4,
        0xc6e0_0bf3_3da8_8fc2,
        0xd5a7_9147_930a_a725,
        0x06ca_6351_e003_826f,
        0x1429_2967_0a0e_6e70,
    ],
    [
        0x27b7_0a85_46d2_2ffc,
        0x2e1b_2138_5c26_c926,
        0x4d2c_6dfc_5ac4_2aed,
        0x5338_0d13_9d95_b3df,
        0x650a_7354_8baf_63de,
        0x766a_0abb_3c77_b2a8,
        0x81c2_c92e_47ed_aee6,
        0x9272_2c85_1482_353b,
        0xa2bf_e8a1_4cf1_0364,
        0xa81a_664b_bc42_3001,
        0xc24b_8b70_d0f8_9791,
        0xc76c_51a3_0654_be30,
        0xd192_e819_d6ef_5218,
        0xd699_0624_5565_a910,
        0xf40e_3585_5771_202a,
        0x106a_a070_32bb_d1b8,
    ],
    [
        0x19a4_c116_b8d2_d0c8,
        0x1e37_6c08_5141_ab53,
        0x2748_774c_df8e_eb99,
        0x34b0_bcb5_e19b_48a8,
        0x391c_0cb3_c5c9_5a63,
        0x4ed8_aa4a_e341_8acb,
        0x5b9c_ca4f_7763_e373,
        0x682e_6ff3_d6b2_b8a3,
        0x748f_82ee_5def_b2fc,
        0x78a5_636f_4317_2f60,
        0x84c8_7814_a1f0_ab72,
        0x8cc7_0208_1a64_39ec,
        0x90be_fffa_2363_1e28,
        0xa450_6ceb_de82_bde9,
        0xbef9_a3f7_b2c6_7915,
        0xc671_78f2_e372_532b,
    ],
    [
        0xca27_3ece_ea26_619c,
        0xd186_b8c7_21c0_c207,
        0xeada_7dd6_cde0_eb1e,
        0xf57d_4f7f_ee6e_d178,
        0x06f0_67aa_7217_6fba,
        0x0a63_7dc5_a2c8_98a6,
        0x113f_9804_bef9_0dae,
        0x1b71_0b35_131c_471b,
        0x28db_77f5_2304_7d84,
        0x32ca_ab7b_40c7_2493,
        0x3c9e_be0a_15c9_bebc,
        0x431d_67c4_9c10_0d4c,
        0x4cc5_d4be_cb3e_42b6,
        0x597f_299c_fc65_7e2a,
        0x5fcb_6fab_3ad6_faec,
        0x6c44_198c_4a47_5817,
    ],
];

#[cfg(test)]
mod tests;
