//! What others make of the same texts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use evenkeel_tests::servers::Prometheus;
use serde_json::json;

/// Targets that the Prometheus scrapes every second.
const TARGETS: usize = 20;
/// Until all of them are known to it.
const WARM_UP: Duration = Duration::from_secs(60);

pub fn prometheus_parse(text: &str) -> std::io::Result<usize> {
    let lines = text.lines().map(|line| Ok(line.to_owned()));
    Ok(prometheus_parse::Scrape::parse(lines)?.samples.len())
}

/// Samples that a Prometheus scrapes and stores a second of its CPU time, by its own count of both.
pub fn prometheus(text: &str, window: Duration) -> Result<f64> {
    let address = serve(text)?.to_string();
    let directory = tempfile::tempdir()?;
    let targets: Vec<_> = (0..TARGETS)
        .map(|n| json!({ "targets": [address], "labels": { "__metrics_path__": format!("/{n}"), "n": n.to_string() } }))
        .collect();
    let configuration = json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s" },
        "scrape_configs": [{ "job_name": "bench", "static_configs": targets }],
    });
    let prometheus = Prometheus::configured(directory.path(), &configuration)?;
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    // New series cost more than known ones.
    let known = (2 * TARGETS * samples) as f64;
    let start = Instant::now();
    while measured(&prometheus)?.samples < known {
        ensure!(
            start.elapsed() < WARM_UP,
            "the Prometheus doesn't scrape: {}",
            prometheus.log()
        );
        thread::sleep(Duration::from_millis(100));
    }
    let before = measured(&prometheus)?;
    thread::sleep(window);
    let after = measured(&prometheus)?;
    Ok((after.samples - before.samples) / (after.cpu_seconds - before.cpu_seconds))
}

struct Measured {
    samples: f64,
    cpu_seconds: f64,
}

fn measured(prometheus: &Prometheus) -> Result<Measured> {
    let text = prometheus.metrics()?;
    // What was never counted is not there.
    let value = |name: &str| {
        let mut lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        lines.next().map_or(Ok(0.0), |(_, value)| value.parse::<f64>())
    };
    Ok(Measured {
        samples: value("prometheus_tsdb_head_samples_appended_total{type=\"float\"}")?,
        cpu_seconds: value("process_cpu_seconds_total")?,
    })
}

/// Answers the text to whatever is asked, until the benchmark ends.
fn serve(text: &str) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\n\r\n",
        text.len()
    );
    let answer: Arc<[u8]> = [head.as_bytes(), text.as_bytes()].concat().into();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // Who goes away in the middle asks again.
            thread::spawn(move || keep_answering(&stream, &answer));
        }
    });
    Ok(address)
}

fn keep_answering(mut stream: &TcpStream, answer: &[u8]) -> std::io::Result<()> {
    for line in BufReader::new(stream).lines() {
        if line?.is_empty() {
            stream.write_all(answer)?;
        }
    }
    Ok(())
}
