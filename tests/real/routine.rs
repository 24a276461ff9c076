//! Five runbooks of a maintenance centre, as they ship, each at its work.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use evenkeel_tests::{
    alerts::Alert,
    board::Board,
    evenkeel::{BOUND, Home},
    programs,
    servers::Postgres,
    shipped,
    wait::wait_until,
};
use serde_json::Value;

use crate::processes::Service;

fn ready(home: Home, file: &str, text: &str) -> anyhow::Result<Home> {
    home.write(&format!("runbooks/{file}"), text)?;
    home.install_plugins()?;
    home.done(&["lock"])?;
    home.done(&["check"])?;
    Ok(home)
}

fn time(run: &Value, which: &str) -> anyhow::Result<DateTime<Utc>> {
    Ok(run[which]
        .as_str()
        .with_context(|| format!("{run} has no {which}"))?
        .parse()?)
}

/// The runs of a round on assets of `app`, by number.
fn of_round(home: &Home, round: u64) -> anyhow::Result<Vec<Value>> {
    let mut runs = home.runs()?;
    runs.retain(|run| run["round"] == round);
    Ok(runs)
}

// ---- a hung process -----------------------------------------------------------------------

/// Two services under names of their own. They go before the home in which their pids are.
struct Hung {
    one: Service,
    two: Service,
    home: Home,
}

impl Hung {
    fn set() -> anyhow::Result<Self> {
        let home = Home::empty()?;
        // At most 15 bytes, as the kernel has it, and not those of another test.
        let prefix = format!("w{}", std::process::id());
        let service = |name| {
            let program = home.path().join(format!("{prefix}-{name}"));
            std::os::unix::fs::symlink(programs::program("demo")?, &program)?;
            Service::start_as(&program, home.path(), name)
        };
        let (one, two) = (service("one")?, service("two")?);
        let role = format!(
            "[role.app.process.worker]\nname = \"{prefix}-{{{{ asset.id }}}}\"\nallow = [\"see\", \"TERM\", \"KILL\"]\n\n\
             [role.app.exec.start-worker]\ncommand = [\"sh\", \"start-{{{{ asset.id }}}}\"]\n"
        );
        home.write("evenkeel.toml", &role)?;
        let asset = |service: &Service, id: &str| {
            let address = &service.address;
            format!("[[asset]]\nid = \"{id}\"\nrole = \"app\"\naddress = \"{address}\"\n")
        };
        home.write("assets.toml", &(asset(&one, "one") + &asset(&two, "two")))?;
        let text = shipped::runbook("process/restart-stuck-process.toml")?;
        // Only the alert, lest the schedule is faster.
        let text = text.replace("[[on]]\ncron = \"*/5 * * * *\"\nmissed = \"none\"\n", "");
        ensure!(!text.contains("cron"), "the runbook has another schedule");
        let home = ready(home, "restart-stuck-process.toml", &text)?;
        Ok(Self { one, two, home })
    }
}

#[test]
fn a_hung_process_is_restarted_on_the_asset_that_the_alert_names() -> anyhow::Result<()> {
    let Hung { one, two, home } = &Hung::set()?;
    let daemon = home.serve()?;
    let before = (one.pid()?, two.pid()?);
    one.hang()?;
    two.hang()?;

    daemon.push(&[Alert::new("WorkerStuck").label("instance", &two.address).firing()])?;

    let runs = home.finished(1);
    let story = home.story(1)?;
    assert_eq!(runs[0]["verdict"], "repaired", "{story}");
    assert_eq!(runs[0]["target"], "two");
    assert_ne!(two.pid()?, before.1, "it is another process now: {story}");
    two.answers()?;
    assert_eq!(one.pid()?, before.0, "the other one hangs as well, and nobody named it");
    assert!(one.answers().is_err());
    Ok(())
}

// ---- caches at night ------------------------------------------------------------------------

const CUSTOMERS: &str = "[[customer]]\nid = \"steel\"\ntier = \"vip\"\n\n[[customer]]\nid = \"paper\"\ntier = \"vip\"\n\n\
    [[customer]]\nid = \"wood\"\ntier = \"standard\"\n\n[[asset]]\nid = \"local\"\nrole = \"host\"\n";
const APPS: [(&str, &str); 6] = [
    ("steel-1", "steel"),
    ("paper-1", "paper"),
    ("steel-2", "steel"),
    ("paper-2", "paper"),
    ("steel-3", "steel"),
    ("wood-1", "wood"),
];

fn write_apps(home: &Home) -> anyhow::Result<()> {
    let assets = APPS.map(|(id, customer)| {
        format!("\n[[asset]]\nid = \"{id}\"\ncustomer = \"{customer}\"\nrole = \"app\"\naddress = \"127.0.0.1:1\"\nvars = {{ site = \"localhost\", prometheus = \"localhost:9090\" }}\n")
    });
    Ok(home.write("assets.toml", &format!("{CUSTOMERS}{}", assets.concat()))?)
}

fn cached(home: &Home, asset: &str) -> bool {
    home.path().join("app").join(asset).join("cache/page.html").exists()
}

#[test]
fn the_caches_of_vip_customers_are_cleaned_in_batches_when_the_schedule_says_so() -> anyhow::Result<()> {
    let home = shipped::example_home()?;
    write_apps(&home)?;
    let roles = fs::read_to_string(home.path().join("evenkeel.toml"))?;
    let own = roles.replace("path = \"app/cache\"", "path = \"app/{{ asset.id }}/cache\"");
    ensure!(own != roles, "the example home has another cache");
    home.write("evenkeel.toml", &own)?;
    let old = SystemTime::now() - Duration::from_secs(8 * 86_400);
    for (asset, _) in APPS {
        home.write(&format!("app/{asset}/cache/page.html"), "old")?;
        home.write(&format!("app/{asset}/cache/now.html"), "new")?;
        let page = home.path().join("app").join(asset).join("cache/page.html");
        fs::File::options().write(true).open(page)?.set_modified(old)?;
    }
    let text = shipped::runbook("disk/clean-caches-nightly.toml")?;
    let soon = text.replace("cron = \"30 2 * * *\"", "cron = \"*/5 * * * * *\"");
    ensure!(soon != text, "the runbook has another schedule");
    let home = ready(home, "clean-caches-nightly.toml", &soon)?;

    let daemon = home.serve()?;
    home.finished(6);
    daemon.terminate()?;

    let runs = of_round(&home, 1)?;
    let targets: Vec<_> = runs.iter().map(|run| run["target"].as_str().unwrap_or("-")).collect();
    let mut sorted = targets.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["paper-1", "paper-2", "steel-1", "steel-2", "steel-3"]);
    assert!(runs.iter().all(|run| run["verdict"] == "changed"), "{runs:#?}");
    for (asset, customer) in APPS {
        assert_eq!(cached(&home, asset), customer == "wood", "{asset}");
        assert!(home.path().join("app").join(asset).join("cache/now.html").exists());
    }
    // A quarter of five, rounded up, and then the next two, and then the last.
    for (batch, next) in [(0..2, 2..4), (2..4, 4..5)] {
        for before in &runs[batch] {
            for after in &runs[next.clone()] {
                let (end, start) = (time(before, "finished_at")?, time(after, "started_at")?);
                assert!(end <= start, "{before} was not over when {after} started");
            }
        }
    }
    // One of a customer at a time.
    for (n, one) in runs.iter().enumerate() {
        for other in runs[n + 1..]
            .iter()
            .filter(|other| other["customer"] == one["customer"])
        {
            let apart = time(one, "finished_at")? <= time(other, "started_at")?
                || time(other, "finished_at")? <= time(one, "started_at")?;
            assert!(apart, "{one} and {other} were at work at once");
        }
    }
    let sum = home
        .runs()?
        .into_iter()
        .find(|run| run["occurrence"]["after"]["round"] == 1);
    let sum = sum.context("nothing came after the round")?;
    assert_eq!(sum["verdict"], "healthy");
    let story = home.story(sum["run"].as_u64().context("no number")?)?;
    assert!(story.contains("5 of 5 well: 5 changed"), "{story}");
    Ok(())
}

// ---- a slow query ---------------------------------------------------------------------------

/// Large enough that to look at all of it takes many times of what the runbook allows.
const ROWS: u32 = 3_000_000;

struct Tracker {
    server: Postgres,
    home: Home,
}

impl Tracker {
    fn start() -> anyhow::Result<Self> {
        let server = Postgres::start()?;
        server.sql("postgres", "create role app login password 'secret'")?;
        server.sql("postgres", "create database app owner app")?;
        let table = format!(
            "create table issues as select n as id, n % 100000 as assigned_to_id, n % 10 as status_id \
             from generate_series(1, {ROWS}) n; alter table issues owner to app; analyze issues"
        );
        server.sql("app", &table)?;
        let home = Home::empty()?;
        home.write("db.password", "secret")?;
        Command::new("chmod")
            .arg("600")
            .arg(home.path().join("db.password"))
            .status()?;
        home.write(
            "evenkeel.toml",
            &format!(
                "[engine]\napprove_own = true\n\n[role.app.secrets.db]\nfile = \"db.password\"\nallow = [\"use\"]\n\n\
                 [role.app.databases.app]\nurl = \"postgres://app@127.0.0.1:{}/app\"\npassword = \"db\"\ntls = false\n\
                 allow = [\"query\", \"execute\"]\n",
                server.port
            ),
        )?;
        home.write("assets.toml", "[[asset]]\nid = \"tracker\"\nrole = \"app\"\n")?;
        let text = shipped::runbook("database/index-slow-query.toml")?;
        let home = ready(home, "index-slow-query.toml", &text)?;
        Ok(Self { server, home })
    }

    fn indices(&self) -> anyhow::Result<String> {
        let sql = "select indexname from pg_indexes where tablename = 'issues'";
        Ok(self.server.sql("app", sql)?.trim().to_owned())
    }

    /// Has the plan of run 1 approved, once it is there.
    fn approve(&self) -> anyhow::Result<()> {
        wait_until(BOUND, "the plan waits for its approval", || {
            ensure!(self.home.done(&["approvals"])?.stdout.contains("create index"));
            Ok(())
        });
        assert_eq!(self.indices()?, "", "nobody has agreed yet");
        self.home.run(&["approve", "1", "--why", "it is night"])?;
        Ok(())
    }
}

#[test]
fn a_slow_query_gets_its_index_once_a_person_agrees() -> anyhow::Result<()> {
    let tracker = Tracker::start()?;
    let daemon = tracker.home.serve()?;
    daemon.push(&[Alert::new("SlowQuery").label("asset", "tracker").firing()])?;
    tracker.approve()?;
    let runs = tracker.home.finished(1);
    let story = tracker.home.story(1)?;
    assert_eq!(runs[0]["verdict"], "repaired", "{story}");
    assert_eq!(tracker.indices()?, "evenkeel_issues_assigned_to_id");
    assert!(story.contains("it is night"), "{story}");
    Ok(())
}

/// An index on another column than the query asks for: it is slow as before.
#[test]
fn an_index_that_did_not_help_is_taken_away_again() -> anyhow::Result<()> {
    let tracker = Tracker::start()?;
    let text = shipped::runbook("database/index-slow-query.toml")?;
    let other = text
        .replace(" ({{ input.column }})\"", " (status_id)\"")
        .replace("within = \"1m\"", "within = \"3s\"");
    ensure!(other.contains("(status_id)\""), "the runbook makes another index");
    tracker.home.write("runbooks/index-slow-query.toml", &other)?;
    let daemon = tracker.home.serve()?;
    daemon.push(&[Alert::new("SlowQuery").label("asset", "tracker").firing()])?;
    tracker.approve()?;
    // The alert fires on, and so another attempt waits for the cool-down.
    let run = tracker.home.wait_for_state(1, "finished");
    let story = tracker.home.story(1)?;
    assert_eq!(run["verdict"], "not-repaired", "{story}");
    assert!(story.contains("drop index concurrently"), "{story}");
    assert!(story.contains("1 action undone"), "{story}");
    assert_eq!(tracker.indices()?, "");
    Ok(())
}

// ---- a package --------------------------------------------------------------------------------

struct Fleet {
    home: Home,
}

const MACHINES: usize = 10;

impl Fleet {
    fn with(version: &str) -> anyhow::Result<Self> {
        let home = shipped::example_home()?;
        let roles = fs::read_to_string(home.path().join("evenkeel.toml"))?;
        home.write("evenkeel.toml", &format!("[engine]\napprove_own = true\n\n{roles}"))?;
        let machines: Vec<_> = (0..MACHINES)
            .map(|n| {
                format!("[[asset]]\nid = \"m{n}\"\nrole = \"app\"\naddress = \"127.0.0.1:1\"\nvars = {{ site = \"localhost\", prometheus = \"localhost:9090\" }}\n")
            })
            .collect();
        home.write("assets.toml", &machines.concat())?;
        for n in 0..MACHINES {
            home.write(&format!("app/packages/m{n}/app"), &format!("{version}\n"))?;
        }
        let text = shipped::runbook("packages/roll-out-package.toml")?;
        Ok(Self {
            home: ready(home, "roll-out-package.toml", &text)?,
        })
    }

    fn installed(&self) -> anyhow::Result<Vec<String>> {
        let of = |n| fs::read_to_string(self.home.path().join(format!("app/packages/m{n}/app")));
        let all: Result<Vec<_>, _> = (0..MACHINES).map(of).collect();
        Ok(all?.iter().map(|version| version.trim().to_owned()).collect())
    }

    /// Plans it everywhere, approves all of it at once, and waits for the end of the round.
    fn roll_out(&self, round: u64, version: &str, before: &str) -> anyhow::Result<Vec<Value>> {
        let (version, before) = (format!("version={version}"), format!("before={before}"));
        let mut asks = self.home.command()?;
        asks.args([
            "run",
            "roll-out-package",
            "--all-targets",
            "--set",
            &version,
            "--set",
            &before,
        ]);
        let mut follower = asks.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let before = self.installed()?;
        wait_until(BOUND, "all have planned", || {
            let waiting = self.home.json(&["approvals"])?;
            let waiting = waiting.as_array().map_or(0, Vec::len);
            ensure!(waiting == MACHINES, "{waiting} wait");
            Ok(())
        });
        assert_eq!(self.installed()?, before, "nobody has agreed yet");
        self.home.done(&["approve", "--round", &round.to_string()])?;
        wait_until(BOUND, "the round is over", || {
            follower.try_wait()?.context("it goes on")
        });
        of_round(&self.home, round)
    }
}

fn verdicts(runs: &[Value]) -> Vec<&str> {
    runs.iter().map(|run| run["verdict"].as_str().unwrap_or("-")).collect()
}

#[test]
fn a_package_is_rolled_out_a_fifth_at_a_time_and_stops_at_the_first_failure() -> anyhow::Result<()> {
    let fleet = Fleet::with("1.0")?;
    let _daemon = fleet.home.serve()?;

    let runs = fleet.roll_out(1, "2.0", "1.0")?;
    assert_eq!(verdicts(&runs), ["repaired"; MACHINES], "{runs:#?}");
    assert_eq!(fleet.installed()?, ["2.0"; MACHINES]);
    for (n, run) in runs.iter().enumerate().skip(2) {
        for before in &runs[..n - n % 2] {
            assert!(
                time(before, "finished_at")? <= time(run, "finished_at")?,
                "{before} ended after {run} of a later batch"
            );
        }
    }

    // It installs, and doesn't work: both of the first batch go back, and the others never begin.
    let runs = fleet.roll_out(2, "3.0-broken", "2.0")?;
    let told = verdicts(&runs);
    assert_eq!(told[..2], ["not-repaired"; 2], "{runs:#?}");
    assert_eq!(told[2..], ["cancelled"; MACHINES - 2], "{runs:#?}");
    assert_eq!(fleet.installed()?, ["2.0"; MACHINES]);
    let story = fleet.home.story(runs[0]["run"].as_u64().context("no number")?)?;
    assert!(story.contains("app 3.0-broken does not start"), "{story}");
    assert!(story.contains("1 action undone"), "{story}");

    // It can't even be installed.
    let runs = fleet.roll_out(3, "0.9", "2.0")?;
    let told = verdicts(&runs);
    assert_eq!((told[0], told[MACHINES - 1]), ("failed", "cancelled"), "{runs:#?}");
    assert_eq!(fleet.installed()?, ["2.0"; MACHINES]);
    Ok(())
}

// ---- an inspection ------------------------------------------------------------------------------

#[test]
fn an_inspection_looks_at_all_assets_and_gives_each_customer_one_page() -> anyhow::Result<()> {
    let home = shipped::example_home()?;
    let board = Board::start(home.path())?;
    let asset = |id: &str, customer: &str, address: &str| {
        format!(
            "[[asset]]\nid = \"{id}\"\ncustomer = \"{customer}\"\nrole = \"app\"\naddress = \"{address}\"\n\
             vars = {{ site = \"localhost\", prometheus = \"localhost:9090\" }}\n"
        )
    };
    let assets = [
        "[[customer]]\nid = \"steel\"\nname = \"Steel & Sons\"\n[[customer]]\nid = \"paper\"\nname = \"Paper\"\n"
            .to_owned(),
        "[[asset]]\nid = \"local\"\nrole = \"host\"\n".to_owned(),
        asset("steel-1", "steel", board.address()),
        asset("steel-2", "steel", board.address()),
        // Nothing listens there.
        asset("paper-1", "paper", "127.0.0.1:1"),
    ];
    home.write("assets.toml", &assets.concat())?;
    let stuck = home.path().join("app/queue/0001.job.failed");
    fs::remove_file(stuck)?;
    let text = shipped::runbook("inspection/inspect-weekly.toml")?;
    let home = ready(home, "inspect-weekly.toml", &text)?;

    let said = home.run(&["run", "inspect-weekly", "--all-targets"])?;

    assert_eq!(said.code, 10, "{said:#?}");
    assert_eq!(home.verdicts()?.len(), 6, "three runs, two pages, one sum: {said:#?}");
    let page = |customer: &str| fs::read_to_string(home.path().join("reports").join(format!("{customer}.md")));
    let (steel, paper) = (page("steel")?, page("paper")?);
    assert!(
        steel.starts_with("# Weekly inspection of Steel \\& Sons\n\n2 of 2 well: 2 healthy\n"),
        "{steel}"
    );
    assert!(!steel.contains("paper-1"), "{steel}");
    assert!(paper.contains("\n\n0 of 1 well: 1 "), "{paper}");
    assert!(paper.contains("\n## paper-1\n\n- answers (critical): "), "{paper}");
    let sum = "2 of 3 well: 2 healthy, 1 unhealthy; not well: `paper-1`";
    assert!(said.stdout.contains(sum), "{}", said.stdout);
    assert!(Path::new(&home.path().join("data/evenkeel.db")).exists());
    Ok(())
}
