//! Comma-separated values as RFC 4180 describes them, with `\n` at line ends.

use crate::terminal::clean;

/// Appends one line.
pub(crate) fn line<I: AsRef<str>>(out: &mut String, cells: impl IntoIterator<Item = I>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let cell = clean(cell.as_ref());
        if cell.contains([',', '"']) || cell.starts_with(' ') || cell.ends_with(' ') {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A reader of the plain kind: what a spreadsheet does with the line.
    fn read(text: &str) -> Vec<String> {
        let mut cells = vec![String::new()];
        let mut quoted = false;
        let mut characters = text.trim_end_matches('\n').chars().peekable();
        while let Some(c) = characters.next() {
            let last = cells.len() - 1;
            match c {
                '"' if quoted && characters.peek() == Some(&'"') => {
                    characters.next();
                    cells[last].push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                _ => cells[last].push(c),
            }
        }
        cells
    }

    #[test]
    fn quotes_where_needed() {
        let mut out = String::new();
        line(&mut out, ["a", "b,c", "say \"x\"", "", "two\nlines"]);
        assert_eq!(out, "a,\"b,c\",\"say \"\"x\"\"\",,two\u{fffd}lines\n");
    }

    proptest! {
        /// Whatever the cells hold, a reader finds the same cells on one line.
        #[test]
        fn cells_come_back(cells in prop::collection::vec(any::<String>(), 1..6)) {
            let mut out = String::new();
            line(&mut out, &cells);
            prop_assert_eq!(out.matches('\n').count(), 1);
            let cleaned: Vec<String> = cells.iter().map(|cell| clean(cell)).collect();
            prop_assert_eq!(read(&out), cleaned);
        }
    }
}
