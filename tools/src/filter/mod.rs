//! The filter language: `app == TLS and host ~ "example" and bytes > 1MB`.
//!
//! A filter is text, then tokens ([`lexer`]), then a typed tree ([`parser`]), and the tree is
//! asked about one flow after the other ([`eval`]) without touching the heap for most fields. Every
//! value is turned into its field's type while parsing, so asking cannot fail. Length and depth are
//! bounded: a filter may come from anywhere.

mod ast;
mod eval;
mod lexer;
mod parser;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::field::Seen;

/// Words with a meaning of their own.
pub(crate) const KEYWORDS: &[&str] = &["and", "or", "not", "in"];

/// The manual of the language, shown by `weir flows --help`.
pub(crate) const HELP: &str = "\
Filters:
  FIELD OP VALUE, joined by and, or, not and parentheses.
    ==  !=  <  <=  >  >=     compare; text without regard to case
    ~  !~                    contains, does not contain
    in 10.0.0.0/8            an address within a network
    in {80, 443, 8000..8100} one of these, or within this range
    FIELD alone              the field is there and not zero
  Numbers take units: 10K, 64KB, 1MiB, 250ms, 5m, 10Mbit. Quote text that has blanks.
    --filter 'app == TLS and host ~ example and bytes > 1MB'
    --filter 'src in 10.0.0.0/8 and not (dport in {53, 123} or category == System)'
    --filter 'tls.sni and confidence >= hostname and idle < 10s'";

/// A filter, ready to be asked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Filter {
    root: ast::Expr,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// Says at which column what is wrong, and what was probably meant.
    pub(crate) fn parse(text: &str) -> Result<Filter, FilterError> {
        parser::parse(text)
            .map(|root| Filter { root })
            .map_err(|fault| FilterError { input: text.to_owned(), fault })
    }

    /// Whether the flow passes.
    pub(crate) fn accepts(&self, seen: &Seen<'_>) -> bool {
        eval::accepts(&self.root, seen)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

/// What is wrong with a filter, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Fault {
    /// Byte offsets into the filter.
    from: usize,
    to: usize,
    message: String,
    /// What to do instead.
    advice: Option<String>,
}

/// A filter that could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FilterError {
    input: String,
    fault: Fault,
}

impl FilterError {
    /// The column of the fault, in characters from 1.
    pub(crate) fn column(&self) -> usize {
        self.before().chars().count() + 1
    }

    /// The complaint without the picture, for one line.
    pub(crate) fn short(&self) -> String {
        let advice = self.fault.advice.as_ref().map(|text| format!("; {text}"));
        format!("column {}: {}{}", self.column(), self.fault.message, advice.unwrap_or_default())
    }

    fn before(&self) -> &str {
        self.input.get(..self.fault.from).unwrap_or(&self.input)
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = crate::terminal::clean(&self.input);
        let marked = self.input.get(self.fault.from..self.fault.to).unwrap_or_default();
        let carets = "^".repeat(marked.chars().count().max(1));
        let gap = " ".repeat(self.column() - 1);
        writeln!(f, "the filter is wrong at column {}: {}", self.column(), self.fault.message)?;
        writeln!(f, "  {shown}")?;
        write!(f, "  {gap}{carets}")?;
        match &self.fault.advice {
            Some(advice) => write!(f, " {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}
