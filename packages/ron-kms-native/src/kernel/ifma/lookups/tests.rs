use super::*;
use crate::{kernel::ifma::lanes::on_every_lanes, noise::Noise, point::Affine};

/// L − 1, the largest scalar.
const LARGEST: [u64; 4] = [0x5812_631a_5cf5_d3ec, 0x14de_f9de_a2f7_9cd6, 0, 1 << 60];

fn scalar(words: [u64; 4]) -> Scalar {
    let bytes = words.map(u64::to_le_bytes).concat();
    Scalar::from_canonical(&bytes.try_into().expect("32 bytes")).expect("below L")
}

/// Where the entries are that `Digits` chooses.
fn addresses(scalar: &Scalar, comb: &Comb) -> Vec<u64> {
    comb.terms(Digits::new(scalar, comb.width()))
        .map(|(entry, opposite)| address(slice::from_ref(entry)) + 32 * u64::from(opposite))
        .collect()
}

on_every_lanes! {
    eight_scalars_and_one_have_the_digits_of_each(lanes) {
        let mut noise = Noise(13);
        let mut scalars = vec![
            [0; 4],
            [1, 0, 0, 0],
            LARGEST,
            [u64::MAX, u64::MAX, u64::MAX, (1 << 60) - 1],
            [0, 0, 0, 1 << 60],
            [0x8888_8888_8888_8888, 0x8888_8888_8888_8888, 0x8888_8888_8888_8888, 0x0888_8888_8888_8888],
            [0x7777_7777_7777_7777, 0x7777_7777_7777_7777, 0x7777_7777_7777_7777, 0x0777_7777_7777_7777],
            [u64::MAX, 0, 0, 1 << 60],
        ];
        scalars.extend((0..400).map(|_| {
            let [w0, w1, w2, w3] = noise.words();
            [w0, w1, w2, w3 >> 4]
        }));
        for width in Width::all() {
            let comb = Comb::new(&Affine::NEUTRAL, width);
            let mut lookups = Lookups::new();
            for eight in scalars.as_chunks::<8>().0 {
                let expected = eight.map(|words| addresses(&scalar(words), &comb));
                let vectors = std::array::from_fn(|k| lanes.load(&eight.map(|x| x[k])));
                lookups.clear();
                lookups.add(lanes, vectors, [&comb; 8]);
                lookups.add(lanes, vectors, [&comb; 8]);
                let (first, second) = lookups.rows().split_at(width.windows());
                for (l, expected) in expected.iter().enumerate() {
                    for rows in [first, second] {
                        let lane: Vec<u64> = rows.iter().map(|row| row.addresses()[l]).collect();
                        assert_eq!(&lane, expected, "{width:?}");
                    }
                }
                lookups.clear();
                lookups.deal(&scalar(eight[0]), &comb);
                lookups.deal(&scalar(eight[1]), &comb);
                let (first, second) = lookups.rows().split_at(width.windows().div_ceil(8));
                for (rows, expected) in [first, second].into_iter().zip(&expected) {
                    let mut all = rows.iter().flat_map(|row| *row.addresses());
                    assert!(expected.iter().all(|&entry| all.next() == Some(entry)), "{width:?}");
                    assert!(all.all(|entry| entry == address(comb.entries())));
                }
            }
        }
    }

    no_scalar_leads_out_of_the_comb(lanes) {
        let mut noise = Noise(14);
        for width in Width::all() {
            let comb = Comb::new(&Affine::NEUTRAL, width);
            for round in 0..50 {
                let words: [u64; 4] = match round {
                    0 => [u64::MAX; 4],
                    1 => [0, 0, 0, u64::MAX],
                    _ => noise.words(),
                };
                let mut lookups = Lookups::new();
                lookups.add(lanes, words.map(|word| lanes.splat(word)), [&comb; 8]);
                let start = address(comb.entries());
                let end = start + Comb::bytes(width) as u64;
                for row in lookups.rows() {
                    for address in row.addresses() {
                        assert!((start..end).contains(address));
                        assert!([0, 32].contains(&((address - start) % ENTRY_BYTES)));
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "one width")]
fn combs_of_two_widths_do_not_go_together() {
    let lanes = crate::kernel::ifma::lanes::Model;
    let narrow = Comb::new(&Affine::NEUTRAL, Width::MIN);
    let mut combs = [Comb::of_base_point(); 8];
    combs[5] = &narrow;
    Lookups::new().add(lanes, [lanes.splat(0); 4], combs);
}
