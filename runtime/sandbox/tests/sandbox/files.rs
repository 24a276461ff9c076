//! Row 12 and 13: what is under a root, and nothing else.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evenkeel_model::action::Effect;
use evenkeel_model::call::Answer;
use serde_json::{Value, json};

use crate::stage::{Scene, denied, effect, scratch};

fn read(path: &str) -> Value {
    json!({ "read": { "root": "data", "path": path, "limit": 100 } })
}

fn reader(root: &Path, steps: Value) -> Scene {
    Scene::check(steps).root(&["read"], "data", root)
}

#[tokio::test]
async fn files_are_read_and_walked_page_by_page() {
    let (_dir, root) = scratch();
    fs::create_dir_all(root.join("a/inner")).unwrap();
    fs::write(root.join("a/inner/x"), "0123456789").unwrap();
    fs::write(root.join("a-b"), "").unwrap();
    fs::write(root.join("b"), "").unwrap();
    symlink("b", root.join("c")).unwrap();
    let walk = |path: &str, after: Value, limit: u32| json!({ "walk": { "root": "data", "path": path, "after": after, "limit": limit } });
    let told = reader(
        &root,
        json!([
            { "space": { "root": "data" } },
            walk("", Value::Null, 3),
            walk("", json!("a/inner/x"), 100),
            walk("a", Value::Null, 1),
            walk("a", json!("a/inner"), 100),
            walk("a", json!("b"), 100),
            { "read": { "root": "data", "path": "a/inner/x", "offset": 4, "limit": 3 } },
            { "read": { "root": "data", "path": "a/inner/x", "offset": 10, "limit": 3 } },
            read("gone"),
            read("a"),
        ]),
    )
    .told()
    .await;
    assert_eq!(told[0], json!({ "ok": true }));
    assert_eq!(
        told[1],
        json!({ "ok": ["a Kind::Directory", "a/inner Kind::Directory", "a/inner/x Kind::File"] })
    );
    assert_eq!(
        told[2],
        json!({ "ok": ["a-b Kind::File", "b Kind::File", "c Kind::Link"] })
    );
    assert_eq!(told[3], json!({ "ok": ["a/inner Kind::Directory"] }));
    assert_eq!(told[4], json!({ "ok": ["a/inner/x Kind::File"] }));
    assert_eq!(
        told[5],
        json!({ "err": "FilesError::Invalid(\"`b` is not below `a`\")" })
    );
    assert_eq!((&told[6], &told[7]), (&json!({ "ok": "456" }), &json!({ "ok": "" })));
    assert_eq!(told[8], json!({ "err": "FilesError::Missing" }));
    assert_eq!(told[9], json!({ "err": "FilesError::Invalid(\"`a` is a directory\")" }));
}

#[tokio::test]
async fn nothing_outside_of_the_root_is_read() {
    let (_dir, home) = scratch();
    let root = home.join("root");
    fs::create_dir(&root).unwrap();
    fs::write(home.join("secret"), "s3cret").unwrap();
    fs::write(root.join("inside"), "fine").unwrap();
    symlink("../secret", root.join("link")).unwrap();
    symlink(home.join("secret"), root.join("absolute")).unwrap();
    symlink("..", root.join("up")).unwrap();
    symlink("inside", root.join("within")).unwrap();
    fs::hard_link(home.join("secret"), root.join("hard")).unwrap();
    nix_fifo(&root.join("pipe"));

    let evil = [
        "../secret",
        "/etc/passwd",
        "",
        "./inside",
        "inside/",
        "up/secret",
        "up/",
        "link",
        "link/",
        "absolute",
        "hard",
        "pipe",
    ];
    let scene = reader(&root, evil.iter().map(|path| read(path)).collect());
    let told = scene.told().await;
    for (path, told) in evil.iter().zip(&told) {
        denied(told);
        assert!(!told.to_string().contains("s3cret"), "{path}: {told}");
    }
    assert!(
        scene
            .journal
            .answers()
            .iter()
            .all(|answer| matches!(answer, Answer::Denied(_))),
        "and journaled so"
    );
    assert_eq!(
        reader(&root, json!([read("within")])).told().await[0],
        json!({ "ok": "fine" }),
        "within the root"
    );
}

/// 12: a directory becomes a link that leads out, and back, while it is read, written and removed in.
#[tokio::test]
async fn a_directory_that_is_swapped_under_way_leads_nowhere_else() {
    let (_dir, home) = scratch();
    let (root, outside) = (home.join("root"), home.join("outside"));
    fs::create_dir_all(root.join("real")).unwrap();
    fs::create_dir(&outside).unwrap();
    for (directory, text) in [(&root.join("real"), "inside"), (&outside, "s3cret")] {
        fs::write(directory.join("file"), text).unwrap();
    }
    symlink(&outside, root.join("link")).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let (swapped, here) = (Arc::clone(&over), root.clone());
    let swapping = std::thread::spawn(move || {
        let mut swaps = 0_u64;
        while !swapped.load(Ordering::Relaxed) {
            fs::rename(here.join("real"), here.join("dir")).unwrap();
            fs::rename(here.join("dir"), here.join("real")).unwrap();
            fs::rename(here.join("link"), here.join("dir")).unwrap();
            fs::rename(here.join("dir"), here.join("link")).unwrap();
            swaps += 1;
        }
        swaps
    });
    let mut steps = Vec::new();
    for n in 0..200 {
        steps.push(read("dir/file"));
        steps.push(json!({ "write": { "root": "data", "path": format!("dir/new-{n}"), "content": "x" } }));
        steps.push(json!({ "remove": { "root": "data", "paths": ["dir/file-that-stays"] } }));
    }
    fs::write(outside.join("file-that-stays"), "s3cret").unwrap();
    let declared = [("write", "glob:data:dir/*"), ("remove", "glob:data:dir/*")].map(|(operation, subject)| Effect {
        at_most: 1_000,
        ..effect("files", operation, subject)
    });
    let scene = Scene::apply(declared.to_vec(), Value::from(steps)).root(&["read", "write", "remove"], "data", &root);
    let told = scene.told().await;
    over.store(true, Ordering::Relaxed);
    let swaps = swapping.join().unwrap();
    assert!(swaps > 10, "it was swapped only {swaps} times");
    let met = |word: &str| told.iter().filter(|told| told.to_string().contains(word)).count();
    assert_eq!(met("s3cret"), 0);
    assert!(met("inside") > 0 && met("Denied") > 0, "it met both: {told:?}");
    let mut left: Vec<_> = fs::read_dir(&outside)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["file", "file-that-stays"],
        "nothing was written or removed outside"
    );
}

#[tokio::test]
async fn devices_and_pipes_do_not_hang() {
    let told = reader(Path::new("/dev"), json!([read("zero"), read("null"), read("tty")]))
        .told()
        .await;
    for told in &told[..2] {
        assert!(denied(told).contains("is a device, and only files are read"), "{told}");
    }
}

/// 13: writes under a read grant.
#[tokio::test]
async fn a_verb_that_is_not_granted_is_denied() {
    let (_dir, root) = scratch();
    fs::write(root.join("a"), "old").unwrap();
    let steps = json!([
        { "write": { "root": "data", "path": "a", "content": "" } },
        { "remove": { "root": "data", "paths": ["a"] } },
        { "space": { "root": "other" } },
    ]);
    let effects = vec![effect("files", "write", "data:a"), effect("files", "remove", "data:a")];
    let scene = Scene::apply(effects, steps).root(&["read"], "data", &root);
    let told = scene.told().await;
    assert!(denied(&told[0]).contains("`write data` is not granted"), "{}", told[0]);
    assert!(denied(&told[1]).contains("`remove data` is not granted"), "{}", told[1]);
    assert!(denied(&told[2]).contains("`read other` is not granted"), "{}", told[2]);
    assert!(scene.journal.intents().is_empty());
    assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "old");
}

#[tokio::test]
async fn a_file_is_replaced_whole_and_keeps_its_mode() {
    let (_dir, root) = scratch();
    fs::write(root.join("old"), "old").unwrap();
    fs::set_permissions(root.join("old"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir(root.join("dir")).unwrap();
    symlink("old", root.join("link")).unwrap();
    let write = |path: &str| json!({ "write": { "root": "data", "path": path, "content": "new" } });
    let paths = ["old", "new", "dir", "link", "gone/new"];
    let effects = paths
        .iter()
        .map(|path| effect("files", "write", &format!("data:{path}")))
        .collect();
    let scene = Scene::apply(effects, paths.iter().map(|path| write(path)).collect()).root(&["write"], "data", &root);
    let told = scene.told().await;
    assert_eq!((&told[0], &told[1]), (&json!({ "ok": null }), &json!({ "ok": null })));
    assert_eq!(
        told[2],
        json!({ "err": "FilesError::Invalid(\"`dir` is a directory\")" })
    );
    assert!(denied(&told[3]).contains("`link` is a link"), "{}", told[3]);
    assert_eq!(told[4], json!({ "err": "FilesError::Missing" }));
    assert_eq!(fs::read_to_string(root.join("old")).unwrap(), "new");
    assert_eq!(
        fs::metadata(root.join("old")).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(fs::read_dir(&root).unwrap().count(), 4, "nothing half written is left");
    let intent = &scene.journal.intents()[0];
    assert_eq!((intent.subject.as_str(), intent.repeatable), ("data:old", true));
    assert_eq!(
        intent.content.as_deref(),
        Some("11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437")
    );
}

#[tokio::test]
async fn files_links_and_empty_directories_are_removed_and_links_not_followed() {
    let (_dir, home) = scratch();
    let root = home.join("root");
    fs::create_dir_all(root.join("full")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::create_dir(home.join("outside")).unwrap();
    fs::write(home.join("outside/file"), "kept").unwrap();
    fs::write(root.join("a"), "12345").unwrap();
    fs::write(root.join("full/b"), "1").unwrap();
    symlink("../outside", root.join("link")).unwrap();
    let paths = ["a", "gone", "empty", "link"];
    let effects = |paths: &[&str]| {
        paths
            .iter()
            .map(|path| effect("files", "remove", &format!("data:{path}")))
            .collect()
    };
    let scene = Scene::apply(
        effects(&paths),
        json!([{ "remove": { "root": "data", "paths": paths } }]),
    )
    .root(&["remove"], "data", &root);
    let told = scene.told().await;
    let freed = told[0]["ok"].as_array().unwrap();
    assert_eq!(freed[0], json!(3), "what is gone already is not counted");
    assert!(home.join("outside/file").exists());
    assert!(!root.join("a").exists() && !root.join("link").exists());
    let intent = &scene.journal.intents()[0];
    assert_eq!(intent.request["identities"][0]["path"], "a");
    assert_eq!(intent.request["identities"][0]["bytes"], 5);
    assert!(
        intent.request["identities"][0]["inode"]
            .as_u64()
            .is_some_and(|inode| inode > 0)
    );

    symlink("../outside", root.join("link")).unwrap();
    let paths = ["full", "link/file"];
    let steps = json!([{ "remove": { "root": "data", "paths": ["full"] } }, { "remove": { "root": "data", "paths": ["link/file"] } }]);
    let told = Scene::apply(effects(&paths), steps)
        .root(&["remove"], "data", &root)
        .told()
        .await;
    assert_eq!(
        told[0],
        json!({ "err": "FilesError::Invalid(\"`full` is a directory that is not empty\")" })
    );
    assert!(
        denied(&told[1]).contains("is a link, and nothing is changed through a link"),
        "{}",
        told[1]
    );
    assert!(home.join("outside/file").exists());
}

/// 12: renames a directory under way.
#[test]
fn a_directory_that_becomes_a_link_leads_nowhere() {
    let (_dir, home) = scratch();
    let root = home.join("root");
    fs::create_dir_all(root.join("cache")).unwrap();
    fs::create_dir(home.join("outside")).unwrap();
    for n in 0..50 {
        fs::write(home.join(format!("outside/{n}")), "kept").unwrap();
        fs::write(root.join(format!("cache/{n}")), "junk").unwrap();
    }
    let paths: Vec<String> = (0..50).map(|n| format!("cache/{n}")).collect();
    let effects = paths
        .iter()
        .map(|path| effect("files", "remove", &format!("data:{path}")))
        .collect();
    let steps = paths
        .iter()
        .map(|path| json!({ "remove": { "root": "data", "paths": [path] } }))
        .collect();
    let scene = Scene::apply(effects, steps).root(&["remove"], "data", &root);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = fs::rename(root.join("cache"), root.join("away"));
                let _ = symlink(home.join("outside"), root.join("cache"));
                let _ = fs::remove_file(root.join("cache"));
                let _ = fs::rename(root.join("away"), root.join("cache"));
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(scene.play());
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(
        fs::read_dir(home.join("outside")).unwrap().count(),
        50,
        "nothing outside was touched"
    );
}

fn nix_fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}
