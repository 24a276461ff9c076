//! The outside world: a web server that survives every crash and keeps what it was told.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;

/// Answers until the test process ends, sometimes late, so that a crash comes between request and answer.
pub struct Sink {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Method and path of each request that was taken in, in this order.
    taken: Mutex<Vec<(String, String)>>,
    /// Connections that were accepted and not read to their end yet.
    reading: AtomicUsize,
}

impl Sink {
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared: Arc<Shared> = Arc::default();
        let kept = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                kept.reading.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&kept);
                // Who dies in the middle of a request has made none.
                thread::spawn(move || {
                    let asked = read(&stream, &shared);
                    shared.reading.fetch_sub(1, Ordering::SeqCst);
                    asked.and_then(|path| answer(stream, &path)).ok()
                });
            }
        });
        Ok(Self { port, shared })
    }

    /// All that was taken in so far of what was sent before this was called: connections are accepted in their order,
    /// and one of ours is the last.
    pub fn taken(&self) -> anyhow::Result<Vec<(String, String)>> {
        let url = format!("http://127.0.0.1:{}/probe", self.port);
        reqwest::blocking::get(url)?.error_for_status()?;
        while self.shared.reading.load(Ordering::SeqCst) > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        let taken = self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(taken.iter().filter(|(_, path)| path != "/probe").cloned().collect())
    }
}

fn read(stream: &TcpStream, shared: &Shared) -> anyhow::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        anyhow::ensure!(reader.read_line(&mut line)? > 0, "it ended early");
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split(' ');
    let method = words.next().context("no method")?.to_owned();
    let path = words.next().context("no path")?.to_owned();
    let mut taken = shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
    taken.push((method, path.clone()));
    Ok(path)
}

/// After up to 40 ms, as the path has it.
fn answer(mut stream: TcpStream, path: &str) -> anyhow::Result<()> {
    let sum: u64 = path.bytes().map(u64::from).sum();
    if path != "/probe" && sum.is_multiple_of(2) {
        thread::sleep(Duration::from_millis(sum % 41));
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
    )?;
    Ok(())
}
