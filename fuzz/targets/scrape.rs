//! The long form of `scrape`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evenkeel_fuzz::scrape::try_one(bytes));
