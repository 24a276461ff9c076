//! The task board of examples/demo: the service that breaks, for evenkeel to repair.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;

use crate::{process::Process, programs};

/// A running task board.
pub struct Board {
    /// `http://ADDRESS`
    pub url: String,
    /// The directory of its session cache.
    pub cache: PathBuf,
    _process: Process,
}

impl Board {
    /// Starts it on a free port, with its data in `directory/board`.
    ///
    /// # Errors
    /// When it can't be built or started.
    pub fn start(directory: &Path) -> anyhow::Result<Self> {
        let data = directory.join("board");
        fs::create_dir_all(&data)?;
        let mut command = Command::new(programs::program("demo")?);
        command.args(["board", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
        let mut process = Process::spawn("board", &mut command, directory)?;
        let url = process.wait_for_line(Duration::from_secs(30), "the board listens", |line| {
            line.strip_prefix("task board listening on ").map(str::to_owned)
        })?;
        Ok(Self {
            url,
            cache: data.join("cache"),
            _process: process,
        })
    }

    /// `HOST:PORT`, as a Prometheus names its target.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Lets that many new visitors look at the board, one after the other.
    ///
    /// # Errors
    /// When the board doesn't answer with 200.
    pub fn visit(&self, visitors: usize) -> anyhow::Result<()> {
        // Without a cookie store, each request comes from a stranger.
        let client = reqwest::blocking::Client::new();
        for _ in 0..visitors {
            client
                .get(&self.url)
                .send()
                .and_then(reqwest::blocking::Response::error_for_status)
                .context("the board does not answer")?;
        }
        Ok(())
    }

    /// How many files its cache has now.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn cache_files(&self) -> anyhow::Result<usize> {
        Ok(fs::read_dir(&self.cache)?.count())
    }
}
