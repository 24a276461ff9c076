//! Bits in a row, the highest first.

#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    /// Bits that are pending, fewer than 32 between two calls.
    count: u32,
}

impl BitWriter {
    /// The lowest `width` bits, at most 64; those above are zero.
    pub fn put(&mut self, value: u64, width: u32) {
        if width > 32 {
            self.put(value >> 32, width - 32);
            return self.put(value & 0xffff_ffff, 32);
        }
        self.pending = self.pending << width | value;
        self.count += width;
        if self.count >= 32 {
            self.count -= 32;
            let word = (self.pending >> self.count) as u32;
            self.bytes.extend_from_slice(&word.to_be_bytes());
        }
    }

    /// How many of its lowest bits it has, and these.
    pub fn put_sized(&mut self, value: u64) {
        let width = significant(value);
        self.put(u64::from(width), 7);
        self.put(value, width);
    }

    pub fn bit_len(&self) -> usize {
        self.bytes.len() * 8 + self.count as usize
    }

    /// What was written, zeros up to a whole byte; begins anew.
    pub fn take(&mut self) -> Box<[u8]> {
        while self.count > 0 {
            let byte = if self.count >= 8 {
                self.count -= 8;
                self.pending >> self.count
            } else {
                let byte = self.pending << (8 - self.count);
                self.count = 0;
                byte
            };
            self.bytes.push(byte as u8);
        }
        let taken = Box::from(self.bytes.as_slice());
        self.clear();
        taken
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.pending = 0;
        self.count = 0;
    }
}

/// Past the end it reads zeros: damaged bytes give other values, and no panic.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> BitReader<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// At most 64 bits.
    #[inline]
    pub fn take(&mut self, width: u32) -> u64 {
        if width > 32 {
            let high = self.take(width - 32);
            return high << 32 | self.take(32);
        }
        if width == 0 {
            return 0;
        }
        let (byte, bit) = (self.at / 8, self.at % 8);
        self.at += width as usize;
        let whole = self.bytes.get(byte..).and_then(|rest| rest.first_chunk::<8>());
        let word = whole.map_or_else(|| self.last_word(byte), |word| u64::from_be_bytes(*word));
        (word << bit) >> (64 - width)
    }

    pub fn take_sized(&mut self) -> u64 {
        let width = self.take(7).min(64) as u32;
        self.take(width)
    }

    pub fn flag(&mut self) -> bool {
        self.take(1) == 1
    }

    #[cold]
    fn last_word(&self, byte: usize) -> u64 {
        let mut word = [0; 8];
        let rest = self.bytes.get(byte..).unwrap_or_default();
        for (to, from) in word.iter_mut().zip(rest) {
            *to = *from;
        }
        u64::from_be_bytes(word)
    }
}

/// Bits up to the highest one that is set.
pub(super) fn significant(value: u64) -> u32 {
    64 - value.leading_zeros()
}

/// Small numbers of either sign as small numbers.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
