//! A store from the bytes of a snapshot, whatever these are.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::bytes::Rest;
use super::frame::{Damage, DamageKind, Frames, SNAPSHOT, Unreadable};
use super::refused::Refused;
use super::shard::{Chunk, LONG_CHUNK};
use super::snapshot::{CONSTANT, END, PACKED, SERIES};
use super::times::Column;
use super::values::Values;
use super::{FURTHEST_MS, Handle, Limits, Store, write};
use crate::promql::{Labels, Sample};

/// A store, and what of its snapshot is missing in it.
#[derive(Debug)]
pub struct Restored {
    pub store: Store,
    /// Where the snapshot is no longer whole.
    pub damage: Option<Damage>,
    pub left_out: Option<LeftOut>,
}

/// What was not kept of a snapshot or a log, because the limits are lower now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Series of a snapshot, samples of a log.
    pub count: usize,
    /// Why the first of them was.
    pub why: Refused,
}

impl Store {
    /// Reads a snapshot as far as it is whole.
    ///
    /// # Errors
    /// When it can't be read, or is none of this version.
    pub fn restore(input: impl Read, limits: Limits) -> Result<Restored, Unreadable> {
        let mut frames = Frames::new(input, SNAPSHOT)?;
        let mut restored = Restored {
            store: Store::new(limits),
            damage: None,
            left_out: None,
        };
        let mut is_whole = false;
        restored.damage = loop {
            match frames.next()? {
                Ok(Some((at, record))) if !is_whole => match restored.take(record) {
                    Some(is_end) => is_whole = is_end,
                    None => break Some((at, DamageKind::Nonsense)),
                },
                Ok(Some((at, _))) => break Some((at, DamageKind::Nonsense)),
                Ok(None) if is_whole => break None,
                Ok(None) => break Some((frames.at(), DamageKind::Torn)),
                Err(damage) => break Some((damage.at, damage.why)),
            }
        }
        .map(|(at, why)| Damage { at, why });
        Ok(restored)
    }
}

impl Restored {
    /// Whether that was the end; none if it makes no sense.
    fn take(&mut self, record: &[u8]) -> Option<bool> {
        let mut rest = Rest(record);
        match rest.byte()? {
            SERIES => self.section(&mut rest)?,
            END => {
                rest.number()?;
                return rest.is_empty().then_some(true);
            }
            _ => return None,
        }
        rest.is_empty().then_some(false)
    }

    fn section(&mut self, rest: &mut Rest<'_>) -> Option<()> {
        let mut texts: Vec<Arc<str>> = Vec::new();
        for _ in 0..rest.count()? {
            texts.push(rest.text()?.into());
        }
        let mut columns = Vec::new();
        for _ in 0..rest.count()? {
            columns.push((column(rest)?, false));
        }
        for _ in 0..rest.count()? {
            let labels = labels(rest, &texts)?;
            let piece = piece(rest, &columns)?;
            match self.store.put(&labels, piece, &mut columns) {
                Ok(is_put) => is_put.then_some(())?,
                Err(why) => {
                    let left_out = self.left_out.get_or_insert(LeftOut { count: 0, why });
                    left_out.count += 1;
                }
            }
        }
        Some(())
    }
}

/// Columns of a section, and whether they are counted already.
type SharedColumns = [(Arc<Column>, bool)];

/// Chunks by the places of their columns, and samples after them.
type Piece = (Vec<(usize, Values)>, Vec<Sample>);

impl Store {
    /// False: it does not come after what the series has.
    fn put(&self, labels: &Labels, piece: Piece, columns: &mut SharedColumns) -> Result<bool, Refused> {
        if piece.0.is_empty() && piece.1.is_empty() {
            return Ok(true);
        }
        let limit = self.limits.bytes;
        if self.bytes() >= limit {
            return Err(Refused::NoMemory { limit });
        }
        let handle: Handle = self.series(labels)?;
        let Some(shard) = self.shards.get(handle.shard()) else {
            return Ok(false);
        };
        let (parts, tail) = piece;
        let mut samples = tail.len();
        let mut new = 0;
        let mut chunks = Vec::with_capacity(parts.len());
        for (place, values) in parts {
            let Some((times, is_counted)) = columns.get_mut(place) else {
                return Ok(false);
            };
            if !std::mem::replace(is_counted, true) {
                new += times.weight() as isize;
            }
            samples += times.count();
            chunks.push(Chunk {
                times: times.clone(),
                values,
            });
        }
        let Some(grown) = write(shard).extend(handle.slot(), chunks, tail) else {
            // Its columns may be counted and not held, by a snapshot that nobody wrote.
            self.grow(new);
            return Ok(false);
        };
        self.grow(grown + new);
        self.samples.fetch_add(samples as u64, Ordering::Relaxed);
        Ok(true)
    }
}

fn labels(rest: &mut Rest<'_>, texts: &[Arc<str>]) -> Option<Labels> {
    let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    for _ in 0..rest.count()? {
        let mut text = || texts.get(usize::try_from(rest.number()?).ok()?).cloned();
        pairs.push((text()?, text()?));
    }
    Some(Labels::new(pairs))
}

fn column(rest: &mut Rest<'_>) -> Option<Arc<Column>> {
    let first = rest.signed()?;
    let last = first.checked_add(i64::try_from(rest.number()?).ok()?)?;
    let count = usize::try_from(rest.number()?).ok()?;
    let packed = rest.bytes()?;
    let is_near = first >= -FURTHEST_MS && last <= FURTHEST_MS;
    if !is_near || !(1..=LONG_CHUNK).contains(&count) || packed.len() > 16 * (count + 1) {
        return None;
    }
    let column = Column::unchecked(first, last, count, packed);
    let mut times = Vec::new();
    column.unpack(&mut times);
    let is_sound =
        times.first() == Some(&first) && times.last() == Some(&last) && times.windows(2).all(|pair| pair[0] < pair[1]);
    is_sound.then(|| Arc::new(column))
}

fn piece(rest: &mut Rest<'_>, columns: &SharedColumns) -> Option<Piece> {
    let mut chunks = Vec::new();
    for _ in 0..rest.count()? {
        let place = usize::try_from(rest.number()?).ok()?;
        let (times, _) = columns.get(place)?;
        let values = match rest.byte()? {
            CONSTANT => Values::Constant(rest.value()?),
            PACKED => {
                let packed = rest.bytes()?;
                (packed.len() <= 16 * (times.count() + 1)).then(|| Values::Packed(packed.into()))?
            }
            _ => return None,
        };
        chunks.push((place, values));
    }
    let mut tail = Vec::new();
    let mut last = 0i64;
    for _ in 0..rest.count()? {
        last = last.checked_add(rest.signed()?)?;
        if !(-FURTHEST_MS..=FURTHEST_MS).contains(&last) {
            return None;
        }
        tail.push((last, rest.value()?));
    }
    Some((chunks, tail))
}
