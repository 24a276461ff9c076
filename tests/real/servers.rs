//! The scaffolding by itself: the board fills its cache, and the servers say so.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc,
    thread,
    time::Duration,
};

use evenkeel_tests::{
    board::Board,
    servers::{Alertmanager, Prometheus},
    wait::wait_until,
};

const RULES: &str = r#"
groups:
  - name: taskboard
    rules:
      - alert: SessionCacheFull
        expr: taskboard_cache_files > 50
        for: 2s
        labels: { severity: critical }
        annotations: { summary: "{{ $value }} session files at {{ $labels.instance }}" }
"#;

/// Answers every request with 200 and passes its body on.
fn receiver() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut all = Vec::new();
            let mut chunk = [0; 65536];
            let body = loop {
                let n = stream.read(&mut chunk).expect("a request");
                all.extend_from_slice(&chunk[..n]);
                let text = String::from_utf8_lossy(&all).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length: usize = head
                    .lines()
                    .find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
                    .unwrap_or(0);
                if body.len() >= length {
                    break format!("{}\n{body}", head);
                }
            };
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .ok();
            if send.send(body).is_err() {
                return;
            }
        }
    });
    (address, receive)
}

#[test]
fn a_real_prometheus_pushes_when_the_cache_fills() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let board = Board::start(directory.path())?;
    let (address, received) = receiver();
    let prometheus = Prometheus::start(directory.path(), &[board.address()], RULES, &address)?;
    board.visit(60)?;
    let body = received.recv_timeout(Duration::from_secs(60))?;
    assert!(body.starts_with("POST /api/v2/alerts "), "{body}");
    wait_until(Duration::from_secs(5), "firing", || {
        anyhow::ensure!(prometheus.alert_state("SessionCacheFull")?.as_deref() == Some("firing"));
        Ok(())
    });
    for file in std::fs::read_dir(&board.cache)? {
        std::fs::remove_file(file?.path())?;
    }
    wait_until(Duration::from_secs(30), "a resolve", || {
        let body = received.try_recv()?;
        anyhow::ensure!(body.contains("SessionCacheFull"), "{body}");
        anyhow::ensure!(prometheus.alert_state("SessionCacheFull")?.is_none(), "firing");
        Ok(())
    });
    Ok(())
}

#[test]
fn a_real_alertmanager_calls_the_webhook() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let board = Board::start(directory.path())?;
    let (address, received) = receiver();
    let alertmanager = Alertmanager::start(directory.path(), &format!("http://{address}/hook"))?;
    let _prometheus = Prometheus::start(directory.path(), &[board.address()], RULES, &alertmanager.address)?;
    board.visit(60)?;
    for _ in 0..2 {
        let body = received.recv_timeout(Duration::from_secs(60))?;
        assert!(body.contains(r#""version":"4""#), "{body}");
    }
    for file in std::fs::read_dir(&board.cache)? {
        std::fs::remove_file(file?.path())?;
    }
    wait_until(Duration::from_secs(60), "a resolve", || {
        let body = received.try_recv()?;
        anyhow::ensure!(body.contains("\"status\":\"resolved\""), "not resolved");
        Ok(())
    });
    Ok(())
}
