//! The long form of `effects`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::effects::try_one(bytes));
