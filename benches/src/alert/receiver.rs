//! The peer's own process: answers a webhook and spawns a shell.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use anyhow::Result;

use crate::build::command;
use crate::figures::say;

/// Says its address, then serves until it is killed.
pub fn serve(fifo: &str) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    say(&listener.local_addr()?.to_string());
    for stream in listener.incoming() {
        let body = take(stream?)?;
        let mut shell = command("sh");
        shell
            .args(["-c", "echo fired > \"$FIFO\""])
            .env("FIFO", fifo)
            .env("ALERTS", body)
            .stdin(Stdio::null());
        let mut child = shell.spawn()?;
        std::thread::spawn(move || child.wait());
    }
    Ok(())
}

fn take(mut stream: TcpStream) -> Result<String> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}
