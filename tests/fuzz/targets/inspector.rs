//! Every dissector in one inspector.
#![no_main]

use weir_dpi::Inspector;
use weir_fuzz::{drive, inspect};

fn make() -> Inspector {
    Inspector::new(&drive::limits())
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| inspect(make, input));
