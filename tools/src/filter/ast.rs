//! The tree of a filter, and its one written form.

use std::fmt::{self, Write};

use crate::field::{Field, Kind};
use crate::flow;
use crate::names;
use crate::units::Quantity;

/// A condition.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Expr {
    /// At least two, any of them.
    Or(Vec<Expr>),
    /// At least two, all of them.
    And(Vec<Expr>),
    Not(Box<Expr>),
    /// The field is there and not zero.
    IsSet(Field),
    /// The field compares so with the value.
    Compare(Field, Op, Value),
    /// The field is one of these.
    In(Field, Vec<Item>),
}

/// A comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    ContainsNot,
}

impl Op {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Op::Equal => "==",
            Op::NotEqual => "!=",
            Op::Less => "<",
            Op::LessOrEqual => "<=",
            Op::Greater => ">",
            Op::GreaterOrEqual => ">=",
            Op::Contains => "~",
            Op::ContainsNot => "!~",
        }
    }
}

/// A value of the field's own type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Address([u8; 16]),
}

/// A member of a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    Text(String),
    /// From … to, both included.
    Range(u64, u64),
    Network(Network),
}

/// Addresses that begin alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Network {
    /// Bits behind the prefix are zero.
    address: u128,
    /// 0 to 128; IPv4 counts from 96.
    prefix: u8,
}

impl Network {
    /// `prefix` is cut to 128.
    pub(super) fn new(address: [u8; 16], prefix: u8) -> Network {
        let prefix = prefix.min(128);
        Network { address: u128::from_be_bytes(address) & mask(prefix), prefix }
    }

    pub(super) fn holds(&self, address: [u8; 16]) -> bool {
        u128::from_be_bytes(address) & mask(self.prefix) == self.address
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Or(parts) => joined(f, parts, " or ", |part| matches!(part, Expr::Or(_))),
            Expr::And(parts) => {
                joined(f, parts, " and ", |part| matches!(part, Expr::Or(_) | Expr::And(_)))
            }
            Expr::Not(inner) => {
                f.write_str("not ")?;
                part(f, inner, matches!(**inner, Expr::Or(_) | Expr::And(_)))
            }
            Expr::IsSet(field) => f.write_str(&field.name()),
            Expr::Compare(field, op, value) => {
                write!(f, "{} {} ", field.name(), op.symbol())?;
                match value {
                    Value::Text(text) => quoted(f, text),
                    Value::Number(number) => f.write_str(&number_text(*field, *number)),
                    Value::Address(address) => write!(f, "{}", flow::to_ip(*address, false)),
                }
            }
            Expr::In(field, items) => {
                write!(f, "{} in {{", field.name())?;
                for (at, item) in items.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { ", " })?;
                    item_text(f, *field, item)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expr],
    word: &str,
    wrap: impl Fn(&Expr) -> bool,
) -> fmt::Result {
    for (at, expr) in parts.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { word })?;
        part(f, expr, wrap(expr))?;
    }
    Ok(())
}

fn part(f: &mut fmt::Formatter<'_>, expr: &Expr, wrap: bool) -> fmt::Result {
    if wrap { write!(f, "({expr})") } else { write!(f, "{expr}") }
}

fn number_text(field: Field, number: u64) -> String {
    match field.kind() {
        Kind::Number(quantity) => quantity.exact(number),
        Kind::Confidence => {
            let name = usize::try_from(number).ok().and_then(|at| names::CONFIDENCES.get(at));
            name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
        }
        Kind::Text | Kind::Address => Quantity::Count.exact(number),
    }
}

fn item_text(f: &mut fmt::Formatter<'_>, field: Field, item: &Item) -> fmt::Result {
    match item {
        Item::Text(text) => quoted(f, text),
        Item::Range(from, to) if from == to => f.write_str(&number_text(field, *from)),
        Item::Range(from, to) => {
            write!(f, "{}..{}", number_text(field, *from), number_text(field, *to))
        }
        Item::Network(Network { address, prefix }) => {
            let ip = flow::to_ip(address.to_be_bytes(), *prefix < 96);
            let whole = if ip.is_ipv4() { prefix - 96 } else { *prefix };
            if *prefix == 128 { write!(f, "{ip}") } else { write!(f, "{ip}/{whole}") }
        }
    }
}

/// Text in double quotes, so that the lexer reads the same text back.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            _ if character.is_control() => write!(f, "\\u{{{:x}}}", u32::from(character))?,
            _ => f.write_char(character)?,
        }
    }
    f.write_char('"')
}
