//! Made-up values out of bytes. When there are no more, everything is nothing.

pub struct Bytes<'b>(pub &'b [u8]);

impl<'b> Bytes<'b> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// At most `most` characters of `alphabet`.
    pub fn word(&mut self, alphabet: &[&str], most: u8) -> String {
        let length = self.below(most + 1);
        (0..length)
            .map(|_| alphabet[usize::from(self.byte()) % alphabet.len()])
            .collect()
    }

    /// Any text, up to the next 0xff, which is in no UTF-8.
    pub fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0xff).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}
