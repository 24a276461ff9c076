//! The long form of `subjects`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::subjects::try_one(bytes));
