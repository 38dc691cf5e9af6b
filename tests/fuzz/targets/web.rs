//! The family `web` by itself.
#![no_main]

use weir_dpi::{Inspector, fuzzing};
use weir_fuzz::{dissectors, drive, family};

fn make() -> Inspector {
    fuzzing::inspector(&drive::limits(), dissectors("web"))
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| family(dissectors("web"), make, input));
