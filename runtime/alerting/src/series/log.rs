//! What was appended since a snapshot, batch by batch, as bytes for a file that grows.
//!
//! A file of a log stands for itself: it names each series the first time that a sample of it comes. A sample is then a byte
//! or two where the value stays, or is an integer that grows.

use std::io::Read;

use super::bits::zigzag;
use super::bytes::{Rest, put_bytes, put_number, put_signed, put_value};
use super::frame::{self, Damage, DamageKind, Frames, LOG, Unreadable};
use super::refused::Refused;
use super::restore::LeftOut;
use super::shard::VACANT;
use super::{Handle, Store, read};
use crate::promql::{Labels, Sample};

/// Samples of a record. If all were of new series with labels as long as can be, it would have 17 MB.
const RECORD: usize = 256;
/// How a value is told, in the lowest bits of the number of its series.
const SAME: u64 = 0;
const STEP: u64 = 1;
const BITS: u64 = 2;
/// Steps are told of integers below.
const SMALL: f64 = 1e15;

/// What the bytes of one file say so far.
///
/// The bytes of all calls belong into one file, in their order and with nothing left out: what follows is told by what came
/// before. Where one could not be written, a new log in a new file goes on.
///
/// To lose nothing: append a batch first and encode it then, never the other way round; begin a new log, then take a snapshot, and when it is on disk, drop the files before that log. After a
/// start, restore the snapshot and replay the files since, the oldest first; what is in both is taken once.
#[derive(Debug, Default)]
pub struct Log {
    /// By the numbers of the store: the generation, and the number that the series has here.
    numbers: Vec<(u32, u32)>,
    last: Vec<f64>,
    is_begun: bool,
}

/// What a log brought back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Samples that were not there.
    pub added: usize,
    /// Where the log is no longer whole.
    pub damage: Option<Damage>,
    pub left_out: Option<LeftOut>,
}

impl Log {
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes of a batch, to be added to the file. Samples of series that are gone are not among them.
    pub fn encode(&mut self, store: &Store, batch: &[(Handle, Sample)]) -> Vec<u8> {
        let mut out = Vec::with_capacity(batch.len() * 3 + 64);
        if !self.is_begun {
            out.extend_from_slice(&LOG.magic);
            self.is_begun = true;
        }
        let mut record = Vec::new();
        for samples in batch.chunks(RECORD) {
            record.clear();
            self.record(store, samples, &mut record);
            frame::put(&record, &mut out);
        }
        out
    }

    fn number(&self, handle: Handle) -> Option<u32> {
        let (generation, number) = self.numbers.get(handle.id as usize)?;
        (*generation == handle.generation).then_some(*number)
    }

    fn name(&mut self, handle: Handle) {
        let place = handle.id as usize;
        if self.numbers.len() <= place {
            self.numbers.resize(place + 1, (VACANT, 0));
        }
        self.numbers[place] = (handle.generation, self.last.len() as u32);
        self.last.push(0.0);
    }

    fn record(&mut self, store: &Store, samples: &[(Handle, Sample)], out: &mut Vec<u8>) {
        let mut new: Vec<(Handle, Option<Labels>)> = Vec::new();
        for (handle, _) in samples {
            if self.number(*handle).is_none() {
                new.push((*handle, None));
            }
        }
        if !new.is_empty() {
            let index = read(&store.index);
            for (handle, labels) in &mut new {
                *labels = index.labels(handle.id, handle.generation).cloned();
            }
        }
        let mut named = Vec::new();
        let mut count = 0;
        for (handle, labels) in new {
            let Some(labels) = labels.filter(|_| self.number(handle).is_none()) else {
                continue;
            };
            put_number(labels.iter().count() as u64, &mut named);
            labels.iter().for_each(|(name, value)| {
                put_bytes(name.as_bytes(), &mut named);
                put_bytes(value.as_bytes(), &mut named);
            });
            self.name(handle);
            count += 1;
        }
        put_number(count, out);
        out.extend_from_slice(&named);
        self.samples(samples, out);
    }

    /// Those at one time follow each other: the time, how many, and each.
    fn samples(&mut self, samples: &[(Handle, Sample)], out: &mut Vec<u8>) {
        let (mut last_ms, mut expected) = (0, 0i64);
        let mut group = Vec::new();
        for same_time in samples.chunk_by(|a, b| a.1.0 == b.1.0) {
            group.clear();
            let mut count = 0;
            let mut time = last_ms;
            for (handle, sample) in same_time {
                let Some(number) = self.number(*handle) else {
                    continue;
                };
                let last = &mut self.last[number as usize];
                let told = zigzag(i64::from(number) - expected) << 2;
                put_sample(told, *last, sample.1, &mut group);
                (*last, expected, time) = (sample.1, i64::from(number) + 1, sample.0);
                count += 1;
            }
            if count > 0 {
                put_signed(time.wrapping_sub(last_ms), out);
                put_number(count, out);
                out.extend_from_slice(&group);
                last_ms = time;
            }
        }
    }
}

fn put_sample(told: u64, last: f64, value: f64, out: &mut Vec<u8>) {
    if value.to_bits() == last.to_bits() {
        return put_number(told | SAME, out);
    }
    if let Some(step) = step(last, value) {
        put_number(told | STEP, out);
        return put_signed(step, out);
    }
    put_number(told | BITS, out);
    put_value(value, out);
}

/// Between integers that are small enough for the step to be exact, and worth it.
fn step(last: f64, value: f64) -> Option<i64> {
    let is_small = last.abs() < SMALL && value.abs() < SMALL;
    let (from, to) = (last as i64, value as i64);
    let is_exact = is_small && (from as f64) == last && (to as f64).to_bits() == value.to_bits();
    (is_exact && (to - from).abs() < 1 << 41).then(|| to - from)
}

impl Store {
    /// Takes what a log says, as far as it is whole. What the store has already is passed over.
    ///
    /// # Errors
    /// When it can't be read, or is none of this version.
    pub fn replay(&self, input: impl Read) -> Result<Replayed, Unreadable> {
        let mut frames = Frames::new(input, LOG)?;
        let mut replay = Replay {
            store: self,
            series: Vec::new(),
            replayed: Replayed::default(),
        };
        loop {
            match frames.next()? {
                Ok(None) => break,
                Ok(Some((at, record))) => {
                    if replay.record(&mut Rest(record)).is_none() {
                        let why = DamageKind::Nonsense;
                        replay.replayed.damage = Some(Damage { at, why });
                        break;
                    }
                }
                Err(damage) => {
                    replay.replayed.damage = Some(damage);
                    break;
                }
            }
        }
        Ok(replay.replayed)
    }
}

struct Replay<'s> {
    store: &'s Store,
    /// By their numbers in the log, with the last value.
    series: Vec<(Result<Handle, Refused>, f64)>,
    replayed: Replayed,
}

impl Replay<'_> {
    /// None: it makes no sense. What came before that in it is taken.
    fn record(&mut self, rest: &mut Rest<'_>) -> Option<()> {
        for _ in 0..rest.count()? {
            let mut pairs = Vec::new();
            for _ in 0..rest.count()? {
                pairs.push((rest.text()?, rest.text()?));
            }
            let handle = self.store.series(&Labels::new(pairs));
            self.series.push((handle, 0.0));
        }
        let mut batch = Vec::new();
        let read = self.samples(rest, &mut batch);
        let appended = self.store.append_all(&batch);
        self.replayed.added += appended.added;
        for (_, refused) in appended.refused {
            // It is in the snapshot.
            if !matches!(refused, Refused::OutOfOrder { .. } | Refused::Duplicate { .. }) {
                self.leave_out(refused);
            }
        }
        read
    }

    fn samples(&mut self, rest: &mut Rest<'_>, batch: &mut Vec<(Handle, Sample)>) -> Option<()> {
        let (mut time, mut expected) = (0i64, 0i64);
        while !rest.is_empty() {
            time = time.wrapping_add(rest.signed()?);
            for _ in 0..rest.count()? {
                let told = rest.number()?;
                let number = expected.checked_add(super::bits::unzigzag(told >> 2))?;
                let (handle, last) = self.series.get_mut(usize::try_from(number).ok()?)?;
                *last = match told & 3 {
                    SAME => *last,
                    STEP => (*last as i64).checked_add(rest.signed()?)? as f64,
                    BITS => rest.value()?,
                    _ => return None,
                };
                expected = number + 1;
                match *handle {
                    Ok(handle) => batch.push((handle, (time, *last))),
                    Err(refused) => self.leave_out(refused),
                }
            }
        }
        Some(())
    }

    fn leave_out(&mut self, why: Refused) {
        let left_out = self.replayed.left_out.get_or_insert(LeftOut { count: 0, why });
        left_out.count += 1;
    }
}
