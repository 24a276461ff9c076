//! A target: `/N` answers the text number N.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use anyhow::Context;

use crate::bodies::Body;

/// Serves until the test ends.
pub fn serve(bodies: &[Body]) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let bodies: Arc<[Body]> = bodies.into();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let bodies = Arc::clone(&bodies);
            // Who goes away in the middle asks again.
            thread::spawn(move || answer(&stream, &bodies));
        }
    });
    Ok(address)
}

/// Answers requests on one connection until it is closed.
fn answer(mut stream: &TcpStream, bodies: &[Body]) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let path = line.split(' ').nth(1).context("a request has a path")?;
        let body = path.strip_prefix('/').context("a path begins with a slash")?.parse();
        let body = body
            .ok()
            .and_then(|n: usize| bodies.get(n))
            .context("there is no such text")?;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
        }
        line.clear();
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            body.format.content_type(),
            body.text.len()
        )
        .into_bytes();
        answer.extend_from_slice(&body.text);
        stream.write_all(&answer)?;
    }
    Ok(())
}
