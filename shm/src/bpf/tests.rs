//! Programs by hand, random programs against a plain twin, and libpcap's own programs and verdicts.

use super::*;
use proptest::{prelude::*, strategy::ValueTree};
use std::{
    io::Write,
    process::{Command, Stdio},
};

mod frames;

const fn op(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

const RETURN_A: Instruction = op(0x16, 0, 0, 0);

fn run(instructions: &[Instruction], frame: &[u8]) -> u32 {
    Program::new(instructions).unwrap().run(frame, 1000)
}

fn refused(instructions: &[Instruction]) -> Invalid {
    let invalid = Program::new(instructions).unwrap_err();
    assert!(invalid.to_string().contains(": "), "says what to do: {invalid}");
    invalid
}

#[test]
fn loads_take_network_order() {
    let frame = [0x01, 0x02, 0x03, 0x04, 0xf5];
    assert_eq!(run(&[op(0x20, 0, 0, 1), RETURN_A], &frame), 0x0203_04f5);
    assert_eq!(run(&[op(0x28, 0, 0, 3), RETURN_A], &frame), 0x04f5);
    assert_eq!(run(&[op(0x30, 0, 0, 4), RETURN_A], &frame), 0xf5);
    let at_x = |code, x, k| run(&[op(0x01, 0, 0, x), op(code, 0, 0, k), RETURN_A], &frame);
    assert_eq!(at_x(0x40, 1, 0), 0x0203_04f5);
    assert_eq!(at_x(0x48, 1, 2), 0x04f5);
    assert_eq!(at_x(0x50, 3, 1), 0xf5);
    assert_eq!(run(&[op(0xb1, 0, 0, 4), op(0x87, 0, 0, 0), RETURN_A], &frame), 20);
    assert_eq!(run(&[op(0x80, 0, 0, 0), RETURN_A], &frame), 1000, "the length on the wire");
    assert_eq!(run(&[op(0x81, 0, 0, 0), op(0x87, 0, 0, 0), RETURN_A], &frame), 1000);
}

#[test]
fn loads_beyond_the_capture_reject() {
    let all = op(0x06, 0, 0, 7);
    for (code, bytes) in [(0x20, 4), (0x28, 2), (0x30, 1), (0xb1, 1)] {
        assert_eq!(run(&[op(code, 0, 0, 4), all], &vec![1; 4 + bytes]), 7);
        assert_eq!(run(&[op(code, 0, 0, 4), all], &vec![1; 3 + bytes]), 0, "{code:#x}");
        assert_eq!(run(&[op(code, 0, 0, i32::MAX.cast_unsigned()), all], &[1; 64]), 0);
    }
    for code in [0x40, 0x48, 0x50] {
        for x in [64, u32::MAX, u32::MAX - 3] {
            assert_eq!(run(&[op(0x01, 0, 0, x), op(code, 0, 0, 8), all], &[1; 64]), 0);
        }
    }
    assert_eq!(run(&[op(0x30, 0, 0, 0), all], &[]), 0);
    assert_eq!(run(&[all], &[]), 7);
}

#[test]
fn arithmetic_of_both_sources() {
    let cases: [(u16, u32, u32, u32); 12] = [
        (0x04, u32::MAX, 2, 1),
        (0x14, 1, 2, u32::MAX),
        (0x24, 0x8000_0001, 2, 2),
        (0x34, 17, 5, 3),
        (0x94, 17, 5, 2),
        (0x54, 0b1100, 0b1010, 0b1000),
        (0x44, 0b1100, 0b1010, 0b1110),
        (0xa4, 0b1100, 0b1010, 0b0110),
        (0x64, 3, 31, 0x8000_0000),
        (0x74, 0x8000_0000, 31, 1),
        (0x64, 3, 0, 3),
        (0x84, 1, 0, u32::MAX),
    ];
    for (code, a, with, result) in cases {
        let set = op(0x00, 0, 0, a);
        assert_eq!(run(&[set, op(code, 0, 0, with), RETURN_A], &[]), result, "{code:#x} K");
        if code != 0x84 {
            let program = [set, op(0x01, 0, 0, with), op(code | 8, 0, 0, 0), RETURN_A];
            assert_eq!(run(&program, &[]), result, "{code:#x} X");
        }
    }
    for (code, with) in [(0x3c, 0), (0x9c, 0), (0x6c, 32), (0x7c, u32::MAX)] {
        let program = [op(0, 0, 0, 9), op(1, 0, 0, with), op(code, 0, 0, 0), RETURN_A];
        assert_eq!(run(&program, &[]), 0, "{code:#x}: by zero, or a shift of everything");
    }
}

#[test]
fn tests_jump_both_ways() {
    let cases: [(u16, u32, u32, bool); 9] = [
        (0x15, 5, 5, true),
        (0x15, 5, 6, false),
        (0x25, 5, 4, true),
        (0x25, 5, 5, false),
        (0x25, u32::MAX, 1, true),
        (0x35, 5, 5, true),
        (0x35, 4, 5, false),
        (0x45, 6, 2, true),
        (0x45, 6, 1, false),
    ];
    for (code, a, with, holds) in cases {
        let (yes, no) = (op(0x06, 0, 0, 1), op(0x06, 0, 0, 2));
        let expected = if holds { 1 } else { 2 };
        let set = op(0x00, 0, 0, a);
        assert_eq!(run(&[set, op(code, 0, 1, with), yes, no], &[]), expected, "{code:#x} K");
        let set_x = op(0x01, 0, 0, with);
        assert_eq!(run(&[set, set_x, op(code | 8, 0, 1, 0), yes, no], &[]), expected, "X");
    }
    let over = [op(0x05, 0, 0, 1), op(0x06, 0, 0, 1), op(0x06, 0, 0, 2)];
    assert_eq!(run(&over, &[]), 2);
}

#[test]
fn scratch_memory_begins_as_zero() {
    assert_eq!(run(&[op(0x00, 0, 0, 4), op(0x60, 0, 0, 15), RETURN_A], &[]), 0);
    let kept = [
        op(0x00, 0, 0, 4),
        op(0x02, 0, 0, 15),
        op(0x61, 0, 0, 15),
        op(0x03, 0, 0, 0),
        op(0x00, 0, 0, 9),
        op(0x60, 0, 0, 0),
        RETURN_A,
    ];
    assert_eq!(run(&kept, &[]), 4);
    let moved = [op(0x00, 0, 0, 3), op(0x07, 0, 0, 0), op(0x00, 0, 0, 0), op(0x87, 0, 0, 0)];
    assert_eq!(run(&[moved.as_slice(), &[RETURN_A]].concat(), &[]), 3);
}

#[test]
fn what_is_refused() {
    let all = op(0x06, 0, 0, 1);
    assert_eq!(refused(&[]), Invalid::Length { count: 0 });
    assert_eq!(refused(&vec![all; 4097]), Invalid::Length { count: 4097 });
    Program::new(&vec![all; 4096]).unwrap();
    assert_eq!(refused(&[op(0, 0, 0, 1)]), Invalid::NoReturn);
    assert_eq!(refused(&[all, op(0x05, 0, 0, 0)]), Invalid::Jump { at: 1, target: 2, last: 1 });
    let far = refused(&[op(0x05, 0, 0, u32::MAX >> 1), all]);
    assert_eq!(far, Invalid::Jump { at: 0, target: 1 << 31, last: 1 });
    let back = refused(&[op(0, 0, 0, 0), op(0x05, 0, 0, u32::MAX), all]);
    assert_eq!(back, Invalid::Backward { at: 1 }, "for ever");
    for (jt, jf) in [(1, 0), (0, 1)] {
        let jump = refused(&[op(0x15, jt, jf, 0), all]);
        assert_eq!(jump, Invalid::Jump { at: 0, target: 2, last: 1 });
    }
    for code in [0x60, 0x61, 0x02, 0x03] {
        assert_eq!(refused(&[op(code, 0, 0, 16), all]), Invalid::Scratch { at: 0, cell: 16 });
        assert_eq!(refused(&[op(code, 0, 0, 256), all]), Invalid::Scratch { at: 0, cell: 256 });
    }
    for code in [0x34, 0x94] {
        assert_eq!(refused(&[op(code, 0, 0, 0), all]), Invalid::DivisionByZero { at: 0 });
    }
    for code in [0x64, 0x74] {
        assert_eq!(refused(&[op(code, 0, 0, 32), all]), Invalid::Shift { at: 0, bits: 32 });
    }
    for code in [0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1] {
        let tag = (-0x1000 + 44i32).cast_unsigned();
        let extension = Invalid::Extension { at: 0, offset: -0x1000 + 44 };
        assert_eq!(refused(&[op(code, 0, 0, tag), all]), extension);
    }
}

/// Every code that Linux takes from a user (`chk_code_allowed` in `net/core/filter.c`), no other.
#[test]
fn codes_are_those_of_linux() {
    let taken = |code| {
        // A constant that suits every operation.
        let instructions = [op(code, 0, 0, 1), op(0x06, 0, 0, 0), op(0x06, 0, 0, 0)];
        match Program::new(&instructions) {
            Ok(_) => true,
            Err(Invalid::Code { .. }) => false,
            Err(other) => panic!("{code:#x}: {other}"),
        }
    };
    let found: Vec<u16> = (0..=u16::MAX).filter(|code| taken(*code)).collect();
    assert_eq!(found, CODES);
}

const CODES: [u16; 49] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14, 0x15, 0x16, 0x1c, 0x1d, 0x20, 0x24,
    0x25, 0x28, 0x2c, 0x2d, 0x30, 0x34, 0x35, 0x3c, 0x3d, 0x40, 0x44, 0x45, 0x48, 0x4c, 0x4d, 0x50,
    0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74, 0x7c, 0x80, 0x81, 0x84, 0x87, 0x94, 0x9c, 0xa4, 0xac,
    0xb1,
];

#[test]
fn decimal_text() {
    let text = "4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n";
    let program = Program::parse_decimal(text).unwrap();
    assert_eq!(program.run(&[0x08; 14], 14), 0);
    assert_eq!(program.run(&[[8, 0]; 7].concat(), 14), 262_144);
    assert_eq!(Program::parse_decimal(&text.replace('\n', " \r\n\n")).unwrap(), program);
    for (text, line) in [
        ("", 1),
        ("eth0\n6 0 0 0", 1),
        ("1\n", 1),
        ("2\n6 0 0 0\n", 2),
        ("1\n6 0 0 0\n6 0 0 0\n", 3),
        ("1\n6 0 0\n", 2),
        ("1\n6 0 0 0 0\n", 2),
        ("1\n6 0 256 0\n", 2),
        ("1\n{ 0x6, 0, 0, 0x00000000 },\n", 2),
        ("18446744073709551616\n6 0 0 0\n", 1),
    ] {
        let found = Program::parse_decimal(text).unwrap_err();
        assert!(matches!(found, Invalid::Text { line: at, .. } if at == line), "{text:?}: {found}");
    }
    assert_eq!(Program::parse_decimal("0\n"), Err(Invalid::Length { count: 0 }));
}

/// The machine as the paper has it: straight from the instruction words, no decoding.
fn plain_twin(program: &[Instruction], frame: &[u8], wire_bytes: u32) -> u32 {
    let (mut a, mut x, mut at) = (0u32, 0u32, 0usize);
    let mut scratch = [0u32; 16];
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let (class, size, mode) = (code & 0x07, code & 0x18, code & 0xe0);
        let load = |offset: u64, bytes: usize| {
            let from = usize::try_from(offset).unwrap();
            let bytes = frame.get(from..from + bytes)?;
            Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
        };
        let bytes = [4, 2, 1][usize::from(size >> 3).min(2)];
        let operand = if code & 0x08 != 0 { x } else { k };
        match class {
            0 | 1 => {
                let value = match mode {
                    0x00 => Some(k),
                    0x20 => load(k.into(), bytes),
                    0x40 => load(u64::from(x) + u64::from(k), bytes),
                    0x60 => Some(scratch[k as usize]),
                    0x80 => Some(wire_bytes),
                    _ => load(k.into(), 1).map(|byte| (byte & 15) << 2),
                };
                let Some(value) = value else { return 0 };
                *(if class == 0 { &mut a } else { &mut x }) = value;
            }
            2 => scratch[k as usize] = a,
            3 => scratch[k as usize] = x,
            4 => {
                a = match code & 0xf0 {
                    0x00 => a.wrapping_add(operand),
                    0x10 => a.wrapping_sub(operand),
                    0x20 => a.wrapping_mul(operand),
                    0x30 | 0x90 if operand == 0 => return 0,
                    0x30 => a / operand,
                    0x40 => a | operand,
                    0x50 => a & operand,
                    0x60 if operand < 32 => a << operand,
                    0x70 if operand < 32 => a >> operand,
                    0x60 | 0x70 => 0,
                    0x80 => 0u32.wrapping_sub(a),
                    0x90 => a % operand,
                    _ => a ^ operand,
                }
            }
            5 if code & 0xf0 == 0 => at += k as usize,
            5 => {
                let holds = match code & 0xf0 {
                    0x10 => a == operand,
                    0x20 => a > operand,
                    0x30 => a >= operand,
                    _ => a & operand != 0,
                };
                at += usize::from(if holds { jt } else { jf });
            }
            6 => return if code & 0x18 == 0x10 { a } else { k },
            _ if code & 0xf8 == 0x80 => a = x,
            _ => x = a,
        }
    }
}

fn wild() -> impl Strategy<Value = Instruction> {
    (any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>())
        .prop_map(|(code, jt, jf, k)| op(code, jt, jf, k))
}

/// Instructions that are mostly taken.
fn tame() -> impl Strategy<Value = Instruction> {
    let code = prop::sample::select(CODES.as_slice());
    let k = prop_oneof![6 => 0..16u32, 2 => 0..80u32, 1 => any::<u32>()];
    (code, 0..4u8, 0..4u8, k).prop_map(|(code, jt, jf, k)| op(code, jt, jf, k))
}

fn returns() -> impl Strategy<Value = Instruction> {
    prop_oneof![Just(RETURN_A), any::<u32>().prop_map(|k| op(0x06, 0, 0, k))]
}

/// A returning program that is accepted at least now and then, whatever its instructions.
fn program() -> impl Strategy<Value = Vec<Instruction>> {
    let tame = prop::collection::vec(tame(), 0..24);
    let body = prop_oneof![8 => tame, 1 => prop::collection::vec(wild(), 0..24)];
    // Returns at the end so that short jumps stay inside.
    (body, prop::collection::vec(returns(), 1..6)).prop_map(|(body, end)| [body, end].concat())
}

/// The property of every program: refused, or it ends with its plain twin's verdict on any frame.
fn refused_or_ends(program: &[Instruction], frame: &[u8], wire_bytes: u32) -> bool {
    match Program::new(program) {
        Ok(accepted) => {
            let expected = plain_twin(program, frame, wire_bytes);
            assert_eq!(accepted.run(frame, wire_bytes), expected, "{program:?} {frame:?}");
            true
        }
        Err(invalid) => {
            assert!(!invalid.to_string().is_empty());
            false
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_program_is_refused_or_ends(
        program in program(),
        frame in prop::collection::vec(any::<u8>(), 0..64),
        wire_bytes: u32,
    ) {
        refused_or_ends(&program, &frame, wire_bytes);
    }

    #[test]
    fn any_text_is_refused_or_read(
        text in "([0-9]{1,4}\n)?([0-9]{1,2} [0-9] [0-9] [0-9]{1,4}\n){0,4}.*",
    ) {
        if let Ok(program) = Program::parse_decimal(&text) {
            program.run(&[0; 64], 64);
        }
    }
}

/// The random programs above are not all refused, or they would prove nothing.
#[test]
fn random_programs_are_often_accepted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let accepted = (0..1000)
        .filter(|_| {
            let tree = program().new_tree(&mut runner).unwrap();
            refused_or_ends(&tree.current(), &[0x45; 60], 60)
        })
        .count();
    assert!((100..900).contains(&accepted), "{accepted} of 1000");
}

/// The longest program takes the longest way: 4,096 steps.
#[test]
fn the_longest_program() {
    let mut longest = vec![op(0x04, 0, 0, 1); INSTRUCTIONS_MAX - 1];
    longest.push(RETURN_A);
    assert_eq!(run(&longest, &[]), 4095);
    let mut across = vec![op(0x05, 0, 0, 4094)];
    across.resize(INSTRUCTIONS_MAX, op(0x06, 0, 0, 3));
    assert_eq!(run(&across, &[]), 3);
}

/// What tcpdump prints, or nothing if there is no tcpdump.
fn tcpdump(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new("tcpdump")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("tcpdump: {error}"),
    };
    // Small enough for the pipe, so that nobody waits for anybody.
    assert!(input.len() < 60_000);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tcpdump {arguments:?}: {complaint}");
    Some(output.stdout)
}

/// Which frames `tcpdump -r` lets through: the seconds of a record are its frame's index.
fn chosen_by_libpcap(capture: &[u8], filter: &str) -> Option<Vec<usize>> {
    let out = tcpdump(&["-r", "-", "-w", "-", "-U", filter], capture)?;
    let number = |at: usize| u32::from_le_bytes(*out[at..].first_chunk().unwrap()) as usize;
    let (mut at, mut chosen) = (24, Vec::new());
    while at < out.len() {
        chosen.push(number(at));
        at += 16 + number(at + 8);
    }
    Some(chosen)
}

#[test]
fn programs_of_libpcap() {
    let frames = frames::all();
    let capture = frames::capture(&frames);
    let program = |filter| {
        let text = tcpdump(&["-ddd", "-y", "EN10MB", filter], &[])?;
        Some(Program::parse_decimal(&String::from_utf8(text).unwrap()))
    };
    let mut verdicts = 0;
    for (filter, wanted) in frames::FILTERS {
        let Some(program) = program(filter) else {
            eprintln!("SKIPPED programs_of_libpcap: tcpdump is not installed");
            return;
        };
        let program = program.unwrap();
        let by_us = |frame: &frames::Frame| {
            program.run(&frame.bytes, u32::try_from(frame.wire_bytes).unwrap()) != 0
        };
        let chosen: Vec<usize> = (0..frames.len()).filter(|at| by_us(&frames[*at])).collect();
        let names: Vec<&str> = chosen.iter().map(|at| frames[*at].name).collect();
        assert_eq!(names, *wanted, "{filter}");
        assert_eq!(chosen_by_libpcap(&capture, filter).unwrap(), chosen, "{filter}: libpcap");
        verdicts += frames.len();
    }
    // The one expression that libpcap compiles to a loop.
    let looping = program("ip6 protochain 17").unwrap();
    assert!(matches!(looping, Err(Invalid::Backward { .. })), "{looping:?}");
    assert!(verdicts > 300, "{verdicts} verdicts");
}
