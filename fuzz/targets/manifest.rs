//! The long form of `manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::manifest::try_one(bytes));
