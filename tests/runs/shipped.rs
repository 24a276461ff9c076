//! Every runbook that ships, in the home that ships with them.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
};

use anyhow::ensure;
use evenkeel_tests::{board::Board, evenkeel::Home, shipped, tree::Tree};

/// The example home with every shipped runbook, its application being the task board.
pub struct Shipped {
    pub home: Home,
    pub board: Option<Board>,
}

impl Shipped {
    pub fn new() -> anyhow::Result<Self> {
        let home = shipped::example_home()?;
        for runbook in runbooks()? {
            let text = shipped::runbook(&runbook)?;
            home.write(&Path::new("runbooks").join(&runbook).to_string_lossy(), &text)?;
        }
        let board = Board::start(home.path())?;
        let assets = fs::read_to_string(home.path().join("assets.toml"))?;
        ensure!(
            assets.contains("127.0.0.1:8077"),
            "the example home has another application"
        );
        ensure!(
            assets.contains("localhost:9090"),
            "the example home has another Prometheus"
        );
        let assets = assets.replace("localhost:9090", &prometheus()?);
        home.write("assets.toml", &assets.replace("127.0.0.1:8077", board.address()))?;
        // Its worker is found by the same address, so that no test sees that of another.
        let roles = fs::read_to_string(home.path().join("evenkeel.toml"))?;
        let pattern = |address: &str| address.replace('.', r"\.");
        ensure!(
            roles.contains(&pattern("127.0.0.1:8077")),
            "the example home has another worker"
        );
        home.write(
            "evenkeel.toml",
            &roles.replace(&pattern("127.0.0.1:8077"), &pattern(board.address())),
        )?;
        home.install_plugins()?;
        home.done(&["lock"])?;
        home.done(&["check"])?;
        Ok(Self {
            home,
            board: Some(board),
        })
    }

    /// All that the roles' roots hold, and what the scripts work on.
    fn roots(&self) -> anyhow::Result<Tree> {
        Ok(Tree::of(&self.home.path().join("app"))?)
    }
}

/// What takes the place of a Prometheus here, `HOST:PORT`: one series, whatever is asked. Real ones are in tests/real.
fn prometheus() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let body =
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"a"},"value":[1,"7"]}]}}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    Ok(address)
}

/// The shipped runbooks' files, below runbooks/, sorted.
pub fn runbooks() -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for topic in fs::read_dir(shipped::directory())? {
        let topic = topic?.path();
        if topic.is_dir() && !topic.ends_with("example-home") {
            for runbook in fs::read_dir(&topic)? {
                found.push(runbook?.path().strip_prefix(shipped::directory())?.to_owned());
            }
        }
    }
    found.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    found.sort();
    ensure!(!found.is_empty(), "no runbook ships");
    Ok(found)
}

/// A runbook's name is that of its file.
pub fn name(runbook: &Path) -> String {
    runbook.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Makes every remedy find something to do: a day-old cache, levels that any disk and any answer
/// reaches.
pub fn provoke(home: &Home) -> anyhow::Result<()> {
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(90 * 86_400);
    for entry in fs::read_dir(home.path().join("app/cache"))? {
        fs::File::options().write(true).open(entry?.path())?.set_modified(old)?;
    }
    Ok(())
}

/// What the example home has not got: a PostgreSQL. It is run in tests/real.
const ELSEWHERE: [&str; 1] = ["index-slow-query"];

/// What makes the checks of a runbook find something: its own inputs, or an application that is
/// not there.
pub fn settings(runbook: &str) -> &'static [&'static str] {
    match runbook {
        "roll-out-package" => &["--set", "version=2.0", "--set", "before=1.0"],
        "free-disk-space" => &["--set", "warn=1", "--set", "critical=1"],
        "clean-slow-cache" => &["--set", "slow=1ms", "--set", "too_slow=1ms"],
        _ => &[],
    }
}

#[test]
fn a_dry_run_of_any_shipped_runbook_changes_no_byte() -> anyhow::Result<()> {
    let shipped = Shipped::new()?;
    provoke(&shipped.home)?;
    let before = shipped.roots()?;
    for runbook in runbooks()? {
        let name = name(&runbook);
        if ELSEWHERE.contains(&&*name) {
            continue;
        }
        let arguments = [&["run", &name, "--dry-run"], settings(&name)].concat();
        let said = shipped.home.run(&arguments)?;
        // Without a site whose certificate could be looked at, that check finds something.
        assert!([0, 10].contains(&said.code), "{name}: {said:#?}");
        assert!(said.stdout.contains("a dry run"), "{name}: {}", said.stdout);
        assert!(
            !said.stdout.contains("\n                 ! "),
            "{name} made an effect: {}",
            said.stdout
        );
        assert_eq!(before, shipped.roots()?, "{name} changed something");
    }
    Ok(())
}

#[test]
fn a_dry_run_prints_the_plan_of_each_remedy() -> anyhow::Result<()> {
    let shipped = Shipped::new()?;
    provoke(&shipped.home)?;
    for (name, planned) in [
        ("free-disk-space", "files.remove cache:home.html"),
        ("clean-slow-cache", "files.remove cache:home.html"),
        ("clean-caches-nightly", "files.remove cache:home.html"),
        ("roll-out-package", "exec.run install-package [\"app\",\"2.0\"]"),
        ("run-repair-script", "exec.run hold-failed-jobs []"),
        ("restart-stuck-process", "exec.run start-worker []"),
    ] {
        let said = shipped
            .home
            .done(&[&["run", name, "--dry-run"], settings(name)].concat())?;
        assert!(said.stdout.contains("verdict      planned"), "{name}: {}", said.stdout);
        assert!(said.stdout.contains(planned), "{name}: {}", said.stdout);
    }
    Ok(())
}

/// The application is down, so that there is something to restart.
#[test]
fn a_dry_run_of_the_restart_prints_its_plan_and_restarts_nothing() -> anyhow::Result<()> {
    let Shipped { home, board } = Shipped::new()?;
    drop(board);
    let before = Tree::of(&home.path().join("app"))?;
    let said = home.done(&["run", "restart-unhealthy-app", "--dry-run"])?;
    assert!(said.stdout.contains("verdict      planned"), "{}", said.stdout);
    assert!(said.stdout.contains("exec.run restart-app []"), "{}", said.stdout);
    assert_eq!(before, Tree::of(&home.path().join("app"))?);
    Ok(())
}

/// On the example home with its application up: the queue is stuck, and the rest is well. Their
/// remedies at work are in tests/runs and in the demonstration.
#[test]
fn every_shipped_runbook_runs() -> anyhow::Result<()> {
    let Shipped { home, board: _board } = Shipped::new()?;
    let runs: [(&[&str], &str); 12] = [
        (&["run-check-script"], "unhealthy"),
        (&["run-repair-script"], "repaired"),
        (&["run-check-script"], "healthy"),
        (
            &["free-disk-space", "--set", "warn=100", "--set", "critical=100"],
            "healthy",
        ),
        (&["clean-slow-cache"], "healthy"),
        (&["clean-caches-nightly"], "healthy"),
        // Its page is written, and its sum is well.
        (&["inspect-weekly"], "healthy"),
        (&["restart-unhealthy-app"], "healthy"),
        // The worker is not there. Once it is started, it ends when its home is gone.
        (&["restart-stuck-process"], "repaired"),
        (&["watch-metrics"], "healthy"),
        (&["watch-backlog"], "healthy"),
        // There is no site whose certificate could be looked at.
        (&["watch-certificates"], "unhealthy"),
    ];
    for (arguments, verdict) in runs {
        let said = home.run(&[&["run"], arguments].concat())?;
        assert!(
            said.stdout.contains(&format!("verdict      {verdict} ")),
            "{arguments:?}: {said:#?}"
        );
    }
    let rolled_out = [&["run", "roll-out-package"], settings("roll-out-package")].concat();
    assert_eq!(home.run(&rolled_out)?.code, 16, "a person has to agree");
    let all: std::collections::BTreeSet<_> = runbooks()?.iter().map(|runbook| name(runbook)).collect();
    let mut run: std::collections::BTreeSet<_> = runs.iter().map(|(arguments, _)| arguments[0].to_owned()).collect();
    run.extend(["roll-out-package", "index-slow-query"].map(str::to_owned));
    assert_eq!(all, run);
    Ok(())
}

#[test]
fn a_runbook_s_file_has_its_name() -> anyhow::Result<()> {
    for runbook in runbooks()? {
        let text = fs::read_to_string(shipped::directory().join(&runbook))?;
        let table: toml::Table = toml::from_str(&text)?;
        assert_eq!(table["name"].as_str(), Some(&*name(&runbook)), "{}", runbook.display());
    }
    Ok(())
}
