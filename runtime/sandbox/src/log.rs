//! What a plugin says: log lines, stdout and stderr, within bounds.

mod held;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use evenkeel_engine::port::Calls;
use evenkeel_model::call::Level;
use hyper::body::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::redact::Redactor;
use held::{Entry, Held};

/// Longer lines are cut.
const LINE: usize = 4 << 10;
/// Fields of a line; of more, their number is told.
const FIELDS: usize = 32;
/// What a line, and each of its fields, takes besides its text, in bytes.
const OVERHEAD: usize = 64;
/// Lines that are held back because a secret may go on in the next.
const HELD: usize = 16;
/// Of stderr, to find the words of a panic in.
const TAIL: usize = 8 << 10;

/// Where everything goes. What is too much is counted, not kept.
pub struct Log {
    calls: Arc<dyn Calls>,
    redactor: Redactor,
    inner: Mutex<Inner>,
    held: Mutex<Held>,
}

struct Inner {
    lines: u64,
    bytes: u64,
    dropped: u64,
    /// The last line of each stream, until it ends.
    stdout: Line,
    stderr: Line,
    tail: Vec<u8>,
}

impl Log {
    /// Keeps at most so many lines and bytes.
    pub fn new(calls: Arc<dyn Calls>, redactor: Redactor, lines: u64, bytes: u64) -> Self {
        let inner = Inner {
            lines,
            bytes,
            dropped: 0,
            stdout: Line::default(),
            stderr: Line::default(),
            tail: Vec::new(),
        };
        Self {
            calls,
            redactor,
            inner: Mutex::new(inner),
            held: Mutex::default(),
        }
    }

    pub fn write(&self, level: Level, message: &str, mut fields: Vec<(String, String)>) {
        let mut message = cut(&self.redactor.text(message));
        if fields.len() > FIELDS {
            let more = fields.len() - FIELDS;
            message.push_str(&format!(" ({more} fields more)"));
            fields.truncate(FIELDS);
        }
        for (name, value) in &mut fields {
            *name = self.redactor.text(name).into_owned();
            *value = self.redactor.text(value).into_owned();
        }
        let texts = fields.iter().map(|(name, value)| OVERHEAD + name.len() + value.len());
        if self.inner().take(OVERHEAD + message.len() + texts.sum::<usize>()) {
            self.keep(Entry { level, message, fields });
        }
    }

    /// A secret may go on in the next line: then this one waits for it.
    fn keep(&self, entry: Entry) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.add(entry);
        let kept = held.release(&self.redactor, false);
        self.tell(kept);
    }

    fn tell(&self, entries: Vec<Entry>) {
        for entry in entries {
            self.calls.log(entry.level, entry.message, entry.fields);
        }
    }

    /// Ends lines that were not ended, and says how many were dropped.
    pub fn close(&self) {
        let (stdout, stderr, dropped) = {
            let mut inner = self.inner();
            (
                inner.stdout.end(&self.redactor),
                inner.stderr.end(&self.redactor),
                std::mem::take(&mut inner.dropped),
            )
        };
        self.line(Stream::Stdout, stdout);
        self.line(Stream::Stderr, stderr);
        let rest = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.release(&self.redactor, true)
        };
        self.tell(rest);
        let dropped = dropped + std::mem::take(&mut self.inner().dropped);
        if dropped > 0 {
            self.calls.logs_dropped(dropped);
        }
    }

    /// What a Rust plugin said last when it panicked, without the hint that follows it.
    pub fn panic(&self) -> Option<String> {
        let inner = self.inner();
        let tail = String::from_utf8_lossy(&inner.tail);
        let at = tail.rfind("panicked at ")?;
        let lines: Vec<&str> = tail[at..]
            .lines()
            .take_while(|line| !line.starts_with("note: "))
            .collect();
        Some(cut(self.redactor.text(lines.join("\n").trim()).as_ref()))
    }

    fn print(&self, stream: Stream, bytes: &[u8]) {
        let lines = self.inner().print(stream, bytes, &self.redactor);
        for line in lines {
            self.line(stream, Some(line));
        }
    }

    fn line(&self, stream: Stream, line: Option<String>) {
        let Some(line) = line.filter(|line| !line.is_empty()) else {
            return;
        };
        let level = match stream {
            Stream::Stdout => Level::Info,
            Stream::Stderr => Level::Warn,
        };
        self.write(level, &line, Vec::new());
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        if self.lines == 0 || self.bytes < bytes {
            self.dropped += 1;
            return false;
        }
        self.lines -= 1;
        self.bytes -= bytes;
        true
    }

    fn print(&mut self, stream: Stream, bytes: &[u8], redactor: &Redactor) -> Vec<String> {
        if stream == Stream::Stderr {
            self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
            let over = self.tail.len().saturating_sub(TAIL);
            self.tail.drain(..over);
        }
        let line = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.push(part.strip_suffix(b"\n").unwrap_or(part));
            if part.ends_with(b"\n") {
                lines.extend(line.end(redactor));
            }
        }
        lines
    }
}

/// A line that is not over yet; of a long one, only the beginning.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    over: usize,
}

impl Line {
    fn push(&mut self, part: &[u8]) {
        let fits = part.len().min(LINE.saturating_sub(self.bytes.len()));
        self.bytes.extend_from_slice(&part[..fits]);
        self.over += part.len() - fits;
    }

    fn end(&mut self, redactor: &Redactor) -> Option<String> {
        let bytes = std::mem::take(&mut self.bytes);
        let over = std::mem::take(&mut self.over);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let text = if over > 0 { redactor.cut(text) } else { text.into() };
        match (bytes.is_empty(), over) {
            (true, _) => None,
            (false, 0) => Some(text.into_owned()),
            (false, over) => Some(format!("{text}… ({over} bytes more)")),
        }
    }
}

fn cut(text: &str) -> String {
    if text.len() <= LINE + 64 {
        return text.to_owned();
    }
    let end = (0..=LINE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… ({} bytes more)", &text[..end], text.len() - end)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A stream of WASI that never blocks, never fails and never grows.
#[derive(Clone)]
pub struct Printed {
    pub log: Arc<Log>,
    pub stream: Stream,
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.print(self.stream, &bytes);
        Ok(())
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[async_trait::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Printed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.log.print(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_engine::port::JournalError;
    use evenkeel_model::call::{Answer, Call};

    use super::*;

    /// Message and number of fields of each line, and lines that were dropped.
    #[derive(Default)]
    struct Kept(Mutex<(Vec<(String, usize)>, u64)>);

    #[async_trait::async_trait]
    impl Calls for Kept {
        async fn intend(&self, _: u32, _: &Call) -> Result<(), JournalError> {
            Ok(())
        }
        async fn answered(&self, _: u32, _: Option<&Call>, _: &Answer, _: Duration) -> Result<(), JournalError> {
            Ok(())
        }
        fn log(&self, _: Level, message: String, fields: Vec<(String, String)>) {
            self.0.lock().unwrap().0.push((message, fields.len()));
        }
        fn logs_dropped(&self, lines: u64) {
            self.0.lock().unwrap().1 += lines;
        }
        fn progress(&self, _: u16, _: String) {}
    }

    fn fields(many: usize) -> Vec<(String, String)> {
        vec![(String::new(), String::new()); many]
    }

    #[test]
    fn fields_are_cut_and_the_cut_is_told() {
        let kept = Arc::new(Kept::default());
        let log = Log::new(Arc::clone(&kept) as Arc<dyn Calls>, Redactor::default(), 10, 10_000);
        log.write(Level::Info, "few", fields(32));
        log.write(Level::Info, "many", fields(100_000));
        let kept = kept.0.lock().unwrap();
        assert_eq!(kept.0, [("few".into(), 32), ("many (99968 fields more)".into(), 32)]);
    }

    #[test]
    fn empty_lines_and_fields_use_up_the_bytes_too() {
        let kept = Arc::new(Kept::default());
        let log = Log::new(Arc::clone(&kept) as Arc<dyn Calls>, Redactor::default(), 1_000, 64 * 33);
        log.write(Level::Info, "", fields(31));
        log.write(Level::Info, "", fields(1));
        log.write(Level::Info, "", Vec::new());
        log.write(Level::Info, "", Vec::new());
        log.close();
        let kept = kept.0.lock().unwrap();
        assert_eq!((kept.0.len(), kept.1), (2, 2), "32 of 64 bytes, then one more");
    }
}
