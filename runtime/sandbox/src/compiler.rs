//! Compiling in a process of its own: a component that was made to be hard to compile costs what
//! `[sandbox]` allows for it, and nothing else is delayed or ended by it.

mod child;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::home::SandboxLimits;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::code;
use crate::component::LoadError;
use crate::halt::{seconds, size};

pub use child::main as compile_as_child;

/// Compilers at once; each has as many threads.
const AT_ONCE: usize = 2;
/// Of compiled code. The largest component that is looked at makes some 64 MiB.
const CODE: usize = 256 << 20;
/// Of what a compiler says when something is wrong.
const WORDS: usize = 2_000;

/// How components are compiled.
#[derive(Clone, Debug)]
pub struct Compiler {
    way: Way,
    turns: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
enum Way {
    Child { program: PathBuf, args: Vec<OsString> },
    Here,
}

impl Compiler {
    /// `program` with these arguments and the bounds after them calls [`compile_as_child`].
    pub fn child<A: Into<OsString>>(program: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self {
        Self::new(Way::Child {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
        })
    }

    /// In this process and without bounds: for benchmarks and tests of components that are known,
    /// never for a stranger's.
    pub fn in_process() -> Self {
        Self::new(Way::Here)
    }

    fn new(way: Way) -> Self {
        Self {
            way,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Machine code for `engine`. Dropping the future ends the compiler.
    pub async fn compile(&self, engine: &Engine, bytes: Vec<u8>, bounds: Bounds) -> Result<Vec<u8>, Failure> {
        let _turn = self.turns.acquire().await;
        match &self.way {
            Way::Child { program, args } => {
                let mut command = Command::new(program);
                command.args(args).args(bounds.args());
                attended(command, bytes, bounds).await
            }
            Way::Here => {
                let engine = engine.clone();
                let compiled = tokio::task::spawn_blocking(move || code::compile(&engine, &bytes));
                let compiled = compiled.await.map_err(|error| error.to_string());
                compiled.and_then(|compiled| compiled).map_err(Failure::refused)
            }
        }
    }
}

/// What compiling one component may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// In whole seconds, which is how the kernel counts.
    pub cpu: Duration,
    pub memory: usize,
    pub time: Duration,
}

impl From<&SandboxLimits> for Bounds {
    fn from(limits: &SandboxLimits) -> Self {
        let whole = limits.compile_cpu.as_millis().div_ceil(1_000).max(1);
        Self {
            cpu: Duration::from_secs(u64::try_from(whole).unwrap_or(u64::MAX)),
            memory: limits.compile_memory,
            time: limits.compile_time,
        }
    }
}

impl Bounds {
    fn args(&self) -> [String; 2] {
        [self.cpu.as_secs().to_string(), self.memory.to_string()]
    }

    fn exceeded(&self, bound: Bound) -> LoadError {
        let (what, key) = match bound {
            Bound::Cpu => (format!("{} of CPU time", seconds(self.cpu)), "compile_cpu"),
            Bound::Memory => (format!("{} of memory", size(self.memory)), "compile_memory"),
            Bound::Time => (seconds(self.time), "compile_time"),
        };
        LoadError::CompileLimit { what, key }
    }

    /// Whether this allows more of it than `other`.
    pub fn allows_more(&self, bound: Bound, other: &Self) -> bool {
        match bound {
            Bound::Cpu => self.cpu > other.cpu,
            Bound::Memory => self.memory > other.memory,
            Bound::Time => self.time > other.time,
        }
    }
}

/// Which of the [`Bounds`] ended a compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Cpu,
    Memory,
    Time,
}

/// Why a component has no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub error: LoadError,
    pub cause: Cause,
}

/// What a failure says about the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The component itself: it fails again.
    Component,
    /// It fails again unless the bound is raised.
    Bound(Bound),
    /// The machine, as far as anybody can tell.
    Machine,
}

impl Failure {
    pub fn refused(words: String) -> Self {
        Self {
            error: LoadError::Compile(words),
            cause: Cause::Component,
        }
    }

    pub fn machine(words: String) -> Self {
        Self {
            error: LoadError::Compile(words),
            cause: Cause::Machine,
        }
    }

    pub fn exceeded(bound: Bound, bounds: &Bounds) -> Self {
        Self {
            error: bounds.exceeded(bound),
            cause: Cause::Bound(bound),
        }
    }
}

/// Runs a compiler to its end, or to the end of its time.
async fn attended(command: Command, bytes: Vec<u8>, bounds: Bounds) -> Result<Vec<u8>, Failure> {
    let mut child =
        spawn(command).map_err(|error| Failure::machine(format!("the compiler can't be started: {error}")))?;
    let group = Group::of(&child);
    let fed = feed(child.stdin.take(), bytes);
    let (code, said) = (
        read(child.stdout.take(), CODE + 1),
        read(child.stderr.take(), WORDS * 4),
    );
    let ended = tokio::time::timeout(bounds.time, async {
        let ((), code, said) = tokio::join!(fed, code, said);
        (child.wait().await, code, said)
    });
    let ended = ended.await;
    drop(group);
    let Ok((status, code, said)) = ended else {
        return Err(Failure::exceeded(Bound::Time, &bounds));
    };
    let status = status.map_err(|error| Failure::machine(format!("the compiler is lost: {error}")))?;
    judge(status, &words(&said), &bounds)?;
    if code.len() > CODE {
        let limit = size(CODE);
        return Err(Failure::refused(format!(
            "its code is larger than {limit}, which no setting raises"
        )));
    }
    Ok(code)
}

/// With nothing of this process but three pipes. It also leads a process group, so that a
/// terminal's Ctrl-C reaches the parent alone, and the parent ends all of it.
fn spawn(mut command: Command) -> std::io::Result<Child> {
    command
        .env_clear()
        // Read by rayon, which wasmtime compiles with: a thread takes address space.
        .env("RAYON_NUM_THREADS", AT_ONCE.to_string())
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// A compiler that ends before it has read everything says why.
async fn feed(pipe: Option<ChildStdin>, bytes: Vec<u8>) {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(&bytes).await;
        let _ = pipe.shutdown().await;
    }
}

/// The first `keep` bytes. What comes after them meets a closed pipe.
async fn read(pipe: Option<impl AsyncRead + Unpin>, keep: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(keep as u64).read_to_end(&mut bytes).await;
    }
    bytes
}

fn words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    said.trim().chars().take(WORDS).collect()
}

/// How allocations that the kernel refuses are told of: by std before it aborts, by the system's
/// own words in an error, and by rayon when there is no room for a thread.
const NO_MEMORY: [&str; 4] = [
    "memory allocation of",
    "Cannot allocate memory",
    "out of memory",
    "ThreadPoolBuildError",
];

fn judge(status: ExitStatus, said: &str, bounds: &Bounds) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    if NO_MEMORY.iter().any(|words| said.contains(words)) {
        return Err(Failure::exceeded(Bound::Memory, bounds));
    }
    let signal = status.signal().and_then(|signal| Signal::try_from(signal).ok());
    Err(match signal {
        Some(Signal::SIGXCPU) => Failure::exceeded(Bound::Cpu, bounds),
        // Not by us: by the kernel that is short of memory, or by a person.
        Some(Signal::SIGKILL) => Failure::machine("something else ended the compiler".into()),
        Some(signal) => Failure::refused(format!("the compiler ended with {signal}: {said}")),
        None if status.code() == Some(child::REFUSED.into()) => Failure::refused(said.to_owned()),
        None => Failure::refused(format!("the compiler broke off: {said}")),
    })
}

/// The process group that a compiler leads; killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Self(pid.map(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may be gone already.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}
