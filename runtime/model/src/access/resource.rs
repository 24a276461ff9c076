//! A thing of a role, rendered for one asset.

use std::path::{Component, Path, PathBuf};

use http::Uri;
use serde_json::Value;

use crate::role::{Database, Origin, Place, Processes, Profile, Resource, Root, Secret, SecretFrom, Source};
use crate::template;

impl Resource {
    /// Every string filled, every relative path under `dir`.
    pub(crate) fn rendered(&self, context: &Value, dir: &Path) -> Result<Self, String> {
        Ok(match self {
            Self::Root(root) => Self::Root(Root {
                path: path(&root.path, context, dir)?,
                ..root.clone()
            }),
            Self::Profile(profile) => Self::Profile(rendered_profile(profile, context, dir)?),
            Self::Origin(origin) => Self::Origin(Origin {
                url: url(&origin.url, context)?,
                ca: optional_path(origin.ca.as_deref(), context, dir)?,
                ..origin.clone()
            }),
            Self::Database(database) => Self::Database(rendered_database(database, context, dir)?),
            Self::Processes(processes) => Self::Processes(Processes {
                name: optional_text(processes.name.as_ref(), context)?,
                user: optional_text(processes.user.as_ref(), context)?,
                ..processes.clone()
            }),
            Self::Source(source) if source.is_embedded() => Self::Source(source.clone()),
            Self::Source(source) => Self::Source(Source {
                url: url(&source.url, context)?,
                ca: optional_path(source.ca.as_deref(), context, dir)?,
                token: optional_secret(source.token.as_ref(), context, dir)?,
                ..source.clone()
            }),
            Self::Secret(secret) => Self::Secret(rendered_secret(secret, context, dir)?),
        })
    }
}

fn rendered_database(database: &Database, context: &Value, dir: &Path) -> Result<Database, String> {
    let mut url = filled(&database.url, context)?;
    if let Place::File(file) = Place::parse(&url)? {
        url = format!("sqlite:{}", utf8(dir.join(file))?);
    }
    Ok(Database {
        url,
        socket: optional_path(database.socket.as_deref(), context, dir)?,
        password: optional_secret(database.password.as_ref(), context, dir)?,
        server_name: optional_text(database.server_name.as_ref(), context)?,
        ca: optional_path(database.ca.as_deref(), context, dir)?,
        ..database.clone()
    })
}

fn rendered_secret(secret: &Secret, context: &Value, dir: &Path) -> Result<Secret, String> {
    let from = match &secret.from {
        SecretFrom::File(file) => SecretFrom::File(path(file, context, dir)?),
        SecretFrom::Env(name) => SecretFrom::Env(name.clone()),
        SecretFrom::Command { line, timeout } => SecretFrom::Command {
            line: rendered_line(line, context, dir)?,
            timeout: *timeout,
        },
    };
    Ok(Secret { from, ..secret.clone() })
}

fn optional_secret(secret: Option<&Secret>, context: &Value, dir: &Path) -> Result<Option<Secret>, String> {
    secret.map(|secret| rendered_secret(secret, context, dir)).transpose()
}

fn optional_path(text: Option<&Path>, context: &Value, dir: &Path) -> Result<Option<PathBuf>, String> {
    text.map(|text| path(text, context, dir)).transpose()
}

fn optional_text(text: Option<&String>, context: &Value) -> Result<Option<String>, String> {
    text.map(|text| filled(text, context)).transpose()
}

/// A command and its arguments.
fn rendered_line(line: &[String], context: &Value, dir: &Path) -> Result<Vec<String>, String> {
    let filled = line.iter().map(|word| filled(word, context));
    let mut line = filled.collect::<Result<Vec<_>, _>>()?;
    if let Some(program) = line.first_mut() {
        *program = program_path(program, dir)?;
    }
    Ok(line)
}

/// The patterns in `args` stay as they are: a value of an asset is no pattern.
fn rendered_profile(profile: &Profile, context: &Value, dir: &Path) -> Result<Profile, String> {
    let env = profile.env.iter();
    Ok(Profile {
        command: rendered_line(&profile.command, context, dir)?,
        env: env
            .map(|(name, value)| Ok((name.clone(), filled(value, context)?)))
            .collect::<Result<_, String>>()?,
        cwd: optional_path(profile.cwd.as_deref(), context, dir)?,
        ..profile.clone()
    })
}

/// A program with a slash is a path like any other; without one it is looked up in `PATH`.
fn program_path(program: &str, dir: &Path) -> Result<String, String> {
    if program.is_empty() {
        return Err("the program has no name".to_owned());
    }
    if !program.contains('/') {
        return Ok(program.to_owned());
    }
    path_fault(program)?;
    utf8(dir.join(program))
}

fn utf8(path: PathBuf) -> Result<String, String> {
    let path = path.into_os_string();
    path.into_string()
        .map_err(|_| "the home's path is not UTF-8".to_owned())
}

fn filled(text: &str, context: &Value) -> Result<String, String> {
    template::render_text(text, context).map_err(|error| error.to_string())
}

fn path(path: &Path, context: &Value, dir: &Path) -> Result<PathBuf, String> {
    let text = path.to_str().unwrap_or_default();
    let rendered = filled(text, context)?;
    path_fault(&rendered)?;
    Ok(dir.join(rendered))
}

fn url(text: &str, context: &Value) -> Result<String, String> {
    let rendered = filled(text, context)?;
    origin_fault(&rendered)?;
    Ok(rendered)
}

pub(crate) fn database_fault(url: &str) -> Result<(), String> {
    Place::parse(url).map(drop)
}

/// One name or address, without scheme, port or wildcard.
pub(crate) fn server_name_fault(name: &str) -> Result<(), String> {
    let address = name.parse::<std::net::IpAddr>().is_ok();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match address || (!name.is_empty() && name.chars().all(plain)) {
        true => Ok(()),
        false => Err(format!("`{name}` is no name of a server")),
    }
}

/// No path of a role climbs: what an asset's values put into it can't lead it elsewhere.
pub(crate) fn path_fault(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("the path is empty".to_owned());
    }
    if path.contains('\0') {
        return Err("a path holds no NUL".to_owned());
    }
    if Path::new(path)
        .components()
        .any(|component| component == Component::ParentDir)
    {
        return Err(format!("`{path}` climbs with `..`"));
    }
    Ok(())
}

/// Scheme, host, port and a base path; nothing else.
pub(crate) fn origin_fault(url: &str) -> Result<(), String> {
    url_fault(url)?;
    if url.contains(['?', '#']) {
        return Err(format!("`{url}` holds more than scheme, host, port and a base path"));
    }
    Ok(())
}

pub(crate) fn url_fault(url: &str) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(format!("`{url}` is not an http or https URL"));
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(format!("`{url}` holds a user name, which is never sent"));
    }
    if uri.host().unwrap_or_default().is_empty() {
        return Err(format!("`{url}` names no host"));
    }
    if authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']')) && uri.port_u16().is_none() {
        return Err(format!("`{url}` has a port that is none"));
    }
    if url.contains('#') {
        return Err(format!("`{url}` holds a fragment, which is never sent"));
    }
    if uri.path().split('/').any(|segment| segment == "..") {
        return Err(format!("`{url}` climbs with `..`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_scheme_host_port_and_base() {
        for good in [
            "http://10.2.3.4:3000",
            "https://app.example/base",
            "http://[::1]:8080/",
            "http://[::1]",
        ] {
            assert_eq!(origin_fault(good), Ok(()));
        }
        for bad in [
            "",
            "app:3000",
            "ftp://app",
            "http://",
            "http://:80",
            "http://u:p@app",
            "http://app?x=1",
            "http://app#x",
            "http://app:99999",
            "http://app:x",
            "http://app/../x",
            "http://a b",
            "/path",
            "http://app:",
        ] {
            assert!(origin_fault(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_do_not_climb() {
        assert_eq!(path_fault("/var/cache/..hidden"), Ok(()));
        for bad in ["", "..", "a/../b", "/a/..", "a\0"] {
            assert!(path_fault(bad).is_err(), "{bad}");
        }
    }
}
