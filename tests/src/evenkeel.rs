//! The real binary, on a home of the test's own.

use std::{
    fs, io,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    plugins,
    process::{self, Process},
    programs,
    stable::stable,
    wait::wait_until,
};

/// How long a daemon may take to become ready, or to end, and a run to come to its verdict. Only
/// what hangs takes as long, also on a busy machine.
pub const BOUND: Duration = Duration::from_secs(90);

/// A home in a temporary directory, which goes when this is dropped.
pub struct Home {
    directory: TempDir,
}

/// What a command said, and with which code it ended.
#[derive(Debug)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// A running `evenkeel serve`.
pub struct Daemon {
    /// `http://ADDRESS`
    pub url: String,
    process: Process,
}

/// What the daemon answered over HTTP.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub body: String,
}

impl Home {
    /// An empty directory, for the test to write a home into.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn empty() -> io::Result<Self> {
        Ok(Self {
            directory: tempfile::tempdir()?,
        })
    }

    /// A home of these files (name, text) with every shipped plugin, locked and clean.
    ///
    /// # Errors
    /// When a plugin doesn't build, or the home does not check clean.
    pub fn ready(files: &[(&str, &str)]) -> anyhow::Result<Self> {
        let home = Self::empty()?;
        for (name, text) in files {
            home.write(name, text)?;
        }
        home.install_plugins()?;
        home.done(&["lock"])?;
        home.done(&["check"])?;
        Ok(home)
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file of the home, with the directories that it is in.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, file: &str, text: &str) -> io::Result<()> {
        let path = self.path().join(file);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(path, text)
    }

    /// Installs every shipped plugin.
    ///
    /// # Errors
    /// When one doesn't build.
    pub fn install_plugins(&self) -> anyhow::Result<()> {
        let into = self.path().join("plugins");
        fs::create_dir_all(&into)?;
        for component in fs::read_dir(plugins::shipped()?)? {
            let component = component?;
            fs::copy(component.path(), into.join(component.file_name()))?;
        }
        Ok(())
    }

    /// The binary with this home, for a test that adds arguments and an environment of its own.
    ///
    /// # Errors
    /// When it doesn't build.
    pub fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(programs::program("evenkeel")?);
        command
            .arg("--home")
            .arg(self.path())
            .current_dir(self.path())
            .env_remove("EVENKEEL_HOME")
            .env_remove("EVENKEEL_LOG")
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When the binary doesn't build, or is ended by a signal.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let output = self.command()?.args(arguments).output()?;
        Ok(Said {
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
            code: output.status.code().context("it was ended by a signal")?,
        })
    }

    /// Runs a command that ends well.
    ///
    /// # Errors
    /// When it doesn't, with all that it said.
    pub fn done(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let said = self.run(arguments)?;
        ensure!(said.code == 0, "`evenkeel {}` said {said:#?}", arguments.join(" "));
        Ok(said)
    }

    /// What a listing says with `--json`.
    ///
    /// # Errors
    /// When it fails, or prints anything else.
    pub fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let said = self.done(&[arguments, &["--json"]].concat())?;
        serde_json::from_str(&said.stdout).with_context(|| format!("not JSON: {}", said.stdout))
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// When they can't be listed.
    pub fn runs(&self) -> anyhow::Result<Vec<Value>> {
        let listed = self.json(&["runs", "list", "--limit", "1000"])?;
        let mut runs = listed.as_array().context("`runs list --json` is no array")?.clone();
        runs.reverse();
        Ok(runs)
    }

    /// All verdicts, of the oldest run first; `null` for a run that has none yet.
    ///
    /// # Errors
    /// When the runs can't be listed.
    pub fn verdicts(&self) -> anyhow::Result<Vec<Value>> {
        Ok(self.runs()?.into_iter().map(|mut run| run["verdict"].take()).collect())
    }

    /// Waits until there are `count` runs and each has its verdict; gives them, the oldest first.
    ///
    /// # Panics
    /// When that doesn't come to be.
    #[track_caller]
    pub fn finished(&self, count: usize) -> Vec<Value> {
        wait_until(BOUND, &format!("{count} runs have finished"), || {
            let runs = self.runs()?;
            ensure!(
                runs.len() >= count && runs.iter().all(|run| !run["verdict"].is_null()),
                "they are {runs:#?}"
            );
            Ok(runs)
        })
    }

    /// Waits until the run with this number is in this state (`waiting`, `running`, …).
    ///
    /// # Panics
    /// When it doesn't get there.
    #[track_caller]
    pub fn wait_for_state(&self, run: u64, state: &str) -> Value {
        wait_until(BOUND, &format!("run {run} is {state}"), || {
            let runs = self.runs()?;
            let found = runs.into_iter().find(|found| found["run"] == run);
            let found = found.context("there is no such run")?;
            ensure!(found["state"] == state, "it is {found:#}");
            Ok(found)
        })
    }

    /// What `runs show` tells.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn story(&self, run: u64) -> anyhow::Result<String> {
        Ok(self.done(&["runs", "show", &run.to_string()])?.stdout)
    }

    /// The same without what differs from run to run.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn stable_story(&self, run: u64) -> anyhow::Result<String> {
        Ok(stable(&self.story(run)?, self.path()))
    }

    /// Serves the home at a free port, and waits until it is ready.
    ///
    /// # Panics
    /// When it doesn't become ready.
    ///
    /// # Errors
    /// When it doesn't build or can't be started.
    #[track_caller]
    pub fn serve(&self) -> anyhow::Result<Daemon> {
        self.serve_at(&format!("127.0.0.1:{}", process::free_port()?), &[])
    }

    /// Serves the home at this address, with these arguments besides, and waits until it is ready.
    ///
    /// # Panics
    /// When it doesn't become ready.
    ///
    /// # Errors
    /// When it doesn't build or can't be started.
    #[track_caller]
    pub fn serve_at(&self, address: &str, arguments: &[&str]) -> anyhow::Result<Daemon> {
        let mut command = self.command()?;
        command.args(["serve", "--listen", address]).args(arguments);
        self.served_by(&mut command, address)
    }

    /// The same, with a command that serves it at this address.
    ///
    /// # Errors
    /// When it can't be started.
    #[track_caller]
    pub fn served_by(&self, command: &mut Command, address: &str) -> anyhow::Result<Daemon> {
        let mut process = Process::spawn("evenkeel", command, self.path())?;
        let url = format!("http://{address}");
        let health = format!("{url}/healthz");
        wait_until(BOUND, "evenkeel is ready", || {
            if process.ended()?.is_some() {
                return Ok(Err(process.log()));
            }
            reqwest::blocking::get(&health)?.error_for_status()?;
            Ok(Ok(()))
        })
        .map_err(|log| anyhow::anyhow!("evenkeel ended before it was ready:\n{log}"))?;
        Ok(Daemon { url, process })
    }
}

impl Daemon {
    /// `HOST:PORT`, as a Prometheus is told of an Alertmanager.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// All that a daemon of this home has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until it has logged a line with all of these words, and gives that line.
    ///
    /// # Panics
    /// When it doesn't log such a line.
    ///
    /// # Errors
    /// When it ends before.
    #[track_caller]
    pub fn wait_for_log(&mut self, words: &[&str]) -> anyhow::Result<String> {
        let what = format!("a log line with {words:?}");
        self.process.wait_for_line(BOUND, &what, |line| {
            words.iter().all(|word| line.contains(word)).then(|| line.to_owned())
        })
    }

    /// What it answers to a GET.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub fn get(&self, path: &str) -> anyhow::Result<Answered> {
        Answered::of(client()?.get(format!("{}{path}", self.url)))
    }

    /// What it answers to a POST of a body that is said to be JSON.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> anyhow::Result<Answered> {
        let request = client()?.post(format!("{}{path}", self.url));
        Answered::of(request.header("content-type", "application/json").body(body.into()))
    }

    /// Pushes alerts as a Prometheus does.
    ///
    /// # Errors
    /// When they are not all taken in.
    pub fn push(&self, alerts: &[Value]) -> anyhow::Result<()> {
        let answered = self.post("/api/v2/alerts", serde_json::to_vec(alerts)?)?;
        ensure!(answered.status == 200, "{answered:#?}");
        Ok(())
    }

    /// The sum over the series of that name in `/metrics` whose labels hold all of these
    /// (`name="value"`).
    ///
    /// # Errors
    /// When it doesn't answer.
    pub fn metric(&self, name: &str, labels: &[&str]) -> anyhow::Result<f64> {
        let text = self.get("/metrics")?.body;
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let of_name = series == name || series.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'));
            let wanted = of_name && labels.iter().all(|label| series.contains(label));
            wanted.then(|| value.parse::<f64>().ok())?
        });
        Ok(values.sum())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process.signal(signal)
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// When it doesn't end.
    ///
    /// # Errors
    /// When it had ended before.
    #[track_caller]
    pub fn terminate(self) -> anyhow::Result<ExitStatus> {
        self.process.terminate(BOUND)
    }

    /// Ends it as a power cut would, with all that it had started.
    ///
    /// # Errors
    /// When it had ended before.
    pub fn kill(self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGKILL)
        // Dropping it waits for its end, and ends its process group.
    }
}

impl Answered {
    fn of(request: reqwest::blocking::RequestBuilder) -> anyhow::Result<Self> {
        let response = request.send()?;
        Ok(Self {
            status: response.status().as_u16(),
            body: response.text()?,
        })
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.body))
    }
}

fn client() -> reqwest::Result<reqwest::blocking::Client> {
    reqwest::blocking::Client::builder().timeout(BOUND).build()
}
