//! Secrets out of files, the environment and commands.
//!
//! *Invariant:* no error holds any part of a value, and none of what a command printed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use evenkeel_engine::port::reach::{Command, ExecError};
use evenkeel_engine::port::vault::Vault;
use evenkeel_model::role::{Secret, SecretFrom};
use evenkeel_model::secret::Value;

use crate::reach::local::{Attendant, run};

/// Of a value.
const LARGEST: usize = 64 << 10;
/// A shorter value can't be kept out of texts: too much that is none of it looks like it.
const SHORTEST: usize = 6;
/// For a file: its file system may not answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// That others may read or write it.
const OTHERS: u32 = 0o006;

/// Answers what a variable of the environment holds.
type Lookup = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// Fetches what the roles of a home name.
pub struct HomeVault {
    home: PathBuf,
    attendant: Attendant,
    environment: Box<Lookup>,
}

impl HomeVault {
    /// Finds nothing in the environment.
    pub fn new(home: impl Into<PathBuf>, attendant: Attendant) -> Self {
        Self {
            home: home.into(),
            attendant,
            environment: Box::new(|_| None),
        }
    }

    /// The environment is read by who starts the process.
    pub fn with_environment(self, lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self {
            environment: Box::new(lookup),
            ..self
        }
    }

    async fn file(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        let path = self.home.join(path);
        let shown = path.display().to_string();
        let read = tokio::task::spawn_blocking(move || read(&path));
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("`{shown}` did not answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn command(&self, line: &[String], timeout: Duration) -> Result<Option<Vec<u8>>, String> {
        let program = line.first().map_or("", String::as_str);
        let command = Command {
            line: line.to_vec(),
            env: BTreeMap::new(),
            cwd: Some(self.home.clone()),
            stdin: Vec::new(),
            timeout,
            keep: LARGEST + 2,
        };
        let output = run(&self.attendant, command).await.map_err(|error| match error {
            ExecError::Spawn(why) => format!("the command can't be started: {why}"),
            ExecError::TimedOut => format!("`{program}` did not end within {} s", timeout.as_secs_f32()),
            ExecError::OutputLimit => format!("`{program}` printed without end"),
            ExecError::Denied(why) => why,
        })?;
        match output.code {
            Some(0) => Ok(Some(output.stdout)),
            Some(code) => Err(format!("`{program}` ended with exit code {code}")),
            None => Err(format!("`{program}` was ended by a signal")),
        }
    }
}

#[async_trait]
impl Vault for HomeVault {
    async fn value(&self, secret: &Secret) -> Result<Option<Value>, String> {
        let (place, found) = match &secret.from {
            SecretFrom::File(path) => (format!("`{}`", path.display()), self.file(path).await?),
            SecretFrom::Env(name) => {
                let found = (self.environment)(name).map(std::os::unix::ffi::OsStringExt::into_vec);
                (format!("the variable `{name}`"), found)
            }
            SecretFrom::Command { line, timeout } => {
                let program = line.first().map_or("", String::as_str);
                (format!("what `{program}` prints"), self.command(line, *timeout).await?)
            }
        };
        found.map(|bytes| value(bytes, &place)).transpose()
    }
}

/// None: there is no such file. Never waits for a FIFO, and reads no more than is allowed.
fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let shown = path.display();
    let failed = |error: io::Error| format!("`{shown}` can't be read: {error}");
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(path);
    let file: File = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(format!("`{shown}` is no file"));
    }
    if meta.mode() & OTHERS != 0 {
        return Err(format!(
            "`{shown}` may be read or written by every user of this machine: `chmod 600` it"
        ));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST as u64 + 3).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Without the line break at its end.
fn value(bytes: Vec<u8>, place: &str) -> Result<Value, String> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if bytes.len() > LARGEST {
        return Err(format!("{place} is larger than {} KiB", LARGEST >> 10));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| format!("{place} is not UTF-8"))?;
    if text.len() < SHORTEST {
        return Err(format!(
            "{place} has {} bytes: a secret of less than {SHORTEST} can't be kept out of logs; take a longer one",
            text.len()
        ));
    }
    Ok(Value::new(text))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn secret(from: SecretFrom) -> Secret {
        Secret {
            from,
            allow: Vec::new(),
            origins: Vec::new(),
            exec: Vec::new(),
            hmac: false,
        }
    }

    fn vault(home: impl Into<PathBuf>) -> HomeVault {
        HomeVault::new(home, Attendant::nobody())
    }

    fn home(content: &[u8]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("s"), content).unwrap();
        fs::set_permissions(home.path().join("s"), fs::Permissions::from_mode(0o600)).unwrap();
        home
    }

    async fn from_file(content: &[u8]) -> Result<Option<String>, String> {
        let home = home(content);
        let found = vault(home.path()).value(&secret(SecretFrom::File("s".into()))).await;
        let shown = home.path().display().to_string();
        found
            .map(|value| value.map(|value| value.expose().to_owned()))
            .map_err(|error| error.replace(&shown, "HOME"))
    }

    async fn printed(script: &str) -> Result<Option<String>, String> {
        let line = ["sh", "-c", script].map(str::to_owned).to_vec();
        let timeout = Duration::from_millis(300);
        let found = vault("/").value(&secret(SecretFrom::Command { line, timeout })).await;
        found.map(|value| value.map(|value| value.expose().to_owned()))
    }

    #[tokio::test]
    async fn a_line_break_at_the_end_is_no_part_of_a_value_and_others_are() {
        assert_eq!(from_file(b"hunter22\n").await, Ok(Some("hunter22".into())));
        assert_eq!(from_file(b"hunter22\r\n").await, Ok(Some("hunter22".into())));
        assert_eq!(from_file(b"-- a\nb --\n\n").await, Ok(Some("-- a\nb --\n".into())));
        assert_eq!(printed("printf hunter22").await, Ok(Some("hunter22".into())));
        assert_eq!(
            from_file(&[b'x'; LARGEST])
                .await
                .map(|value| value.map(|value| value.len())),
            Ok(Some(LARGEST))
        );
    }

    #[tokio::test]
    async fn what_is_no_value_is_refused_without_a_part_of_it() {
        let short = "`s` has 5 bytes: a secret of less than 6 can't be kept out of logs; take a longer one";
        assert_eq!(from_file(b"abcde\n").await, Err(short.into()));
        assert_eq!(from_file(b"hunter22\xff").await, Err("`s` is not UTF-8".into()));
        assert_eq!(
            from_file(&[b'x'; LARGEST + 1]).await,
            Err("`s` is larger than 64 KiB".into())
        );
        assert_eq!(
            printed("yes | head -c 200000").await,
            Err("what `sh` prints is larger than 64 KiB".into())
        );
        assert_eq!(
            printed("echo hunter22; exit 3").await,
            Err("`sh` ended with exit code 3".into())
        );
        assert_eq!(
            printed("echo hunter22; kill -9 $$").await,
            Err("`sh` was ended by a signal".into())
        );
        assert_eq!(
            printed("echo hunter22; sleep 30").await,
            Err("`sh` did not end within 0.3 s".into())
        );
    }

    #[tokio::test]
    async fn what_is_not_there_is_missing() {
        let vault = vault("/nowhere");
        assert_eq!(vault.value(&secret(SecretFrom::File("s".into()))).await, Ok(None));
        assert_eq!(vault.value(&secret(SecretFrom::Env("S".into()))).await, Ok(None));
        let vault = vault.with_environment(|name| (name == "S").then(|| "hunter22".into()));
        let found = vault.value(&secret(SecretFrom::Env("S".into()))).await;
        assert_eq!(found, Ok(Some(Value::new("hunter22"))));
    }

    #[tokio::test]
    async fn a_file_that_every_user_may_read_is_refused_and_a_fifo_is_not_waited_for() {
        let home = home(b"hunter22");
        let vault = vault(home.path());
        let error = |found: Result<Option<Value>, String>| found.unwrap_err();
        fs::set_permissions(home.path().join("s"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(
            vault.value(&secret(SecretFrom::File("s".into()))).await.is_ok(),
            "a group is the operator's"
        );
        fs::set_permissions(home.path().join("s"), fs::Permissions::from_mode(0o644)).unwrap();
        let words = error(vault.value(&secret(SecretFrom::File("s".into()))).await);
        assert!(words.ends_with("every user of this machine: `chmod 600` it"), "{words}");

        let fifo = home.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let words = error(vault.value(&secret(SecretFrom::File("fifo".into()))).await);
        assert!(words.ends_with("is no file"), "{words}");
    }
}
