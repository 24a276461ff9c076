//! Components that can't be loaded, and those that were compiled before.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use evenkeel_engine::port::{Calls, Plugins as _};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Outcome, Stop};
use evenkeel_model::plugin::{Digest, Installed};
use evenkeel_sandbox::{LoadError, Ports, Sandbox, digest, scan};
use serde_json::json;

use crate::stage::{Scene, attendant, compiler, guest, installed, scratch};

fn sandbox(home: &Path, data: Option<&Path>) -> Sandbox {
    let limits = SandboxLimits {
        concurrency: 2,
        ..SandboxLimits::default()
    };
    Sandbox::new(home, data, &limits, compiler(), Ports::local(home, attendant())).unwrap()
}

fn put(home: &Path, name: &str, bytes: &[u8]) -> Installed {
    fs::create_dir_all(home.join("plugins")).unwrap();
    fs::write(home.join("plugins").join(name), bytes).unwrap();
    installed(&format!("plugins/{name}"), digest(bytes))
}

async fn refused(text: &str) -> String {
    let (_dir, home) = scratch();
    let sandbox = sandbox(&home, None);
    let component = put(&home, "x.wasm", &wat::parse_str(text).unwrap());
    sandbox.install(std::slice::from_ref(&component));
    sandbox.load(&component.digest).await.unwrap_err().to_string()
}

/// 20: truncated bytes, random bytes, a core module, an older encoding.
#[test]
fn a_scan_says_what_is_wrong_with_each_file() {
    let (_dir, home) = scratch();
    put(&home, "a.wasm", guest());
    put(&home, "b.wasm", &guest()[..1_000]);
    put(&home, "c.wasm", b"hello");
    put(&home, "d.wasm", &wat::parse_str("(module)").unwrap());
    put(&home, "notes.txt", b"no plugin at all");
    let scan = scan(&home);
    assert_eq!(scan.installed, [installed("plugins/a.wasm", digest(guest()))]);
    let refused: Vec<(&str, String)> = scan
        .refused
        .iter()
        .map(|(file, error)| (file.as_str(), error.to_string()))
        .collect();
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(
        refused[0].0 == "plugins/b.wasm" && refused[0].1.starts_with("it is damaged: "),
        "{refused:?}"
    );
    assert!(refused[1].1.starts_with("it is not WebAssembly"), "{refused:?}");
    assert!(refused[2].1.starts_with("it is a core module"), "{refused:?}");
}

#[test]
fn a_home_without_plugins_has_none() {
    let (_dir, home) = scratch();
    assert!(scan(&home).installed.is_empty());
}

/// 21: unknown import.
#[tokio::test]
async fn an_import_that_is_not_there_is_named() {
    let check = r#"(instance $check) (export "evenkeel:plugin/check@0.1.0" (instance $check))"#;
    let unknown = refused(&format!(
        r#"(component (import "acme:cap/gold@1.0.0" (instance)) {check})"#
    ))
    .await;
    assert_eq!(
        unknown,
        "it imports `acme:cap/gold@1.0.0`, which this evenkeel does not provide"
    );
    let function = refused(&format!(
        r#"(component (import "evenkeel:plugin/run@0.1.9" (instance (export "of-tomorrow" (func)))) {check})"#
    ))
    .await;
    assert!(
        function.starts_with("it does not fit the contract: ") && function.contains("of-tomorrow"),
        "{function}"
    );
    let typed = refused(&format!(
        r#"(component (import "evenkeel:plugin/run@0.1.0" (instance (export "id" (func (result u32))))) {check})"#
    ))
    .await;
    assert!(typed.contains("evenkeel:plugin/run@0.1.0"), "{typed}");
}

/// 21: an export of the wrong type.
#[tokio::test]
async fn an_export_of_another_type_is_named() {
    let nothing = refused(r#"(component (instance $i) (export "evenkeel:plugin/check@0.1.0" (instance $i)))"#).await;
    assert_eq!(
        nothing,
        "it does not fit the contract: `evenkeel:plugin/check@0.1.0` has no function `run`"
    );
    let other = refused(
        r#"(component
            (core module $m (func (export "run") (param i32)))
            (core instance $i (instantiate $m))
            (func $run (param "params" u32) (canon lift (core func $i "run")))
            (instance $check (export "run" (func $run)))
            (export "evenkeel:plugin/check@0.1.0" (instance $check)))"#,
    )
    .await;
    assert!(
        other.starts_with("it does not fit the contract: `evenkeel:plugin/check@0.1.0` has a `run` of another type"),
        "{other}"
    );
}

/// 21: a contract version from the future.
#[tokio::test]
async fn a_contract_of_the_future_is_named() {
    let future = refused(r#"(component (instance $i) (export "evenkeel:plugin/check@0.2.0" (instance $i)))"#).await;
    assert_eq!(
        future,
        "it was built for version 0.2.0 of the contract (`evenkeel:plugin/check@0.2.0`), and this evenkeel serves 0.1"
    );
}

#[tokio::test]
async fn a_plugin_that_cannot_be_loaded_stops_its_invocation_and_says_why() {
    let mut scene = Scene::check(json!([]));
    scene.invocation.plugin.digest = Digest("00".into());
    let (stop, message) = scene.stopped().await;
    assert_eq!(stop, Stop::Load);
    assert_eq!(message, "`guest@1.0.0`: no plugin with the digest 00 is installed");
}

/// 27: a file that is no longer the one that was installed.
#[tokio::test]
async fn a_file_that_changed_is_not_run() {
    let (_dir, home) = scratch();
    let sandbox = sandbox(&home, None);
    let before = put(&home, "guest.wasm", guest());
    sandbox.install(std::slice::from_ref(&before));
    put(&home, "guest.wasm", b"something else");
    assert!(matches!(
        sandbox.load(&before.digest).await,
        Err(LoadError::Changed { .. })
    ));
}

/// 26: a compiled-code cache entry that someone else wrote or changed.
#[tokio::test]
async fn changed_code_is_compiled_anew_and_a_run_keeps_what_it_began_with() {
    let (_dir, home) = scratch();
    let data = home.join("data");
    let component = put(&home, "guest.wasm", guest());
    let first = sandbox(&home, Some(&data));
    first.install(std::slice::from_ref(&component));
    first.load(&component.digest).await.unwrap();
    let entry = |extension: &str| {
        let files = fs::read_dir(data.join("cache"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|is| is == extension))
            .collect::<Vec<_>>()
    };
    assert_eq!((entry("cwasm").len(), entry("mac").len()), (1, 1));

    // Without the component's file: what was compiled is enough.
    fs::remove_file(home.join("plugins/guest.wasm")).unwrap();
    sandbox(&home, Some(&data)).load(&component.digest).await.unwrap();

    // With a byte changed, in a copy of the file: the one that is mapped stays as it is.
    let code = entry("cwasm").remove(0);
    let copy = code.with_extension("copy");
    fs::copy(&code, &copy).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&copy)
        .unwrap()
        .write_at(b"x", 100_000)
        .unwrap();
    fs::rename(&copy, &code).unwrap();
    let error = sandbox(&home, Some(&data)).load(&component.digest).await.unwrap_err();
    assert_eq!(
        error,
        LoadError::NotInstalled(component.digest.clone()),
        "it would have to be compiled, and can't"
    );

    // The first sandbox still has it, although it is no longer installed.
    let scene = Scene::check(json!([{ "context": {} }]));
    let outcome = first
        .invoke(scene.invocation.clone(), Arc::clone(&scene.journal) as Arc<dyn Calls>)
        .await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

/// How much of the code that is mapped from below this directory is resident, in KiB.
fn resident(cache: &Path) -> u64 {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut is_code = false;
    let lines = maps.lines().filter_map(|line| {
        let first = line.split(' ').next()?;
        if !first.ends_with(':') {
            // What is mapped to be written is the memory of instances.
            let path = line.find('/').map_or("", |at| &line[at..]);
            is_code = Path::new(path).starts_with(cache) && !line.contains(" rw-p ");
        }
        let kib = line.strip_prefix("Rss:")?.trim().strip_suffix(" kB")?;
        is_code.then(|| kib.trim().parse::<u64>().unwrap())
    });
    lines.sum()
}

#[tokio::test]
async fn code_takes_memory_from_its_first_call_until_it_is_idle() {
    let (_dir, home) = scratch();
    let (data, component) = (home.join("data"), put(&home, "guest.wasm", guest()));
    let sandbox = sandbox(&home, Some(&data));
    sandbox.install(std::slice::from_ref(&component));
    let call = async || {
        let scene = Scene::check(json!([{ "context": {} }]));
        let calls = Arc::clone(&scene.journal) as Arc<dyn Calls>;
        let outcome = sandbox.invoke(scene.invocation.clone(), calls).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    };
    sandbox.load(&component.digest).await.unwrap();
    assert_eq!(resident(&data), 0, "nothing was called");
    call().await;
    assert!(resident(&data) > 0, "it was called");
    sandbox.release_idle();
    assert!(resident(&data) > 0, "it was called a moment ago");
    sandbox.release_idle();
    assert_eq!(resident(&data), 0, "it was not called for a while");
    call().await;
    assert!(resident(&data) > 0, "it was called again");
    sandbox.load(&component.digest).await.unwrap();
    assert!(resident(&data) > 0, "it was loaded already");
}

type Damage = Box<dyn Fn()>;

/// What can become of an entry of the cache, whose two files are these.
fn damages(code: &Path, mac: &Path, other_code: &Path, other_mac: &Path) -> Vec<(&'static str, Damage)> {
    let paths = [code, mac, other_code, other_mac].map(Path::to_path_buf);
    let damage = |act: fn(&[std::path::PathBuf; 4])| -> Damage {
        let paths = paths.clone();
        Box::new(move || act(&paths))
    };
    vec![
        (
            "cut",
            damage(|[code, ..]| {
                let bytes = fs::read(code).unwrap();
                fs::write(code, &bytes[..bytes.len() / 2]).unwrap();
            }),
        ),
        ("empty", damage(|[code, ..]| fs::write(code, b"").unwrap())),
        (
            "longer",
            damage(|[code, ..]| {
                let mut bytes = fs::read(code).unwrap();
                bytes.push(0);
                fs::write(code, bytes).unwrap();
            }),
        ),
        ("without its MAC", damage(|[_, mac, ..]| fs::remove_file(mac).unwrap())),
        (
            "with a cut MAC",
            damage(|[_, mac, ..]| {
                let bytes = fs::read(mac).unwrap();
                fs::write(mac, &bytes[..bytes.len() / 2]).unwrap();
            }),
        ),
        (
            "with another plugin's code",
            damage(|[code, _, other, _]| {
                fs::copy(other, code).unwrap();
            }),
        ),
        (
            "with another plugin's code and MAC",
            damage(|[code, mac, other, other_mac]| {
                fs::copy(other, code).unwrap();
                fs::copy(other_mac, mac).unwrap();
            }),
        ),
    ]
}

/// 20, 26: what this host compiled for one plugin is mapped for that one, whole, or not at all.
#[tokio::test]
async fn an_entry_that_is_torn_or_another_plugin_s_is_not_mapped() {
    let (_dir, home) = scratch();
    let data = home.join("data");
    // Another code: a word of it is another.
    let mut other = guest().to_vec();
    let at = other.windows(7).position(|bytes| bytes == b"as-told").unwrap();
    other[at..at + 7].copy_from_slice(b"AS-TOLD");
    let (own, other) = (put(&home, "own.wasm", guest()), put(&home, "other.wasm", &other));
    let both = [own.clone(), other.clone()];
    let first = sandbox(&home, Some(&data));
    first.install(&both);
    for one in &both {
        first.load(&one.digest).await.unwrap();
        fs::remove_file(home.join(&one.file)).unwrap();
    }
    drop(first);
    let file = |of: &Installed, extension: &str| {
        let files = fs::read_dir(data.join("cache"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let of_it = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(&of.digest.to_string()) && name.ends_with(extension)
        };
        files.into_iter().find(of_it).unwrap()
    };
    let [code, mac] = [".cwasm", ".mac"].map(|extension| file(&own, extension));
    let [other_code, other_mac] = [".cwasm", ".mac"].map(|extension| file(&other, extension));
    let kept = [fs::read(&code).unwrap(), fs::read(&mac).unwrap()];
    for (what, damage) in damages(&code, &mac, &other_code, &other_mac) {
        damage();
        let loaded = sandbox(&home, Some(&data)).load(&own.digest).await;
        assert_eq!(loaded, Err(LoadError::NotInstalled(own.digest.clone())), "{what}");
        fs::write(&code, &kept[0]).unwrap();
        fs::write(&mac, &kept[1]).unwrap();
        sandbox(&home, Some(&data)).load(&own.digest).await.expect(what);
    }
}
