//! The long form of `grants`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::grants::try_one(bytes));
