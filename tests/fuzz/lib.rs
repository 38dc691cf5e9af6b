//! What the targets share: inputs as `tests/src/drive.rs` reads them.

#[path = "../src/drive.rs"]
pub mod drive;

use std::cell::RefCell;
use weir_dpi::crypto_pool::CryptoPool;
use weir_dpi::knowledge::Knowledge;
use weir_dpi::meta::Meta;
use weir_dpi::scratch::Scratch;
use weir_dpi::{Dissector, Inspector, Notes, fuzzing};

/// Nothing that one input taught is remembered at the next.
const BETWEEN_NS: u64 = 25 * 3600 * 1_000_000_000;
/// Inputs of one inspector: the time in seconds has 32 bits.
const INPUTS: u64 = 40_000;

/// An inspector, kept from one input to the next since making it takes longer than most inputs.
struct Kept {
    inspector: Inspector,
    inputs: u64,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
    static POOL: RefCell<Option<CryptoPool>> = const { RefCell::new(None) };
}

/// All of `input` through an inspector that `make` makes.
pub fn inspect(make: fn() -> Inspector, input: &[u8]) {
    KEPT.with_borrow_mut(|kept| {
        if kept.as_ref().is_none_or(|kept| kept.inputs >= INPUTS) {
            *kept = Some(Kept { inspector: make(), inputs: 0 });
        }
        if let Some(kept) = kept {
            let now_ns = kept.inputs * BETWEEN_NS;
            kept.inputs += 1;
            drive::inspect(&mut kept.inspector, &drive::limits(), now_ns, input);
        }
    });
}

/// A family by itself. The first byte tells how: even, its dissectors in an inspector; odd, the one
/// whose number is the second byte, whatever the dispatch would say.
pub fn family(dissectors: &'static [Dissector], make: fn() -> Inspector, input: &[u8]) {
    let [how, number, input @ ..] = input else { return };
    if how % 2 == 0 {
        return inspect(make, input);
    }
    let dissector = &dissectors[usize::from(*number) % dissectors.len()];
    POOL.with_borrow_mut(|crypto| {
        let notes = &mut Notes {
            meta: &mut Meta::default(),
            scratch: &mut Scratch::default(),
            knowledge: &mut Knowledge::new(4),
            crypto: crypto.get_or_insert_with(|| CryptoPool::new(2)),
        };
        drive::dissect(dissector, notes, input);
    });
}

/// The family of this name, and an inspector that knows it alone.
pub fn dissectors(name: &str) -> &'static [Dissector] {
    let mut families = fuzzing::FAMILIES.iter();
    families.find(|(known, _)| *known == name).map(|(_, dissectors)| *dissectors).expect("a family")
}
