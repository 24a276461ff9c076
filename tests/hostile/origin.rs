//! A web server that helps the attacker.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// Answers until the test process ends.
pub struct Origin {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let asked = Arc::clone(&kept);
                // Whoever hangs up early is no concern of this server.
                thread::spawn(move || answer(stream, &asked).ok());
            }
        });
        Ok(Self { port, asked })
    }

    /// The method and path of each request, and the `Host` that it was sent to.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn answer(mut stream: TcpStream, asked: &Mutex<Vec<String>>) -> anyhow::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let request = first.trim_end_matches(" HTTP/1.1").to_owned();
    let mut host = String::new();
    for line in lines {
        let line = line?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("host: ") {
            host = value.to_owned();
        }
        if line.is_empty() {
            break;
        }
    }
    asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(format!("{request} {host}"));
    let path = request.split(' ').nth(1).unwrap_or_default();
    match path {
        "/api/v1/query" => {
            let one = r#"{"metric":{"n":"N"},"value":[0,"1"]}"#;
            let series: Vec<String> = (0..2_000).map(|n| one.replace('N', &n.to_string())).collect();
            let body = format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#,
                series.join(",")
            );
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
            // Until the other side hangs up: what it sent is read, or it would see a reset.
            std::io::copy(&mut stream.try_clone()?, &mut std::io::sink())?;
        }
        "/app/redirect" => write!(
            stream,
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n"
        )?,
        "/app/slow" => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nx")?;
            // Until the other side has had enough.
            std::io::copy(&mut stream.try_clone()?, &mut std::io::sink())?;
        }
        "/app/huge" => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n")?;
            while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        }
        _ => write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}",
            path.len()
        )?,
    }
    Ok(())
}
