//! The engine, on every path that works here.

use std::{rc::Rc, thread, time::Duration};

use ron_kms_native::{Item, Key, Path, Width, policy, verify_many, verify_one};

use crate::{Cell, cell, workload::Workload};

pub fn cells(workload: &Workload) -> Vec<Cell<'_>> {
    let warm = warmed(workload);
    let mut cells = Vec::new();
    for &path in Path::available() {
        let name = format!("ours, {}", path.name());
        cells.extend([1, 8, 64, 256].map(|batch| ours(&name, workload, &warm, path, batch)));
    }
    for width in [policy::KEY_WIDTH, policy::HOT_WIDTH] {
        let name = format!("ours, {}, width {}", Path::best().name(), width.bits());
        let keys = fixed(workload, width);
        cells.push(ours(&name, workload, &keys, Path::best(), 64));
    }
    cells
}

/// The keys as the policy leaves them after much use, when no more tables are made for them.
fn warmed(workload: &Workload) -> Rc<[Key]> {
    let loaded = workload.keys.iter().map(|key| Key::load(key.as_bytes()));
    let keys: Rc<[Key]> = loaded.collect();
    let spoilt = keys.iter().flat_map(|key| [(key, &[][..], &[][..]); 64]);
    let spoilt: Vec<Item> = spoilt.collect();
    for _ in 0..400 {
        let _ = verify_many(&spoilt, Path::best(), 1);
    }
    let bytes = || keys.iter().map(Key::bytes).sum::<usize>();
    let mut before = 0;
    while before != bytes() {
        before = bytes();
        thread::sleep(Duration::from_millis(500));
    }
    keys
}

fn fixed(workload: &Workload, width: Width) -> Rc<[Key]> {
    let keys = workload.keys.iter();
    keys.map(|key| Key::load_with_width(key.as_bytes(), width))
        .collect()
}

fn ours<'a>(
    name: &str,
    workload: &'a Workload,
    keys: &Rc<[Key]>,
    path: Path,
    batch: usize,
) -> Cell<'a> {
    let keys = Rc::clone(keys);
    cell(name, batch, move |range| {
        let item = |i: usize| -> Item {
            let key = &keys[workload.signers[i]];
            (key, &workload.messages[i], &workload.signatures[i])
        };
        if batch == 1 {
            let (key, message, signature) = item(range.start);
            return verify_one(key, message, signature, path);
        }
        let items: Vec<Item> = range.map(item).collect();
        let verdicts = verify_many(&items, path, 1);
        verdicts.iter().all(|&verdict| verdict == 1)
    })
}
