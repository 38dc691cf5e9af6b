//! What the terminal can take.

use std::io::{self, IsTerminal};

/// `text` without anything that a terminal acts upon: control characters and the marks that turn
/// the writing direction. Host names and agents come from the wire; they may hold either.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_safe(c) { c } else { '\u{fffd}' }).collect()
}

/// Whether a terminal shows `c` and does nothing else.
fn is_safe(c: char) -> bool {
    let turns =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    !c.is_control() && !turns && c != '\u{feff}'
}

/// Columns to write into: those of the terminal, of `COLUMNS`, or as many as it takes where the
/// output goes to a file or a pipe.
pub(crate) fn width() -> Option<usize> {
    if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()) {
        return Some(columns);
    }
    if !io::stdout().is_terminal() {
        return None;
    }
    crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|c| *c > 0)
}

/// Lines of the terminal, where there is one.
pub(crate) fn height() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    crossterm::terminal::size().ok().map(|(_, lines)| usize::from(lines)).filter(|lines| *lines > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_wire_drives_the_terminal() {
        let hostile = "a\x1b[2Jb\u{9b}31mc\u{202e}d\ne";
        let shown = clean(hostile);
        assert!(shown.chars().all(is_safe), "{shown:?}");
        assert_eq!(shown.chars().count(), hostile.chars().count());
        assert_eq!(clean("müller.example"), "müller.example");
    }
}
