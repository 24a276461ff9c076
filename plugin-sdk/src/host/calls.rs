use std::time::Duration;

use super::exec::{ExecError, Output};
use super::files::{Capacity, Entry, FilesError, Removed};
use super::http::{HttpError, Request, Response};
use super::metrics::{MetricsError, Series};
use super::process::{Process, ProcessError, Signal};
use super::secrets::SecretError;
use super::sql::{Rows, SqlError, Value};
use super::state::{StateError, Versioned};
use crate::Level;

/// The contract's imports, function by function. The guest passes them on; the mock host answers them.
pub(crate) trait Calls {
    fn run_id(&self) -> String;
    fn attempt(&self) -> u32;
    fn deadline_ms(&self) -> u64;
    fn input(&self, name: &str) -> Option<String>;
    fn cancelled(&self) -> bool;
    fn progress(&self, permille: u16, note: &str);
    fn log_enabled(&self, level: Level) -> bool;
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]);

    fn now_ms(&self) -> u64;
    fn monotonic(&self) -> Duration;
    fn sleep(&self, duration: Duration);

    fn exec(&self, profile: &str, args: &[String], stdin: &[u8]) -> Result<Output, ExecError>;

    fn space(&self, root: &str) -> Result<Capacity, FilesError>;
    fn walk(&self, root: &str, path: &str, after: Option<&str>, limit: u32) -> Result<Vec<Entry>, FilesError>;
    fn read(&self, root: &str, path: &str, offset: u64, limit: u32) -> Result<Vec<u8>, FilesError>;
    fn write(&self, root: &str, path: &str, content: &[u8]) -> Result<(), FilesError>;
    fn remove(&self, root: &str, paths: &[String]) -> Result<Removed, FilesError>;

    fn http(&self, request: &Request) -> Result<Response, HttpError>;

    fn metrics(&self, source: &str, expr: &str, at_ms: Option<u64>) -> Result<Vec<Series>, MetricsError>;
    fn metrics_range(
        &self,
        source: &str,
        expr: &str,
        from_ms: u64,
        to_ms: u64,
        step_ms: u64,
    ) -> Result<Vec<Series>, MetricsError>;

    fn processes(&self, profile: &str) -> Result<Vec<Process>, ProcessError>;
    fn signal(&self, profile: &str, pid: u32, started_ms: u64, signal: Signal) -> Result<(), ProcessError>;

    fn secret_reference(&self, name: &str) -> Result<String, SecretError>;
    fn hmac_sha256(&self, key: &str, message: &str) -> Result<String, SecretError>;
    fn reveal(&self, name: &str) -> Result<String, SecretError>;

    fn sql_query(&self, database: &str, statement: &str, params: &[Value], limit: u32) -> Result<Rows, SqlError>;
    fn sql_execute(&self, database: &str, statement: &str, params: &[Value]) -> Result<u64, SqlError>;

    fn state_get(&self, key: &str) -> Result<Option<Versioned>, StateError>;
    fn state_put(&self, key: &str, value: &[u8], if_version: Option<u64>) -> Result<u64, StateError>;
    fn state_delete(&self, key: &str) -> Result<(), StateError>;
    fn state_keys(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, StateError>;
}
