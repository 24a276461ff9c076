//! The long form of `promql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::promql::try_one(bytes));
