//! A daemon with two customers: steel has the plugin that attacks, oak has a runbook that just works.

use std::{
    fs,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::ensure;
use evenkeel_tests::{
    evenkeel::{Daemon, Home},
    plugins,
    tree::Tree,
};

use crate::{
    attack::Attack,
    desk::{Desk, Story},
    latency,
};

// An attack is made again and again, so its circuit stays closed: `circuit = "0s"`. What opens it is tested in tests/runs.

/// So many runs of the neighbour are measured alone, and at least so many beside each attack.
const ALONE: usize = 40;
const BESIDE: usize = 20;

/// In a file that nobody is granted.
pub const MARKER: &str = "nobody-may-read-this";

/// A secret of steel's.
pub const SECRET: &str = "Zq7-steel-token-9x";

/// What is on the machine. `steel/shown` and `steel/scratch` are steel's; `oak` and `outside` are not.
const ROLES: &str = r#"
[role.steel.roots.shown]
path = "steel/shown"
allow = ["read"]

[role.steel.roots.scratch]
path = "steel/scratch"
allow = ["read", "write", "remove"]

[role.oak.roots.data]
path = "oak/data"
allow = ["read"]
"#;

const ASSETS: &str = r#"
[[customer]]
id = "steel"

[[customer]]
id = "oak"

[[asset]]
id = "steel-1"
customer = "steel"
role = "steel"
address = "127.0.0.1"

[[asset]]
id = "oak-1"
customer = "oak"
role = "oak"
address = "127.0.0.1"
"#;

const NEIGHBOUR: &str = r#"
name = "neighbour"
summary = "Looks how full a disk is, and is well"

[targets]
select = 'asset="oak-1"'

[[step]]
id = "look"
uses = "disk-usage@1"
with = { root = "data", warn = 100, critical = 100 }
grant = { files = ["read data"] }
"#;

pub struct Arena {
    pub home: Home,
    pub daemon: Daemon,
    pub desk: Desk,
    attacks: Vec<Attack>,
    alone: Vec<Duration>,
    /// One at a time, or they would be in each other's figures.
    _turn: MutexGuard<'static, ()>,
}

impl Arena {
    /// A daemon for these attacks, with more of `evenkeel.toml` (limits first) and more component files (name, bytes).
    pub fn new(settings: &str, components: &[(&str, Vec<u8>)], attacks: Vec<Attack>) -> anyhow::Result<Self> {
        Self::served(settings, components, attacks, Home::serve)
    }

    /// The same, with a daemon that is started in another way.
    pub fn served(
        settings: &str,
        components: &[(&str, Vec<u8>)],
        attacks: Vec<Attack>,
        serve: impl FnOnce(&Home) -> anyhow::Result<Daemon>,
    ) -> anyhow::Result<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let home = Home::empty()?;
        home.write(
            "evenkeel.toml",
            &format!("[sandbox]\ncircuit = \"0s\"\n{settings}\n{ROLES}"),
        )?;
        home.write("assets.toml", ASSETS)?;
        home.write("runbooks/neighbour.toml", NEIGHBOUR)?;
        for (index, attack) in attacks.iter().enumerate() {
            home.write(&format!("runbooks/{}.toml", attack.name(index)), &attack.runbook(index))?;
        }
        lay_out(&home)?;
        home.install_plugins()?;
        let hostile = plugins::built("tests/hostile/plugin")?;
        fs::copy(hostile, home.path().join("plugins/hostile.wasm"))?;
        for (name, bytes) in components {
            fs::write(home.path().join("plugins").join(name), bytes)?;
        }
        home.done(&["lock"])?;
        home.done(&["check"])?;
        let daemon = serve(&home)?;
        let desk = Desk::of(&home)?;
        // The first run compiles.
        desk.run("neighbour")?;
        let alone: anyhow::Result<Vec<Story>> = (0..ALONE).map(|_| desk.run("neighbour")).collect();
        let alone = alone?.iter().map(|story| story.took).collect();
        Ok(Self {
            home,
            daemon,
            desk,
            attacks,
            alone,
            _turn: turn,
        })
    }

    /// All of its attacks, one after the other, each with the neighbour beside it.
    pub fn fight(&self) -> anyhow::Result<()> {
        let mut lost = Vec::new();
        for (index, attack) in self.attacks.iter().enumerate() {
            if let Err(error) = self.one(index, attack) {
                lost.push(format!("row {}, {}: {error:#}", attack.row, attack.what));
            }
        }
        ensure!(lost.is_empty(), "{}", lost.join("\n\n"));
        Ok(())
    }

    /// For a test that goes on with its home by itself.
    pub fn close(self) -> (Home, Daemon) {
        (self.home, self.daemon)
    }

    /// The attack is made again until the neighbour has had its runs beside it.
    fn one(&self, index: usize, attack: &Attack) -> anyhow::Result<()> {
        let before = self.forbidden()?;
        let name = attack.name(index);
        let (attacks, beside) = self.beside(|beside| {
            let mut attacks = 0;
            while attacks == 0 || beside() < BESIDE {
                self.judge(attack, &self.desk.run(&name)?)?;
                attacks += 1;
            }
            Ok(attacks)
        })?;
        ensure!(
            self.forbidden()? == before,
            "something outside of its grant has changed"
        );
        ensure!(self.daemon.get("/healthz")?.status == 200, "the daemon is not well");
        latency::report(attack.row, attack.what, attacks, &self.alone, &beside)
    }

    /// Does something while the neighbour runs again and again; `during` can ask how often it did.
    pub fn beside<T>(
        &self,
        during: impl FnOnce(&dyn Fn() -> usize) -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Vec<Duration>)> {
        let (over, runs) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        let count = || runs.lock().unwrap_or_else(PoisonError::into_inner).len();
        let neighbour = || {
            let desk = Desk::of(&self.home)?;
            while !over.load(Ordering::Relaxed) {
                let story = desk.run("neighbour")?;
                ensure!(story.verdict() == "healthy", "the neighbour is not well: {story:#?}");
                runs.lock().unwrap_or_else(PoisonError::into_inner).push(story.took);
            }
            Ok(())
        };
        let (done, neighbour) = thread::scope(|scope| {
            let neighbour = scope.spawn(neighbour);
            // Who waits for runs of a neighbour that has stopped waits in vain.
            let done = during(&|| if neighbour.is_finished() { usize::MAX } else { count() });
            over.store(true, Ordering::Relaxed);
            (done, neighbour.join().expect("it does not panic"))
        });
        neighbour?;
        Ok((done?, runs.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }

    fn judge(&self, attack: &Attack, story: &Story) -> anyhow::Result<()> {
        let said = story.said();
        let verdict = story.verdict();
        ensure!(verdict == attack.verdict, "the verdict is {verdict}: {said:#?}");
        for words in &attack.says {
            ensure!(said.contains(words), "it does not say\n{words}\nbut {said:#?}");
        }
        ensure!(
            !said.iter().any(|line| line.contains(MARKER)),
            "it has read what it may not: {said:#?}"
        );
        Ok(())
    }

    /// Whatever no attack may change.
    fn forbidden(&self) -> anyhow::Result<[Tree; 3]> {
        let tree = |directory: &str| Tree::of(&self.home.path().join(directory));
        Ok([tree("outside")?, tree("oak")?, tree("steel/shown")?])
    }
}

fn lay_out(home: &Home) -> anyhow::Result<()> {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    home.write("outside/secret.txt", MARKER)?;
    home.write("oak/data/secret.txt", MARKER)?;
    home.write("steel/shown/page.txt", "shown")?;
    home.write("steel/scratch/old.txt", "old")?;
    // SQLite takes an empty file for an empty database.
    home.write("steel/jobs.db", "")?;
    home.write("steel/token", SECRET)?;
    fs::set_permissions(home.path().join("steel/token"), fs::Permissions::from_mode(0o600))?;
    let shown = home.path().join("steel/shown");
    symlink(home.path().join("outside/secret.txt"), shown.join("link"))?;
    symlink("../../outside", shown.join("directory"))?;
    symlink("../../outside", home.path().join("steel/scratch/directory"))?;
    nix::unistd::mkfifo(&shown.join("fifo"), nix::sys::stat::Mode::S_IRWXU)?;
    symlink("/dev/zero", shown.join("zero"))?;
    Ok(())
}
