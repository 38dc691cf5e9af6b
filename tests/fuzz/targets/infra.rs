//! The family `infra` by itself.
#![no_main]

use weir_dpi::{Inspector, fuzzing};
use weir_fuzz::{dissectors, drive, family};

fn make() -> Inspector {
    fuzzing::inspector(&drive::limits(), dissectors("infra"))
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| family(dissectors("infra"), make, input));
