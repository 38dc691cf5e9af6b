//! Classic BPF: the packet filters that tcpdump, libpcap and every tool beside them compile.
//!
//! Owns the check of a program and its run over one frame. The machine is the one of *The BSD
//! Packet Filter* (`McCanne`, Jacobson 1993) with the later `MOD` and `XOR`; what a program may
//! hold is what Linux accepts from a user (`Documentation/networking/filter.rst`), apart from two
//! things. Cells of the scratch memory that nothing has stored to are zero, as on the BSDs, where
//! Linux refuses to load them. And there are no Linux extensions: a load at a negative offset is
//! refused in [`Program::new`], because what such a load asks for (an interface's number, a
//! stripped VLAN tag) is in no frame.
//!
//! What always holds:
//! - a program that [`Program::new`] accepts ends: jumps go forward, and the last step returns;
//! - no program and no frame makes [`Program::run`] panic, allocate, or read outside of the frame;
//! - a load beyond the captured bytes, and a division by an X of zero, reject the frame.

use std::num::NonZeroU32;

/// One instruction, as in `struct bpf_insn` of libpcap and `struct sock_filter` of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Instruction {
    /// What to do: class, size and mode, or operation and source.
    pub code: u16,
    /// Instructions to skip if a test holds.
    pub jt: u8,
    /// Instructions to skip if it does not.
    pub jf: u8,
    /// The constant: an offset, an operand, a cell, or a distance.
    pub k: u32,
}

/// Instructions of a program at most: `BPF_MAXINSNS` of Linux.
pub const INSTRUCTIONS_MAX: usize = 4096;

/// Words of scratch memory: `BPF_MEMWORDS`.
pub const SCRATCH_WORDS: usize = 16;

/// Why a program was refused, and what to do about it. Instructions count from 0, as in the output
/// of `tcpdump -d`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The program is empty or too long.
    #[error(
        "a filter has 1 to {INSTRUCTIONS_MAX} instructions, this one has {count}: shorten the \
         expression, or split it over several readers"
    )]
    Length {
        /// Instructions given.
        count: usize,
    },
    /// No such instruction.
    #[error(
        "instruction {at} has the code {code:#06x}, which classic BPF does not know: compile the \
         filter again with libpcap (`tcpdump -ddd`); eBPF is not taken here"
    )]
    Code {
        /// The instruction.
        at: usize,
        /// Its code.
        code: u16,
    },
    /// A load at a negative offset: a Linux extension.
    #[error(
        "instruction {at} loads at offset {offset}, a Linux extension that asks for what is in no \
         frame: compile the filter for a link type rather than for a live interface (`tcpdump -ddd \
         -y EN10MB`, or pcap_open_dead); a VLAN tag is in the frame here"
    )]
    Extension {
        /// The instruction.
        at: usize,
        /// Its offset.
        offset: i32,
    },
    /// A jump out of the program.
    #[error(
        "instruction {at} jumps to {target}, but the program ends at {last}: the filter is damaged \
         or cut; compile it again"
    )]
    Jump {
        /// The instruction.
        at: usize,
        /// Where it jumps to.
        target: u64,
        /// The last instruction.
        last: usize,
    },
    /// A jump back, which libpcap makes for `protochain`, and with which a program need not end.
    #[error(
        "instruction {at} jumps back, as that of `protochain` does, and a filter must end: use \
         `ip6 proto`, which looks behind a fragment header"
    )]
    Backward {
        /// The instruction.
        at: usize,
    },
    /// The program does not end with a return.
    #[error("the last instruction returns nothing: end the filter with RET, or compile it again")]
    NoReturn,
    /// A scratch cell that is not there.
    #[error(
        "instruction {at} uses scratch cell {cell}, but the last one is {}: compile it again",
        SCRATCH_WORDS - 1
    )]
    Scratch {
        /// The instruction.
        at: usize,
        /// The cell.
        cell: u32,
    },
    /// A division by the constant zero.
    #[error("instruction {at} divides by the constant 0: take that division out of the filter")]
    DivisionByZero {
        /// The instruction.
        at: usize,
    },
    /// A shift by more than a word.
    #[error("instruction {at} shifts a word of 32 bits by {bits}: shift by 0 to 31")]
    Shift {
        /// The instruction.
        at: usize,
        /// The constant.
        bits: u32,
    },
    /// The text is not what `tcpdump -ddd` prints.
    #[error("line {line}: {reason}: give the output of `tcpdump -ddd -y EN10MB FILTER` unchanged")]
    Text {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A checked program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    steps: Box<[Step]>,
}

impl Program {
    /// Checks a program.
    ///
    /// # Errors
    /// If it could do anything but end with a verdict, or needs a Linux extension.
    pub fn new(instructions: &[Instruction]) -> Result<Self, Invalid> {
        let count = instructions.len();
        if !(1..=INSTRUCTIONS_MAX).contains(&count) {
            return Err(Invalid::Length { count });
        }
        let decode = |(at, given): (usize, &Instruction)| Step::decode(at, count - 1, *given);
        let steps: Box<[Step]> =
            instructions.iter().enumerate().map(decode).collect::<Result<_, _>>()?;
        match steps.last() {
            Some(Step::Return(_) | Step::ReturnA) => Ok(Self { steps }),
            _ => Err(Invalid::NoReturn),
        }
    }

    /// Reads what `tcpdump -ddd FILTER` prints: the number of instructions, then one a line as
    /// `code jt jf k`. Name the link type (`-y EN10MB`), or tcpdump may compile for an interface.
    ///
    /// # Errors
    /// If the text is something else, or [`Self::new`] refuses the program.
    pub fn parse_decimal(text: &str) -> Result<Self, Invalid> {
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let wrong = |line, reason| Invalid::Text { line, reason };
        let (first, count) = lines.next().ok_or(wrong(1, "there is no text"))?;
        let count: usize = count
            .trim()
            .parse()
            .map_err(|_| wrong(first, "the first line must be the number of instructions"))?;
        let mut instructions = Vec::new();
        let mut last = first;
        for (line, text) in lines {
            last = line;
            if instructions.len() == count {
                return Err(wrong(line, "there are more instructions than the first line says"));
            }
            instructions.push(
                instruction(text)
                    .ok_or(wrong(line, "an instruction is four numbers, `code jt jf k`"))?,
            );
        }
        if instructions.len() < count {
            return Err(wrong(last, "there are fewer instructions than the first line says"));
        }
        Self::new(&instructions)
    }

    /// The program's verdict on a frame: 0 if it is not wanted, else how many of its bytes are
    /// (which may be more than there are).
    ///
    /// `frame` is what was captured of it, `wire_bytes` its length on the wire.
    pub fn run(&self, frame: &[u8], wire_bytes: u32) -> u32 {
        self.verdict(frame, wire_bytes).unwrap_or(0)
    }

    /// As [`Self::run`]; `None` where the machine rejects.
    #[inline]
    fn verdict(&self, frame: &[u8], wire_bytes: u32) -> Option<u32> {
        let (mut a, mut x) = (0u32, 0u32);
        let mut scratch = [0u32; SCRATCH_WORDS];
        let mut rest = self.steps.iter();
        loop {
            // The last step returns and jumps stay inside, so there always is a next one.
            match *rest.next()? {
                Step::Word(at) => a = word(frame, u64::from(at))?,
                Step::Half(at) => a = half(frame, u64::from(at))?,
                Step::Byte(at) => a = byte(frame, u64::from(at))?,
                Step::WordX(at) => a = word(frame, u64::from(x) + u64::from(at))?,
                Step::HalfX(at) => a = half(frame, u64::from(x) + u64::from(at))?,
                Step::ByteX(at) => a = byte(frame, u64::from(x) + u64::from(at))?,
                Step::Header(at) => x = (byte(frame, u64::from(at))? & 0xf) * 4,
                Step::SetA(value) => a = value,
                Step::SetX(value) => x = value,
                Step::LengthA => a = wire_bytes,
                Step::LengthX => x = wire_bytes,
                Step::RecallA(cell) => a = *scratch.get(usize::from(cell))?,
                Step::RecallX(cell) => x = *scratch.get(usize::from(cell))?,
                Step::StoreA(cell) => *scratch.get_mut(usize::from(cell))? = a,
                Step::StoreX(cell) => *scratch.get_mut(usize::from(cell))? = x,
                Step::ComputeK(operation, k) => a = operation.apply(a, k),
                Step::ComputeX(operation) => a = operation.apply(a, x),
                Step::DivideK(k) => a /= k,
                Step::ModuloK(k) => a %= k,
                Step::DivideX => a = a.checked_div(x)?,
                Step::ModuloX => a = a.checked_rem(x)?,
                Step::Negate => a = a.wrapping_neg(),
                Step::Skip(by) => skip(&mut rest, usize::from(by)),
                Step::Equal(k, to) => skip(&mut rest, to.choose(a == k)),
                Step::Greater(k, to) => skip(&mut rest, to.choose(a > k)),
                Step::AtLeast(k, to) => skip(&mut rest, to.choose(a >= k)),
                Step::AnyBit(k, to) => skip(&mut rest, to.choose(a & k != 0)),
                Step::TestX(test, to) => skip(&mut rest, to.choose(test.holds(a, x))),
                Step::MoveToX => x = a,
                Step::MoveToA => a = x,
                Step::Return(value) => return Some(value),
                Step::ReturnA => return Some(a),
            }
        }
    }
}

#[inline]
fn skip(rest: &mut std::slice::Iter<'_, Step>, by: usize) {
    *rest = rest.as_slice().get(by..).unwrap_or_default().iter();
}

#[inline]
fn word(frame: &[u8], at: u64) -> Option<u32> {
    let at = usize::try_from(at).ok()?;
    frame.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[inline]
fn half(frame: &[u8], at: u64) -> Option<u32> {
    let at = usize::try_from(at).ok()?;
    frame.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes).into())
}

#[inline]
fn byte(frame: &[u8], at: u64) -> Option<u32> {
    frame.get(usize::try_from(at).ok()?).map(|byte| u32::from(*byte))
}

/// An instruction that was checked, without what it does not use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Word(u32),
    Half(u32),
    Byte(u32),
    WordX(u32),
    HalfX(u32),
    ByteX(u32),
    /// X becomes the length that the low half of this byte gives, as an IPv4 header does.
    Header(u32),
    SetA(u32),
    SetX(u32),
    LengthA,
    LengthX,
    RecallA(u8),
    RecallX(u8),
    StoreA(u8),
    StoreX(u8),
    ComputeK(Operation, u32),
    ComputeX(Operation),
    DivideK(NonZeroU32),
    ModuloK(NonZeroU32),
    DivideX,
    ModuloX,
    Negate,
    Skip(u16),
    Equal(u32, Branch),
    Greater(u32, Branch),
    AtLeast(u32, Branch),
    AnyBit(u32, Branch),
    TestX(Test, Branch),
    MoveToX,
    MoveToA,
    Return(u32),
    ReturnA,
}

const _: () = assert!(size_of::<Step>() == 8, "eight steps to a cache line");

/// What cannot fail of the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

impl Operation {
    /// A shift by 32 or more, which only X can ask for, leaves nothing, as in libpcap.
    #[inline]
    fn apply(self, a: u32, by: u32) -> u32 {
        match self {
            Self::Add => a.wrapping_add(by),
            Self::Subtract => a.wrapping_sub(by),
            Self::Multiply => a.wrapping_mul(by),
            Self::And => a & by,
            Self::Or => a | by,
            Self::Xor => a ^ by,
            Self::ShiftLeft => a.checked_shl(by).unwrap_or(0),
            Self::ShiftRight => a.checked_shr(by).unwrap_or(0),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    Greater,
    AtLeast,
    AnyBit,
}

impl Test {
    #[inline]
    fn holds(self, a: u32, with: u32) -> bool {
        match self {
            Self::Equal => a == with,
            Self::Greater => a > with,
            Self::AtLeast => a >= with,
            Self::AnyBit => a & with != 0,
        }
    }
}

/// Steps to skip, by a test's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Branch {
    yes: u8,
    no: u8,
}

impl Branch {
    #[inline]
    fn choose(self, holds: bool) -> usize {
        usize::from(if holds { self.yes } else { self.no })
    }
}

impl Step {
    /// Checks one instruction of a program whose last one is `last`. The list of codes is that of
    /// Linux: a code that differs from these in any bit is refused.
    fn decode(at: usize, last: usize, given: Instruction) -> Result<Self, Invalid> {
        let k = given.k;
        Ok(match given.code {
            0x00 => Self::SetA(k),
            0x01 => Self::SetX(k),
            0x20 => Self::Word(within_frame(at, k)?),
            0x28 => Self::Half(within_frame(at, k)?),
            0x30 => Self::Byte(within_frame(at, k)?),
            0x40 => Self::WordX(within_frame(at, k)?),
            0x48 => Self::HalfX(within_frame(at, k)?),
            0x50 => Self::ByteX(within_frame(at, k)?),
            0xb1 => Self::Header(within_frame(at, k)?),
            0x60 => Self::RecallA(cell(at, k)?),
            0x61 => Self::RecallX(cell(at, k)?),
            0x80 => Self::LengthA,
            0x81 => Self::LengthX,
            0x02 => Self::StoreA(cell(at, k)?),
            0x03 => Self::StoreX(cell(at, k)?),
            0x06 => Self::Return(k),
            0x16 => Self::ReturnA,
            0x07 => Self::MoveToX,
            0x87 => Self::MoveToA,
            code if code & 7 == 4 => return Self::decode_arithmetic(at, code, k),
            code if code & 7 == 5 => return Self::decode_jump(at, last, given),
            code => return Err(Invalid::Code { at, code }),
        })
    }

    fn decode_arithmetic(at: usize, code: u16, k: u32) -> Result<Self, Invalid> {
        let divisor = || NonZeroU32::new(k).ok_or(Invalid::DivisionByZero { at });
        let operation = match code & !8 {
            0x04 => Operation::Add,
            0x14 => Operation::Subtract,
            0x24 => Operation::Multiply,
            0x44 => Operation::Or,
            0x54 => Operation::And,
            0xa4 => Operation::Xor,
            0x64 => Operation::ShiftLeft,
            0x74 => Operation::ShiftRight,
            _ => {
                return match code {
                    0x34 => divisor().map(Self::DivideK),
                    0x3c => Ok(Self::DivideX),
                    0x94 => divisor().map(Self::ModuloK),
                    0x9c => Ok(Self::ModuloX),
                    0x84 => Ok(Self::Negate),
                    _ => Err(Invalid::Code { at, code }),
                };
            }
        };
        if code & 8 != 0 {
            return Ok(Self::ComputeX(operation));
        }
        if matches!(operation, Operation::ShiftLeft | Operation::ShiftRight) && k >= u32::BITS {
            return Err(Invalid::Shift { at, bits: k });
        }
        Ok(Self::ComputeK(operation, k))
    }

    fn decode_jump(at: usize, last: usize, given: Instruction) -> Result<Self, Invalid> {
        let Instruction { code, jt: yes, jf: no, k } = given;
        let reach = |by: u32| {
            let target = at as u64 + 1 + u64::from(by);
            if target <= last as u64 { Ok(()) } else { Err(Invalid::Jump { at, target, last }) }
        };
        let to = Branch { yes, no };
        let step = match code {
            0x05 if k.cast_signed() < 0 => return Err(Invalid::Backward { at }),
            0x05 => {
                reach(k)?;
                // Within a program, so far below what the type holds.
                return Ok(Self::Skip(u16::try_from(k).unwrap_or(u16::MAX)));
            }
            0x15 => Self::Equal(k, to),
            0x25 => Self::Greater(k, to),
            0x35 => Self::AtLeast(k, to),
            0x45 => Self::AnyBit(k, to),
            0x1d => Self::TestX(Test::Equal, to),
            0x2d => Self::TestX(Test::Greater, to),
            0x3d => Self::TestX(Test::AtLeast, to),
            0x4d => Self::TestX(Test::AnyBit, to),
            _ => return Err(Invalid::Code { at, code }),
        };
        reach(yes.into())?;
        reach(no.into())?;
        Ok(step)
    }
}

/// An offset that a frame can have, rather than one of Linux's extensions.
fn within_frame(at: usize, k: u32) -> Result<u32, Invalid> {
    let offset = k.cast_signed();
    if offset < 0 { Err(Invalid::Extension { at, offset }) } else { Ok(k) }
}

fn cell(at: usize, k: u32) -> Result<u8, Invalid> {
    match u8::try_from(k) {
        Ok(cell) if usize::from(cell) < SCRATCH_WORDS => Ok(cell),
        _ => Err(Invalid::Scratch { at, cell: k }),
    }
}

fn instruction(text: &str) -> Option<Instruction> {
    let mut numbers = text.split_whitespace();
    let code = numbers.next()?.parse().ok()?;
    let jt = numbers.next()?.parse().ok()?;
    let jf = numbers.next()?.parse().ok()?;
    let k = numbers.next()?.parse().ok()?;
    numbers.next().is_none().then_some(Instruction { code, jt, jf, k })
}

#[cfg(test)]
mod tests;
