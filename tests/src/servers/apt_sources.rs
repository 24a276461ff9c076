//! Where the machine's apt gets Debian from: sources.list(5), both of its formats.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

use super::debian::Suite;

/// Suites besides the release's own name under which the main archive goes.
const CLASSES: [&str; 4] = ["stable", "testing", "unstable", "sid"];

/// Fields that say what to take from an archive; all others say how to reach and to trust it.
const WHAT: [&str; 8] = [
    "types",
    "uris",
    "suites",
    "components",
    "enabled",
    "architectures",
    "languages",
    "targets",
];

/// One archive that apt is told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Source {
    types: Vec<String>,
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    /// How to reach and to trust it, such as `Signed-By`, as it is written.
    options: Vec<(String, String)>,
    enabled: bool,
}

/// A `.sources` entry for the packages of sid or of the running release, from the same place and by the same keys as the
/// running release's.
///
/// # Errors
/// When this is no Debian, or none of its sources is Debian's main archive.
pub fn source(suite: Suite, apt: &Path, os_release: &Path) -> anyhow::Result<String> {
    let release = fs::read_to_string(os_release)?;
    ensure!(
        os_release_field(&release, "ID") == Some("debian"),
        "this system is not Debian"
    );
    let codename = os_release_field(&release, "VERSION_CODENAME").unwrap_or("sid");
    sources(apt)?
        .iter()
        .find(|source| source.is_main_archive(codename))
        .map(|source| source.of(if suite == Suite::Sid { "sid" } else { codename }))
        .with_context(|| format!("no source in {} is Debian's main archive", apt.display()))
}

impl Source {
    fn is_main_archive(&self, codename: &str) -> bool {
        let is_release = |suite: &String| {
            let suite = suite.trim_end_matches('/');
            suite == codename || CLASSES.contains(&suite)
        };
        self.enabled
            && self.types.iter().any(|kind| kind == "deb")
            && self.components.iter().any(|component| component == "main")
            && self.suites.iter().any(is_release)
            && !self.uris.is_empty()
    }

    fn of(&self, suite: &str) -> String {
        let mut entry = format!(
            "Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\nTargets: Packages\n",
            self.uris.join(" ")
        );
        for (name, value) in &self.options {
            entry.push_str(&format!("{name}: {value}\n"));
        }
        entry
    }
}

fn sources(apt: &Path) -> anyhow::Result<Vec<Source>> {
    let mut files = vec![apt.join("sources.list")];
    if let Ok(parts) = fs::read_dir(apt.join("sources.list.d")) {
        files.extend(parts.filter_map(Result::ok).map(|part| part.path()));
    }
    files.sort();
    let mut sources = Vec::new();
    for file in files.into_iter().filter(|file| file.is_file()) {
        sources.extend(read(&file)?);
    }
    Ok(sources)
}

/// Files of other endings are nothing to apt either.
fn read(file: &PathBuf) -> anyhow::Result<Vec<Source>> {
    let parse: fn(&str) -> Vec<Source> = match file.extension().and_then(|end| end.to_str()) {
        Some("list") => one_line,
        Some("sources") => deb822,
        _ => return Ok(Vec::new()),
    };
    let text = fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    Ok(parse(&text))
}

/// `deb [signed-by=KEY arch=amd64] URI SUITE COMPONENT…`
fn one_line(text: &str) -> Vec<Source> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter_map(one_line_source)
        .collect()
}

fn one_line_source(line: &str) -> Option<Source> {
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        types: vec![kind.to_owned()],
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        options: options
            .split_whitespace()
            .filter_map(|option| option.split_once('='))
            .filter(|(name, _)| !["arch", "lang", "target"].contains(name))
            .map(|(name, value)| (name.to_owned(), value.replace(',', " ")))
            .collect(),
        enabled: true,
    })
}

/// Stanzas of `Field: value` with continuation lines, as in deb822(5).
fn deb822(text: &str) -> Vec<Source> {
    let uncommented: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    uncommented
        .split("\n\n")
        .map(str::trim)
        .filter(|stanza| !stanza.is_empty())
        .map(deb822_source)
        .collect()
}

fn deb822_source(stanza: &str) -> Source {
    let mut source = Source {
        enabled: true,
        ..Source::default()
    };
    for (name, value) in fields(stanza) {
        let words = || value.split_whitespace().map(str::to_owned).collect();
        match name.to_ascii_lowercase().as_str() {
            "types" => source.types = words(),
            "uris" => source.uris = words(),
            "suites" => source.suites = words(),
            "components" => source.components = words(),
            "enabled" => source.enabled = !["no", "false", "0"].contains(&value.as_str()),
            other if WHAT.contains(&other) => {}
            _ => source.options.push((name, value)),
        }
    }
    source
}

fn fields(stanza: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in stanza.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    fields
}

/// A field of os-release(5).
fn os_release_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(field, _)| *field == name)
        .map(|(_, value)| value.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose apt has one file of sources.
    fn sid_of(file: &str, sources: &str, os_release: &str) -> anyhow::Result<String> {
        let machine = tempfile::tempdir().unwrap();
        let apt = machine.path().join("apt");
        fs::create_dir_all(apt.join("sources.list.d")).unwrap();
        fs::write(apt.join(file), sources).unwrap();
        let release = machine.path().join("os-release");
        fs::write(&release, os_release).unwrap();
        source(Suite::Sid, &apt, &release)
    }

    const BOOKWORM: &str = "ID=debian\nVERSION_CODENAME=bookworm\n";

    #[test]
    fn sid_is_where_the_release_is_and_not_where_its_security_is() {
        let sources = "Types: deb\nURIs: http://mirror.example/debian-security\n\
            Suites: bookworm-security\nComponents: main\n\n\
            # the main archive\nTypes: deb deb-src\nURIs: http://mirror.example/debian\n\
            # a comment\nSuites: bookworm bookworm-updates\nComponents: main contrib\n\
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n";
        let sid = sid_of("sources.list.d/debian.sources", sources, BOOKWORM).unwrap();

        assert_eq!(
            sid,
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: sid\nComponents: main\n\
             Targets: Packages\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        );
    }

    #[test]
    fn one_line_sources_keep_their_key() {
        let sources = "# deb http://old.example/debian bookworm main\n\
            deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian bookworm main # ours\n";
        let sid = sid_of("sources.list", sources, BOOKWORM).unwrap();

        assert_eq!(
            sid,
            "Types: deb\nURIs: https://mirror.example/debian\nSuites: sid\nComponents: main\n\
             Targets: Packages\nsigned-by: /k.gpg\n"
        );
    }

    #[test]
    fn a_key_within_the_sources_is_taken_along_whole() {
        let sources = "Types: deb\nURIs: http://mirror.example/debian\nSuites: stable\n\
            Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n xyz\n";
        let sid = sid_of("sources.list.d/debian.sources", sources, BOOKWORM).unwrap();

        assert!(
            sid.ends_with("Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n xyz\n"),
            "{sid}"
        );
    }

    #[test]
    fn disabled_and_foreign_sources_are_passed_over() {
        let disabled = "Types: deb\nURIs: http://a.example\nSuites: bookworm\nComponents: main\nEnabled: no\n";
        assert!(sid_of("sources.list.d/a.sources", disabled, BOOKWORM).is_err());
        let foreign = "deb https://node.example/node_20.x nodistro main\n";
        assert!(sid_of("sources.list.d/node.list", foreign, BOOKWORM).is_err());
        let backup = "deb http://a.example bookworm main\n";
        assert!(sid_of("sources.list.d/a.list.save", backup, BOOKWORM).is_err());
    }

    #[test]
    fn another_distribution_has_no_sid() {
        let sources = "deb http://archive.example/ubuntu noble main\n";
        let error = sid_of("sources.list", sources, "ID=ubuntu\nVERSION_CODENAME=noble\n")
            .unwrap_err()
            .to_string();
        assert_eq!(error, "this system is not Debian");
    }
}
