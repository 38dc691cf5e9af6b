//! The program by which the kernel shares packets among shards.
//!
//! The kernel's own hash takes ports too, and so sends a datagram's later fragments, and the two
//! directions inside a VXLAN tunnel, to different sockets. A flow must not be split, so this one
//! hashes the outer addresses alone, the same for both directions, keyed so that outsiders cannot
//! aim at one shard. The price: all that two machines say to each other is one shard's.
//!
//! It runs as classic BPF over the packet as captured; a VLAN tag that the kernel took off is gone,
//! others are passed over. The packet's protocol and network header as the kernel has them are not
//! used: for tagged frames that a program on this host sent by itself, they contradict each other.
//! In pseudo-code:
//!
//! ```text
//! Ethernet: x = 14; twice: if the type before x is a VLAN tag: x += 4
//! MPLS: x += 4 for each label, four at most; PPPoE: x += 8
//! raw IP: x = 0; there, and after MPLS and PPPoE, the version nibble is the type
//! IPv4: share = mix(mix(source) + mix(destination))
//! IPv6: the same, over fold(w) = ((w0·k + w1)·k + w2)·k + w3 of each address
//! otherwise: share 0
//! ```

use crate::sys::packet_ring::Instruction;

const LOAD_WORD: u16 = 0x40; // ld [x + k]
const LOAD_HALF: u16 = 0x48; // ldh [x + k]
const LOAD_BYTE: u16 = 0x50; // ldb [x + k]
const LOAD_CONSTANT: u16 = 0x00; // ld #k
const X_CONSTANT: u16 = 0x01; // ldx #k
const X_STORED: u16 = 0x61; // ldx M[k]
const STORE: u16 = 0x02; // st M[k]
const STORE_X: u16 = 0x03; // stx M[k]
const ADD: u16 = 0x04; // add #k
const ADD_X: u16 = 0x0c; // add x
const MULTIPLY: u16 = 0x24; // mul #k
const SHIFT_RIGHT: u16 = 0x74; // rsh #k
const XOR: u16 = 0xa4; // xor #k
const XOR_X: u16 = 0xac; // xor x
const JUMP: u16 = 0x05; // ja k
const JUMP_EQUAL: u16 = 0x15; // jeq #k
const JUMP_SET: u16 = 0x45; // jset #k
const RETURN_CONSTANT: u16 = 0x06; // ret #k
const RETURN: u16 = 0x16; // ret a
const TO_X: u16 = 0x07; // tax
const FROM_X: u16 = 0x87; // txa

/// Where the frame and where its network header begin, to loads: far below zero are places that
/// the kernel knows.
const FRAME: u32 = 0_u32.wrapping_sub(0x20_0000);
const NETWORK: u32 = 0_u32.wrapping_sub(0x10_0000);

/// MPLS labels that are passed over.
const LABELS: usize = 4;

/// IEEE 802.1Q, 802.1ad, and what came before the latter.
const TAGS: [u32; 3] = [0x8100, 0x88a8, 0x9100];

/// Scratch words.
const SOURCE: u32 = 0;
const FOLDED: u32 = 1;
const HEADER: u32 = 2;

/// Lets nothing through.
pub(super) const NOTHING: [Instruction; 1] =
    [Instruction { code: RETURN_CONSTANT, if_true: 0, if_false: 0, operand: 0 }];

/// Places that are jumped to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Label {
    Tag,
    SecondTag,
    Type,
    Mpls,
    Pppoe,
    Version,
    Ipv4,
    Ipv6,
    Sum,
    None,
}

/// The program for a secret, over Ethernet frames or raw IP.
pub(super) fn program(secret: u64, ethernet: bool) -> Vec<Instruction> {
    let base = if ethernet { FRAME } else { NETWORK };
    let mut building = Building { keys: keys(secret), base, ..Building::default() };
    building.step(X_CONSTANT, if ethernet { 14 } else { 0 });
    if ethernet {
        building.ethernet();
    } else {
        building.version();
    }
    building.internet();
    building.finish()
}

/// The secret's halves; those that multiply are odd, so that no bit is lost.
fn keys(secret: u64) -> [u32; 3] {
    let half = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
    let (low, high) = (half(secret), half(secret >> 32));
    [low, high | 1, (low.rotate_left(13) ^ high.rotate_left(7)) | 1]
}

#[derive(Default)]
struct Building {
    keys: [u32; 3],
    /// What offsets of loads count from.
    base: u32,
    steps: Vec<Instruction>,
    /// Where each place is.
    places: Vec<(Label, usize)>,
    /// Jumps to a place, by their own place.
    jumps: Vec<(usize, Label)>,
}

impl Building {
    fn step(&mut self, code: u16, operand: u32) {
        self.steps.push(Instruction { code, if_true: 0, if_false: 0, operand });
    }

    fn place(&mut self, label: Label) {
        self.places.push((label, self.steps.len()));
    }

    /// Jumps there where the comparison holds, otherwise goes on.
    fn jump(&mut self, code: u16, operand: u32, to: Label) {
        self.jumps.push((self.steps.len(), to));
        self.step(code, operand);
    }

    /// Loads what lies that far from x, before it or after.
    fn load(&mut self, code: u16, offset: i32) {
        self.step(code, self.base.wrapping_add_signed(offset));
    }

    /// Passes over tags, chooses by type, and passes over labels.
    fn ethernet(&mut self) {
        self.load(LOAD_HALF, -2);
        for tag in TAGS {
            self.jump(JUMP_EQUAL, tag, Label::Tag);
        }
        self.jump(JUMP, 0, Label::Type);
        self.place(Label::Tag);
        self.forward(4);
        self.load(LOAD_HALF, -2);
        for tag in TAGS {
            self.jump(JUMP_EQUAL, tag, Label::SecondTag);
        }
        self.jump(JUMP, 0, Label::Type);
        self.place(Label::SecondTag);
        self.forward(4);
        self.load(LOAD_HALF, -2);
        self.place(Label::Type);
        for (number, to) in [
            (0x0800, Label::Ipv4),
            (0x86dd, Label::Ipv6),
            (0x8847, Label::Mpls),
            (0x8848, Label::Mpls),
            (0x8864, Label::Pppoe),
        ] {
            self.jump(JUMP_EQUAL, number, to);
        }
        self.jump(JUMP, 0, Label::None);
        self.place(Label::Mpls);
        for _ in 0..LABELS {
            self.forward(4);
            // The third byte of the label that was passed: is it the last?
            self.load(LOAD_BYTE, -2);
            self.jump(JUMP_SET, 1, Label::Version);
        }
        self.jump(JUMP, 0, Label::None);
        self.place(Label::Pppoe);
        self.forward(8);
        self.place(Label::Version);
        self.version();
    }

    fn version(&mut self) {
        self.load(LOAD_BYTE, 0);
        self.step(SHIFT_RIGHT, 4);
        self.jump(JUMP_EQUAL, 4, Label::Ipv4);
        self.jump(JUMP_EQUAL, 6, Label::Ipv6);
        self.jump(JUMP, 0, Label::None);
    }

    fn forward(&mut self, bytes: u32) {
        self.step(FROM_X, 0);
        self.step(ADD, bytes);
        self.step(TO_X, 0);
    }

    fn internet(&mut self) {
        self.place(Label::Ipv4);
        self.step(STORE_X, HEADER);
        self.load(LOAD_WORD, 12);
        self.mix();
        self.step(STORE, SOURCE);
        self.step(X_STORED, HEADER);
        self.load(LOAD_WORD, 16);
        self.mix();
        self.jump(JUMP, 0, Label::Sum);
        self.place(Label::Ipv6);
        self.step(STORE_X, HEADER);
        self.fold(8);
        self.mix();
        self.step(STORE, SOURCE);
        self.step(X_STORED, HEADER);
        self.fold(24);
        self.mix();
        self.place(Label::Sum);
        self.step(X_STORED, SOURCE);
        self.step(ADD_X, 0);
        self.mix();
        self.step(RETURN, 0);
        self.place(Label::None);
        self.step(RETURN_CONSTANT, 0);
    }

    /// Folds the 16 bytes at `at` of the header into one word.
    fn fold(&mut self, at: i32) {
        self.step(LOAD_CONSTANT, 0);
        self.step(STORE, FOLDED);
        for word in 0..4 {
            self.step(X_STORED, HEADER);
            self.load(LOAD_WORD, at + word * 4);
            self.step(X_STORED, FOLDED);
            self.step(ADD_X, 0);
            self.step(MULTIPLY, self.keys[1]);
            self.step(STORE, FOLDED);
        }
    }

    /// Spreads each bit over all, by the secret.
    fn mix(&mut self) {
        let [add, first, second] = self.keys;
        self.step(XOR, add);
        for (multiplier, shift) in [(first, 15), (second, 13)] {
            self.step(MULTIPLY, multiplier);
            self.step(TO_X, 0);
            self.step(SHIFT_RIGHT, shift);
            self.step(XOR_X, 0);
        }
    }

    fn finish(mut self) -> Vec<Instruction> {
        for (from, label) in &self.jumps {
            let place = self.places.iter().find(|(known, _)| known == label);
            let to = place.map_or(0, |(_, to)| *to);
            let over = to.saturating_sub(from + 1);
            let Some(step) = self.steps.get_mut(*from) else { continue };
            if step.code == JUMP {
                step.operand = u32::try_from(over).unwrap_or(0);
            } else {
                // The longest is under 150 steps; the tests run through every jump.
                step.if_true = u8::try_from(over).unwrap_or(0);
            }
        }
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do. A load beyond the packet ends the program with 0.
    fn run(program: &[Instruction], bytes: &[u8]) -> u32 {
        let load = |at: u32, width: usize| -> Option<u32> {
            let base = if at < NETWORK { FRAME } else { NETWORK };
            let from = usize::try_from(at.wrapping_sub(base)).unwrap();
            let bytes = bytes.get(from..from.checked_add(width)?)?;
            Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
        };
        let (mut a, mut x, mut memory, mut at) = (0_u32, 0_u32, [None; 16], 0);
        loop {
            let Instruction { code, if_true, if_false, operand: k } = program[at];
            at += 1;
            let loaded = match code {
                LOAD_HALF => load(x.wrapping_add(k), 2),
                LOAD_WORD => load(x.wrapping_add(k), 4),
                LOAD_BYTE => load(x.wrapping_add(k), 1),
                LOAD_CONSTANT => Some(k),
                _ => Some(a),
            };
            let Some(loaded) = loaded else { return 0 };
            a = loaded;
            match code {
                LOAD_WORD | LOAD_HALF | LOAD_BYTE | LOAD_CONSTANT => {}
                X_CONSTANT => x = k,
                X_STORED => x = memory[k as usize].expect("stored before it is loaded"),
                STORE => memory[k as usize] = Some(a),
                STORE_X => memory[k as usize] = Some(x),
                ADD => a = a.wrapping_add(k),
                ADD_X => a = a.wrapping_add(x),
                MULTIPLY => a = a.wrapping_mul(k),
                SHIFT_RIGHT => a >>= k,
                XOR => a ^= k,
                XOR_X => a ^= x,
                TO_X => x = a,
                FROM_X => a = x,
                JUMP => at += k as usize,
                JUMP_EQUAL => at += usize::from(if a == k { if_true } else { if_false }),
                JUMP_SET => at += usize::from(if a & k != 0 { if_true } else { if_false }),
                RETURN_CONSTANT => return k,
                RETURN => return a,
                other => panic!("operation {other:#x} is not one of ours"),
            }
        }
    }

    fn ipv4(from: [u8; 4], to: [u8; 4], rest: u8) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 40, rest, 0, 0, 0, 64, 17, 0, 0];
        bytes.extend(from);
        bytes.extend(to);
        bytes.resize(40, rest);
        bytes
    }

    fn ipv6(from: [u8; 16], to: [u8; 16]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
        bytes.extend(from);
        bytes.extend(to);
        bytes
    }

    /// A frame whose Ethernet header and what follows it end with `head`.
    fn under(head: &[u8], packet: &[u8]) -> Vec<u8> {
        [&[0xee; 12], head, packet].concat()
    }

    #[test]
    fn both_directions_and_all_ports_of_two_machines_share_a_shard() {
        for ethernet in [false, true] {
            let program = program(0x1234_5678_9abc_def1, ethernet);
            let share = |head: [u8; 2], packet: &[u8]| {
                let frame = under(&head, packet);
                run(&program, if ethernet { &frame } else { packet })
            };
            for number in 0..200_u8 {
                let (one, two) = ([10, 0, number, 1], [192, 168, 7, number]);
                let there = share([8, 0], &ipv4(one, two, 1));
                assert_eq!(there, share([8, 0], &ipv4(two, one, 9)));
                let (mut one, mut two) = ([0x20; 16], [0xfd; 16]);
                (one[15], two[3]) = (number, number);
                let there = share([0x86, 0xdd], &ipv6(one, two));
                assert_eq!(there, share([0x86, 0xdd], &ipv6(two, one)));
            }
        }
    }

    #[test]
    fn tags_labels_and_sessions_do_not_change_the_share() {
        let (program, raw) = (program(99, true), program(99, false));
        let plain = ipv4([10, 1, 2, 3], [10, 3, 2, 1], 5);
        let share = run(&raw, &plain);
        assert_ne!(share, 0);
        let heads: [&[u8]; 6] = [
            &[0x08, 0x00],
            &[0x81, 0x00, 0, 5, 0x08, 0x00],
            &[0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x00],
            &[0x88, 0x47, 0, 0, 0x11, 64],
            &[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x10, 64, 0, 0, 0x11, 64],
            &[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0x00, 0x21],
        ];
        for head in heads {
            assert_eq!(share, run(&program, &under(head, &plain)), "{head:02x?}");
        }
        let six = ipv6([1; 16], [2; 16]);
        let tagged = under(&[0x81, 0, 0, 5, 0x86, 0xdd], &six);
        assert_eq!(run(&raw, &six), run(&program, &tagged));
    }

    #[test]
    fn shares_are_even_and_depend_on_the_secret() {
        let (first, second) = (program(7, false), program(8, false));
        let mut counts = [0_u32; 4];
        let mut moved = 0;
        for number in 0..4000_u32 {
            let [_, _, high, low] = number.to_be_bytes();
            let packet = ipv4([10, 0, high, low], [10, 9, 9, 9], 0);
            let share = run(&first, &packet) % 4;
            counts[share as usize] += 1;
            moved += u32::from(share != run(&second, &packet) % 4);
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
        assert!((2500..3500).contains(&moved), "{moved} of 4000 moved");
    }

    #[test]
    fn every_cut_packet_ends_the_program() {
        let program = program(3, true);
        let whole = under(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0], &ipv4([1; 4], [2; 4], 3));
        let shares = (0..whole.len()).map(|bytes| run(&program, &whole[..bytes]));
        // Only with both addresses is there a share.
        assert_eq!(shares.filter(|share| *share != 0).count(), 20);
        assert_eq!(run(&program, &under(&[0x08, 0x06], &[1; 28])), 0);
    }
}
