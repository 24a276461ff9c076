//! Drives the webhook receiver.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::stat::Mode;
use tempfile::TempDir;

use super::{alert, request};
use crate::build::command;

pub struct Peer {
    receiver: Child,
    address: SocketAddr,
    fired: BufReader<File>,
    _dir: TempDir,
}

impl Peer {
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let fifo = dir.path().join("fired");
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let mut receiver = command(std::env::current_exe()?)
            .arg("receiver")
            .arg(&fifo)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(receiver.stdout.take().context("it is piped")?).read_line(&mut line)?;
        // Opened for writing as well, so that it never ends between two shells.
        let fired = File::options().read(true).write(true).open(&fifo)?;
        Ok(Self {
            receiver,
            address: line.trim().parse()?,
            fired: BufReader::new(fired),
            _dir: dir,
        })
    }

    pub fn once(&mut self, n: usize) -> Result<Duration> {
        let start = Instant::now();
        request(self.address, "POST /", &alert(n))?;
        self.fired.read_line(&mut String::new())?;
        Ok(start.elapsed())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.receiver.kill();
        let _ = self.receiver.wait();
    }
}
