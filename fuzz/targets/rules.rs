//! The long form of `rules`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::rules::try_one(bytes));
