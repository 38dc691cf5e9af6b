//! Asking a filter about a flow.

use super::ast::{Expr, Item, Op, Value};
use crate::field::{Field, Kind, Seen};

/// Whether `seen` meets the condition. Of a field with several values (`ip`, `port`, `app`,
/// `dns.answers`) one that does is enough; `!=` and `!~` are the opposites of `==` and `~`, so
/// they hold only if no value matches.
pub(super) fn accepts(expr: &Expr, seen: &Seen<'_>) -> bool {
    match expr {
        Expr::Or(parts) => parts.iter().any(|part| accepts(part, seen)),
        Expr::And(parts) => parts.iter().all(|part| accepts(part, seen)),
        Expr::Not(inner) => !accepts(inner, seen),
        Expr::IsSet(field) => field.is_set(seen),
        Expr::Compare(field, op, value) => compare(*field, *op, value, seen),
        Expr::In(field, items) => is_one_of(*field, items, seen),
    }
}

fn compare(field: Field, op: Op, value: &Value, seen: &Seen<'_>) -> bool {
    let negated = matches!(op, Op::NotEqual | Op::ContainsNot);
    let found = match value {
        Value::Address(wanted) => field.any_address(seen, |address| address == wanted),
        Value::Number(wanted) => field.any_number(seen, |number| match op {
            Op::Less => number < *wanted,
            Op::LessOrEqual => number <= *wanted,
            Op::Greater => number > *wanted,
            Op::GreaterOrEqual => number >= *wanted,
            Op::Equal | Op::NotEqual | Op::Contains | Op::ContainsNot => number == *wanted,
        }),
        Value::Text(wanted) => {
            let wanted = wanted.as_bytes();
            field.any_text(seen, |text| {
                if matches!(op, Op::Contains | Op::ContainsNot) {
                    contains(text, wanted)
                } else {
                    text.eq_ignore_ascii_case(wanted)
                }
            })
        }
    };
    found != negated
}

fn is_one_of(field: Field, items: &[Item], seen: &Seen<'_>) -> bool {
    match field.kind() {
        Kind::Text => field.any_text(seen, |text| {
            items.iter().any(
                |item| matches!(item, Item::Text(one) if text.eq_ignore_ascii_case(one.as_bytes())),
            )
        }),
        Kind::Address => field.any_address(seen, |address| {
            items.iter().any(|item| matches!(item, Item::Network(net) if net.holds(*address)))
        }),
        Kind::Number(_) | Kind::Confidence => field.any_number(seen, |number| {
            items
                .iter()
                .any(|item| matches!(item, Item::Range(from, to) if (from..=to).contains(&&number)))
        }),
    }
}

/// Whether `part` stands somewhere in `text`, ASCII letters compared without case.
fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
