//! The long form of `cron`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::cron::try_one(bytes));
