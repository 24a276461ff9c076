//! The values of a chunk, bit for bit, in one of three forms: one value for all; decimals of up to nine places as integers;
//! or each as it differs from the one before, as in Facebook's Gorilla (VLDB 2015).

use super::bits::{BitReader, BitWriter};
use super::ints;

/// In the place of a decimal's scale: the values are told by their bits.
const BY_BITS: u64 = 15;
const SCALES: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// Integers beyond are not all numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Bits a value from which on the other form is tried as well.
const DEAR: usize = 24;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    Constant(f64),
    Packed(Box<[u8]>),
}

/// Memory that is used again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    ints: Vec<i64>,
    bits: BitWriter,
}

impl Values {
    pub fn pack(values: &[f64], scratch: &mut Scratch) -> Self {
        let first = values.first().copied().unwrap_or_default();
        if values.iter().all(|value| value.to_bits() == first.to_bits()) {
            return Self::Constant(first);
        }
        let Some(scale) = decimals(values, &mut scratch.ints) else {
            return Self::Packed(by_bits(values, &mut scratch.bits));
        };
        scratch.bits.put(scale as u64, 4);
        ints::pack(&scratch.ints, &mut scratch.bits);
        let is_dear = scratch.bits.bit_len() > DEAR * values.len();
        let packed = scratch.bits.take();
        if is_dear {
            let other = by_bits(values, &mut scratch.bits);
            if other.len() < packed.len() {
                return Self::Packed(other);
            }
        }
        Self::Packed(packed)
    }

    /// Adds the first `count`; any bytes give that many.
    pub fn unpack(&self, count: usize, out: &mut Vec<f64>, scratch: &mut Scratch) {
        let bytes = match self {
            Self::Constant(value) => return out.extend(std::iter::repeat_n(*value, count)),
            Self::Packed(bytes) => bytes,
        };
        let mut bits = BitReader::new(bytes);
        match bits.take(4) {
            BY_BITS => from_bits(&mut bits, count, out),
            scale => {
                scratch.ints.clear();
                ints::unpack(&mut bits, count, &mut scratch.ints);
                match SCALES.get(scale as usize) {
                    None | Some(1.0) => out.extend(scratch.ints.iter().map(|int| *int as f64)),
                    Some(scale) => out.extend(scratch.ints.iter().map(|int| *int as f64 / scale)),
                }
            }
        }
    }

    /// Bytes on the heap, without the allocator's own.
    pub fn heap(&self) -> usize {
        match self {
            Self::Constant(_) => 0,
            Self::Packed(bytes) => bytes.len(),
        }
    }
}

/// The fewest places with which all are decimals, and the integers that they then are. No value is changed by it: each
/// integer over the scale is that value, to the bit.
fn decimals(values: &[f64], ints: &mut Vec<i64>) -> Option<usize> {
    let mut scale = 0;
    for value in values {
        while to_int(*value, SCALES[scale]).is_none() {
            scale += 1;
            if scale == SCALES.len() {
                return None;
            }
        }
    }
    ints.clear();
    for value in values {
        ints.push(to_int(*value, SCALES[scale])?);
    }
    Some(scale)
}

#[inline]
fn to_int(value: f64, scale: f64) -> Option<i64> {
    let scaled = value * scale;
    if scaled.is_nan() || scaled.abs() >= EXACT {
        return None;
    }
    // Halves away from zero, and cheaper than `round`.
    let int = (scaled + 0.5f64.copysign(scaled)) as i64;
    (int as f64 / scale).to_bits().eq(&value.to_bits()).then_some(int)
}

fn by_bits(values: &[f64], out: &mut BitWriter) -> Box<[u8]> {
    out.put(BY_BITS, 4);
    let (mut last, mut leading, mut width) = (0u64, 0u32, 0u32);
    for (i, value) in values.iter().enumerate() {
        let bits = value.to_bits();
        let differs = bits ^ last;
        last = bits;
        if i == 0 {
            out.put(bits, 64);
            continue;
        }
        if differs == 0 {
            out.put(0, 1);
            continue;
        }
        let (zeros, ones) = (
            differs.leading_zeros(),
            64 - differs.leading_zeros() - differs.trailing_zeros(),
        );
        let fits = width > 0 && zeros >= leading && differs.trailing_zeros() >= 64 - leading - width;
        // A window that is told again costs 12 bits.
        if fits && width <= ones + 12 {
            out.put(0b10, 2);
        } else {
            (leading, width) = (zeros, ones);
            out.put(0b11, 2);
            out.put(u64::from(leading), 6);
            out.put(u64::from(width - 1), 6);
        }
        out.put(differs >> (64 - leading - width), width);
    }
    out.take()
}

fn from_bits(bits: &mut BitReader<'_>, count: usize, out: &mut Vec<f64>) {
    let (mut leading, mut width) = (0, 1);
    let mut last = 0;
    for i in 0..count {
        if i == 0 {
            last = bits.take(64);
        } else if bits.flag() {
            if bits.flag() {
                leading = bits.take(6) as u32;
                width = (bits.take(6) as u32 + 1).min(64 - leading);
            }
            last ^= bits.take(width) << (64 - leading - width);
        }
        out.push(f64::from_bits(last));
    }
}
