//! A receiver of notices: any path takes a webhook, and `/robot/send` is a DingTalk robot, as
//! <https://open.dingtalk.com/document/robots/custom-robot-access> describes it.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// What the robot calls its token and its key.
pub const TOKEN: &str = "0123456789abcdef";
pub const KEY: &str = "SEC+of/the=robot";
/// The robot takes a timestamp that is so far off, in milliseconds.
const OFF: u128 = 3_600_000;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    pub text: String,
    /// The robot took it, or it was answered with 200.
    pub taken: bool,
}

impl Received {
    /// The body as JSON, or null.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// Listens until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// On a port of its own.
    ///
    /// # Errors
    /// When it can't listen.
    pub fn start() -> anyhow::Result<Self> {
        Self::at("127.0.0.1:0")
    }

    /// # Errors
    /// When it can't listen there.
    pub fn at(address: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let address = listener.local_addr()?;
        let (kept, stopped) = (received.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // Who goes away in the middle has sent nothing.
                let _ = stream
                    .map_err(anyhow::Error::from)
                    .and_then(|stream| serve(&stream, &kept));
            }
        });
        Ok(Self {
            address,
            received,
            stop,
            thread: Some(thread),
        })
    }

    /// All requests so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }

    /// Those that were taken.
    pub fn taken(&self) -> Vec<Received> {
        self.received().into_iter().filter(|received| received.taken).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // So that it looks.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: &TcpStream, kept: &Mutex<Vec<Received>>) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(Ok(0), |length| length.parse())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut received = Received {
        path,
        headers,
        text: String::from_utf8(body)?,
        taken: true,
    };
    let answer = match received.path.strip_prefix("/robot/send?") {
        Some(query) => robot(query, &received.body()),
        None => json!({}),
    };
    received.taken = answer["errcode"] == 0 || answer == json!({});
    let text = answer.to_string();
    lock(kept).push(received);
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )?;
    Ok(())
}

fn robot(query: &str, message: &Value) -> Value {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query: BTreeMap<&str, String> = pairs.map(|(name, value)| (name, decoded(value))).collect();
    let refused = |code: i64, words: &str| json!({ "errcode": code, "errmsg": words });
    if query.get("access_token").is_none_or(|token| token != TOKEN) {
        return refused(300_001, "token is not exist");
    }
    let Some(timestamp) = query.get("timestamp").filter(|timestamp| is_near(timestamp)) else {
        return refused(310_000, "invalid timestamp");
    };
    if query.get("sign").is_none_or(|sign| *sign != signature(timestamp)) {
        return refused(310_000, "sign not match");
    }
    match message["msgtype"].as_str() {
        Some("markdown") if message["markdown"]["text"].is_string() => {}
        Some("actionCard") if message["actionCard"]["singleURL"].is_string() => {}
        _ => return refused(40_035, "missing parameter"),
    }
    json!({ "errcode": 0, "errmsg": "ok" })
}

fn is_near(timestamp: &str) -> bool {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    timestamp.parse::<u128>().is_ok_and(|at| at.abs_diff(now) < OFF)
}

fn signature(timestamp: &str) -> String {
    digest(KEY, &format!("{timestamp}\n{KEY}"))
}

/// Standard base64 of HMAC-SHA-256.
///
/// # Panics
/// Never: a key may be of any length.
pub fn digest(key: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key may be of any length");
    mac.update(message.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.extend(code);
        bytes.extend(part.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
