use sha2::{Digest, Sha512};

use super::*;
use crate::comb::{Comb, Entry, window_entries, windows};
use crate::lanes::on_every_lanes;
use crate::test_random::{Random, rounds};

on_every_lanes! {
    digests_are_those_of_sha2_for_any_eight_lengths(lanes) {
        let mut random = Random(9);
        let entries = vec![Entry([[0; 32]; 4]); windows(4) * window_entries(4)];
        let table = Comb::new(4, &entries).expect("enough entries");
        let rows: [[u8; 32]; 8] = core::array::from_fn(|_| random.bytes());
        let text = random.bytes::<1500>();
        for round in (0..900_usize).step_by(900 / rounds(900)) {
            let messages: [Box<[u8]>; 8] = core::array::from_fn(|l| {
                let bytes = match round {
                    0..300 => round,         // eight of one length
                    300..600 => round - 300 + 64 * l,
                    _ => random.index(1500),
                };
                text[l..][..bytes.min(1400)].into()
            });
            let items: [Item; 8] = core::array::from_fn(|l| Item {
                r: &rows[l],
                s: &rows[7],
                key: &rows[(l + 1) % 8],
                message: &messages[l],
                table,
            });
            let words = digests(lanes, &items.each_ref()).map(Vector::store);
            for (l, item) in items.iter().enumerate() {
                let expected = Sha512::new()
                    .chain_update(item.r)
                    .chain_update(item.key)
                    .chain_update(item.message)
                    .finalize();
                let digest: Vec<u8> = words.iter().flat_map(|row| row[l].to_le_bytes()).collect();
                assert_eq!(digest, expected.as_slice(), "{} bytes", item.message.len());
            }
        }
    }
}
