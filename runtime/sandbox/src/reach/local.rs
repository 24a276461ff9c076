//! The machine that evenkeel runs on.

mod disk;
mod exec;
mod files;
mod http;
mod process;
mod sql;
mod tls;
mod tree;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use evenkeel_engine::port::reach::{
    Capacity, Command, ExecError, FilesError, HttpError, Identity, Output, Page, Process, ProcessError, Reach, Removed,
    Request, Response, Rows, Signal, SqlError, Statement, Walk,
};
use evenkeel_model::name::AssetId;
use evenkeel_model::role::{Database, Origin, Processes, Root};
use evenkeel_model::secret::Value as Secret;

use disk::{Asked, Disk};

pub(crate) use exec::run;
pub use exec::{Attendant, attend_as_child};

/// Acts on this machine, whichever local asset it is about.
pub struct Local {
    /// Relative paths in roles are relative to it.
    home: PathBuf,
    attendant: Attendant,
    disk: Disk,
    tls: tls::Configs,
    stops: sql::Stops,
}

impl Local {
    pub fn new(home: impl Into<PathBuf>, attendant: Attendant) -> Self {
        Self {
            home: home.into(),
            attendant,
            disk: Disk::default(),
            tls: tls::Configs::default(),
            stops: sql::Stops::default(),
        }
    }

    fn databases(&self) -> sql::Databases<'_> {
        sql::Databases {
            home: &self.home,
            disk: &self.disk,
            tls: &self.tls,
            stops: &self.stops,
        }
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        root: &Root,
        work: impl FnOnce(&Path, &Asked) -> Result<T, FilesError> + Send + 'static,
    ) -> Result<T, FilesError> {
        let path = self.home.join(&root.path);
        self.disk.work(move |asked| work(&path, asked)).await
    }
}

#[async_trait]
impl Reach for Local {
    async fn space(&self, _: &AssetId, root: &Root) -> Result<Capacity, FilesError> {
        self.on_disk(root, |root, _| files::space(root)).await
    }

    async fn walk(&self, _: &AssetId, root: &Root, walk: Walk) -> Result<Page, FilesError> {
        self.on_disk(root, move |root, _| tree::walk(root, &walk)).await
    }

    async fn read(&self, _: &AssetId, root: &Root, path: &str, offset: u64, limit: u32) -> Result<Vec<u8>, FilesError> {
        let path = path.to_owned();
        self.on_disk(root, move |root, _| files::read(root, &path, offset, limit))
            .await
    }

    async fn write(&self, _: &AssetId, root: &Root, path: &str, content: Vec<u8>) -> Result<(), FilesError> {
        let path = path.to_owned();
        self.on_disk(root, move |root, asked| files::write(root, &path, &content, asked))
            .await
    }

    async fn identify(&self, _: &AssetId, root: &Root, paths: &[String]) -> Result<Vec<Option<Identity>>, FilesError> {
        let paths = paths.to_vec();
        self.on_disk(root, move |root, _| files::identify(root, &paths)).await
    }

    async fn remove(&self, _: &AssetId, root: &Root, what: Vec<(String, Identity)>) -> Result<Removed, FilesError> {
        self.on_disk(root, move |root, asked| files::remove(root, &what, asked))
            .await
    }

    async fn run(&self, _: &AssetId, mut command: Command) -> Result<Output, ExecError> {
        command.cwd = Some(self.home.join(command.cwd.unwrap_or_default()));
        exec::run(&self.attendant, command).await
    }

    async fn resolve(&self, _: &AssetId, host: &str, port: u16) -> Result<Vec<SocketAddr>, HttpError> {
        http::resolve(host, port).await
    }

    async fn send(&self, _: &AssetId, origin: &Origin, request: Request) -> Result<Response, HttpError> {
        let ca = origin.ca.as_ref().map(|file| self.home.join(file));
        http::send(&self.tls, ca, request).await
    }

    async fn processes(&self, _: &AssetId, profile: &Processes) -> Result<Vec<Process>, ProcessError> {
        process::select(profile).await
    }

    async fn signal(
        &self,
        _: &AssetId,
        profile: &Processes,
        pid: u32,
        started_ms: u64,
        signal: Signal,
    ) -> Result<(), ProcessError> {
        process::signal(profile, pid, started_ms, signal).await
    }

    async fn query(
        &self,
        _: &AssetId,
        database: &Database,
        password: Option<&Secret>,
        statement: Statement,
    ) -> Result<Rows, SqlError> {
        self.databases().query(database, password, statement).await
    }

    async fn execute(
        &self,
        _: &AssetId,
        database: &Database,
        password: Option<&Secret>,
        statement: Statement,
    ) -> Result<u64, SqlError> {
        self.databases().execute(database, password, statement).await
    }

    async fn settled(&self, patience: Duration) {
        tokio::join!(self.disk.settled(patience), self.stops.settled(patience));
    }
}
