//! The choices that an input makes, one after the other; when there are no more bytes, all are 0.

/// What is left of an input.
pub struct Lot<'a>(pub &'a [u8]);

impl Lot<'_> {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub fn pick<'b, T>(&mut self, all: &'b [T]) -> &'b T {
        &all[self.below(all.len())]
    }

    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes(N));
        array
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let (taken, left) = self.0.split_at(count.min(self.0.len()));
        self.0 = left;
        let mut taken = taken.to_vec();
        taken.resize(count, 0);
        taken
    }

    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }
}
