//! Whole runs of one no-op step, one at a time, 16 and 64 at once, each on a target of its own: requested, journaled in SQLite (sealed, as the
//! daemon does it), called, finished on disk. Beside it what the disk itself allows: appending to a file and syncing it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow, ensure};
use chrono::{DateTime, Utc};
use evenkeel_engine::port::Clock;
use evenkeel_engine::{Engine, PersonRequest, Ports};
use evenkeel_model::check::{self, Sources};
use evenkeel_model::home::Home;
use evenkeel_model::name::AssetId;
use evenkeel_model::run::{Mode, Verdict};
use evenkeel_sandbox::{Compiler, Sandbox, scan};
use evenkeel_store::Store;
use tokio::runtime::Runtime;

use crate::Setting;
use crate::build::{self, command, done};
use crate::race::{self, Contender, in_a_row, race};
use crate::recorded::store;

pub const AT_ONCE: usize = 64;
/// In one turn: so many of its own turns.
const CROWDED: usize = 20;
/// What one append carries, in bytes.
const PAGE: usize = 4 << 10;

/// Names of the two runbooks: without a cool-down nothing is asked of the history.
pub const FREE: &str = "free";
const COOLED: &str = "cooled";

pub fn run(setting: &Setting) -> Result<()> {
    let home = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    write_home(&setting.evenkeel()?, home.path())?;
    let floor = Arc::new(runtime.block_on(Floor::open(home.path()))?);
    let synced = Mutex::new(File::create(home.path().join("synced"))?);
    let (floor, runtime) = (&floor, &runtime);
    let contenders = vec![
        Contender::new("evenkeel, 64 runs at once, no cool-down", move |runs| {
            crowd(runtime, floor, (FREE, AT_ONCE), runs)
        }),
        Contender::new("evenkeel, 64 at once, the default cool-down", move |runs| {
            crowd(runtime, floor, (COOLED, AT_ONCE), runs)
        }),
        Contender::new("evenkeel, 16 at once, no cool-down", move |runs| {
            crowd(runtime, floor, (FREE, 16), runs.div_ceil(4))
        }),
        Contender::new("evenkeel, one at a time, no cool-down", move |runs| {
            crowd(runtime, floor, (FREE, 1), runs.div_ceil(CROWDED))
        }),
        Contender::new("append 4 KiB and fdatasync, one by one", move |times| {
            let times = times.div_ceil(CROWDED);
            in_a_row(runtime, times, || async { append(&synced) })
        }),
    ];
    let runs = setting.scale.turn * CROWDED;
    race("a no-op run, journaled", contenders, setting.scale.crowds, runs)
}

type Crowd = (&'static str, usize);

fn crowd(runtime: &Runtime, floor: &Arc<Floor>, (runbook, at_once): Crowd, runs: usize) -> Result<crate::race::Turn> {
    let floor = Arc::clone(floor);
    race::at_once(runtime, at_once, runs, move || {
        let floor = Arc::clone(&floor);
        async move { floor.run(runbook).await }
    })
}

pub fn append(file: &Mutex<File>) -> Result<()> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.write_all(&[1; PAGE])?;
    Ok(file.sync_data()?)
}

/// The engine, and what it is given to do.
struct Floor {
    engine: Arc<Engine>,
    /// Nothing runs on these: two runs on one target would wait for each other.
    free: Mutex<Vec<AssetId>>,
    requests: AtomicUsize,
}

impl Floor {
    async fn open(dir: &Path) -> Result<Self> {
        let home = read_home(dir)?;
        let store = Arc::new(store(dir)?);
        Ok(Self {
            engine: engine(dir, home, store).await?,
            free: Mutex::new((0..AT_ONCE).map(|n| AssetId::from(name(n).as_str())).collect()),
            requests: AtomicUsize::new(0),
        })
    }

    async fn run(&self, runbook: &str) -> Result<()> {
        let target = self.free().pop().context("there is a target a task")?;
        let request = PersonRequest {
            runbook: runbook.into(),
            target: Some(target.clone()),
            all: false,
            mode: Mode::Live,
            alert: None,
            input: Default::default(),
            override_freeze: None,
            who: "bench".into(),
            request: self.requests.fetch_add(1, Ordering::Relaxed).to_string(),
        };
        let accepted = self.engine.request(request).await?;
        for run in accepted.runs {
            let summary = self.engine.wait(run).await?;
            ensure!(
                summary.verdict == Some(Verdict::Healthy),
                "the no-op run came to {summary:?}"
            );
        }
        self.free().push(target);
        Ok(())
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<AssetId>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With real rooms, as `cli` wires them.
pub async fn engine(dir: &Path, home: Home, store: Arc<Store>) -> Result<Arc<Engine>> {
    let ports = evenkeel_sandbox::Ports {
        memory: store.clone(),
        ..evenkeel_sandbox::Ports::local(dir, evenkeel_sandbox::Attendant::nobody())
    };
    let sandbox = Sandbox::new(dir, None, &home.settings.sandbox, Compiler::in_process(), ports)?;
    sandbox.install(&home.plugins);
    for plugin in &home.plugins {
        sandbox.load(&plugin.digest).await?;
    }
    let ports = Ports {
        journal: store.clone(),
        ledger: store.clone(),
        outbox: store.clone(),
        alerts: store,
        plugins: Arc::new(sandbox),
        clock: Arc::new(SystemClock),
    };
    Ok(Engine::new(ports, Arc::new(home)))
}

pub fn name(n: usize) -> String {
    format!("host-{n}")
}

pub fn write_home(evenkeel: &Path, dir: &Path) -> Result<()> {
    build::plugin(evenkeel, "benches/noop", &dir.join("plugins"))?;
    fs::create_dir(dir.join("runbooks"))?;
    for (file, text) in runbooks() {
        fs::write(dir.join(file), text)?;
    }
    let settings = format!("[engine]\nruns = {AT_ONCE}\n\n[sandbox]\nconcurrency = {AT_ONCE}\n\n[role.host]\n");
    fs::write(dir.join("evenkeel.toml"), settings)?;
    let assets = (0..AT_ONCE).map(|n| format!("[[asset]]\nid = \"{}\"\nrole = \"host\"\n\n", name(n)));
    fs::write(dir.join("assets.toml"), assets.collect::<String>())?;
    done(command(evenkeel).arg("--home").arg(dir).arg("lock"))
}

/// Their files and texts.
fn runbooks() -> Vec<(String, String)> {
    let text = |(name, limits): (&str, &str)| {
        let text = format!(
            "name = \"{name}\"\nsummary = \"Does nothing\"\n\n[targets]\nselect = 'role=\"host\"'\n\n{limits}\
             [[step]]\nid = \"noop\"\nuses = \"noop@1\"\n"
        );
        (format!("runbooks/{name}.toml"), text)
    };
    [(FREE, "[limits]\ncooldown = \"0s\"\n\n"), (COOLED, "")]
        .map(text)
        .into()
}

pub fn read_home(dir: &Path) -> Result<Home> {
    let text = |file: &str| fs::read_to_string(dir.join(file)).map(Some);
    let sources = Sources {
        dir: dir.to_owned(),
        evenkeel: text("evenkeel.toml")?,
        assets: text("assets.toml")?,
        runbooks: runbooks(),
        lock: text("evenkeel.lock")?,
    };
    let checked = check::check(&sources, &scan(dir).installed);
    Ok(checked.map_err(|problems| anyhow!("{problems:#?}"))?.home)
}

pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "runs are journaled with the time, as in the daemon"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
