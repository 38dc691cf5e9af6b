//! A rule file as lines, and a line as words, each with its column.

use std::fmt;
use std::sync::Arc;

/// Bytes of a line at most.
pub(super) const LINE_BYTES: usize = 4096;

/// What is wrong with a line of a rule file, or odd about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file, as it was named to the compiler.
    pub file: Arc<str>,
    /// From 1; 0 for the file as a whole.
    pub line: u32,
    /// In characters, from 1; 0 for the line as a whole.
    pub column: u32,
    /// What is wrong.
    pub wrong: String,
    /// What is expected instead, if that can be said.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        write!(f, ": {}", self.wrong)?;
        if !self.expected.is_empty() {
            write!(f, "; expected {}", self.expected)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// A problem of which only the place in the line is known.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) column: u32,
    pub(super) what: String,
    pub(super) expected: String,
}

impl Wrong {
    pub(super) fn new(column: u32, what: impl Into<String>, expected: impl Into<String>) -> Wrong {
        Wrong { column, what: what.into(), expected: expected.into() }
    }
}

/// A word of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word {
    /// In characters, from 1.
    pub(super) column: u32,
    pub(super) bytes: Vec<u8>,
    /// It stood in quotation marks.
    pub(super) quoted: bool,
}

impl Word {
    /// The word for a message.
    pub(super) fn shown(&self) -> String {
        shown(&self.bytes)
    }

    /// Whether it is this one, without quotation marks.
    pub(super) fn is(&self, word: &str) -> bool {
        !self.quoted && self.bytes == word.as_bytes()
    }
}

/// Bytes as they may stand in a message: printable, and not too many.
pub(super) fn shown(bytes: &[u8]) -> String {
    let head = bytes.get(..40).unwrap_or(bytes);
    let rest = if head.len() < bytes.len() { "…" } else { "" };
    format!("\"{}\"{rest}", head.escape_ascii())
}

/// The lines of a file with their numbers, without line ends, a byte order mark, and space around.
/// What is not text comes as the column of its first byte that is none.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (u32, Result<&str, Wrong>)> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    (1..).zip(text.split(|byte| *byte == b'\n')).map(|(number, line)| (number, as_text(line)))
}

fn as_text(line: &[u8]) -> Result<&str, Wrong> {
    if line.len() > LINE_BYTES {
        let wrong = format!("the line has {} bytes", line.len());
        return Err(Wrong::new(0, wrong, format!("at most {LINE_BYTES}")));
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|error| {
        let before = line.get(..error.valid_up_to()).unwrap_or_default();
        Wrong::new(column_after(before), "this is not text", "UTF-8")
    })?;
    match text.chars().zip(1..).find(|(letter, _)| letter.is_control() && *letter != '\t') {
        Some((letter, column)) => {
            let wrong = format!("a control character, {:#04x}", u32::from(letter));
            Err(Wrong::new(column, wrong, "text"))
        }
        None => Ok(text),
    }
}

fn column_after(before: &[u8]) -> u32 {
    let letters = before.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    u32::try_from(letters + 1).unwrap_or(u32::MAX)
}

/// The words of a line, up to a comment.
pub(super) fn words(line: &str) -> Result<Vec<Word>, Wrong> {
    let mut words = Vec::new();
    let mut letters = line.chars().zip(1u32..).peekable();
    while let Some((letter, column)) = letters.next() {
        match letter {
            ' ' | '\t' => {}
            '#' => break,
            '"' => {
                let bytes = quoted(&mut letters, column)?;
                words.push(Word { column, bytes, quoted: true });
                let follows = letters.peek().filter(|(letter, _)| !matches!(letter, ' ' | '\t'));
                if let Some((_, column)) = follows {
                    let wrong = "something right behind a quotation mark";
                    return Err(Wrong::new(*column, wrong, "a space"));
                }
            }
            _ => {
                let mut bytes = letter.to_string();
                while let Some((letter, _)) =
                    letters.next_if(|(letter, _)| !matches!(letter, ' ' | '\t'))
                {
                    bytes.push(letter);
                }
                words.push(Word { column, bytes: bytes.into_bytes(), quoted: false });
            }
        }
    }
    Ok(words)
}

/// What stands between quotation marks, the first of which has been read.
fn quoted(letters: &mut impl Iterator<Item = (char, u32)>, opened: u32) -> Result<Vec<u8>, Wrong> {
    let mut bytes = Vec::new();
    while let Some((letter, column)) = letters.next() {
        match letter {
            '"' => return Ok(bytes),
            '\\' => bytes.push(escaped(letters, column)?),
            _ => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err(Wrong::new(opened, "a quotation mark that is never closed", "another one"))
}

fn escaped(letters: &mut impl Iterator<Item = (char, u32)>, column: u32) -> Result<u8, Wrong> {
    let mut next = || letters.next().map(|(letter, _)| letter);
    let byte = match next() {
        Some('n') => Some(b'\n'),
        Some('r') => Some(b'\r'),
        Some('t') => Some(b'\t'),
        Some('0') => Some(0),
        Some('\\') => Some(b'\\'),
        Some('"') => Some(b'"'),
        Some('x') => {
            let mut digit = || next().and_then(|letter| letter.to_digit(16));
            digit().zip(digit()).and_then(|(high, low)| u8::try_from(high << 4 | low).ok())
        }
        _ => None,
    };
    let expected = r#"one of \n \r \t \0 \\ \" \xHH"#;
    byte.ok_or_else(|| Wrong::new(column, "an unknown escape", expected))
}
