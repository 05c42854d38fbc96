use num_bigint::BigInt;

use super::*;
use crate::comb::window_entries;
use crate::lanes::on_every_lanes;
use crate::test_random::{Random, rounds};

/// L − 1, the largest scalar.
const LARGEST: [u64; 4] = [0x5812_631a_5cf5_d3ec, 0x14de_f9de_a2f7_9cd6, 0, 1 << 60];

/// What the rows say the scalar of `lane(i)` is, `i` counting windows; entries are not read.
fn scalar(table: Comb, windows: impl Iterator<Item = u64>) -> BigInt {
    let mut sum = BigInt::ZERO;
    for (index, address) in windows.enumerate() {
        let offset = address - table.address() - index as u64 * table.window_bytes();
        let digit = BigInt::from(offset / ENTRY_BYTES);
        assert!(
            offset / ENTRY_BYTES <= half(table.width()),
            "beyond the window"
        );
        let digit = match offset % ENTRY_BYTES {
            0 => digit,
            32 => -digit,
            other => panic!("{other} bytes into an entry"),
        };
        sum += digit << (index * table.width() as usize);
    }
    sum
}

fn value(words: [u64; 4]) -> BigInt {
    words
        .iter()
        .rev()
        .fold(BigInt::ZERO, |sum, &word| (sum << 64) + word)
}

on_every_lanes! {
    the_digits_make_up_the_scalar_at_every_width(lanes) {
        let mut random = Random(13);
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
        scalars.extend((0..rounds(400)).map(|_| {
            let [w0, w1, w2, w3] = random.words();
            [w0, w1, w2, w3 >> 4]
        }));
        for width in WIDTH_MIN..=WIDTH_MAX {
            let entries = vec![Entry([[0; 32]; 4]); windows(width) * window_entries(width)];
            let table = Comb::new(width, &entries).expect("enough entries");
            let mut lookups = Lookups::new(table.identity());
            for eight in scalars.as_chunks::<8>().0 {
                let vectors = core::array::from_fn(|k| lanes.load(&eight.map(|x| x[k])));
                lookups.clear();
                lookups.add(lanes, vectors, &[table; 8]);
                lookups.add(lanes, vectors, &[table; 8]);
                let (first, second) = lookups.rows().split_at(windows(width));
                for (l, &words) in eight.iter().enumerate() {
                    for rows in [first, second] {
                        let lane = rows.iter().map(|row| row.addresses()[l]);
                        assert_eq!(scalar(table, lane), value(words), "width {width}");
                    }
                    let mut dealt = Lookups::new(table.identity());
                    dealt.deal(words, table);
                    let all = dealt.rows().iter().flat_map(|row| *row.addresses());
                    assert_eq!(scalar(table, all.clone().take(windows(width))), value(words));
                    assert!(all.skip(windows(width)).all(|address| address == table.address()));
                }
            }
        }
    }

    no_scalar_leads_out_of_the_table(lanes) {
        let mut random = Random(14);
        for width in WIDTH_MIN..=WIDTH_MAX {
            let entries = vec![Entry([[0; 32]; 4]); windows(width) * window_entries(width)];
            let table = Comb::new(width, &entries).expect("enough entries");
            for round in 0..rounds(50) {
                let words: [u64; 4] = match round {
                    0 => [u64::MAX; 4],
                    1 => [0, 0, 0, u64::MAX],
                    _ => random.words(),
                };
                let mut lookups = Lookups::new(table.identity());
                lookups.add(lanes, words.map(|word| lanes.splat(word)), &[table; 8]);
                lookups.deal(words, table);
                let end = table.address() + (entries.len() as u64) * ENTRY_BYTES;
                for row in lookups.rows() {
                    for address in row.addresses() {
                        assert!((table.address()..end).contains(address));
                        assert_eq!((address - table.address()) % 32, 0);
                        assert!((address - table.address()) % ENTRY_BYTES <= 32);
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "one width")]
fn tables_of_two_widths_do_not_go_together() {
    let lanes = crate::lanes::model::Model;
    let entries = vec![Entry([[0; 32]; 4]); windows(12) * window_entries(12)];
    let table = |width| {
        Comb::new(width, &entries[..windows(width) * window_entries(width)]).expect("enough")
    };
    let mut tables = [table(6); 8];
    tables[5] = table(5);
    Lookups::new(table(6).identity()).add(lanes, [lanes.splat(0); 4], &tables);
}
