//! A daemon with a pid file and a start script, as it was before service managers: it gets stuck, and evenkeel ends it
//! and starts it again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use evenkeel_tests::{
    evenkeel::{BOUND, Home},
    process::free_port,
    programs,
    wait::wait_until,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The task board as a daemon of nobody's: started by a script that leaves it running and writes down its pid.
pub struct Service {
    directory: PathBuf,
    name: &'static str,
    pub address: String,
}

impl Service {
    /// Writes its start script into the directory and runs it.
    pub fn start(directory: &Path, name: &'static str) -> anyhow::Result<Self> {
        Self::start_as(&programs::program("demo")?, directory, name)
    }

    /// The same under another name of the program, which is also the process's.
    pub fn start_as(program: &Path, directory: &Path, name: &'static str) -> anyhow::Result<Self> {
        let service = Self {
            directory: directory.to_owned(),
            name,
            address: format!("127.0.0.1:{}", free_port()?),
        };
        let script = format!(
            "setsid '{}' board --listen {} --data {name} </dev/null >>{name}.log 2>&1 &\necho $! >{name}.pid\n",
            program.display(),
            service.address,
        );
        fs::create_dir(directory.join(name))?;
        fs::write(directory.join(format!("start-{name}")), script)?;
        let started = Command::new("sh")
            .arg(format!("start-{name}"))
            .current_dir(directory)
            .status()?;
        ensure!(started.success(), "{started}");
        wait_until(BOUND, "the service answers", || service.answers());
        Ok(service)
    }

    pub fn answers(&self) -> anyhow::Result<()> {
        let client = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(5))
            .build()?;
        let answer = client.get(format!("http://{}/health", self.address)).send()?;
        ensure!(answer.status().is_success(), "{answer:?}");
        Ok(())
    }

    pub fn pid(&self) -> anyhow::Result<i32> {
        let file = self.directory.join(format!("{}.pid", self.name));
        fs::read_to_string(file)?.trim().parse().context("no pid")
    }

    /// The letter of proc(5); none if it is gone.
    fn state(&self) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid().ok()?)).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// It takes connections, answers none, and doesn't hear a TERM: as when it hangs in the kernel.
    pub fn hang(&self) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.pid()?), Signal::SIGSTOP)?;
        wait_until(BOUND, "it has stopped", || {
            ensure!(self.state() == Some('T'), "it is {:?}", self.state());
            Ok(())
        });
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // What evenkeel has started is no child of this process, and nobody else ends it.
        if let Ok(pid) = self.pid()
            && fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(&self.address))
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

const RUNBOOK: &str = r#"
name = "service"
summary = "Restarts the service when it doesn't answer"

[limits]
cooldown = "0s"

[[step]]
id = "page"
uses = "http-probe@1"
with = { origin = "page", path = "/health" }
grant = { http = ["GET page"] }

[[step]]
id = "look"
uses = "process-restart/check@1"
with = { profile = "service", every = "200ms", memory_critical = MEMORY }
grant = { process = ["see service"] }

[[step]]
id = "restart"
uses = "process-restart/remedy@1"
with.profile = "service"
with.every = "200ms"
with.memory = MEMORY
with.risk = "low"
with.kill_after = "2s"
with.start = { profile = "start", within = "1m" }
grant = { process = ["see service", "TERM service", "KILL service"], exec = ["run start"] }
timeout = "3m"

[healed]
rerun = "page"
within = "1m"
"#;

/// More than the service ever takes, in MiB.
const PLENTY: &str = "100000";

/// A home with the service in it, and another service of the same program which the profile doesn't select.
/// They go before the home in which their pids are.
struct Scene {
    service: Service,
    other: Service,
    home: Home,
}

impl Scene {
    fn set(signals: &str, memory: &str) -> anyhow::Result<Self> {
        let home = Home::empty()?;
        let service = Service::start(home.path(), "service")?;
        let other = Service::start(home.path(), "other")?;
        let role = format!(
            "[role.host.origins.page]\nurl = \"http://{address}\"\nallow = [\"GET\"]\ntimeout = \"2s\"\n\n\
             [role.host.process.service]\ncommand = '.*demo board --listen {pattern} .*'\n\
             allow = [\"see\", {signals}]\n\n\
             [role.host.exec.start]\ncommand = [\"sh\", \"start-service\"]\n",
            address = service.address,
            pattern = service.address.replace('.', r"\."),
        );
        home.write("evenkeel.toml", &role)?;
        home.write("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n")?;
        let runbook = match signals.contains("KILL") {
            true => RUNBOOK.to_owned(),
            false => RUNBOOK.replace(", \"KILL service\"", ""),
        };
        home.write("runbooks/service.toml", &runbook.replace("MEMORY", memory))?;
        home.install_plugins()?;
        home.done(&["lock"])?;
        home.done(&["check"])?;
        Ok(Self { home, service, other })
    }

    #[track_caller]
    fn assert_the_other_is_untouched(&self, pid: i32, state: char) {
        assert_eq!(self.other.pid().ok(), Some(pid));
        assert_eq!(self.other.state(), Some(state), "the other service is not as it was");
    }
}

/// Where each of these stands in the story, which has to be in this order.
#[track_caller]
fn assert_in_order(story: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        let found = story[from..].find(part);
        from += found.unwrap_or_else(|| panic!("{part:?} is missing, or too early, in {story}")) + part.len();
    }
}

#[test]
fn a_stuck_daemon_takes_term_then_kill_and_is_started_again() -> anyhow::Result<()> {
    let scene = Scene::set("\"TERM\", \"KILL\"", PLENTY)?;
    let (before, other) = (scene.service.pid()?, scene.other.pid()?);
    scene.service.hang()?;
    scene.other.hang()?;

    let said = scene.home.run(&["run", "service"])?;

    assert_eq!(scene.home.verdicts()?, ["repaired"], "{said:#?}");
    assert_in_order(
        &said.stdout,
        &[
            "critical `http-unreachable`",
            &format!("critical `process-stuck`: 1 process of `service` stuck: {before} (demo, stopped)"),
            &format!("ends {before} (demo, stopped) of `service` with TERM, after 2s with KILL"),
            "! process.send TERM service",
            "! process.send KILL service",
            "! exec.run start []",
            &format!("ended {before} of `service`, with KILL {before}; ran `start`, 1 process now"),
            "verdict      repaired",
        ],
    );
    assert_ne!(scene.service.pid()?, before);
    scene.service.answers()?;
    scene.assert_the_other_is_untouched(other, 'T');
    Ok(())
}

#[test]
fn a_daemon_that_is_too_large_ends_on_term_and_gets_no_kill() -> anyhow::Result<()> {
    let scene = Scene::set("\"TERM\", \"KILL\"", "1")?;
    let (before, other) = (scene.service.pid()?, scene.other.pid()?);

    let said = scene.home.run(&["run", "service"])?;

    assert_in_order(
        &said.stdout,
        &[
            "ok `http-status`",
            "critical `process-memory`",
            "! process.send TERM service",
            "! exec.run start []",
            &format!("ended {before} of `service`; ran `start`, 1 process now"),
        ],
    );
    assert!(!said.stdout.contains("! process.send KILL"), "{}", said.stdout);
    assert_eq!(scene.home.verdicts()?, ["repaired"], "{said:#?}");
    assert_ne!(scene.service.pid()?, before);
    scene.service.answers()?;
    assert!(scene.other.answers().is_ok());
    assert_eq!(scene.other.pid()?, other);
    Ok(())
}

/// The runbook wants it, the operator doesn't: the plugin is told no, and nothing is started beside what hangs.
#[test]
fn without_the_operator_s_kill_a_stuck_daemon_stays() -> anyhow::Result<()> {
    let scene = Scene::set("\"TERM\"", PLENTY)?;
    let before = scene.service.pid()?;
    scene.service.hang()?;

    let said = scene.home.run(&["run", "service"])?;

    assert_eq!(scene.home.verdicts()?, ["failed"], "{said:#?}");
    assert!(said.stdout.contains("! process.send TERM service"), "{}", said.stdout);
    let denied = said.stdout.lines().find(|line| line.contains("DENIED"));
    let denied = denied.with_context(|| format!("no denial in {}", said.stdout))?;
    assert!(denied.contains("KILL service"), "{denied}");
    assert!(!said.stdout.contains("! exec.run"), "{}", said.stdout);
    assert_eq!((scene.service.pid()?, scene.service.state()), (before, Some('T')));
    Ok(())
}

#[test]
fn a_daemon_that_is_gone_is_started_and_a_dry_run_starts_nothing() -> anyhow::Result<()> {
    let scene = Scene::set("\"TERM\", \"KILL\"", PLENTY)?;
    let before = scene.service.pid()?;
    kill(Pid::from_raw(before), Signal::SIGKILL)?;
    wait_until(BOUND, "it has ended", || {
        ensure!(scene.service.answers().is_err(), "it answers");
        Ok(())
    });

    let said = scene.home.done(&["run", "service", "--dry-run"])?;
    assert!(said.stdout.contains("verdict      planned"), "{}", said.stdout);
    assert!(!said.stdout.contains("! exec.run"), "{}", said.stdout);
    assert!(scene.service.answers().is_err());
    assert_eq!(scene.service.pid()?, before);

    let said = scene.home.run(&["run", "service"])?;
    assert!(said.stdout.contains("critical `process-missing`"), "{}", said.stdout);
    assert!(!said.stdout.contains("! process.send"), "{}", said.stdout);
    assert_eq!(scene.home.verdicts()?, ["planned", "repaired"], "{said:#?}");
    scene.service.answers()?;
    Ok(())
}
