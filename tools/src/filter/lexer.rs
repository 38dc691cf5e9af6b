//! A filter's tokens.

use super::Fault;
use super::ast::Op;

/// One token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// A run of letters, digits and most signs: a field, a keyword, a number, an address.
    Word(String),
    /// Quoted text, escapes resolved.
    Text(String),
    Op(Op),
    Open,
    Close,
    OpenSet,
    CloseSet,
    Comma,
    And,
    Or,
    Not,
}

/// A token and where it stands, in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Cuts `text` into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Fault> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let blank = rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        at += blank;
        let Some(first) = rest.chars().next() else { break };
        let (token, length) = if let Some(sign) = sign(rest) {
            sign
        } else if first == '"' || first == '\'' {
            quoted(rest, first, at)?
        } else {
            let length = rest.find(ends_word).unwrap_or(rest.len());
            if length == 0 {
                return Err(stray(rest, first, at));
            }
            (word(&rest[..length]), length)
        };
        found.push(Placed { token, from: at, to: at + length });
        at += length;
    }
    Ok(found)
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "()'\"{},=!<>~&|;".contains(c)
}

fn word(text: &str) -> Token {
    let is = |keyword: &str| text.eq_ignore_ascii_case(keyword);
    match text {
        _ if is("and") => Token::And,
        _ if is("or") => Token::Or,
        _ if is("not") => Token::Not,
        _ => Token::Word(text.to_owned()),
    }
}

/// The sign that `rest` begins with, longest first.
fn sign(rest: &str) -> Option<(Token, usize)> {
    let signs = [
        ("==", Token::Op(Op::Equal)),
        ("!=", Token::Op(Op::NotEqual)),
        ("!~", Token::Op(Op::ContainsNot)),
        ("<=", Token::Op(Op::LessOrEqual)),
        (">=", Token::Op(Op::GreaterOrEqual)),
        ("&&", Token::And),
        ("||", Token::Or),
        ("<", Token::Op(Op::Less)),
        (">", Token::Op(Op::Greater)),
        ("~", Token::Op(Op::Contains)),
        ("!", Token::Not),
        ("(", Token::Open),
        (")", Token::Close),
        ("{", Token::OpenSet),
        ("}", Token::CloseSet),
        (",", Token::Comma),
    ];
    signs.into_iter().find(|(text, _)| rest.starts_with(text)).map(|(text, t)| (t, text.len()))
}

fn stray(rest: &str, first: char, at: usize) -> Fault {
    let advice = match first {
        '=' => Some("equal is written `==`".to_owned()),
        '&' => Some("write `and`".to_owned()),
        '|' => Some("write `or`".to_owned()),
        _ => None,
    };
    let length = rest.chars().next().map_or(1, char::len_utf8);
    let shown = first.escape_debug();
    Fault { from: at, to: at + length, message: format!("`{shown}` means nothing here"), advice }
}

/// Quoted text, from its opening quote at byte `at` of the filter.
fn quoted(rest: &str, quote: char, at: usize) -> Result<(Token, usize), Fault> {
    let fault = |from: usize, to: usize, message: &str, advice: &str| Fault {
        from: at + from,
        to: at + to,
        message: message.to_owned(),
        advice: Some(advice.to_owned()),
    };
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((here, character)) = characters.next() {
        if character == quote {
            return Ok((Token::Text(text), here + 1));
        }
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next().map(|(_, escaped)| escaped) {
            Some(plain @ ('"' | '\'' | '\\')) => text.push(plain),
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('u') => match code_point(&mut characters) {
                Some(character) => text.push(character),
                None => {
                    return Err(fault(here, here + 2, "no such character", "write `\\u{e9}`"));
                }
            },
            _ => {
                let advice = "a backslash itself is written `\\\\`";
                return Err(fault(here, here + 1, "unknown escape", advice));
            }
        }
    }
    Err(fault(0, quote.len_utf8(), "the quote is never closed", "add a closing quote"))
}

/// `{e9}` behind `\u`.
fn code_point(characters: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let (_, '{') = characters.next()? else { return None };
    let mut value = 0_u32;
    for _ in 0..7 {
        match characters.next()?.1 {
            '}' => return char::from_u32(value),
            digit => value = value * 16 + digit.to_digit(16)?,
        }
    }
    None
}
