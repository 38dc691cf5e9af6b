//! Script where a value belongs: HTML that runs something once a page repeats it.

use super::decode::{around, find, has};
use crate::seek::{Words, has_one_of};

/// Elements that have no business in a value.
const ELEMENTS: [&[u8]; 8] = [
    b"<script",
    b"</script",
    b"<iframe",
    b"<object",
    b"<embed",
    b"<applet",
    b"<meta http-equiv",
    b"<base href",
];
/// What a `javascript:` of an attack calls; `javascript:void(0)` is in many ordinary addresses.
const CALLS: [&[u8]; 9] = [
    b"alert",
    b"eval",
    b"document.",
    b"prompt",
    b"confirm",
    b"window.",
    b"fetch(",
    b"import(",
    b"string.",
];
/// The longest element looked into.
const ELEMENT_BYTES: usize = 256;

/// Whether `value` carries script; a path is not taken for a program because of its words.
pub(super) fn is_script(value: &[u8], is_path: bool) -> bool {
    if !has_one_of(value, b"<\"'(:`") {
        return false;
    }
    let element = value.contains(&b'<')
        && ELEMENTS.iter().any(|element| {
            around(value, element).any(|(_, rest)| rest.first().is_none_or(|byte| ends_name(*byte)))
        });
    element || has_handler(value) || has_address(value) || (!is_path && has_program(value))
}

fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b'=' | b'"' | b'\'' | 0x0b | 0)
}

/// `<img src=x onerror=…`, `<svg/onload=…`, and `" onfocus=…` that ends the attribute before.
fn has_handler(value: &[u8]) -> bool {
    around(value, b"on").any(|(before, rest)| {
        let letters = rest.iter().take(24).take_while(|byte| byte.is_ascii_lowercase()).count();
        let assigned = rest.get(letters..).unwrap_or_default().trim_ascii_start().starts_with(b"=");
        if !(3..24).contains(&letters) || !assigned {
            return false;
        }
        let Some(last) = before.last() else { return false };
        if !(last.is_ascii_whitespace() || matches!(last, b'/' | b'"' | b'\'' | 0x0b | 0x0c)) {
            return false;
        }
        let start = before.len().saturating_sub(ELEMENT_BYTES);
        let near = before.get(start..).unwrap_or_default();
        let open = near.iter().rposition(|byte| *byte == b'<');
        let named = |at: usize| near.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let closed = near.iter().rposition(|byte| *byte == b'>');
        let inside = open.is_some_and(|at| named(at) && closed.is_none_or(|end| end < at));
        let left = near.trim_ascii_end();
        let breaks = matches!(left.last(), Some(b'"' | b'\''))
            && rest
                .get(letters..)
                .unwrap_or_default()
                .trim_ascii_start()
                .get(1..)
                .is_some_and(calls);
        inside || breaks
    })
}

/// Whether a program that does something begins here.
fn calls(bytes: &[u8]) -> bool {
    let head = bytes.get(..64).unwrap_or(bytes);
    has(head, b"(") || has(head, b"`") || CALLS.iter().any(|call| has(head, call))
}

/// `javascript:alert(1)`, `data:text/html,<…`, `vbscript:msgbox`.
fn has_address(value: &[u8]) -> bool {
    let script = around(value, b"javascript:").any(|(_, rest)| {
        let rest = rest.get(..80).unwrap_or(rest).trim_ascii_start();
        let rest = rest.strip_prefix(b"//").unwrap_or(rest);
        CALLS.iter().any(|call| find(rest, call).is_some_and(|at| at < 40))
    });
    script
        || has(value, b"vbscript:msgbox")
        || has(value, b"data:text/html,<")
        || has(value, b"data:text/html;base64,")
}

/// Calls that read a page's secrets or put a program together.
fn has_program(value: &[u8]) -> bool {
    const PROGRAMS: &[&[u8]] = &[
        b"alert(document.",
        b"alert(string.fromcharcode",
        b"eval(string.fromcharcode",
        b"eval(atob(",
        b"document.write(",
        b"document.cookie)",
        b"=document.cookie",
        b"+document.cookie",
        b"document.location=",
        b"window.location=",
        b"\"-alert(",
        b"'-alert(",
        b"\";alert(",
        b"';alert(",
        b"//javascript:alert(",
    ];
    static SOUGHT: Words<{ PROGRAMS.len() }, 4> = Words::new(PROGRAMS);
    SOUGHT.any(value)
}
