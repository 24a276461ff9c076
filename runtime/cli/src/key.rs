//! The home's key, `data/home.key`: the journal is sealed with it.
//!
//! Compiled plugins have a key of their own, `cache.key`: losing that costs a compilation, losing
//! this one the journal. So this one is never made anew where something was sealed with another.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use evenkeel_model::action::hex;
use evenkeel_model::seal::{KEY, SALT, Seal};

/// Reads the key of a home's data directory, and makes one if nothing was sealed there yet.
pub fn seal(data: &Path) -> Result<Seal> {
    let path = data.join("home.key");
    if !path.exists() {
        make(data, &path)?;
    }
    Ok(Seal::new(&read(&path)?, rand::random::<[u8; SALT]>()))
}

fn read(path: &Path) -> Result<[u8; KEY]> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("can't read `{shown}`, the key of this home"))?;
    let mode = fs::metadata(path)?.mode();
    ensure!(
        mode & 0o077 == 0,
        "`{shown}`, the key of this home, may be read by others: `chmod 600` it"
    );
    parse(text.trim_end()).with_context(|| {
        format!(
            "`{shown}` is no key of a home, which has {} hexadecimal digits: restore it from a backup",
            2 * KEY
        )
    })
}

fn parse(text: &str) -> Option<[u8; KEY]> {
    let digits = text.len() == 2 * KEY && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits {
        return None;
    }
    let mut key = [0; KEY];
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(key)
}

fn make(data: &Path, path: &Path) -> Result<()> {
    let journal = data.join("evenkeel.db");
    if let Some(fingerprint) = evenkeel_store::sealed_with(&journal)? {
        bail!(
            "`{}` is gone, and `{}` is sealed with it (fingerprint {fingerprint}): restore the key from a backup, or \
             move the journal away to begin a new one",
            path.display(),
            journal.display()
        );
    }
    let new = data.join(format!("home.key.{:016x}.new", rand::random::<u64>()));
    let key = rand::random::<[u8; KEY]>();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let made = writeln!(file, "{}", hex(&key))
        .and_then(|()| file.sync_all())
        // Another process may have made one meanwhile: the first is the home's.
        .and_then(|()| fs::hard_link(&new, path))
        .and_then(|()| fs::File::open(data)?.sync_all());
    fs::remove_file(&new)?;
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("can't make `{}`", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use evenkeel_store::{Options, Store};

    use super::*;

    fn journal(data: &Path, seal: Seal) -> Result<Store, evenkeel_store::StoreError> {
        let options = Options {
            seal: Some(seal),
            ..Options::default()
        };
        Store::open(&data.join("evenkeel.db"), options)
    }

    #[tokio::test]
    async fn a_key_is_made_once_and_never_beside_a_journal_that_is_sealed_with_another() {
        let data = tempfile::tempdir().unwrap();
        let (dir, path) = (data.path(), data.path().join("home.key"));
        let first = seal(dir).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(seal(dir).unwrap().fingerprint(), first.fingerprint());
        drop(journal(dir, first).unwrap());

        fs::rename(&path, dir.join("kept")).unwrap();
        let words = seal(dir).unwrap_err().to_string();
        assert!(words.contains("home.key` is gone, and"), "{words}");
        assert!(!path.exists(), "none was made");

        fs::rename(dir.join("kept"), &path).unwrap();
        fs::write(&path, "00".repeat(KEY)).unwrap();
        let words = journal(dir, seal(dir).unwrap()).err().unwrap().to_string();
        assert!(words.contains("is sealed with another key"), "{words}");
    }

    #[test]
    fn a_key_that_others_may_read_or_that_is_none_is_refused_with_its_name() {
        let data = tempfile::tempdir().unwrap();
        seal(data.path()).unwrap();
        let path = data.path().join("home.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let words = format!("{:#}", seal(data.path()).unwrap_err());
        assert!(words.contains("home.key`") && words.contains("chmod 600"), "{words}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "zz", &"é".repeat(KEY)] {
            fs::write(&path, text).unwrap();
            let words = format!("{:#}", seal(data.path()).unwrap_err());
            assert!(words.contains("is no key of a home"), "{words}");
        }
    }
}
