//! The form of the tape: what a plugin sensed besides the answers to its calls, in order. A read of
//! a clock takes two or three bytes of it: a tag, and by how much the time moved.

/// What can be sensed. Each has its tag for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Sense {
    /// Milliseconds since 1970.
    WallClock = 1,
    /// Microseconds since the invocation began.
    MonotonicClock = 2,
    Poll = 3,
    Ready = 4,
    /// A wait for one pollable was over.
    Woken = 5,
    Cancelled = 6,
    /// Milliseconds left.
    Deadline = 7,
    LogEnabled = 8,
    /// An input that was asked for the first time.
    Input = 9,
}

const ALL: [Sense; 9] = [
    Sense::WallClock,
    Sense::MonotonicClock,
    Sense::Poll,
    Sense::Ready,
    Sense::Woken,
    Sense::Cancelled,
    Sense::Deadline,
    Sense::LogEnabled,
    Sense::Input,
];

impl Sense {
    /// What the plugin did, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::WallClock => "read the wall clock",
            Self::MonotonicClock => "read the monotonic clock",
            Self::Poll => "polled",
            Self::Ready => "asked whether something is ready",
            Self::Woken => "waited",
            Self::Cancelled => "asked whether the run is cancelled",
            Self::Deadline => "asked how much time is left",
            Self::LogEnabled => "asked whether a level is logged",
            Self::Input => "asked for an input",
        }
    }

    /// Times are kept as the difference from the last.
    fn moves(self) -> bool {
        matches!(self, Self::WallClock | Self::MonotonicClock | Self::Deadline)
    }
}

/// The last of each that is kept as a difference, by its tag.
#[derive(Default)]
struct Last([u64; ALL.len() + 1]);

impl Last {
    fn step(&mut self, sense: Sense, value: u64) -> u64 {
        let last = &mut self.0[sense as usize];
        let step = value.wrapping_sub(*last).cast_signed();
        *last = value;
        // Small either way: the sign is the lowest bit.
        ((step << 1) ^ (step >> 63)).cast_unsigned()
    }

    fn value(&mut self, sense: Sense, step: u64) -> u64 {
        let last = &mut self.0[sense as usize];
        let step = (step >> 1).cast_signed() ^ -(step & 1).cast_signed();
        *last = last.wrapping_add_signed(step);
        *last
    }
}

/// Takes down what is sensed.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
    last: Last,
}

impl Writer {
    pub fn number(&mut self, sense: Sense, value: u64) {
        let value = if sense.moves() {
            self.last.step(sense, value)
        } else {
            value
        };
        self.bytes.push(sense as u8);
        varint(&mut self.bytes, value);
    }

    /// Which of so many were ready.
    pub fn poll(&mut self, of: usize, ready: &[u32]) {
        self.bytes.push(Sense::Poll as u8);
        varint(&mut self.bytes, of as u64);
        varint(&mut self.bytes, ready.len() as u64);
        for index in ready {
            varint(&mut self.bytes, u64::from(*index));
        }
    }

    pub fn input(&mut self, name: &str, value: Option<&str>) {
        self.bytes.push(Sense::Input as u8);
        text(&mut self.bytes, name);
        self.bytes.push(u8::from(value.is_some()));
        if let Some(value) = value {
            text(&mut self.bytes, value);
        }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Goes on where a tape ends that was played back.
    pub fn after(played: Reader) -> Self {
        Self {
            bytes: Vec::new(),
            last: played.last,
        }
    }

    /// What was taken down since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// Plays it back. None: it is not what is on the tape, or the tape is torn there.
pub struct Reader {
    bytes: Vec<u8>,
    at: usize,
    last: Last,
}

impl Reader {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            at: 0,
            last: Last::default(),
        }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The monotonic clock as it was read last, in microseconds.
    pub fn monotonic(&self) -> u64 {
        self.last.0[Sense::MonotonicClock as usize]
    }

    pub fn peek(&self) -> Option<Sense> {
        let tag = *self.bytes.get(self.at)?;
        ALL.into_iter().find(|sense| *sense as u8 == tag)
    }

    pub fn number(&mut self, sense: Sense) -> Option<u64> {
        self.tag(sense)?;
        let value = self.varint()?;
        Some(if sense.moves() {
            self.last.value(sense, value)
        } else {
            value
        })
    }

    /// Of how many, and which.
    pub fn poll(&mut self) -> Option<(u64, Vec<u32>)> {
        self.tag(Sense::Poll)?;
        let (of, ready) = (self.varint()?, self.varint()?);
        let indices = (0..ready).map(|_| u32::try_from(self.varint()?).ok());
        Some((of, indices.collect::<Option<_>>()?))
    }

    pub fn input(&mut self) -> Option<(String, Option<String>)> {
        self.tag(Sense::Input)?;
        let name = self.text()?;
        let value = match self.byte()? {
            0 => None,
            _ => Some(self.text()?),
        };
        Some((name, value))
    }

    fn tag(&mut self, sense: Sense) -> Option<()> {
        (self.peek()? == sense).then(|| self.at += 1)
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.varint()?).ok()?;
        let bytes = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        let text = std::str::from_utf8(bytes).ok()?.to_owned();
        self.at += length;
        Some(text)
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap_or_default());
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    varint(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Entry {
        Number(Sense, u64),
        Poll(Vec<u32>),
        Input(String, Option<String>),
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let numbers = prop_oneof![
            Just(Sense::WallClock),
            Just(Sense::MonotonicClock),
            Just(Sense::Ready),
            Just(Sense::Woken),
            Just(Sense::Cancelled),
            Just(Sense::Deadline),
            Just(Sense::LogEnabled),
        ];
        let near = prop_oneof![any::<u64>(), 1_000_000_u64..1_001_000];
        prop_oneof![
            (numbers, near).prop_map(|(sense, value)| Entry::Number(sense, value)),
            proptest::collection::vec(any::<u32>(), 0..5).prop_map(Entry::Poll),
            (".{0,20}", proptest::option::of(".{0,200}")).prop_map(|(name, value)| Entry::Input(name, value)),
        ]
    }

    proptest! {
        #[test]
        fn what_was_sensed_is_played_back(entries in proptest::collection::vec(entry(), 0..40)) {
            let (mut writer, mut bytes) = (Writer::default(), Vec::new());
            for entry in &entries {
                match entry {
                    Entry::Number(sense, value) => writer.number(*sense, *value),
                    Entry::Poll(ready) => writer.poll(9, ready),
                    Entry::Input(name, value) => writer.input(name, value.as_deref()),
                }
                // Taken off piece by piece, as with each call.
                bytes.extend(writer.take());
            }
            let mut reader = Reader::new(bytes);
            for entry in entries {
                match entry {
                    Entry::Number(sense, value) => prop_assert_eq!(reader.number(sense), Some(value)),
                    Entry::Poll(ready) => prop_assert_eq!(reader.poll(), Some((9, ready))),
                    Entry::Input(name, value) => prop_assert_eq!(reader.input(), Some((name, value))),
                }
            }
            prop_assert_eq!(reader.peek(), None);
            prop_assert_eq!(reader.at(), reader.len());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>()) {
            let mut reader = Reader::new(bytes);
            while let Some(sense) = reader.peek() {
                let read = match sense {
                    Sense::Poll => reader.poll().is_some(),
                    Sense::Input => reader.input().is_some(),
                    sense => reader.number(sense).is_some(),
                };
                if !read {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_read_of_a_clock_takes_little() {
        let mut writer = Writer::default();
        writer.number(Sense::WallClock, 1_790_000_000_000);
        writer.take();
        for ms in 1_790_000_000_000..1_790_000_000_050_u64 {
            writer.number(Sense::WallClock, ms);
        }
        assert_eq!(writer.len(), 100);
    }
}
