//! What users see, kept as files, so that a change to it shows in the diff of whoever makes it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Compares `text` with the file `tests/FILE`. With `UPDATE_GOLDEN=1` in the environment, writes it
/// instead.
///
/// # Panics
/// When they differ, at the first line that does.
#[track_caller]
pub fn assert_golden(file: &str, text: &str) {
    let path = place(file);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        write(&path, text);
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if golden == text {
        return;
    }
    let same = golden
        .lines()
        .zip(text.lines())
        .take_while(|(old, new)| old == new)
        .count();
    panic!(
        "tests/{file} is not what is said now; from line {} on it is\n  {:?}\nand now\n  {:?}\n\
         UPDATE_GOLDEN=1 writes the file, if that is as it should be. All of it:\n{text}",
        same + 1,
        golden.lines().nth(same),
        text.lines().nth(same),
    );
}

fn place(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

#[track_caller]
fn write(path: &Path, text: &str) {
    let directory = path.parent().expect("a golden file is in a directory");
    fs::create_dir_all(directory).expect("the directory of a golden file can be made");
    fs::write(path, text).expect("a golden file can be written");
}
