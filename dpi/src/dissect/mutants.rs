//! What every dissector has to bear: messages that a unit test found sound, damaged in many ways.
//!
//! [`testing`](super::testing) hands over each message that was found, so a dissector with a unit
//! test needs nothing more. Damage is drawn from the message itself: the same every time. With
//! `WEIR_SEEDS` set to a folder the sound messages are left there, for the fuzzers to begin with.

use std::collections::HashSet;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::testing::{Flow, admits};
use crate::app::{self, AppId};
use crate::meta::{META_BYTES, decode};
use crate::view::{Direction, Dissector, Outcome, Transport};

/// Mutants of each message.
const MUTANTS: usize = 200;

/// A message that was found.
#[derive(Clone, Copy, Hash)]
pub(crate) struct Sound<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) to_server: bool,
    pub(crate) tcp: bool,
    pub(crate) ports: (u16, u16),
}

/// Asks `dissector` about mutants of `sound`, which it `found` to be that, once for each message: no panic, names that exist,
/// metadata that can be read back.
pub(crate) fn bear(dissector: &Dissector, found: AppId, sound: Sound<'_>) {
    static DONE: OnceLock<Mutex<HashSet<u64>>> = OnceLock::new();
    let mut hasher = DefaultHasher::new();
    (dissector.app, found, sound).hash(&mut hasher);
    let hash = hasher.finish();
    let done = DONE.get_or_init(Mutex::default);
    if !done.lock().unwrap_or_else(PoisonError::into_inner).insert(hash) {
        return;
    }
    leave(found, sound, hash);
    let mut random = Random(hash | 1);
    for _ in 0..MUTANTS {
        let mutant = mutant(sound.data, &mut random);
        let mut flow = Flow::unwatched(
            if sound.tcp { Transport::Tcp } else { Transport::Udp },
            sound.ports,
            random.below(8) == 0,
        );
        let [this, other] = if sound.to_server {
            [Direction::ToServer, Direction::ToClient]
        } else {
            [Direction::ToClient, Direction::ToServer]
        };
        // A flow that goes on: the damaged message, the sound one, and an answer that is neither.
        for (direction, data) in [(this, &mutant[..]), (this, sound.data), (other, &mutant[..])] {
            if data.first().is_some_and(|first| admits(dissector, *first)) {
                ask(dissector, &mut flow, direction, data);
            }
        }
    }
}

fn ask(dissector: &Dissector, flow: &mut Flow, direction: Direction, data: &[u8]) {
    let outcome = flow.ask_past_filter(dissector, direction, data);
    if let Outcome::Found { app, .. } = outcome {
        assert_eq!(app::describe(app).id, app, "a name that exists, {data:02x?}");
    }
    let bytes = flow.meta.as_bytes();
    let read: usize = decode(bytes).map(|(_, value)| 4 + value.len()).sum();
    assert!(read == bytes.len() && read <= META_BYTES, "{data:02x?}");
}

/// Leaves the message where `WEIR_SEEDS` says, as a row of the fuzzers' table of seeds.
fn leave(found: AppId, sound: Sound<'_>, hash: u64) {
    let Some(folder) = std::env::var_os("WEIR_SEEDS") else { return };
    let mut row = format!(
        "{}\t{}\t{}\t{}\t{}\t",
        app::describe(found).name,
        if sound.tcp { "TCP" } else { "UDP" },
        if sound.to_server { "client" } else { "server" },
        sound.ports.0,
        sound.ports.1,
    );
    for byte in sound.data {
        write!(row, "{byte:02x}").expect("a string takes everything");
    }
    let path = std::path::Path::new(&folder).join(format!("{hash:016x}.tsv"));
    std::fs::write(path, row).expect("the folder of WEIR_SEEDS can be written");
}

/// The message with one to four damages.
fn mutant(sound: &[u8], random: &mut Random) -> Vec<u8> {
    const ODD: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'\r', b'\n', b' '];
    let mut bytes = sound.to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        // Heads matter more than bodies: lengths and kinds stand there.
        let span = if random.below(2) == 0 { bytes.len().min(48) } else { bytes.len() };
        let at = random.below(span);
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = ODD[random.below(ODD.len())],
            2 => bytes.truncate(at + 1),
            3 => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let end = (at + 1 + random.below(4)).min(bytes.len());
                let value = ODD[random.below(ODD.len())];
                bytes[at..end].fill(value);
            }
            _ => bytes[at] = random.byte(),
        }
    }
    bytes
}

/// Knuth's generator: plain, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 33
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % limit.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
