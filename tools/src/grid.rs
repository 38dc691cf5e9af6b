//! Rows of named values as a table, as JSON lines, or as CSV: for lists other than flows.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::io::{self, Write};

use clap::Args;
use serde_json::{Map, Value as Json};

use crate::exit::{Code, failure};
use crate::table::{self, Column};
use crate::units::Quantity;
use crate::{csv, terminal};

/// One value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Text(String),
    Number(u64, Quantity),
    /// A number that names something and is never rounded, such as a port.
    Named(u64),
    /// It is not known.
    Nothing,
}

impl Value {
    pub(crate) fn count(number: u64) -> Value {
        Value::Number(number, Quantity::Count)
    }

    pub(crate) fn bytes(number: u64) -> Value {
        Value::Number(number, Quantity::Bytes)
    }

    /// Bits a second, of bytes a second.
    pub(crate) fn rate(bytes: u64) -> Value {
        Value::Number(bytes.saturating_mul(8), Quantity::Rate)
    }

    pub(crate) fn time(ns: Option<u64>) -> Value {
        ns.map_or(Value::Nothing, |ns| Value::Number(ns, Quantity::Time))
    }

    /// Text; nothing where it is empty.
    pub(crate) fn text(text: impl Into<String>) -> Value {
        let text = text.into();
        if text.is_empty() { Value::Nothing } else { Value::Text(text) }
    }

    fn short(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Number(number, quantity) => quantity.short(*number),
            Value::Named(number) => number.to_string(),
            Value::Nothing => String::new(),
        }
    }

    fn raw(&self) -> String {
        match self {
            Value::Number(number, _) => number.to_string(),
            other => other.short(),
        }
    }

    fn json(&self) -> Json {
        match self {
            Value::Text(text) => Json::from(text.as_str()),
            Value::Number(number, _) | Value::Named(number) => Json::from(*number),
            Value::Nothing => Json::Null,
        }
    }

    /// Numbers from the greatest, those that name something from the least, text from A, what is
    /// not known last.
    fn order(&self, other: &Value) -> Ordering {
        let rank = |value: &Value| match value {
            Value::Number(..) => 0,
            Value::Named(_) => 1,
            Value::Text(_) => 2,
            Value::Nothing => 3,
        };
        match (self, other) {
            (Value::Number(a, _), Value::Number(b, _)) => Reverse(a).cmp(&Reverse(b)),
            (Value::Named(a), Value::Named(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (a, b) => rank(a).cmp(&rank(b)),
        }
    }
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Title {
    pub(crate) name: Cow<'static, str>,
    /// Whether numbers are in it.
    pub(crate) right: bool,
    /// Shown in tables; JSON and CSV have all.
    pub(crate) shown: bool,
    /// How narrow it may become; 0: not at all.
    pub(crate) at_least: usize,
}

/// A column of text.
pub(crate) const fn text(name: &'static str, at_least: usize) -> Title {
    Title { name: Cow::Borrowed(name), right: false, shown: true, at_least }
}

/// A column of numbers.
pub(crate) const fn number(name: &'static str) -> Title {
    Title { name: Cow::Borrowed(name), right: true, shown: true, at_least: 0 }
}

/// A column of numbers whose name is made while the program runs.
pub(crate) const fn number_of(name: Cow<'static, str>) -> Title {
    Title { name, right: true, shown: true, at_least: 0 }
}

/// The same, not in tables.
pub(crate) fn hidden(title: Title) -> Title {
    Title { shown: false, ..title }
}

/// How a list is shown.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct GridArgs {
    /// Sort by this column: numbers from the greatest, text from A.
    #[arg(long, short = 's', value_name = "COLUMN")]
    pub(crate) sort: Option<String>,

    /// Turn the order round.
    #[arg(long, short = 'r')]
    pub(crate) reverse: bool,

    /// Show at most N rows, 0 for all [default: what fits the terminal; all elsewhere].
    #[arg(long, short = 'l', value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// One JSON object a line.
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,

    /// Comma-separated values, numbers in full.
    #[arg(long)]
    pub(crate) csv: bool,

    /// Leave out the column titles.
    #[arg(long)]
    pub(crate) no_header: bool,
}

/// Rows under titles.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    titles: Vec<Title>,
    rows: Vec<Vec<Value>>,
}

impl Grid {
    pub(crate) fn new(titles: Vec<Title>) -> Grid {
        Grid { titles, rows: Vec::new() }
    }

    /// Adds a row, a value for each title.
    pub(crate) fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.titles.len(), "a value for each title");
        self.rows.push(row);
    }

    /// Writes it as `args` say.
    ///
    /// # Errors
    /// There is no such column, or the output fails.
    pub(crate) fn write(mut self, args: &GridArgs, out: &mut impl Write) -> anyhow::Result<()> {
        self.sort(args)?;
        let fits = terminal::height().map_or(0, |lines| lines.saturating_sub(2).max(1));
        let limit = args.limit.unwrap_or(if args.json || args.csv { 0 } else { fits });
        if limit > 0 {
            self.rows.truncate(limit);
        }
        let written = match (args.json, args.csv) {
            (true, _) => self.write_json(out),
            (_, true) => self.write_csv(args, out),
            _ => self.write_table(args, out),
        };
        Ok(written?)
    }

    fn sort(&mut self, args: &GridArgs) -> anyhow::Result<()> {
        if let Some(name) = &args.sort {
            let at = self.titles.iter().position(|title| title.name.eq_ignore_ascii_case(name));
            let Some(at) = at else {
                let names: Vec<&str> = self.titles.iter().map(|title| &*title.name).collect();
                let name = terminal::clean(name);
                let message =
                    format!("there is no column `{name}`; there are {}", names.join(", "));
                return Err(failure(Code::Usage, message));
            };
            self.rows.sort_by(|a, b| a[at].order(&b[at]));
        }
        if args.reverse {
            self.rows.reverse();
        }
        Ok(())
    }

    fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        for row in &self.rows {
            let pairs = self.titles.iter().zip(row);
            let object: Map<String, Json> = pairs
                .map(|(title, value)| (title.name.clone().into_owned(), value.json()))
                .collect();
            writeln!(out, "{}", Json::Object(object))?;
        }
        Ok(())
    }

    fn write_csv(&self, args: &GridArgs, out: &mut impl Write) -> io::Result<()> {
        let mut text = String::new();
        if !args.no_header {
            csv::line(&mut text, self.titles.iter().map(|title| &*title.name));
        }
        for row in &self.rows {
            csv::line(&mut text, row.iter().map(Value::raw));
        }
        out.write_all(text.as_bytes())
    }

    fn write_table(&self, args: &GridArgs, out: &mut impl Write) -> io::Result<()> {
        let shown: Vec<usize> =
            (0..self.titles.len()).filter(|at| self.titles[*at].shown).collect();
        let columns: Vec<Column> = shown
            .iter()
            .map(|at| {
                let title = &self.titles[*at];
                let at_least = title.at_least;
                Column { at_least, ..Column::new(&*title.name, title.right) }
            })
            .collect();
        let cells: Vec<Vec<String>> =
            self.rows.iter().map(|row| shown.iter().map(|at| row[*at].short()).collect()).collect();
        let text = table::render(&columns, &cells, terminal::width(), !args.no_header);
        out.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(sort: &str) -> GridArgs {
        let sort = Some(sort.to_owned());
        GridArgs { sort, reverse: false, limit: None, json: false, csv: true, no_header: false }
    }

    #[test]
    fn rows_are_sorted_and_written_whole() {
        let mut grid = Grid::new(vec![text("name", 4), number("bytes")]);
        grid.push(vec![Value::text("a"), Value::bytes(5)]);
        grid.push(vec![Value::text(""), Value::bytes(1_000_000)]);
        let mut out = Vec::new();
        grid.clone().write(&args("bytes"), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "name,bytes\n,1000000\na,5\n");
        let error = grid.write(&args("x"), &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(error, "there is no column `x`; there are name, bytes");
        let mut ports = Grid::new(vec![number("port")]);
        for port in [443, 0, 8_080, 80] {
            ports.push(vec![Value::Named(port)]);
        }
        let mut out = Vec::new();
        ports.write(&args("port"), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "port\n0\n80\n443\n8080\n");
    }
}
