//! What it looks at is told in `crates/fuzz`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| holm_fuzz::rule(data));
