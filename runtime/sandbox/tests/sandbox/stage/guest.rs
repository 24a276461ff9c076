//! The guest, and the sandbox that plays it.

use std::path::Path;
use std::sync::OnceLock;

use evenkeel_model::home::SandboxLimits;
use evenkeel_model::plugin::{Digest, Installed, Kind, Manifest, Pinned};
use evenkeel_sandbox::{Attendant, Compiler, Ports, Sandbox, digest, embed};
use serde_json::json;

/// The guest, built once.
pub fn guest() -> &'static [u8] {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    GUEST.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/Cargo.toml");
        evenkeel_tests::plugins::ensure_target().unwrap_or_else(|error| panic!("{error:#}"));
        #[expect(
            clippy::disallowed_methods,
            reason = "the guest is built for another target than the test"
        )]
        let status = std::process::Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--target", "wasm32-wasip2", "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target)
            .env_remove("RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the guest does not build");
        let wasm = std::fs::read(target.join("wasm32-wasip2/debug/evenkeel_sandbox_guest.wasm")).expect("the guest");
        embed(&wasm, &manifest_of_guest()).expect("the guest is a component")
    })
}

pub fn manifest_of_guest() -> Manifest {
    serde_json::from_value(json!({
        "name": "guest",
        "version": "1.0.0",
        "summary": "does what it is told",
        "kinds": { "check": {}, "remedy": {}, "monitor": {}, "notifier": {} },
    }))
    .expect("a manifest")
}

/// One sandbox for all tests, so that the guest is compiled once.
pub fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<(tempfile::TempDir, Sandbox)> = OnceLock::new();
    let (_, sandbox) = SANDBOX.get_or_init(|| {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(home.path().join("plugins")).expect("a directory");
        std::fs::write(home.path().join("plugins/guest.wasm"), guest()).expect("the guest is installed");
        let limits = SandboxLimits {
            concurrency: 16,
            ..SandboxLimits::default()
        };
        let sandbox = Sandbox::new(
            home.path(),
            None,
            &limits,
            compiler(),
            Ports::local(home.path(), attendant()),
        )
        .expect("a sandbox");
        let scan = evenkeel_sandbox::scan(home.path());
        assert!(scan.refused.is_empty(), "{:?}", scan.refused);
        sandbox.install(&scan.installed);
        (home, sandbox)
    });
    sandbox
}

/// A process of its own, as the daemon compiles.
pub fn compiler() -> Compiler {
    Compiler::child(env!("CARGO_BIN_EXE_evenkeel-sandbox-child"), [""; 0])
}

/// A process of its own for each command, as the daemon attends them.
pub fn attendant() -> Attendant {
    Attendant::child(env!("CARGO_BIN_EXE_evenkeel-sandbox-child"), ["attend"])
}

pub fn pinned(kind: Kind) -> Pinned {
    Pinned {
        name: "guest".into(),
        version: semver::Version::new(1, 0, 0),
        digest: digest(guest()),
        kind,
    }
}

pub fn installed(file: &str, digest: Digest) -> Installed {
    Installed {
        manifest: manifest_of_guest(),
        digest,
        file: file.into(),
    }
}
