//! What each operation is, in plain integers; and that the CPU's unit does the same.

#![expect(
    clippy::cast_possible_truncation,
    reason = "words are cut out of longer numbers"
)]

use super::*;
use crate::noise::Noise;

/// Numbers that are extreme one time in two.
fn some(noise: &mut Noise) -> [u64; 8] {
    const EXTREMES: [u64; 8] = [
        0,
        1,
        u64::MAX,
        1 << 63,
        (1 << 63) - 1,
        (1 << 52) - 1,
        1 << 52,
        (1 << 51) - 1,
    ];
    std::array::from_fn(|_| {
        let pick = noise.below(16);
        EXTREMES.get(pick).copied().unwrap_or_else(|| noise.word())
    })
}

fn zip(a: [u64; 8], b: [u64; 8], f: impl Fn(u64, u64) -> u64) -> [u64; 8] {
    std::array::from_fn(|l| f(a[l], b[l]))
}

fn mask(f: impl Fn(usize) -> bool) -> Mask {
    (0..8).map(|l| Mask::from(f(l)) << l).sum()
}

on_every_lanes! {
    arithmetic_is_that_of_integers(lanes) {
        let mut noise = Noise(4);
        let low_52 = |x: u64| u128::from(x & ((1 << 52) - 1));
        for _ in 0..2000 {
            let [a, b, c] = std::array::from_fn(|_| some(&mut noise));
            let [va, vb, vc] = [a, b, c].map(|x| lanes.load(&x));
            assert_eq!((va + vb).store(), zip(a, b, u64::wrapping_add));
            assert_eq!((va - vb).store(), zip(a, b, u64::wrapping_sub));
            assert_eq!(va.mul_lo(vb).store(), zip(a, b, u64::wrapping_mul));
            let low = zip(b, c, |b, c| (low_52(b) * low_52(c)) as u64 & ((1 << 52) - 1));
            let high = zip(b, c, |b, c| ((low_52(b) * low_52(c)) >> 52) as u64);
            assert_eq!(va.madd_lo(vb, vc).store(), zip(a, low, u64::wrapping_add));
            assert_eq!(va.madd_hi(vb, vc).store(), zip(a, high, u64::wrapping_add));
            assert_eq!(va.min(vb).store(), zip(a, b, u64::min));
            assert_eq!(va.abs().store(), a.map(|a| a.cast_signed().unsigned_abs()));
            assert_eq!(lanes.splat(a[0]).store(), [a[0]; 8]);
        }
    }

    bits_move_as_they_should(lanes) {
        let mut noise = Noise(5);
        let both = |low: u64, high: u64| u128::from(low) | (u128::from(high) << 64);
        for _ in 0..2000 {
            let [a, b, c] = std::array::from_fn(|_| some(&mut noise));
            let [va, vb, vc] = [a, b, c].map(|x| lanes.load(&x));
            assert_eq!((va & vb).store(), zip(a, b, |a, b| a & b));
            assert_eq!((va | vb).store(), zip(a, b, |a, b| a | b));
            assert_eq!((va ^ vb).store(), zip(a, b, |a, b| a ^ b));
            assert_eq!(va.xor3(vb, vc).store(), zip(zip(a, b, |a, b| a ^ b), c, |x, c| x ^ c));
            let chosen = std::array::from_fn(|l| (a[l] & b[l]) | (!a[l] & c[l]));
            assert_eq!(va.choose(vb, vc).store(), chosen);
            let most = std::array::from_fn(|l| (a[l] & (b[l] | c[l])) | (b[l] & c[l]));
            assert_eq!(va.majority(vb, vc).store(), most);
            assert_eq!(va.shl::<13>().store(), a.map(|a| a << 13));
            assert_eq!(va.shr::<51>().store(), a.map(|a| a >> 51));
            assert_eq!(
                va.sar::<52>().store(),
                a.map(|a| (a.cast_signed() >> 52).cast_unsigned())
            );
            assert_eq!(va.ror::<41>().store(), a.map(|a| a.rotate_right(41)));
            assert_eq!(va.swap_bytes().store(), a.map(u64::swap_bytes));
            assert_eq!(va.funnel::<25>(vb).store(), zip(a, b, |a, b| (both(a, b) >> 25) as u64));
            for bits in 0..64 {
                assert_eq!(
                    va.funnel_by(vb, lanes.splat(bits)).store(),
                    zip(a, b, |a, b| (both(a, b) >> bits) as u64)
                );
            }
        }
    }

    masks_name_lanes(lanes) {
        let mut noise = Noise(6);
        for _ in 0..2000 {
            let [a, mut b] = std::array::from_fn(|_| some(&mut noise));
            b[3] = a[3];
            let [va, vb] = [a, b].map(|x| lanes.load(&x));
            let chosen = noise.array::<1>()[0];
            assert_eq!(va.less_than(vb), mask(|l| a[l] < b[l]));
            assert_eq!(va.equals(vb), mask(|l| a[l] == b[l]));
            assert_eq!(va.negative(), mask(|l| a[l] >> 63 == 1));
            let at = |l: usize| (chosen >> l) & 1 == 1;
            let replaced = std::array::from_fn(|l| if at(l) { b[l] } else { a[l] });
            assert_eq!(va.replace_where(chosen, vb).store(), replaced);
            let added =
                std::array::from_fn(|l| if at(l) { a[l].wrapping_add(b[l]) } else { a[l] });
            assert_eq!(va.add_where(chosen, vb).store(), added);
            assert_eq!(va.exchange::<1>().store(), std::array::from_fn(|l| a[l ^ 1]));
            assert_eq!(va.exchange::<2>().store(), std::array::from_fn(|l| a[l ^ 2]));
            assert_eq!(va.exchange::<4>().store(), std::array::from_fn(|l| a[l ^ 4]));
        }
    }

    bytes_arrive_in_their_lanes(lanes) {
        let mut noise = Noise(7);
        let rows: [[u8; 32]; 8] = std::array::from_fn(|_| noise.array());
        let word = |bytes: &[u8], k: usize| {
            u64::from_le_bytes(*bytes[8 * k..].first_chunk().expect("8 bytes"))
        };
        let loaded = lanes.words(std::array::from_fn(|l| &rows[l]));
        for (k, vector) in loaded.into_iter().enumerate() {
            assert_eq!(vector.store(), std::array::from_fn(|l| word(&rows[l], k)));
        }
        let joined = rows[..2].concat();
        assert_eq!(
            lanes.pair(&rows[0], &rows[1]).store(),
            std::array::from_fn(|k| word(&joined, k))
        );
        let square: [[u64; 8]; 8] = std::array::from_fn(|_| noise.words());
        let transposed = lanes.transpose(square.map(|row| lanes.load(&row)));
        for (k, vector) in transposed.into_iter().enumerate() {
            assert_eq!(vector.store(), std::array::from_fn(|l| square[l][k]));
        }
    }

    padding_follows_the_last_byte(lanes) {
        let mut noise = Noise(8);
        let bytes = noise.array::<200>();
        for length in 0..=bytes.len() {
            let text: Box<[u8]> = bytes[..length].into(); // nothing readable beside it
            let mut stream = [text.as_ref(), &[0x80], &[0; 300]].concat();
            stream.truncate(400);
            for at in [0, 1, 63, 64, 65, 128, 192, 200, 256] {
                let Some(chunk) = stream.get(at..at + 64) else { continue };
                let (words, _) = chunk.as_chunks::<8>();
                assert_eq!(
                    lanes.padded(&text, at).store(),
                    std::array::from_fn(|k| u64::from_le_bytes(words[k])),
                    "{length} bytes from {at}"
                );
            }
        }
    }
}

/// For runs that are meant to test `Avx512`: without it the other tests would pass on the model alone.
#[test]
fn avx512_is_there_when_it_must_be() {
    if std::env::var_os("MUST_HAVE_AVX512").is_some() {
        assert!(crate::Path::named("avx512ifma").is_some());
    }
}
