//! The long form of `paths`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::paths::try_one(bytes));
