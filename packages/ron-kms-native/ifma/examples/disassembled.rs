//! Instantiates the kernel for AVX-512, to be read with `objdump -d`.

use ifma::{Avx512, Comb, Entry, Item, comb, verify_many, verify_one};

fn main() {
    let Some(lanes) = Avx512::detect() else {
        println!("this CPU has no AVX-512 IFMA");
        return;
    };
    let entries = vec![Entry([[0; 32]; 4]); comb::windows(4) * comb::window_entries(4)];
    let table = Comb::new(4, &entries).expect("the right number of entries");
    let zeros = [0; 32];
    let items = [Item {
        r: &zeros,
        s: &zeros,
        key: &zeros,
        message: b"",
        table,
    }; 9];
    let mut verdicts = [0; 9];
    verify_many(lanes, table, &items, &mut verdicts);
    println!("{verdicts:?} {}", verify_one(lanes, table, &items[0]));
}
