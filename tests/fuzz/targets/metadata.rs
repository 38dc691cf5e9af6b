//! Any bytes as a flow's metadata.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| weir_fuzz::drive::metadata(input));
