//! How the host acts on an asset: `local` first; ssh and agents come behind the same port.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use evenkeel_model::name::AssetId;
use evenkeel_model::role::{Database, Origin, Processes, Root};
use evenkeel_model::secret::Value as Secret;

/// Does what it is told, on one of the assets that it can act on.
///
/// It decides nothing but what only the place can know: that a path leads out of its root, that
/// a file was replaced meanwhile. What a plugin may do is decided before it is asked.
/// Dropping a future ends what it does.
#[async_trait]
pub trait Reach: Send + Sync {
    async fn space(&self, asset: &AssetId, root: &Root) -> Result<Capacity, FilesError>;
    async fn walk(&self, asset: &AssetId, root: &Root, walk: Walk) -> Result<Page, FilesError>;
    /// At most `limit` bytes from `offset` on, of a regular file.
    async fn read(
        &self,
        asset: &AssetId,
        root: &Root,
        path: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<u8>, FilesError>;
    /// Replaces the file whole, or leaves it as it was.
    async fn write(&self, asset: &AssetId, root: &Root, path: &str, content: Vec<u8>) -> Result<(), FilesError>;
    /// What is there now, for each path.
    async fn identify(
        &self,
        asset: &AssetId,
        root: &Root,
        paths: &[String],
    ) -> Result<Vec<Option<Identity>>, FilesError>;
    /// Removes files and empty directories that are still what they were identified as.
    async fn remove(&self, asset: &AssetId, root: &Root, what: Vec<(String, Identity)>) -> Result<Removed, FilesError>;

    async fn run(&self, asset: &AssetId, command: Command) -> Result<Output, ExecError>;

    /// The addresses of a host name, as seen from where the request is going to be made.
    async fn resolve(&self, asset: &AssetId, host: &str, port: u16) -> Result<Vec<SocketAddr>, HttpError>;
    /// Sends to the first of `to` that can be connected, and to nothing else.
    async fn send(&self, asset: &AssetId, origin: &Origin, request: Request) -> Result<Response, HttpError>;

    /// The processes that the profile selects, in order of their pids.
    async fn processes(&self, asset: &AssetId, profile: &Processes) -> Result<Vec<Process>, ProcessError>;
    /// Signals one of them, if it is still the process that was started then.
    async fn signal(
        &self,
        asset: &AssetId,
        profile: &Processes,
        pid: u32,
        started_ms: u64,
        signal: Signal,
    ) -> Result<(), ProcessError>;

    /// Runs one statement that can change nothing.
    async fn query(
        &self,
        asset: &AssetId,
        database: &Database,
        password: Option<&Secret>,
        statement: Statement,
    ) -> Result<Rows, SqlError>;
    /// Runs one statement, and answers how many rows it changed.
    async fn execute(
        &self,
        asset: &AssetId,
        database: &Database,
        password: Option<&Secret>,
        statement: Statement,
    ) -> Result<u64, SqlError>;

    /// Returns when nothing of what dropped futures began can change anything any more, or when
    /// the patience is over.
    async fn settled(&self, _patience: Duration) {}
}

// ---- files -------------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    #[error("{0}")]
    Denied(String),
    #[error("there is no such file or directory")]
    Missing,
    #[error("{0}")]
    Invalid(String),
    #[error("it is larger than the limit")]
    TooLarge,
    #[error("{0}")]
    Io(String),
}

/// Of the file system that holds a root. Free is what a user without privileges may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub total_bytes: u64,
    pub free_bytes: u64,
    pub total_inodes: u64,
    pub free_inodes: u64,
}

/// Everything below `path` (empty: the root), depth first, the names of a directory in the order
/// of their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    pub path: String,
    /// Goes on behind this entry of an earlier page.
    pub after: Option<String>,
    pub limit: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// What could not be shown and why, the first few of it: names that are not UTF-8,
    /// directories that may not be read.
    pub left_out: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root.
    pub path: String,
    pub kind: EntryKind,
    pub bytes: u64,
    pub modified_ms: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    Link,
    Other,
}

/// Tells a file from another one that took its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub bytes: u64,
    /// Nanoseconds since 1970.
    pub modified_ns: i128,
    pub device: u64,
    pub inode: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub files: u32,
    pub bytes: u64,
}

// ---- exec --------------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    #[error("{0}")]
    Denied(String),
    #[error("the command can't be started: {0}")]
    Spawn(String),
    #[error("the command took too long")]
    TimedOut,
    #[error("the command printed too much")]
    OutputLimit,
}

/// A command of the operator's, with the arguments that were allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments; no shell. Not empty.
    pub line: Vec<String>,
    /// The environment is this and a plain `PATH`.
    pub env: BTreeMap<String, String>,
    pub cwd: Option<PathBuf>,
    pub stdin: Vec<u8>,
    /// Its whole process group is told to end then, and made to two seconds later.
    pub timeout: Duration,
    /// What is kept of stdout, and of stderr, in bytes.
    pub keep: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// None: ended by a signal.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub truncated: bool,
}

// ---- http --------------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("{0}")]
    Denied(String),
    #[error("the name can't be resolved")]
    Dns,
    #[error("the connection failed")]
    Connect,
    #[error("no secure connection: {0}")]
    Tls(String),
    #[error("no answer in time")]
    TimedOut,
    #[error("the answer is larger than the limit")]
    TooLarge,
    #[error("{0}")]
    Other(String),
}

/// One request, whole. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Checked addresses of the origin's host, in the order in which to try them.
    pub to: Vec<SocketAddr>,
    /// Speak TLS, to this host.
    pub tls: bool,
    /// As in the origin's URL: what the certificate must be for.
    pub host: String,
    /// The `Host` header.
    pub authority: String,
    pub method: String,
    /// Path and query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub timeout: Duration,
    /// Of the body, in bytes.
    pub limit: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub elapsed: Duration,
    pub certificate: Option<Certificate>,
}

/// The one that the server showed for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    pub not_after_ms: u64,
}

// ---- process -----------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    #[error("{0}")]
    Denied(String),
    #[error("there is no such process any more")]
    Missing,
    #[error("{0}")]
    Io(String),
    /// The signal may have been sent.
    #[error("{0}")]
    Lost(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub name: String,
    /// Program and arguments, parted by spaces.
    pub command: String,
    pub user: String,
    /// As the system names it: running, sleeping, disk-sleep, stopped, zombie.
    pub state: String,
    /// Since 1970.
    pub started_ms: u64,
    pub cpu_ms: u64,
    pub resident_bytes: u64,
    pub threads: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Hangup,
    Interrupt,
    Quit,
    Terminate,
    Kill,
    User1,
    User2,
}

impl Signal {
    /// As POSIX names it, without `SIG`: the verb of a grant, and the first word of a subject.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hangup => "HUP",
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
            Self::User1 => "USR1",
            Self::User2 => "USR2",
        }
    }
}

// ---- sql ---------------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    #[error("{0}")]
    Denied(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Unavailable(String),
    /// It ended it, or never began: nothing was done.
    #[error("the statement took too long")]
    TimedOut,
    #[error("the answer is larger than the limit")]
    TooLarge,
    /// The statement was sent, and the connection ended before the answer was there.
    #[error("{0}")]
    Lost(String),
    /// The statement was sent, and there was no answer in time, not even to the wish that it end.
    #[error("the database did not answer in time, and not when it was told to end the statement")]
    Unanswered,
}

/// One statement with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub text: String,
    pub params: Vec<SqlValue>,
    pub timeout: Duration,
    /// Rows that are answered at most.
    pub rows: u32,
    /// What the rows may take, in bytes.
    pub bytes: usize,
}

/// Dates, times and decimals are text.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<SqlValue>>,
    /// There were more than were answered.
    pub truncated: bool,
}
