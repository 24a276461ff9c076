//! `evenkeel init`: a home with every setting and its default.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::render;

const FILES: [(&str, &str); 4] = [
    ("evenkeel.toml", include_str!("init/evenkeel.toml")),
    ("assets.toml", include_str!("init/assets.toml")),
    (
        "runbooks/free-disk-space.toml.example",
        include_str!("init/runbook.toml"),
    ),
    (".gitignore", "/data/\n/secrets/\n"),
];

/// Writes the files; none of them may be there already.
pub fn init(dir: &Path) -> Result<ExitCode> {
    if let Some((there, _)) = FILES.iter().find(|(name, _)| dir.join(name).exists()) {
        bail!("`{}` is there already; nothing was written", dir.join(there).display());
    }
    for sub in ["runbooks", "plugins", "data"] {
        let path = dir.join(sub);
        fs::create_dir_all(&path).with_context(|| format!("can't make `{}`", path.display()))?;
    }
    for (name, text) in FILES {
        let path = dir.join(name);
        write_new(&path, text).with_context(|| format!("can't write `{}`", path.display()))?;
        render::line(&format!("wrote {}", path.display()))?;
    }
    render::note(
        "next: put plugins into plugins/ (`evenkeel plugin build DIR`), rename runbooks/free-disk-space.toml.example,\n\
         then `evenkeel lock`, `evenkeel check` and `evenkeel run free-disk-space --dry-run`",
    );
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?
        .write_all(text.as_bytes())
}
