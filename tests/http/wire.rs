//! Requests that break off, crawl, or are none.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use evenkeel_tests::{
    alerts::Alert,
    evenkeel::{BOUND, Daemon},
    wait::wait_until,
};

fn connect(daemon: &Daemon) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(daemon.address())?;
    stream.set_read_timeout(Some(BOUND))?;
    Ok(stream)
}

fn head(length: usize) -> String {
    format!(
        "POST /api/v2/alerts HTTP/1.1\r\nhost: evenkeel\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Everything that comes until the other side closes, or what came before it broke.
fn rest(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_body_that_breaks_off_starts_nothing() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    let body = serde_json::json!([Alert::new("Full").firing()]).to_string();
    let mut stream = connect(&daemon)?;
    stream.write_all(head(body.len() + 1).as_bytes())?;
    // All of the alert, but a byte that was promised is missing.
    stream.write_all(body.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;

    let said = rest(stream);

    assert!(!said.contains(" 200 "), "{said}");
    daemon.push(&[Alert::new("Full").label("instance", "whole").firing()])?;
    let runs = home.finished(1);
    assert_eq!(runs.len(), 1, "only the whole one counts: {runs:#?}");
    Ok(())
}

#[test]
fn a_body_that_crawls_holds_up_nobody_and_ends() -> anyhow::Result<()> {
    let (home, daemon) = super::served()?;
    let mut crawling = Vec::new();
    for _ in 0..64 {
        let mut stream = connect(&daemon)?;
        stream.write_all(head(1_000).as_bytes())?;
        stream.write_all(b"[")?;
        crawling.push(stream);
    }

    daemon.push(&[Alert::new("Full").firing()])?;

    assert_eq!(home.finished(1).len(), 1);
    let stream = crawling.pop().expect("there are 64");
    // 90 s at most, and then an answer or the end of the connection: either lets `rest` return.
    stream.set_nonblocking(true)?;
    let mut said = Vec::new();
    wait_until(BOUND, "the daemon gives up on a body that doesn't come", || {
        let mut chunk = [0; 1024];
        match (&stream).read(&mut chunk) {
            Ok(0) => Ok(()),
            Ok(n) => {
                said.extend_from_slice(&chunk[..n]);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error.into()),
        }
    });
    let said = String::from_utf8_lossy(&said);
    assert!(said.is_empty() || said.contains(" 408 "), "{said}");
    Ok(())
}

#[test]
fn what_is_no_http_is_answered_with_400_or_closed() -> anyhow::Result<()> {
    let (_home, daemon) = super::served()?;
    for nonsense in [
        "\r\n\r\n",
        "hello\r\n\r\n",
        "GET  /healthz\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "POST /api/v2/alerts HTTP/1.1\r\nhost: e\r\ncontent-length: -1\r\n\r\n[]",
        "POST /api/v2/alerts HTTP/1.1\r\nhost: e\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}",
    ] {
        let mut stream = connect(&daemon)?;
        stream.write_all(nonsense.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let said = rest(stream);
        assert!(
            !said.contains(" 200 ") && !said.contains(" 500 "),
            "{nonsense:?}: {said}"
        );
    }
    assert_eq!(daemon.get("/healthz")?.status, 200);
    Ok(())
}

#[test]
fn connections_that_say_nothing_do_not_keep_the_daemon_from_ending() -> anyhow::Result<()> {
    let (_home, daemon) = super::served()?;
    let idle: Vec<_> = (0..16).map(|_| connect(&daemon)).collect::<Result<_, _>>()?;
    for mut stream in idle.iter().skip(8) {
        stream.write_all(head(1_000).as_bytes())?;
    }

    let status = daemon.terminate()?;

    assert!(status.success(), "{status}");
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
    }
    Ok(())
}
