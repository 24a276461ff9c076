//! An Alertmanager that waits for nothing and calls one webhook.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{bail, ensure};

use super::{Installed, Wanted, installed};
use crate::process::Process;

const WANTED: Wanted = Wanted {
    package: "prometheus-alertmanager",
    programs: &["prometheus-alertmanager", "alertmanager"],
    since: (0, 30),
};

/// Where Debian's build has its templates, and it takes no other place for them.
const TEMPLATE: &str = "/usr/share/prometheus/alertmanager/default.tmpl";

/// Makes the package's own share the system's, for this one process.
const WITH_SHARE: &str = r#"mount --bind "$1" /usr/share && shift && exec "$@""#;

/// A running Alertmanager.
pub struct Alertmanager {
    /// `HOST:PORT`, as a Prometheus is told of it.
    pub address: String,
    process: Process,
}

impl Alertmanager {
    /// Starts one that sends every group to `webhook` (a URL) at once, and again every few
    /// seconds. Its files are in `directory/alertmanager`.
    ///
    /// # Errors
    /// When there is no Alertmanager, or it doesn't become ready.
    pub fn start(directory: &Path, webhook: &str) -> anyhow::Result<Self> {
        let program = installed(&WANTED)?;
        let own = directory.join("alertmanager");
        fs::create_dir_all(&own)?;
        fs::write(own.join("alertmanager.yml"), configuration(webhook))?;
        let mut command = command(&program)?;
        command
            .arg("--config.file=alertmanager.yml")
            .arg("--storage.path=data")
            .arg("--web.listen-address=127.0.0.1:0")
            .arg("--cluster.listen-address=")
            .current_dir(own);
        let mut process = Process::spawn("alertmanager", &mut command, directory)?;
        let address = process.wait_for_line(Duration::from_secs(60), "the Alertmanager listens", listening)?;
        Ok(Self { address, process })
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// The address in the line with which both servers say that they listen.
pub(super) fn listening(line: &str) -> Option<String> {
    let (_, address) = line.split_once("msg=\"Listening on\"")?.1.split_once("address=")?;
    address.split_whitespace().next().map(str::to_owned)
}

fn configuration(webhook: &str) -> String {
    serde_json::json!({
        "route": {
            "receiver": "webhook",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "2s",
        },
        "receivers": [{
            "name": "webhook",
            "webhook_configs": [{ "url": webhook, "send_resolved": true }],
        }],
    })
    .to_string()
}

/// The program, in a mount namespace with its templates unless they are where it looks for them.
fn command(program: &Installed) -> anyhow::Result<Command> {
    let share = match &program.share {
        Some(share) if !Path::new(TEMPLATE).exists() => share,
        _ => return Ok(program.command()),
    };
    let mut command = Command::new("unshare");
    command
        .args(namespace(share)?)
        .args(["sh", "-c", WITH_SHARE, "sh"])
        .arg(share)
        .args(&program.command);
    Ok(command)
}

/// The kind of namespace that this system lets us have: a user's own, or root's.
fn namespace(share: &PathBuf) -> anyhow::Result<&'static [&'static str]> {
    const KINDS: [&[&str]; 2] = [&["--user", "--map-root-user", "--mount"], &["--mount"]];
    for kind in KINDS {
        let tried = Command::new("unshare")
            .args(kind)
            .args(["sh", "-c", WITH_SHARE, "sh"])
            .arg(share)
            .args(["test", "-e", TEMPLATE])
            .output();
        match tried {
            Ok(output) if output.status.success() => return Ok(kind),
            Ok(_) => {}
            Err(error) => bail!("`unshare` can't be started: {error}"),
        }
    }
    ensure!(
        Path::new(TEMPLATE).exists(),
        "this system allows no mount namespaces, and Debian's Alertmanager reads {TEMPLATE}: \
         install the package `prometheus-alertmanager`, or put a build of 0.30 or newer on the PATH"
    );
    Ok(&[])
}
