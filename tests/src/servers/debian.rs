//! Packages of Debian, sid's or the machine's own release, unpacked beside the system instead of installed into it.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

use super::apt_sources;

/// The package's files under `servers/PACKAGE-VERSION`, fetched if no version is there. The
/// caller holds the lock on `servers`.
///
/// # Errors
/// When it isn't there and can't be fetched.
pub fn unpacked(package: &str, servers: &Path) -> anyhow::Result<PathBuf> {
    unpacked_of(Suite::Sid, package, servers)
}

/// Whose packages. A server whose libraries are the machine's own is one of the machine's own release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    Sid,
    Own,
}

/// The same of another suite.
///
/// # Errors
/// When it isn't there and can't be fetched.
pub fn unpacked_of(suite: Suite, package: &str, servers: &Path) -> anyhow::Result<PathBuf> {
    if let Some(found) = kept(package, servers)? {
        return Ok(found);
    }
    let apt = Apt::new(suite, servers)?;
    let archive = apt.download(package)?;
    let version = said(Command::new("dpkg-deb").arg("--field").arg(&archive).arg("Version"))?;
    let draft = servers.join(format!("{package}.unpacking"));
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    said(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&draft))?;
    fs::remove_file(archive)?;
    // The name with the version says that all of it is there.
    let whole = servers.join(format!("{package}-{}", version.trim().replace(':', "%3a")));
    fs::rename(draft, &whole)?;
    Ok(whole)
}

/// A program of one tree in another as well. A link and no copy: a file that is being written can't be run, by this
/// process or by one that it forks meanwhile, and another test may be running it already.
///
/// # Errors
/// When it can't be linked.
pub fn put_beside(program: &Path, there: &Path) -> io::Result<()> {
    match fs::hard_link(program, there) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

/// Sid's packages and all libraries that they want, in one tree `servers/NAME-VERSION`; the version is that of the first.
/// The caller holds the lock on `servers`.
///
/// # Errors
/// When it isn't there and can't be fetched.
pub fn with_libraries(name: &str, packages: &[&str], servers: &Path) -> anyhow::Result<PathBuf> {
    if let Some(found) = kept(name, servers)? {
        return Ok(found);
    }
    let apt = Apt::new(Suite::Sid, servers)?;
    let archives = apt.download_with_libraries(packages)?;
    let draft = servers.join(format!("{name}.unpacking"));
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    let mut version = None;
    for archive in archives {
        said(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&draft))?;
        let field = |field| said(Command::new("dpkg-deb").arg("--field").arg(&archive).arg(field));
        if field("Package")?.trim() == packages[0] {
            version = Some(field("Version")?);
        }
        fs::remove_file(archive)?;
    }
    let version = version.with_context(|| format!("apt-get has downloaded no {}", packages[0]))?;
    let whole = servers.join(format!("{name}-{}", version.trim().replace(':', "%3a")));
    fs::rename(draft, &whole)?;
    Ok(whole)
}

/// Sid's loader with the arguments that make a program use sid's C library.
///
/// # Errors
/// When the library can't be fetched.
pub fn loader(servers: &Path) -> anyhow::Result<Vec<OsString>> {
    loader_of(&unpacked("libc6", servers)?)
}

/// The same with the C library of this tree, and what else is beside it.
///
/// # Errors
/// When it has none.
pub fn loader_of(tree: &Path) -> anyhow::Result<Vec<OsString>> {
    let libc =
        find(tree, &|name| name == "libc.so.6").with_context(|| format!("{} holds no libc.so.6", tree.display()))?;
    let loader = find(tree, &|name| name.starts_with("ld-linux"))
        .or_else(|| find(tree, &|name| name.starts_with("ld64.so")))
        .with_context(|| format!("{} holds no loader", tree.display()))?;
    let directory = libc.parent().context("a file is in a directory")?;
    Ok(vec![loader.into_os_string(), "--library-path".into(), directory.into()])
}

/// Versions are as Debian writes them, so they start with a digit: `prometheus-3.5.3+ds1-6`.
fn kept(package: &str, servers: &Path) -> anyhow::Result<Option<PathBuf>> {
    for entry in fs::read_dir(servers)? {
        let entry = entry?;
        let name = entry.file_name();
        let version = name
            .to_str()
            .and_then(|name| name.strip_prefix(package)?.strip_prefix('-'));
        if version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// An apt with lists, cache and sources of its own, and one suite as its one source.
struct Apt {
    directory: PathBuf,
}

impl Apt {
    fn new(suite: Suite, servers: &Path) -> anyhow::Result<Self> {
        let directory = match suite {
            Suite::Sid => "apt",
            Suite::Own => "apt-own",
        };
        let apt = Self {
            directory: servers.join(directory),
        };
        for needed in ["state/lists/partial", "cache/archives/partial", "download"] {
            fs::create_dir_all(apt.directory.join(needed))?;
        }
        fs::write(apt.directory.join("state/status"), "")?;
        let source = apt_sources::source(suite, Path::new("/etc/apt"), Path::new("/etc/os-release"))?;
        fs::write(apt.directory.join("one.sources"), source)?;
        fs::write(apt.directory.join("apt.conf"), apt.configuration())?;
        Ok(apt)
    }

    /// Read after the system's, so that proxies are kept and all that touches the system is not.
    fn configuration(&self) -> String {
        let own = self.directory.display();
        format!(
            "Dir::State \"{own}/state\";\n\
             Dir::State::status \"{own}/state/status\";\n\
             Dir::Cache \"{own}/cache\";\n\
             Dir::Etc::sourcelist \"{own}/one.sources\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\n\
             Dir::Etc::preferences \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::Retries \"3\";\n\
             APT::Sandbox::User \"root\";\n\
             #clear APT::Update::Pre-Invoke;\n\
             #clear APT::Update::Post-Invoke;\n\
             #clear APT::Update::Post-Invoke-Success;\n"
        )
    }

    /// The archive of the newest version; apt checks it against its signed list.
    fn download(&self, package: &str) -> anyhow::Result<PathBuf> {
        self.get(&["update", "--error-on=any"])?;
        let into = self.directory.join("download");
        fs::remove_dir_all(&into)?;
        fs::create_dir(&into)?;
        self.get(&["download", package])?;
        let archive = fs::read_dir(&into)?
            .next()
            .with_context(|| format!("apt-get has downloaded no {package}"))?;
        Ok(archive?.path())
    }

    fn download_with_libraries(&self, packages: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
        self.get(&["update", "--error-on=any"])?;
        let into = self.directory.join("download");
        fs::remove_dir_all(&into)?;
        fs::create_dir(&into)?;
        let mut depends = Command::new("apt-cache");
        depends.arg("--config-file").arg(self.directory.join("apt.conf"));
        depends.args(["depends", "--recurse", "--no-recommends", "--no-suggests"]);
        depends.args(["--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances"]);
        let depends = said(depends.args(packages))?;
        let wanted = depends
            .lines()
            .filter(|line| is_library(line) || packages.contains(line));
        self.get(&["download"].into_iter().chain(wanted).collect::<Vec<_>>())?;
        fs::read_dir(&into)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn get(&self, arguments: &[&str]) -> anyhow::Result<()> {
        said(
            Command::new("apt-get")
                .current_dir(self.directory.join("download"))
                .arg("--quiet")
                .arg("--config-file")
                .arg(self.directory.join("apt.conf"))
                .args(arguments),
        )?;
        Ok(())
    }
}

/// Perl's own is for scripts.
fn is_library(package: &str) -> bool {
    (package.starts_with("lib") || package == "zlib1g") && !package.starts_with("libperl")
}

/// What a command prints.
fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .with_context(|| format!("{command:?} can't be started"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn find(directory: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    let entries: Vec<_> = fs::read_dir(directory).ok()?.filter_map(Result::ok).collect();
    let here = entries.iter().find(|entry| {
        let name = entry.file_name();
        entry.path().is_file() && name.to_str().is_some_and(is_wanted)
    });
    here.map(fs::DirEntry::path).or_else(|| {
        entries
            .iter()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .find_map(|entry| find(&entry.path(), is_wanted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_not_taken_for_another_whose_name_it_begins() {
        let servers = tempfile::tempdir().unwrap();
        fs::create_dir(servers.path().join("prometheus-alertmanager-0.33.1-5")).unwrap();
        fs::create_dir(servers.path().join("prometheus.unpacking")).unwrap();
        assert_eq!(kept("prometheus", servers.path()).unwrap(), None);

        let whole = servers.path().join("prometheus-3.5.3+ds1-6");
        fs::create_dir(&whole).unwrap();
        assert_eq!(kept("prometheus", servers.path()).unwrap(), Some(whole));
    }

    #[test]
    fn the_loader_is_told_where_its_library_is() -> anyhow::Result<()> {
        let servers = tempfile::tempdir()?;
        let lib = servers.path().join("libc6-2.43-7/usr/lib");
        for file in ["aarch64-linux-gnu/libc.so.6", "ld-linux-aarch64.so.1"] {
            fs::create_dir_all(lib.join("aarch64-linux-gnu"))?;
            fs::write(lib.join(file), "")?;
        }

        let command = loader(servers.path())?;

        let directory = lib.join("aarch64-linux-gnu").into_os_string();
        let program = lib.join("ld-linux-aarch64.so.1").into_os_string();
        assert_eq!(command, [program, "--library-path".into(), directory]);
        Ok(())
    }
}
