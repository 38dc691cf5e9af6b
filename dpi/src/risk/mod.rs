//! Risks: what is odd or dangerous about a flow, each a bit with a stable number.
//!
//! A dissector that sees one says so by [`Meta::set_risk`](crate::meta::Meta::set_risk). What is
//! judged by more than one packet's content (lists, timing, TCP behaviour) is set by whoever sees it.
//! The numbers are part of the shared-memory format and never move.

mod bigrams;
mod climb;
mod command;
mod decode;
mod exploit;
mod punycode;
mod script;
mod sql;
mod table;

pub mod content;
pub mod dns;
pub mod flow;
pub mod http;
pub mod names;
pub mod periodic;

pub use table::{About, RISKS, Risk, Severity};

/// A set of risks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Risks(pub u64);

impl Risks {
    /// None.
    pub const NONE: Risks = Risks(0);
    /// All that there are.
    pub const ALL: Risks = Risks((1 << RISKS.len()) - 1);

    /// Adds one.
    pub const fn set(&mut self, risk: Risk) {
        self.0 |= 1 << risk as u8;
    }

    /// Takes one away.
    pub const fn clear(&mut self, risk: Risk) {
        self.0 &= !(1 << risk as u8);
    }

    /// Whether `risk` is among them.
    pub const fn has(self, risk: Risk) -> bool {
        self.0 >> risk as u8 & 1 == 1
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in either set.
    #[must_use]
    pub const fn or(self, other: Risks) -> Risks {
        Risks(self.0 | other.0)
    }

    /// Only this one.
    pub const fn of(risk: Risk) -> Risks {
        Risks(1 << risk as u8)
    }

    /// `risk` if `seen`, else none.
    pub const fn when(risk: Risk, seen: bool) -> Risks {
        if seen { Risks::of(risk) } else { Risks::NONE }
    }

    /// Those that are in both sets.
    #[must_use]
    pub const fn and(self, other: Risks) -> Risks {
        Risks(self.0 & other.0)
    }

    /// Their rows, ascending by number.
    pub fn iter(self) -> impl Iterator<Item = &'static About> {
        RISKS.iter().filter(move |about| self.has(about.risk))
    }

    /// The heaviest of them.
    pub fn severity(self) -> Option<Severity> {
        self.iter().map(|about| about.severity).max()
    }
}

/// The risk of this name.
pub fn by_name(name: &str) -> Option<Risk> {
    RISKS.iter().find(|about| about.name == name).map(|about| about.risk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::ATTRIBUTES;
    use std::fmt::Write;

    #[test]
    fn numbers_ascend_and_names_differ() {
        for (number, about) in RISKS.iter().enumerate() {
            assert_eq!(about.risk as usize, number);
            assert_eq!(by_name(about.name), Some(about.risk), "{}", about.name);
            for text in [about.meaning, about.sign, about.advice] {
                assert!(text.ends_with('.'), "{}", about.name);
            }
            for field in about.fields.split(' ') {
                let known = ATTRIBUTES.iter().any(|it| field == format!("{}.{}", it.group, it.key));
                assert!(known, "{}: {field} is no attribute", about.name);
            }
        }
        assert!(RISKS.len() < 64);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut risks = Risks::NONE;
        assert!(risks.is_empty() && risks.severity().is_none());
        risks.set(Risk::Punycode);
        risks.set(Risk::SqlInjection);
        assert!(risks.has(Risk::Punycode) && !risks.has(Risk::Malformed));
        let names: Vec<_> = risks.iter().map(|about| about.name).collect();
        assert_eq!(names, ["sql_injection", "punycode"]);
        assert_eq!(risks.severity(), Some(Severity::Severe));
        risks.clear(Risk::SqlInjection);
        assert_eq!(risks.severity(), Some(Severity::Low));
        assert_eq!(risks.and(Risks::ALL), risks);
    }

    /// docs/RISKS.md.
    fn page() -> String {
        let mut page = String::from(
            "# Risks\n\n\
             What is odd or dangerous about a flow. A record's `risks` are a set of these, by number in\n\
             shared memory and by name everywhere else; numbers never move. A risk is a reason to look,\n\
             not a verdict: each is told by what is written under it, and by nothing else.\n\n\
             This page is made from `dpi/src/risk/table.rs`.\n\n\
             | number | name | weight | meaning |\n| --- | --- | --- | --- |\n",
        );
        for about in RISKS {
            let (number, name, weight) = (about.risk as u8, about.name, about.severity.name());
            writeln!(page, "| {number} | [{name}](#{name}) | {weight} | {} |", about.meaning)
                .unwrap();
        }
        for about in RISKS {
            let (name, fields) = (about.name, about.fields.replace(' ', "`, `"));
            write!(
                page,
                "\n## {name}\n\n{}\n\n- Seen by: {}\n- What to do: {}\n- Look at: `{fields}`\n",
                about.meaning, about.sign, about.advice
            )
            .unwrap();
        }
        page
    }

    #[test]
    fn the_page_is_committed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/RISKS.md");
        if std::env::var_os("WEIR_WRITE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap_or_default() == page(),
            "run WEIR_WRITE_DOCS=1 cargo test -p weir-dpi the_page_is_committed"
        );
    }
}
