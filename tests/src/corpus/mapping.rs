//! Where our names are others than the reference's, by design: `tests/conformance/names.tsv` and
//! `categories.tsv`, each row with its reason.

use anyhow::{Context, bail};
use std::collections::HashMap;

/// Why two names are the same. Ascending by how much is taken on trust.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Letter for letter, or but for the case.
    Same,
    /// The same thing, spelled or named otherwise.
    Spelling,
    /// The reference tells apart what we do not.
    Merged,
    /// We tell apart what the reference does not.
    MoreSpecific,
    /// The reference's name is not what the flow is.
    MoreCorrect,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] =
        [Kind::Same, Kind::Spelling, Kind::Merged, Kind::MoreSpecific, Kind::MoreCorrect];

    /// Its name in the files.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Same => "same",
            Kind::Spelling => "spelling",
            Kind::Merged => "merged",
            Kind::MoreSpecific => "more_specific",
            Kind::MoreCorrect => "more_correct",
        }
    }

    /// Whether names equal in this way count as equal where only spelling is forgiven.
    pub const fn is_strict(self) -> bool {
        matches!(self, Kind::Same | Kind::Spelling)
    }
}

/// The reference's word for a flow that it has no name for. A row for it says that the name here is
/// right by the protocol's published format; such flows are counted apart.
const NAMELESS: &str = "unknown";

/// One row of a file of names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The reference's name: a part, or a whole dotted one.
    pub theirs: &'static str,
    /// Ours, likewise.
    pub ours: &'static str,
    /// Why they are the same.
    pub kind: Kind,
}

/// A file of names.
#[derive(Clone, Debug)]
pub struct Mapping {
    rules: Vec<Rule>,
    by_names: HashMap<(String, String), Kind>,
}

/// How a flow's two names compare.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Levels {
    /// The whole names.
    pub full: Option<Kind>,
    /// What is carried: the last parts.
    pub app: Option<Kind>,
    /// What carries: the first parts.
    pub master: Option<Kind>,
}

impl Mapping {
    /// The names of protocols and applications.
    ///
    /// # Panics
    ///
    /// If the file, which is part of the program, is malformed; tested.
    pub fn names() -> Mapping {
        #[expect(clippy::expect_used, reason = "part of the program, and tested")]
        Mapping::parse(include_str!("../../conformance/names.tsv")).expect("names.tsv")
    }

    /// The names of categories.
    ///
    /// # Panics
    ///
    /// As [`Mapping::names`].
    pub fn categories() -> Mapping {
        #[expect(clippy::expect_used, reason = "part of the program, and tested")]
        Mapping::parse(include_str!("../../conformance/categories.tsv")).expect("categories.tsv")
    }

    /// Reads `theirs <tab> ours <tab> kind <tab> reason`; `#` begins a comment.
    ///
    /// # Errors
    ///
    /// If a row lacks a cell or its reason, has an unknown kind, or is there twice.
    pub fn parse(text: &'static str) -> anyhow::Result<Mapping> {
        let mut mapping = Mapping { rules: Vec::new(), by_names: HashMap::new() };
        for (at, line) in text.lines().enumerate() {
            if !line.is_empty() && !line.starts_with('#') {
                mapping.add(line).with_context(|| format!("line {}", at + 1))?;
            }
        }
        Ok(mapping)
    }

    fn add(&mut self, line: &'static str) -> anyhow::Result<()> {
        let cells: Vec<&'static str> = line.split('\t').map(str::trim).collect();
        let [theirs, ours, kind, reason] = cells.as_slice() else {
            bail!("{} cells, not theirs, ours, kind and reason", cells.len());
        };
        if theirs.is_empty() || ours.is_empty() {
            bail!("a name is missing");
        }
        // A word or two is a label, not a reason.
        if reason.split_whitespace().count() < 3 {
            bail!("{theirs} for {ours}: no reason");
        }
        let mut kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Same);
        let kind =
            kinds.find(|known| known.name() == *kind).with_context(|| format!("kind {kind:?}"))?;
        let names = (theirs.to_ascii_lowercase(), ours.to_ascii_lowercase());
        if names.0 == names.1 {
            bail!("{theirs} needs no row");
        }
        // Where the reference has no name there is nothing to spell or to split.
        if names.0 == NAMELESS && kind != Kind::MoreCorrect {
            bail!("{theirs} for {ours}: only more_correct");
        }
        if self.by_names.insert(names, kind).is_some() {
            bail!("{theirs} for {ours}: twice");
        }
        self.rules.push(Rule { theirs, ours, kind });
        Ok(())
    }

    /// Every row.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether `ours` is `theirs`, and why; neither is taken apart.
    pub fn one(&self, theirs: &str, ours: &str) -> Option<Kind> {
        if theirs.eq_ignore_ascii_case(ours) {
            return Some(Kind::Same);
        }
        let names = (theirs.to_ascii_lowercase(), ours.to_ascii_lowercase());
        self.by_names.get(&names).copied()
    }

    /// Compares dotted names. A row for whole names makes them equal in every part, those parts that
    /// are the same without it as they are.
    pub fn compare(&self, theirs: &str, ours: &str) -> Levels {
        let (their, our) = (parts(theirs), parts(ours));
        let (master, app) = (self.one(their.0, our.0), self.one(their.1, our.1));
        if let Some(kind) = self.one(theirs, ours) {
            let or_whole = |part: Option<Kind>| part.or(Some(kind));
            return Levels { full: Some(kind), app: or_whole(app), master: or_whole(master) };
        }
        let full = master.and_then(|master| app.map(|app| master.max(app)));
        Levels { full, app, master }
    }
}

/// What carries and what is carried: the first and the last part of a dotted name.
pub fn parts(name: &str) -> (&str, &str) {
    let first = name.split('.').next().unwrap_or(name);
    (first, name.rsplit('.').next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_dpi::{Category, app};

    fn error(text: &'static str) -> String {
        format!("{:#}", Mapping::parse(text).unwrap_err())
    }

    #[test]
    fn names_are_compared_part_by_part() {
        let mapping = Mapping::parse(
            "# a comment\n\nRESP\tRedis\tspelling\tthe protocol's own name\n\
             IPSec\tESP\tmore_specific\tone part of several\n\
             Old.One\tTLS\tmerged\ttold apart without need",
        )
        .unwrap();
        let full = |theirs, ours| mapping.compare(theirs, ours).full;
        assert_eq!(full("TLS.Google", "tls.google"), Some(Kind::Same));
        assert_eq!(full("TLS.RESP", "TLS.Redis"), Some(Kind::Spelling));
        assert_eq!(full("RESP.IPSec", "Redis.ESP"), Some(Kind::MoreSpecific), "the weaker counts");
        assert_eq!(full("Redis", "RESP"), None, "one way only");
        assert_eq!(full("SSH", "SSH.SSH"), Some(Kind::Same));
        assert_eq!(full("Old.One", "TLS"), Some(Kind::Merged));
        let levels = mapping.compare("TLS", "TLS.Redis");
        assert_eq!((levels.full, levels.app, levels.master), (None, None, Some(Kind::Same)));
        let levels = mapping.compare("Old.One", "TLS");
        assert_eq!((levels.app, levels.master), (Some(Kind::Merged), Some(Kind::Merged)));
        let levels = mapping.compare("Xiaomi", "HTTP.Xiaomi");
        assert_eq!((levels.full, levels.app, levels.master), (None, Some(Kind::Same), None));
    }

    #[test]
    fn a_row_has_a_reason_and_a_kind_and_is_there_once() {
        assert_eq!(error("A\tB\tspelling"), "line 1: 3 cells, not theirs, ours, kind and reason");
        assert_eq!(error("#\nA\tB\tspelling\t "), "line 2: A for B: no reason");
        assert_eq!(error("A\tB\tspelling\trenamed"), "line 1: A for B: no reason");
        assert_eq!(error("A\tB\tsame\tone two three"), "line 1: kind \"same\"");
        assert_eq!(error("A\ta\tspelling\tone two three"), "line 1: A needs no row");
        assert_eq!(error("A\t\tspelling\tone two three"), "line 1: a name is missing");
        assert_eq!(
            error("Unknown\tA\tmerged\tone two three"),
            "line 1: Unknown for A: only more_correct"
        );
        let twice = "A\tB\tspelling\tone two three\na\tb\tmerged\tone two three";
        assert_eq!(error(twice), "line 2: a for b: twice");
    }

    #[test]
    fn our_side_of_every_row_exists_and_theirs_is_no_other_name_of_ours() {
        for rule in Mapping::names().rules() {
            for part in rule.ours.split('.') {
                assert!(app::by_name(part).is_some(), "{part}: not a name of ours");
            }
            let other = app::by_name(rule.theirs).is_some();
            let may = matches!(rule.kind, Kind::MoreSpecific | Kind::MoreCorrect);
            assert!(!other || may, "{}: is told apart from {} here", rule.theirs, rule.ours);
        }
        let categories: Vec<&str> =
            (0..=u8::MAX).filter_map(Category::from_u8).map(Category::name).collect();
        for rule in Mapping::categories().rules() {
            assert!(categories.contains(&rule.ours), "{}: not a category of ours", rule.ours);
        }
    }
}
