use std::rc::Rc;
use std::time::Duration;

use super::{World, secrets};
use crate::exec::{ExecError, Output};
use crate::files::{Capacity, Entry, FilesError, Removed};
use crate::host::Calls;
use crate::http::{HttpError, Request, Response};
use crate::metrics::{MetricsError, Series};
use crate::process::{Process, ProcessError, Signal};
use crate::secrets::SecretError;
use crate::sql::{Rows, SqlError, Value};
use crate::state::{StateError, Versioned};
use crate::{Level, subject};

impl World {
    fn read_call(&self, capability: &'static str, operation: &'static str, subject: impl Into<String>) {
        self.pass(self.call_takes.get());
        self.journal.borrow_mut().read(capability, operation, subject.into());
    }

    fn effect_call(
        &self,
        capability: &'static str,
        operation: &'static str,
        subject: String,
        content: &[u8],
    ) -> Result<(), String> {
        self.journal
            .borrow_mut()
            .effect(capability, operation, subject, content)
    }
}

fn untold(what: &str, name: &str) -> String {
    format!("the mock host was not told of {what} `{name}`")
}

impl Calls for Rc<World> {
    fn run_id(&self) -> String {
        "run-1".into()
    }
    fn attempt(&self) -> u32 {
        self.attempt.get()
    }
    fn deadline_ms(&self) -> u64 {
        let slept = u64::try_from(self.slept.get().as_millis()).unwrap_or(u64::MAX);
        self.deadline_ms.get().saturating_sub(slept)
    }
    fn input(&self, name: &str) -> Option<String> {
        self.inputs.borrow().get(name).cloned()
    }
    fn cancelled(&self) -> bool {
        self.cancelled.get()
    }
    fn progress(&self, permille: u16, note: &str) {
        self.progress.borrow_mut().push((permille, note.to_owned()));
    }
    fn log_enabled(&self, _: Level) -> bool {
        true
    }
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        self.logs.borrow_mut().push((level, format!("{message}{fields}")));
    }

    fn now_ms(&self) -> u64 {
        World::now_ms(self)
    }
    fn monotonic(&self) -> Duration {
        self.slept.get()
    }
    fn sleep(&self, duration: Duration) {
        self.pass(duration);
    }

    fn exec(&self, profile: &str, args: &[String], stdin: &[u8]) -> Result<Output, ExecError> {
        let subject = subject::exec(profile, args);
        if self.read_only.borrow().contains(profile) {
            self.read_call("exec", "run", subject);
        } else {
            self.effect_call("exec", "run", subject, stdin)
                .map_err(ExecError::Denied)?;
        }
        let reply = self.exec.borrow_mut().next(profile);
        self.processes.borrow_mut().ran(profile);
        reply.unwrap_or_else(|| Err(ExecError::Denied(untold("the profile", profile))))
    }

    fn space(&self, root: &str) -> Result<Capacity, FilesError> {
        self.read_call("files", "space", root);
        self.files.borrow().space(root)
    }
    fn walk(&self, root: &str, path: &str, after: Option<&str>, limit: u32) -> Result<Vec<Entry>, FilesError> {
        self.read_call("files", "walk", subject::files(root, path));
        self.files.borrow().walk(root, path, after, limit)
    }
    fn read(&self, root: &str, path: &str, offset: u64, limit: u32) -> Result<Vec<u8>, FilesError> {
        self.read_call("files", "read", subject::files(root, path));
        self.files.borrow().read(root, path, offset, limit)
    }
    fn write(&self, root: &str, path: &str, content: &[u8]) -> Result<(), FilesError> {
        self.effect_call("files", "write", subject::files(root, path), content)
            .map_err(FilesError::Denied)?;
        self.files.borrow_mut().put(root, path, content, World::now_ms(self));
        Ok(())
    }
    fn remove(&self, root: &str, paths: &[String]) -> Result<Removed, FilesError> {
        let mut removed = Removed { files: 0, bytes: 0 };
        // All or nothing is allowed, as by the real host: it judges a call before it makes any of it.
        for path in paths {
            self.effect_call("files", "remove", subject::files(root, path), b"")
                .map_err(FilesError::Denied)?;
        }
        for path in paths {
            if let Some(bytes) = self.files.borrow_mut().remove(root, path)? {
                removed.files += 1;
                removed.bytes += bytes;
            }
        }
        Ok(removed)
    }

    fn http(&self, request: &Request) -> Result<Response, HttpError> {
        let subject = subject::http(&request.method, &request.origin, &request.path);
        if ["GET", "HEAD"].contains(&request.method.as_str()) {
            self.read_call("http", "send", subject.as_str());
        } else {
            self.effect_call("http", "send", subject.clone(), &request.body)
                .map_err(HttpError::Denied)?;
        }
        let reply = self.http.borrow_mut().next(&subject);
        reply.unwrap_or_else(|| Err(HttpError::Denied(untold("the request", &subject))))
    }

    fn metrics(&self, source: &str, expr: &str, _: Option<u64>) -> Result<Vec<Series>, MetricsError> {
        self.read_call("metrics", "query", format!("{source} {expr}"));
        let series = self
            .metrics
            .borrow()
            .get(&(source.to_owned(), expr.to_owned()))
            .cloned();
        series.ok_or_else(|| MetricsError::Denied(untold("the expression", expr)))
    }
    fn metrics_range(&self, source: &str, expr: &str, _: u64, _: u64, _: u64) -> Result<Vec<Series>, MetricsError> {
        Calls::metrics(self, source, expr, None)
    }

    fn processes(&self, profile: &str) -> Result<Vec<Process>, ProcessError> {
        self.read_call("process", "select", profile);
        let processes = self.processes.borrow().of(profile);
        processes.ok_or_else(|| ProcessError::Denied(untold("the profile", profile)))
    }
    fn signal(&self, profile: &str, pid: u32, started_ms: u64, signal: Signal) -> Result<(), ProcessError> {
        self.effect_call("process", "send", subject::process(signal, profile), b"")
            .map_err(ProcessError::Denied)?;
        let hit = self.processes.borrow_mut().signal(profile, (pid, started_ms), signal);
        if hit { Ok(()) } else { Err(ProcessError::Missing) }
    }

    fn secret_reference(&self, name: &str) -> Result<String, SecretError> {
        self.read_call("secrets", "reference", name);
        self.secrets
            .borrow()
            .get(name)
            .map(|_| secrets::reference(name))
            .ok_or(SecretError::Missing)
    }
    fn hmac_sha256(&self, key: &str, message: &str) -> Result<String, SecretError> {
        self.read_call("secrets", "hmac-sha256", "");
        let known = self.secrets.borrow();
        Ok(secrets::hmac_sha256(
            &secrets::replaced(key, &known),
            &secrets::replaced(message, &known),
        ))
    }
    fn reveal(&self, name: &str) -> Result<String, SecretError> {
        self.read_call("secrets", "reveal", name);
        self.secrets.borrow().get(name).cloned().ok_or(SecretError::Missing)
    }

    fn sql_query(&self, database: &str, statement: &str, _: &[Value], limit: u32) -> Result<Rows, SqlError> {
        let subject = subject::sql(database, statement);
        self.read_call("sql", "query", subject.as_str());
        let reply = self.queries.borrow_mut().next(&subject);
        let mut rows = reply.unwrap_or_else(|| Err(SqlError::Denied(untold("the statement", &subject))))?;
        if rows.rows.len() > limit as usize {
            rows.rows.truncate(limit as usize);
            rows.truncated = true;
        }
        Ok(rows)
    }
    fn sql_execute(&self, database: &str, statement: &str, params: &[Value]) -> Result<u64, SqlError> {
        let subject = subject::sql(database, statement);
        let content = subject::sql_params(params);
        self.effect_call("sql", "execute", subject.clone(), content.as_bytes())
            .map_err(SqlError::Denied)?;
        let reply = self.executes.borrow_mut().next(&subject);
        reply.unwrap_or_else(|| Err(SqlError::Denied(untold("the statement", &subject))))
    }

    fn state_get(&self, key: &str) -> Result<Option<Versioned>, StateError> {
        self.read_call("state", "get", key);
        Ok(self.state.borrow().get(key))
    }
    fn state_put(&self, key: &str, value: &[u8], if_version: Option<u64>) -> Result<u64, StateError> {
        self.read_call("state", "put", key);
        let mut memory = self.state.borrow_mut();
        match if_version {
            Some(version) => memory.put_over(version, key, value),
            None => Ok(memory.put(key, value)),
        }
    }
    fn state_delete(&self, key: &str) -> Result<(), StateError> {
        self.read_call("state", "delete", key);
        self.state.borrow_mut().delete(key);
        Ok(())
    }
    fn state_keys(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, StateError> {
        self.read_call("state", "keys", prefix);
        Ok(self.state.borrow().keys(prefix, after, limit))
    }
}
