//! Compiled code on disk.
//!
//! *Invariant:* nothing is mapped but what this host compiled: an entry carries a MAC under a key
//! that only this home's user can read, over its name and all of its bytes.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use evenkeel_model::plugin::Digest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use wasmtime::Engine;

use crate::code::{self, Code};
use crate::component::LoadError;

type Seal = Hmac<Sha256>;

/// A directory with an entry for each component and each way to compile it.
pub struct Cache {
    dir: PathBuf,
    key: [u8; 32],
    /// What of wasmtime and its configuration is in the code.
    compatibility: u64,
}

impl Cache {
    /// `data` is the home's data directory, created if it is not there.
    pub fn open(data: &Path, engine: &Engine) -> io::Result<Self> {
        let dir = data.join("cache");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let cache = Self {
            key: key(&data.join("cache.key"))?,
            dir,
            compatibility: hasher.finish(),
        };
        cache.sweep()?;
        Ok(cache)
    }

    /// The component, if it was compiled before, by this host, in the same way.
    ///
    /// The file is opened once: what was verified is what is mapped, whatever the name stands for
    /// by then. Nobody writes into that file: entries are replaced by rename alone, and only this
    /// user (who could as well read the key, or change the daemon) gets through the directory.
    ///
    /// # Errors
    /// It was, and is too large for this engine's instances.
    pub fn load(&self, engine: &Engine, digest: &Digest) -> Result<Option<Code>, LoadError> {
        let Some(sealed) = self.sealed(digest) else {
            return Ok(None);
        };
        match code::map(engine, &sealed) {
            Ok(code) => Ok(Some(code)),
            Err(error @ LoadError::LargeMemory) => Err(error),
            Err(error) => {
                tracing::warn!(plugin = %digest, %error, "compiled code can't be used");
                Ok(None)
            }
        }
    }

    fn sealed(&self, digest: &Digest) -> Option<File> {
        let name = self.name(digest);
        let path = self.dir.join(&name);
        let seal = fs::read(seal_of(&path)).ok()?;
        let mut code = File::open(&path).ok()?;
        if self.verify(&name, &mut code, &seal).is_err() {
            tracing::warn!(plugin = %digest, "compiled code was not made by this host, or was changed: it is compiled anew");
            return None;
        }
        Some(code)
    }

    /// Keeps what was compiled. A cache that can't be written costs time, and nothing else.
    pub fn store(&self, digest: &Digest, code: &[u8]) {
        self.write(&self.name(digest), digest, code);
    }

    /// What was written about a component, by this host.
    pub fn note(&self, digest: &Digest) -> Option<Value> {
        let name = self.name_of_note(digest);
        let path = self.dir.join(&name);
        let seal = fs::read(seal_of(&path)).ok()?;
        let note = fs::read(&path).ok()?;
        self.verify(&name, &mut note.as_slice(), &seal).ok()?;
        serde_json::from_slice(&note).ok()
    }

    pub fn write_note(&self, digest: &Digest, note: &Value) {
        self.write(&self.name_of_note(digest), digest, note.to_string().as_bytes());
    }

    fn write(&self, name: &str, digest: &Digest, content: &[u8]) {
        let path = self.dir.join(name);
        let mut seal = self.seal(name);
        seal.update(content);
        let seal = seal.finalize().into_bytes();
        let written = replace(&path, content).and_then(|()| replace(&seal_of(&path), &seal));
        if let Err(error) = written {
            tracing::warn!(plugin = %digest, %error, "what came of compiling it can't be kept");
        }
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{digest}-{:016x}.cwasm", self.compatibility)
    }

    fn name_of_note(&self, digest: &Digest) -> String {
        format!("{digest}-{:016x}.note", self.compatibility)
    }

    fn seal(&self, name: &str) -> Seal {
        let mut seal = Seal::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        seal.update(name.as_bytes());
        seal.update(b"\0");
        seal
    }

    fn verify(&self, name: &str, content: &mut impl Read, seal: &[u8]) -> io::Result<()> {
        let mut expected = self.seal(name);
        let mut buffer = vec![0; 256 << 10];
        loop {
            match content.read(&mut buffer)? {
                0 => break,
                read => expected.update(&buffer[..read]),
            }
        }
        expected
            .verify_slice(seal)
            .map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Removes what another version left, and what was left half written.
    fn sweep(&self) -> io::Result<()> {
        let current = ["cwasm", "note"].map(|kind| format!("-{:016x}.{kind}", self.compatibility));
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let name = name.strip_suffix(".mac").unwrap_or(&name);
            if !current.iter().any(|end| name.ends_with(end)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn seal_of(path: &Path) -> PathBuf {
    path.with_added_extension("mac")
}

/// Made once for a home. One that others may read is made anew, and with it the cache.
fn key(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    if let Ok(mut file) = File::open(path) {
        let private = file.metadata()?.permissions().mode() & 0o077 == 0;
        if private && file.read_exact(&mut key).is_ok() {
            return Ok(key);
        }
    }
    rand::Rng::fill_bytes(&mut rand::rng(), &mut key);
    replace(path, &key)?;
    Ok(key)
}

/// Never writes in place: a file may be mapped.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_added_extension(format!("{:016x}.new", rand::random::<u64>()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use evenkeel_model::home::SandboxLimits;

    use super::*;

    fn engine() -> Engine {
        crate::engine::start(&SandboxLimits {
            concurrency: 1,
            ..SandboxLimits::default()
        })
        .unwrap()
    }

    fn compiled(engine: &Engine) -> Vec<u8> {
        engine
            .precompile_component(&wat::parse_str("(component)").unwrap())
            .unwrap()
    }

    #[test]
    fn what_was_stored_is_loaded_again_and_only_that() {
        let home = tempfile::tempdir().unwrap();
        let (engine, digest) = (engine(), Digest("aa".into()));
        let cache = Cache::open(home.path(), &engine).unwrap();
        assert!(cache.load(&engine, &digest).unwrap().is_none());
        cache.store(&digest, &compiled(&engine));
        assert!(cache.load(&engine, &digest).unwrap().is_some());
        assert!(cache.load(&engine, &Digest("bb".into())).unwrap().is_none());
        let again = Cache::open(home.path(), &engine).unwrap();
        assert!(again.load(&engine, &digest).unwrap().is_some(), "the key is kept");
    }

    #[test]
    fn an_entry_that_someone_else_wrote_or_changed_is_not_mapped() {
        let home = tempfile::tempdir().unwrap();
        let (engine, digest) = (engine(), Digest("aa".into()));
        let cache = Cache::open(home.path(), &engine).unwrap();
        cache.store(&digest, &compiled(&engine));
        let path = cache.dir.join(cache.name(&digest));

        let good = fs::read(&path).unwrap();
        let mut changed = good.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        replace(&path, &changed).unwrap();
        assert!(cache.load(&engine, &digest).unwrap().is_none());

        // Sealed for one component, and put in the place of another.
        replace(&path, &good).unwrap();
        let other = cache.dir.join(cache.name(&Digest("bb".into())));
        fs::copy(&path, &other).unwrap();
        fs::copy(seal_of(&path), seal_of(&other)).unwrap();
        assert!(cache.load(&engine, &digest).unwrap().is_some());
        assert!(cache.load(&engine, &Digest("bb".into())).unwrap().is_none());
    }

    #[test]
    fn only_its_user_may_look_into_it_and_leftovers_go() {
        let home = tempfile::tempdir().unwrap();
        let engine = engine();
        fs::create_dir(home.path().join("cache")).unwrap();
        fs::write(home.path().join("cache/aa-0000000000000000.cwasm"), b"old").unwrap();
        Cache::open(home.path(), &engine).unwrap();
        let mode = |path: &str| fs::metadata(home.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("cache"), mode("cache.key")), (0o700, 0o600));
        assert_eq!(fs::read_dir(home.path().join("cache")).unwrap().count(), 0);

        let key = fs::read(home.path().join("cache.key")).unwrap();
        fs::set_permissions(home.path().join("cache.key"), fs::Permissions::from_mode(0o644)).unwrap();
        Cache::open(home.path(), &engine).unwrap();
        assert_ne!(
            fs::read(home.path().join("cache.key")).unwrap(),
            key,
            "others may have read it"
        );
    }
}
