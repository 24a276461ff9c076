//! The long form of `exposition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::exposition::try_one(bytes));
