//! Preloaded into the daemon: lets writes to what is below `data/` fail while a control file says so.
//!
//! `full`: nothing can be written, as on a full disk. `io N`: N of 100 writes and syncs fail, as on a bad one. With
//! `TORTURE_POWER` set, a copy of the database's files is kept as they were when they were synced last: what a power cut
//! leaves of them at least.
//! It is built by the test alone, with `rustc`; no part of evenkeel is told of it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::{env, fs, ptr};

const ENOSPC: c_int = 28;
const EIO: c_int = 5;
/// The next one of that name in the order in which libraries are searched: the C library's.
const NEXT: *mut c_void = ptr::without_provenance_mut(usize::MAX);

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn __errno_location() -> *mut c_int;
}

type Write = unsafe extern "C" fn(c_int, *const c_void, usize) -> isize;
type Pwrite = unsafe extern "C" fn(c_int, *const c_void, usize, i64) -> isize;
type Sync = unsafe extern "C" fn(c_int) -> c_int;
type Truncate = unsafe extern "C" fn(c_int, i64) -> c_int;

fn next(found: &OnceLock<usize>, name: &CStr) -> usize {
    // SAFETY: the name ends with a NUL; the C library has all of these.
    *found.get_or_init(|| unsafe { dlsym(NEXT, name.as_ptr()) as usize })
}

/// Why this call is to fail, if it is.
fn fault(file: c_int, is_sync: bool) -> Option<c_int> {
    static CONTROL: OnceLock<Option<String>> = OnceLock::new();
    let control = CONTROL.get_or_init(|| env::var("TORTURE_DISK").ok()).as_ref()?;
    let says = fs::read_to_string(control).ok()?;
    let path = fs::read_link(format!("/proc/self/fd/{file}")).ok()?;
    let name = path.to_str()?;
    if !name.contains("/data/") || name.contains("/data/cache") {
        return None;
    }
    match says.trim().split_once(' ') {
        Some(("io", chance)) => (dice() % 100 < chance.parse().ok()?).then_some(EIO),
        _ if says.starts_with("full") && !is_sync => Some(ENOSPC),
        _ => None,
    }
}

/// Before whoever synced it hears of that.
fn keep(file: c_int) {
    static ON: OnceLock<bool> = OnceLock::new();
    static ONE: Mutex<()> = Mutex::new(());
    if !*ON.get_or_init(|| env::var("TORTURE_POWER").is_ok()) {
        return;
    }
    let path = fs::read_link(format!("/proc/self/fd/{file}")).unwrap_or_default();
    let path = path.display().to_string();
    if !path.ends_with("/evenkeel.db") && !path.ends_with("/evenkeel.db-wal") {
        return;
    }
    let _one = ONE.lock();
    let (kept, new) = (format!("{path}.synced"), format!("{path}.synced.new"));
    if fs::copy(&path, &new).and_then(|_| fs::rename(&new, &kept)).is_err() {
        std::process::abort();
    }
}

fn dice() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(1);
    let n = STATE.fetch_add(1, Ordering::Relaxed);
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (z ^ (z >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

fn fail(why: c_int) {
    // SAFETY: it is this thread's own.
    unsafe { *__errno_location() = why }
}

/// # Safety
/// As write(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(file: c_int, bytes: *const c_void, count: usize) -> isize {
    static REAL: OnceLock<usize> = OnceLock::new();
    if let Some(why) = fault(file, false) {
        fail(why);
        return -1;
    }
    // SAFETY: it is the function of that name, and the arguments are the caller's.
    unsafe { std::mem::transmute::<usize, Write>(next(&REAL, c"write"))(file, bytes, count) }
}

/// # Safety
/// As pwrite(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(file: c_int, bytes: *const c_void, count: usize, at: i64) -> isize {
    static REAL: OnceLock<usize> = OnceLock::new();
    if let Some(why) = fault(file, false) {
        fail(why);
        return -1;
    }
    // SAFETY: as above.
    unsafe { std::mem::transmute::<usize, Pwrite>(next(&REAL, c"pwrite64"))(file, bytes, count, at) }
}

/// # Safety
/// As fsync(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(file: c_int) -> c_int {
    static REAL: OnceLock<usize> = OnceLock::new();
    if let Some(why) = fault(file, true) {
        fail(why);
        return -1;
    }
    // SAFETY: as above.
    let synced = unsafe { std::mem::transmute::<usize, Sync>(next(&REAL, c"fsync"))(file) };
    if synced == 0 {
        keep(file);
    }
    synced
}

/// # Safety
/// As fdatasync(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(file: c_int) -> c_int {
    static REAL: OnceLock<usize> = OnceLock::new();
    if let Some(why) = fault(file, true) {
        fail(why);
        return -1;
    }
    // SAFETY: as above.
    let synced = unsafe { std::mem::transmute::<usize, Sync>(next(&REAL, c"fdatasync"))(file) };
    if synced == 0 {
        keep(file);
    }
    synced
}

/// # Safety
/// As ftruncate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(file: c_int, length: i64) -> c_int {
    static REAL: OnceLock<usize> = OnceLock::new();
    if let Some(why) = fault(file, false) {
        fail(why);
        return -1;
    }
    // SAFETY: as above.
    unsafe { std::mem::transmute::<usize, Truncate>(next(&REAL, c"ftruncate64"))(file, length) }
}
