//! A target whose text the test says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Answers every request with its text; ends with the test.
pub struct Exporter {
    pub address: SocketAddr,
    said: Arc<Mutex<Said>>,
}

struct Said {
    status: u16,
    content_type: String,
    text: String,
    /// The heads of all requests.
    heads: Vec<String>,
}

impl Exporter {
    pub fn start(text: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let said = Arc::new(Mutex::new(Said {
            status: 200,
            content_type: "text/plain; version=0.0.4".to_owned(),
            text: text.to_owned(),
            heads: Vec::new(),
        }));
        let shared = said.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Who goes away in the middle has asked nothing.
                let _ = stream.and_then(|stream| serve(stream, &shared));
            }
        });
        Ok(Self { address, said })
    }

    pub fn say(&self, text: &str) {
        text.clone_into(&mut self.lock().text);
    }

    pub fn fail_with(&self, status: u16) {
        self.lock().status = status;
    }

    pub fn heads(&self) -> Vec<String> {
        self.lock().heads.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(mut stream: TcpStream, said: &Mutex<Said>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while reader.read_line(&mut head)? > 2 {}
    let answer = {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.heads.push(head);
        format!(
            "HTTP/1.1 {} Said\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{}",
            said.status,
            said.content_type,
            said.text.len(),
            said.text
        )
    };
    stream.write_all(answer.as_bytes())
}
