use std::time::Duration;

use super::calls::Calls;
use super::exec::{ExecError, Output};
use super::files::{Capacity, Entry, FilesError, Removed};
use super::http::{HttpError, Request, Response};
use super::metrics::{MetricsError, Series};
use super::process::{Process, ProcessError, Signal};
use super::secrets::SecretError;
use super::sql::{Rows, SqlError, Value};
use super::state::{StateError, Versioned};
use crate::Level;
use crate::bindings::base::evenkeel::cap;
use crate::bindings::base::evenkeel::plugin::{log, run};

/// The real host, through the component's imports. What is never called here is not imported.
pub struct Guest;

impl Calls for Guest {
    fn run_id(&self) -> String {
        run::id()
    }
    fn attempt(&self) -> u32 {
        run::attempt()
    }
    fn deadline_ms(&self) -> u64 {
        run::deadline_ms()
    }
    fn input(&self, name: &str) -> Option<String> {
        run::input(name)
    }
    fn cancelled(&self) -> bool {
        run::cancelled()
    }
    fn progress(&self, permille: u16, note: &str) {
        run::progress(permille, note);
    }
    fn log_enabled(&self, level: Level) -> bool {
        log::enabled(level)
    }
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        log::write(level, message, fields);
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the host journals the clock, so a plugin may read it"
    )]
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
    fn monotonic(&self) -> Duration {
        thread_local!(static START: std::time::Instant = std::time::Instant::now());
        START.with(std::time::Instant::elapsed)
    }
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn exec(&self, profile: &str, args: &[String], stdin: &[u8]) -> Result<Output, ExecError> {
        cap::exec::run(profile, args, stdin)
    }

    fn space(&self, root: &str) -> Result<Capacity, FilesError> {
        cap::files::space(root)
    }
    fn walk(&self, root: &str, path: &str, after: Option<&str>, limit: u32) -> Result<Vec<Entry>, FilesError> {
        cap::files::walk(root, path, after, limit)
    }
    fn read(&self, root: &str, path: &str, offset: u64, limit: u32) -> Result<Vec<u8>, FilesError> {
        cap::files::read(root, path, offset, limit)
    }
    fn write(&self, root: &str, path: &str, content: &[u8]) -> Result<(), FilesError> {
        cap::files::write(root, path, content)
    }
    fn remove(&self, root: &str, paths: &[String]) -> Result<Removed, FilesError> {
        cap::files::remove(root, paths)
    }

    fn http(&self, request: &Request) -> Result<Response, HttpError> {
        cap::http::send(request)
    }

    fn metrics(&self, source: &str, expr: &str, at_ms: Option<u64>) -> Result<Vec<Series>, MetricsError> {
        cap::metrics::query(source, expr, at_ms)
    }
    fn metrics_range(
        &self,
        source: &str,
        expr: &str,
        from_ms: u64,
        to_ms: u64,
        step_ms: u64,
    ) -> Result<Vec<Series>, MetricsError> {
        cap::metrics::query_range(source, expr, from_ms, to_ms, step_ms)
    }

    fn processes(&self, profile: &str) -> Result<Vec<Process>, ProcessError> {
        cap::process::select(profile)
    }
    fn signal(&self, profile: &str, pid: u32, started_ms: u64, signal: Signal) -> Result<(), ProcessError> {
        cap::process::send(profile, pid, started_ms, signal)
    }

    fn secret_reference(&self, name: &str) -> Result<String, SecretError> {
        cap::secrets::reference(name)
    }
    fn hmac_sha256(&self, key: &str, message: &str) -> Result<String, SecretError> {
        cap::secrets::hmac_sha256(key, message)
    }
    fn reveal(&self, name: &str) -> Result<String, SecretError> {
        cap::secrets::reveal(name)
    }

    fn sql_query(&self, database: &str, statement: &str, params: &[Value], limit: u32) -> Result<Rows, SqlError> {
        cap::sql::query(database, statement, params, limit)
    }
    fn sql_execute(&self, database: &str, statement: &str, params: &[Value]) -> Result<u64, SqlError> {
        cap::sql::execute(database, statement, params)
    }

    fn state_get(&self, key: &str) -> Result<Option<Versioned>, StateError> {
        cap::state::get(key)
    }
    fn state_put(&self, key: &str, value: &[u8], if_version: Option<u64>) -> Result<u64, StateError> {
        cap::state::put(key, value, if_version)
    }
    fn state_delete(&self, key: &str) -> Result<(), StateError> {
        cap::state::delete(key)
    }
    fn state_keys(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, StateError> {
        cap::state::keys(prefix, after, limit)
    }
}
