//! Aligned text tables that fit the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::terminal::clean;

/// Blanks between columns.
const GAP: usize = 2;

/// One column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) title: String,
    /// Numbers stand at the right edge.
    pub(crate) right: bool,
    /// To how many cells it may be cut; 0 for never.
    pub(crate) at_least: usize,
    /// What goes first where the terminal is too narrow: the highest; 0 stays.
    pub(crate) dispensable: u8,
}

impl Column {
    /// A column that is never cut nor left out.
    pub(crate) fn new(title: impl Into<String>, right: bool) -> Column {
        Column { title: title.into(), right, at_least: 0, dispensable: 0 }
    }
}

/// Lines of `rows` under their titles, at most `width` cells wide where a width is given and the
/// columns can give way. No line ends in blanks.
pub(crate) fn render(
    columns: &[Column],
    rows: &[Vec<String>],
    width: Option<usize>,
    header: bool,
) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
    let mut shown: Vec<(usize, usize)> =
        (0..columns.len()).map(|at| (at, natural_width(&columns[at], &rows, at, header))).collect();
    if let Some(width) = width {
        fit(columns, &mut shown, width);
    }
    let mut out = String::new();
    if header {
        let titles: Vec<String> = columns.iter().map(|column| column.title.clone()).collect();
        line(&mut out, columns, &shown, &titles);
    }
    for row in &rows {
        line(&mut out, columns, &shown, row);
    }
    out
}

fn natural_width(column: &Column, rows: &[Vec<String>], at: usize, header: bool) -> usize {
    let title = if header { column.title.width() } else { 0 };
    rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width()).fold(title, usize::max)
}

fn total(shown: &[(usize, usize)]) -> usize {
    shown.iter().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP)
}

/// Cuts the widest of the columns that may be cut, cell by cell; where that is not enough, leaves
/// a column out and begins again with what is left.
fn fit(columns: &[Column], shown: &mut Vec<(usize, usize)>, width: usize) {
    let whole = shown.clone();
    loop {
        while total(shown) > width {
            let can_shrink = |(at, now): &&mut (usize, usize)| {
                columns[*at].at_least > 0 && *now > columns[*at].at_least
            };
            match shown.iter_mut().filter(can_shrink).max_by_key(|(_, now)| *now) {
                Some(widest) => widest.1 -= 1,
                None => break,
            }
        }
        if total(shown) <= width {
            return;
        }
        let worst = shown.iter().max_by_key(|(at, _)| columns[*at].dispensable).copied();
        let Some((out, _)) = worst.filter(|(at, _)| columns[*at].dispensable > 0) else { return };
        let left: Vec<usize> = shown.iter().map(|(at, _)| *at).filter(|at| *at != out).collect();
        *shown = whole.iter().filter(|(at, _)| left.contains(at)).copied().collect();
    }
}

fn line(out: &mut String, columns: &[Column], shown: &[(usize, usize)], cells: &[String]) {
    let start = out.len();
    for (place, (at, width)) in shown.iter().enumerate() {
        if place > 0 {
            out.push_str(&" ".repeat(GAP));
        }
        let cell = cut(cells.get(*at).map_or("", String::as_str), *width);
        let blanks = " ".repeat(width.saturating_sub(cell.width()));
        if columns[*at].right {
            out.push_str(&blanks);
            out.push_str(&cell);
        } else {
            out.push_str(&cell);
            out.push_str(&blanks);
        }
    }
    let end = out[start..].trim_end().len() + start;
    out.truncate(end);
    out.push('\n');
}

/// `text` in at most `width` cells; `…` marks what was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for character in text.chars() {
        let cells = character.width().unwrap_or(0);
        if used + cells + 1 > width {
            break;
        }
        used += cells;
        out.push(character);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::new("l4", false),
            Column { at_least: 6, ..Column::new("host", false) },
            Column { dispensable: 1, ..Column::new("age", true) },
            Column::new("bytes", true),
        ]
    }

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        vec![
            row(["TCP", "a-long-name.example", "10 s", "1.5 MB"]),
            row(["UDP", "b", "9 s", "12 B"]),
        ]
    }

    #[test]
    fn columns_line_up_and_give_way() {
        let wide = render(&columns(), &rows(), None, true);
        let wanted = "l4   host                  age   bytes\n\
                      TCP  a-long-name.example  10 s  1.5 MB\n\
                      UDP  b                     9 s    12 B\n";
        assert_eq!(wide, wanted);
        let narrow = render(&columns(), &rows(), Some(30), true);
        assert_eq!(narrow.lines().nth(1), Some("TCP  a-long-nam…  10 s  1.5 MB"));
        let tiny = render(&columns(), &rows(), Some(20), false);
        assert_eq!(tiny.lines().next(), Some("TCP  a-long…  1.5 MB"));
    }

    proptest! {
        /// No cell breaks the grid, and what can fit does.
        #[test]
        fn lines_fit(cells in prop::collection::vec("\\PC{0,30}", 4), width in 30_usize..200) {
            let columns: Vec<Column> = columns()
                .into_iter()
                .map(|column| Column { at_least: 5, ..column })
                .collect();
            let text = render(&columns, &[cells], Some(width), true);
            prop_assert_eq!(text.lines().count(), 2);
            prop_assert!(text.lines().all(|line| line.width() <= width), "{}", text);
        }
    }
}
