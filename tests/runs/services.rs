//! Services over HTTP: probed, and restarted as real processes.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use evenkeel_tests::{
    board::Board,
    evenkeel::{BOUND, Home},
    process::{self, Process},
    programs,
    wait::wait_until,
};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

/// A home whose one role has the origin `app` there, with a runbook of these steps.
fn home(url: &str, more: &str, steps: &str) -> anyhow::Result<Home> {
    let role = format!(
        "[role.app.origins.app]\nurl = \"{url}\"\nallow = [\"GET\", \"HEAD\"]\ntimeout = \"1s\"\nprivate = true\n{more}"
    );
    let runbook =
        format!("name = \"service\"\nsummary = \"Looks after the service\"\n\n[limits]\ncooldown = \"0s\"\n{steps}");
    Home::ready(&[
        ("evenkeel.toml", &role),
        ("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"app\"\n"),
        ("runbooks/service.toml", &runbook),
    ])
}

const PROBE: &str = r#"
[[step]]
id = "probe"
uses = "http-probe@1"
with = { origin = "app", path = "/health", contains = ["ok"], latency_critical = "30s" }
grant = { http = ["GET app"] }
"#;

#[test]
fn a_server_that_answers_is_healthy() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let board = Board::start(directory.path())?;
    let home = home(&board.url, "", PROBE)?;

    let said = home.done(&["run", "service"])?;

    for finding in ["ok `http-status`", "ok `http-body`", "ok `http-slow`"] {
        assert!(said.stdout.contains(finding), "no {finding} in {}", said.stdout);
    }
    assert_eq!(home.verdicts()?, ["healthy"]);
    Ok(())
}

#[test]
fn a_name_is_resolved_and_a_private_address_dialled_only_if_the_operator_says_so() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let board = Board::start(directory.path())?;
    let url = board.url.replace("127.0.0.1", "localhost");
    let home = home(&url, "", PROBE)?;
    assert_eq!(home.run(&["run", "service"])?.code, 0);

    let text = fs::read_to_string(home.path().join("evenkeel.toml"))?;
    home.write("evenkeel.toml", &text.replace("private = true", "private = false"))?;
    let said = home.run(&["run", "service"])?;
    assert_ne!(said.code, 0, "{said:#?}");
    assert!(said.stdout.contains("private"), "{}", said.stdout);
    Ok(())
}

#[test]
fn a_server_that_is_down_is_one_finding() -> anyhow::Result<()> {
    let home = home(&format!("http://127.0.0.1:{}", process::free_port()?), "", PROBE)?;
    let said = home.run(&["run", "service"])?;
    assert_eq!(said.code, 10, "{said:#?}");
    assert!(said.stdout.contains("critical `http-unreachable`"), "{}", said.stdout);
    Ok(())
}

#[test]
fn an_unexpected_answer_is_shown_with_its_status() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let board = Board::start(directory.path())?;
    let home = home(&board.url, "", &PROBE.replace("/health", "/not/there"))?;
    let said = home.run(&["run", "service"])?;
    assert_eq!(said.code, 10, "{said:#?}");
    assert!(
        said.stdout.contains("critical `http-status`") && said.stdout.contains("404"),
        "{}",
        said.stdout
    );
    Ok(())
}

/// Answers every request with these bytes.
fn answering(answer: &'static [u8]) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
        }
    });
    Ok(url)
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() -> anyhow::Result<()> {
    let elsewhere = Box::leak(
        b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/meta-data\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_vec()
            .into_boxed_slice(),
    );
    let home = home(&answering(elsewhere)?, "", PROBE)?;
    let said = home.run(&["run", "service"])?;
    assert_eq!(said.code, 10, "{said:#?}");
    assert!(said.stdout.contains("302"), "{}", said.stdout);
    Ok(())
}

#[test]
fn a_server_that_talks_nonsense_is_unreachable_and_not_a_failure_of_ours() -> anyhow::Result<()> {
    let home = home(&answering(b"SSH-2.0-OpenSSH_9.2\r\n")?, "", PROBE)?;
    let said = home.run(&["run", "service"])?;
    assert_eq!(said.code, 10, "{said:#?}");
    assert!(said.stdout.contains("critical `http-unreachable`"), "{}", said.stdout);
    Ok(())
}

/// The task board under a supervisor that starts it again whenever it ends, as systemd does.
struct Supervised {
    url: String,
    pid: std::path::PathBuf,
    _supervisor: Process,
}

impl Supervised {
    fn start(directory: &Path) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{}", process::free_port()?);
        let pid = directory.join("board.pid");
        let script = r#"while :; do "$1" board --listen "$2" --data "$3" & echo $! > "$4"; wait $!; done"#;
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(programs::program("demo")?)
            .arg(&address)
            .arg(directory)
            .arg(&pid);
        let supervisor = Process::spawn("supervisor", &mut command, directory)?;
        let supervised = Self {
            url: format!("http://{address}"),
            pid,
            _supervisor: supervisor,
        };
        wait_until(BOUND, "the board answers", || supervised.answers());
        Ok(supervised)
    }

    fn answers(&self) -> anyhow::Result<()> {
        let client = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(2))
            .build()?;
        let answer = client.get(format!("{}/health", self.url)).send()?;
        ensure!(answer.status().is_success(), "{answer:?}");
        Ok(())
    }

    fn id(&self) -> anyhow::Result<i32> {
        fs::read_to_string(&self.pid)?.trim().parse().context("no pid")
    }

    /// It takes connections and answers none, as a process does that hangs.
    fn hang(&self) -> anyhow::Result<()> {
        Ok(signal::kill(Pid::from_raw(self.id()?), Signal::SIGSTOP)?)
    }
}

const RESTART: &str = r#"
[[step]]
id = "restart"
uses = "service-restart@1"
with = { profile = "restart-app", risk = "low", probe = { origin = "app", path = "/health", within = "1m", every = "100ms" } }
grant = { exec = ["run restart-app"], http = ["GET app"] }
timeout = "2m"

[healed]
rerun = "probe"
within = "20s"
"#;

fn restarting(supervised: &Supervised) -> anyhow::Result<Home> {
    let profile = format!(
        "[role.app.exec.restart-app]\ncommand = [\"sh\", \"-c\", \"kill -KILL $(cat '{}')\"]\n",
        supervised.pid.display()
    );
    home(&supervised.url, &profile, &format!("{PROBE}{RESTART}"))
}

#[test]
fn a_service_that_hangs_is_restarted_and_waited_for() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let supervised = Supervised::start(directory.path())?;
    let home = restarting(&supervised)?;
    let before = supervised.id()?;
    supervised.hang()?;

    let said = home.run(&["run", "service"])?;

    assert_eq!(home.verdicts()?, ["repaired"], "{said:#?}");
    assert_ne!(supervised.id()?, before, "it is the same process");
    supervised.answers()?;
    let plan = said.stdout.find("+ `restart`").context("the plan is not shown")?;
    let run = said
        .stdout
        .find("! exec.run restart-app")
        .context("the command is not shown")?;
    assert!(plan < run, "{}", said.stdout);
    Ok(())
}

#[test]
fn a_service_that_is_well_is_left_alone() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let supervised = Supervised::start(directory.path())?;
    let home = restarting(&supervised)?;
    let before = supervised.id()?;

    let said = home.done(&["run", "service"])?;

    assert_eq!(home.verdicts()?, ["healthy"], "{}", said.stdout);
    assert_eq!(supervised.id()?, before);
    Ok(())
}

#[test]
fn a_dry_run_restarts_nothing() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let supervised = Supervised::start(directory.path())?;
    let home = restarting(&supervised)?;
    let before = supervised.id()?;
    supervised.hang()?;

    let said = home.done(&["run", "service", "--dry-run"])?;

    assert_eq!(home.verdicts()?, ["planned"], "{}", said.stdout);
    assert!(said.stdout.contains("+ `restart`"), "{}", said.stdout);
    assert_eq!(supervised.id()?, before);
    Ok(())
}

#[test]
fn a_restart_that_does_not_help_is_failed_and_says_how_the_service_is() -> anyhow::Result<()> {
    let url = format!("http://127.0.0.1:{}", process::free_port()?);
    let profile = "[role.app.exec.restart-app]\ncommand = [\"true\"]\n";
    let steps = format!("{PROBE}{RESTART}").replace("within = \"1m\"", "within = \"1s\"");
    let home = home(&url, profile, &steps)?;

    let said = home.run(&["run", "service"])?;

    assert_eq!(said.code, 12, "{said:#?}");
    assert!(said.stdout.contains("not-well"), "{}", said.stdout);
    Ok(())
}

/// The plugin's word is `low`; the operator's profile says more, and the higher one counts.
#[test]
fn the_operator_s_risk_is_raised_over_the_plugin_s() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let supervised = Supervised::start(directory.path())?;
    let home = restarting(&supervised)?;
    let text = fs::read_to_string(home.path().join("evenkeel.toml"))?;
    home.write("evenkeel.toml", &format!("{text}risk = \"high\"\n"))?;
    let before = supervised.id()?;
    supervised.hang()?;

    let said = home.run(&["run", "service"])?;

    assert_eq!(said.code, 16, "{said:#?}");
    assert!(
        said.stdout.contains("of risk high asks for a person"),
        "{}",
        said.stdout
    );
    assert_eq!(supervised.id()?, before);
    Ok(())
}
