//! Records in a file, each with its length and its checksum: a file that was torn or damaged is good up to there.

use std::io::{self, Read};

const HEADER: usize = 8;

/// The first bytes of a file say what it is, and the last of them the version.
pub(super) type Magic = [u8; 8];

/// What a kind of file begins with, and what it is bound to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub magic: Magic,
    pub what: &'static str,
    /// Bytes of a record; none that is longer is written, or believed.
    pub longest: usize,
}

pub(super) const SNAPSHOT: Kind = Kind {
    magic: *b"evkseri\x01",
    what: "snapshot of series",
    longest: 2 << 20,
};
pub(super) const LOG: Kind = Kind {
    magic: *b"evkslog\x01",
    what: "log of series",
    longest: 32 << 20,
};

/// A file that can't be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("it could not be read")]
    Io(#[from] io::Error),
    #[error("it is no {0}")]
    Other(&'static str),
    #[error("it is a {what} of version {found}, and this evenkeel reads version {known}: use the one that wrote it")]
    Version { what: &'static str, found: u8, known: u8 },
}

/// Where a file is no longer what was written. All before it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("from byte {at} on {why}; what comes before is kept")]
pub struct Damage {
    pub at: u64,
    pub why: DamageKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// As after a crash in the middle of writing.
    #[error("it is torn off")]
    Torn,
    #[error("it is damaged: a checksum is wrong")]
    Checksum,
    #[error("it makes no sense, although its checksum is right")]
    Nonsense,
}

pub(super) fn put(record: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(length, record).to_le_bytes());
    out.extend_from_slice(record);
}

/// Of the length too: a file of zeros holds no records.
fn checksum(length: u32, record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(record);
    hasher.finalize()
}

/// Reads records one by one.
pub(super) struct Frames<R> {
    input: R,
    longest: usize,
    /// Where the next record begins.
    at: u64,
    record: Vec<u8>,
}

/// Where a record began, and what it is.
pub(super) type Record<'f> = (u64, &'f [u8]);

impl<R: Read> Frames<R> {
    pub fn new(mut input: R, kind: Kind) -> Result<Self, Unreadable> {
        let Kind { magic, what, .. } = kind;
        let mut found = Vec::new();
        input.by_ref().take(magic.len() as u64).read_to_end(&mut found)?;
        let (Some((found_version, found)), [known @ .., known_version]) = (found.split_last(), &magic) else {
            return Err(Unreadable::Other(what));
        };
        if found != known {
            return Err(Unreadable::Other(what));
        }
        if found_version != known_version {
            return Err(Unreadable::Version {
                what,
                found: *found_version,
                known: *known_version,
            });
        }
        Ok(Self {
            input,
            longest: kind.longest,
            at: magic.len() as u64,
            record: Vec::new(),
        })
    }

    pub fn at(&self) -> u64 {
        self.at
    }

    /// None: it ends here. What a length claims is not set aside before it is there.
    pub fn next(&mut self) -> Result<Result<Option<Record<'_>>, Damage>, io::Error> {
        let at = self.at;
        let damage = |why| Ok(Err(Damage { at, why }));
        self.record.clear();
        self.input.by_ref().take(HEADER as u64).read_to_end(&mut self.record)?;
        if self.record.is_empty() {
            return Ok(Ok(None));
        }
        let Some(header) = self.record.first_chunk::<HEADER>() else {
            return damage(DamageKind::Torn);
        };
        let [a, b, c, d, e, f, g, h] = *header;
        let (length, wanted) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if length as usize > self.longest {
            return damage(DamageKind::Checksum);
        }
        self.record.clear();
        self.input
            .by_ref()
            .take(u64::from(length))
            .read_to_end(&mut self.record)?;
        if self.record.len() < length as usize {
            return damage(DamageKind::Torn);
        }
        if checksum(length, &self.record) != wanted {
            return damage(DamageKind::Checksum);
        }
        self.at += HEADER as u64 + u64::from(length);
        Ok(Ok(Some((at, &self.record))))
    }
}
