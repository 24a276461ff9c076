//! The real binary and real plugins, built as they are shipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Where the no-op plugin lies in a home that it was built for.
pub const NOOP: &str = "plugins/noop-1.0.0.wasm";

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("benches/ lies in the checkout")
}

/// The release build of `evenkeel`.
pub fn evenkeel() -> Result<PathBuf> {
    done(
        command("cargo")
            .args(["build", "--release", "-p", "evenkeel"])
            .current_dir(root()),
    )?;
    let own = std::env::current_exe()?;
    Ok(own.parent().context("a program lies in a directory")?.join("evenkeel"))
}

/// Builds the plugin in `source` (relative to the checkout) into `out`.
pub fn plugin(evenkeel: &Path, source: &str, out: &Path) -> Result<()> {
    done(
        command(evenkeel)
            .args(["plugin", "build"])
            .arg(root().join(source))
            .arg("--out")
            .arg(out),
    )
}

pub fn done(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("can't start {command:?}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed:\n{words}");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark starts what it measures")]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}
