//! A real Prometheus that scrapes the same series from as many targets, once a second, for there is no time to wait 15.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use evenkeel_tests::servers::Prometheus;

use super::made::{EACH, Target};
use super::row;

/// Until it has taken so many scrapes of each target, and then what it holds.
pub fn say_memory(targets: usize, scrapes: usize) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let (addresses, _serving) = serve_all(targets)?;
    let listed: Vec<&str> = addresses.iter().map(String::as_str).collect();
    // Nobody listens there: no rule, no alert.
    let prometheus = Prometheus::start(directory.path(), &listed, "groups: []", "127.0.0.1:9")?;
    let wanted = (targets * EACH * scrapes) as f64;
    let start = Instant::now();
    let metric = |name: &str| metric(&prometheus.url, name);
    // It doesn't show this before the first scrape.
    let appended = || metric("prometheus_tsdb_head_samples_appended_total{type=\"float\"}");
    while appended().unwrap_or_default() < wanted {
        ensure!(
            start.elapsed() < Duration::from_secs(1800),
            "Prometheus is too slow for this"
        );
        thread::sleep(Duration::from_millis(200));
    }
    // What it shows goes up and down with its garbage: the median of some seconds.
    let (mut resident, mut heap) = (Vec::new(), Vec::new());
    for _ in 0..21 {
        resident.push(metric("process_resident_memory_bytes")?);
        heap.push(metric("go_memstats_heap_inuse_bytes")?);
        thread::sleep(Duration::from_millis(200));
    }
    let samples = appended()?;
    let series = metric("prometheus_tsdb_head_series")?;
    let scraped = (samples / series).round() as usize;
    row("Prometheus, resident", scraped, median(resident), series as usize);
    row("Prometheus, Go's heap in use", scraped, median(heap), series as usize);
    Ok(())
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// Until it is dropped.
pub struct Serving(Arc<AtomicBool>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// So many targets, each with its address.
pub fn serve_all(targets: usize) -> Result<(Vec<String>, Serving)> {
    let stop = Arc::new(AtomicBool::new(false));
    let addresses: Result<Vec<String>> = (0..targets).map(|number| serve(Target::new(number), &stop)).collect();
    Ok((addresses?, Serving(stop)))
}

/// Answers each scrape with the next values, until it is to stop.
fn serve(target: Target, stop: &Arc<AtomicBool>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (stop, target) = (stop.clone(), Arc::new(Mutex::new(target)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let target = target.clone();
            thread::spawn(move || answer_all(stream, &target));
        }
    });
    Ok(address)
}

/// A connection is kept, as Prometheus does.
fn answer_all(mut stream: TcpStream, target: &Mutex<Target>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        request.extend_from_slice(&buffer[..count]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        request.clear();
        let text = {
            let mut target = target.lock().unwrap_or_else(PoisonError::into_inner);
            target.tick();
            target.text()
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        if stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(text.as_bytes()))
            .is_err()
        {
            return;
        }
    }
}

/// One of the metrics that it has of itself.
fn metric(url: &str, name: &str) -> Result<f64> {
    let all = metrics(url, name)?;
    all.first()
        .copied()
        .with_context(|| format!("Prometheus has no {name}"))
}

/// All series of one of them.
pub fn metrics(url: &str, name: &str) -> Result<Vec<f64>> {
    let address = url.strip_prefix("http://").context("a URL")?;
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let rest = answer.lines().filter_map(|line| line.strip_prefix(name));
    let rest = rest.filter(|rest| rest.starts_with([' ', '{']));
    let values = rest.filter_map(|rest| rest.rsplit(' ').next()?.parse().ok());
    Ok(values.collect())
}
