//! What is seen of the effects from outside.

use std::{collections::BTreeMap, fs, path::Path, thread, time::Duration};

use anyhow::ensure;

use crate::sink::Sink;

/// Tokens with how often each was left, and in which order they came.
#[derive(Default)]
pub struct Traces {
    pub count: BTreeMap<String, u64>,
    /// Of commands and of requests, each in the order of their coming.
    pub orders: [Vec<String>; 2],
    /// Tokens of what may not be made twice.
    pub once: Vec<String>,
}

impl Traces {
    /// What has been left by now in the directory `traces` and at the sink.
    pub fn of(home: &Path, sink: &Sink) -> anyhow::Result<Self> {
        let mut traces = Self::default();
        let commands = lines(&home.join("traces/log"));
        for token in &commands {
            traces.add(token);
        }
        traces.once.clone_from(&commands);
        let mut requests = Vec::new();
        for (method, path) in sink.taken()? {
            let token = path.trim_start_matches('/').to_owned();
            match method.as_str() {
                "GET" => continue,
                "POST" => traces.once.push(token.clone()),
                _ => {}
            }
            traces.add(&token);
            requests.push(token);
        }
        for entry in fs::read_dir(home.join("traces"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with("a-") || name.starts_with("u-") {
                traces.add(&name);
            }
        }
        traces.orders = [commands, requests];
        Ok(traces)
    }

    fn add(&mut self, token: &str) {
        *self.count.entry(token.to_owned()).or_default() += 1;
    }

    pub fn times(&self, token: &str) -> u64 {
        self.count.get(token).copied().unwrap_or_default()
    }

    /// Whatever may not be made twice was not.
    pub fn nothing_twice(&self) -> anyhow::Result<()> {
        for token in &self.once {
            ensure!(self.times(token) == 1, "`{token}` was made {} times", self.times(token));
        }
        Ok(())
    }
}

fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Returns when no process is left that leaves this token.
pub fn wait_for_commands(token: &str) -> anyhow::Result<()> {
    while is_running(token)? {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn is_running(token: &str) -> anyhow::Result<bool> {
    for entry in fs::read_dir("/proc")? {
        // A process may end meanwhile.
        let line = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        if line.split(|byte| *byte == 0).any(|word| word == token.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}
