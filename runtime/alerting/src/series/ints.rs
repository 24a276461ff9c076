//! Integers in few bits: their differences, or the differences of these, in small groups of a common width.
//!
//! The order of the differences is chosen for the whole, a width for each group, so that a jump costs its group alone.
//! Low bits that are zero in all differences, as in sizes that are multiples of a page, are left out.

use super::bits::{BitReader, BitWriter, significant, unzigzag, zigzag};

/// Differences of one width.
const GROUP: usize = 8;
/// Bits that tell a new width.
const WIDTH: u32 = 7;

pub(super) fn pack(values: &[i64], out: &mut BitWriter) {
    let Some(first) = values.first() else { return };
    let all = deltas(values).fold(0, |all, delta| all | delta);
    let shift = if all == 0 { 0 } else { all.trailing_zeros() };
    let (plain, twice) = (cost(steady(values, shift)), cost(accelerated(values, shift)));
    let second = deltas(values).next().filter(|_| twice < plain);
    out.put(u64::from(second.is_some()), 1);
    out.put(u64::from(shift), 6);
    out.put_sized(zigzag(*first));
    if let Some(delta) = second {
        out.put_sized(zigzag(delta >> shift));
        groups(accelerated(values, shift), |width, group| put(out, width, group));
    } else {
        groups(steady(values, shift), |width, group| put(out, width, group));
    }
}

/// As many as there were, or fewer from the start; any bytes give that many.
pub(super) fn unpack(bits: &mut BitReader<'_>, count: usize, out: &mut Vec<i64>) {
    if count == 0 {
        return;
    }
    out.reserve(count);
    let (is_twice, shift) = (bits.flag(), bits.take(6) as u32);
    let mut value = unzigzag(bits.take_sized());
    out.push(value);
    let mut left = count - 1;
    let mut delta = 0;
    if is_twice && left > 0 {
        delta = unzigzag(bits.take_sized());
        value = value.wrapping_add(delta << shift);
        out.push(value);
        left -= 1;
    }
    let mut width = 0;
    while left > 0 {
        if bits.flag() {
            width = bits.take(WIDTH).min(64) as u32;
        }
        let group = left.min(GROUP);
        for _ in 0..group {
            let read = unzigzag(bits.take(width));
            delta = if is_twice { delta.wrapping_add(read) } else { read };
            value = value.wrapping_add(delta << shift);
            out.push(value);
        }
        left -= group;
    }
}

fn deltas(values: &[i64]) -> impl Iterator<Item = i64> {
    values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]))
}

fn steady(values: &[i64], shift: u32) -> impl Iterator<Item = u64> {
    deltas(values).map(move |delta| zigzag(delta >> shift))
}

fn accelerated(values: &[i64], shift: u32) -> impl Iterator<Item = u64> {
    values.windows(3).map(move |three| {
        let [before, after] = [three[1].wrapping_sub(three[0]), three[2].wrapping_sub(three[1])];
        zigzag((after >> shift).wrapping_sub(before >> shift))
    })
}

/// The groups, each with its width: that of the one before, if a new one would save less than it takes to tell.
fn groups(mut residuals: impl Iterator<Item = u64>, mut take: impl FnMut(Option<u32>, (u32, &[u64]))) {
    let (mut group, mut known) = ([0; GROUP], 0);
    loop {
        let mut count = 0;
        for (to, from) in group.iter_mut().zip(residuals.by_ref()) {
            *to = from;
            count += 1;
        }
        let group = &group[..count];
        if group.is_empty() {
            return;
        }
        let width = significant(group.iter().fold(0, |all, one| all | one));
        let is_kept = width <= known && (known - width) as usize * count <= WIDTH as usize;
        if !is_kept {
            known = width;
        }
        take((!is_kept).then_some(width), (known, group));
    }
}

fn cost(residuals: impl Iterator<Item = u64>) -> usize {
    let mut bits = 0;
    groups(residuals, |told, (width, group)| {
        bits += 1 + told.map_or(0, |_| WIDTH as usize) + width as usize * group.len();
    });
    bits
}

fn put(out: &mut BitWriter, told: Option<u32>, (width, group): (u32, &[u64])) {
    out.put(u64::from(told.is_some()), 1);
    if let Some(width) = told {
        out.put(u64::from(width), WIDTH);
    }
    group.iter().for_each(|one| out.put(*one, width));
}
