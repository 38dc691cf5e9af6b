//! The figures of a scored corpus, and how they are shown.

use super::mapping::{Kind, Levels, parts};
use super::score::{Pair, Scored, Unread, same_ja4_as_described};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use weir_dpi::Confidence;

/// So many of so many.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Share {
    /// Those that are.
    pub of: usize,
    /// All.
    pub all: usize,
}

impl Share {
    fn add(&mut self, is: bool) {
        self.of += usize::from(is);
        self.all += 1;
    }

    /// The share, 0 of none.
    pub fn ratio(self) -> f64 {
        ratio(self.of, self.all)
    }

    fn json(self) -> Value {
        json!({ "of": self.of, "all": self.all, "percent": percent(self.ratio()) })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5} of {:>5}  {:>6.2} %", self.of, self.all, self.ratio() * 100.0)
    }
}

/// How a level is taken out of the three.
type LevelOf = fn(&Levels) -> Option<Kind>;

/// The three levels at which names are compared.
const LEVELS: [(&str, LevelOf); 3] = [
    ("full name", |levels| levels.full),
    ("application", |levels| levels.app),
    ("master", |levels| levels.master),
];

/// One level's figures over a set of rows.
#[derive(Clone, Copy, Default, Debug)]
pub struct Level {
    /// Equal but for spelling.
    pub strict: Share,
    /// Equal by the whole mapping.
    pub mapped: Share,
    /// Mean over the reference's names of the share of its rows that are equal but for spelling.
    pub names_strict: f64,
    /// The same by the whole mapping.
    pub names_mapped: f64,
    /// Mean over captures, by the whole mapping.
    pub captures_mapped: f64,
    /// The same, but for spelling.
    pub captures_strict: f64,
    /// Names that the means are over.
    pub names: usize,
    /// Captures that the means are over.
    pub captures: usize,
}

/// The figures of a set of rows.
#[derive(Clone, Default, Debug)]
pub struct Totals {
    /// Full name, application, master.
    pub levels: [Level; 3],
    /// Full names equal, by why; in the order of [`Kind::ALL`].
    pub kinds: [usize; 5],
    /// The reference names the protocol alone, and we what it carries too.
    pub finer: usize,
    /// Full names equal by a guess from the port, which is not counted above.
    pub guesses: usize,
    /// Rows without a flow here.
    pub no_flow: usize,
}

/// One of the reference's names.
#[derive(Clone, Default, Debug)]
pub struct NameRow {
    /// Rows of the reference, and how many are equal at each level by the whole mapping.
    pub levels: [Share; 3],
    /// Rows to which we give this name.
    pub claimed: usize,
}

/// Names that differ, with a count and one example.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The reference's word.
    pub theirs: String,
    /// Ours.
    pub ours: String,
    /// Rows.
    pub count: usize,
    /// One of them.
    pub example: String,
}

/// Packets read.
#[derive(Clone, Copy, Default, Debug)]
pub struct Effort {
    /// Mean of ours a flow, over flows of TCP and UDP that have a payload.
    pub mean: f64,
    /// The most of one flow.
    pub most: u32,
    /// Mean of the reference's, over the rows that say it.
    pub reference: f64,
}

/// Every figure. Lists are sorted by count, the greatest first.
#[derive(Clone, Debug)]
pub struct Report {
    /// Captures read.
    pub captures: usize,
    /// Captures not read.
    pub unread: Vec<Unread>,
    /// Flows here that no row speaks of.
    pub flows_without_row: usize,
    /// Rows that the reference named by content.
    pub content: Totals,
    /// All rows.
    pub all: Totals,
    /// By the reference's name, over rows by content.
    pub names: BTreeMap<String, NameRow>,
    /// Rows that the reference does not name, and we do without a reason in `names.tsv`.
    pub unknown: Share,
    /// Those of them that we name, and rightly by the format: `names.tsv` says why.
    pub named_rightly: usize,
    /// Those of them that are a guess from the port.
    pub unknown_guesses: usize,
    /// Names of rows that the reference does not name, those named rightly left out.
    pub false_names: Vec<Difference>,
    /// Full names that differ, over rows by content.
    pub differences: Vec<Difference>,
    /// The same over the other rows.
    pub other_differences: Vec<Difference>,
    /// Rows with a host name, and how many are equal.
    pub hosts: Share,
    /// Host names that differ: by the reference's name, with what kind of difference.
    pub host_differences: Vec<Difference>,
    /// Host names here where the reference has none.
    pub hosts_beyond: usize,
    /// Rows with a JA4, and how many are equal.
    pub ja4: Share,
    /// The same as JA4 is described: see [`same_ja4_as_described`].
    pub ja4_as_described: Share,
    /// JA4s that differ even so.
    pub ja4_differences: Vec<Difference>,
    /// Rows with a category: equal but for spelling.
    pub category_strict: Share,
    /// The same by the whole mapping.
    pub category_mapped: Share,
    /// The same, where the application is the same.
    pub category_same_app: Share,
    /// Categories that differ where the application is the same: named `category (application)`.
    pub category_differences: Vec<Difference>,
    /// Packets read.
    pub effort: Effort,
}

impl Report {
    /// Adds everything up.
    pub fn new(scored: &Scored) -> Report {
        let all: Vec<&Pair> = scored.pairs.iter().collect();
        let (content, other): (Vec<&Pair>, Vec<&Pair>) =
            all.iter().partition(|pair| pair.row.by_content());
        let with_host: Vec<&Pair> = keep(&all, |pair| !pair.row.host.is_empty());
        let with_ja4: Vec<&Pair> = keep(&all, |pair| !pair.row.ja4.is_empty());
        let categories: Vec<&Pair> = keep(&all, |pair| !pair.row.category.is_empty());
        let same_app: Vec<&Pair> = keep(&categories, |pair| pair.levels.app.is_some());
        let nameless: Vec<&Pair> = keep(&all, |pair| pair.row.is_unknown());
        let named = |pair: &Pair| pair.confidence() != Confidence::Unknown;
        let guess = |pair: &Pair| pair.confidence() == Confidence::PortGuess;
        let named_here = keep(&nameless, |pair| named(pair) && !guess(pair));
        let rightly = |pair: &Pair| pair.levels.full == Some(Kind::MoreCorrect);
        let false_names = keep(&named_here, |pair| !rightly(pair));
        Report {
            captures: scored.captures,
            unread: scored.unread.clone(),
            flows_without_row: scored.flows_without_row,
            content: totals(&content),
            all: totals(&all),
            names: names(&content),
            unknown: Share { of: false_names.len(), all: nameless.len() },
            named_rightly: named_here.len() - false_names.len(),
            unknown_guesses: nameless.iter().filter(|pair| guess(pair)).count(),
            false_names: differences(&false_names, by_confidence, Pair::our_name),
            differences: names_that_differ(&content),
            other_differences: names_that_differ(&keep(&other, |pair| !pair.row.is_unknown())),
            hosts: share(&with_host, |pair| pair.host_equal),
            host_differences: host_differences(&keep(&with_host, |pair| !pair.host_equal)),
            hosts_beyond: keep(&all, |pair| pair.row.host.is_empty() && has_host(pair)).len(),
            ja4: share(&with_ja4, same_ja4),
            ja4_as_described: share(&with_ja4, near_ja4),
            ja4_differences: differences(
                &keep(&with_ja4, |pair| !near_ja4(pair)),
                |pair| pair.row.ja4.clone(),
                |pair| pair.our_ja4().to_owned(),
            ),
            category_strict: share(&categories, |pair| pair.category.is_some_and(Kind::is_strict)),
            category_mapped: share(&categories, |pair| pair.category.is_some()),
            category_same_app: share(&same_app, |pair| pair.category.is_some()),
            category_differences: differences(
                &keep(&same_app, |pair| pair.category.is_none()),
                |pair| format!("{} ({})", pair.row.category, parts(&pair.row.name).1),
                |pair| pair.our_category().to_owned(),
            ),
            effort: effort(&all),
        }
    }

    /// Everything as JSON.
    pub fn json(&self) -> Value {
        let unread = self.unread.iter().map(|unread| {
            json!({ "capture": unread.capture, "reason": unread.reason, "rows": unread.rows })
        });
        let names = self.names.iter().map(|(name, row)| {
            json!({
                "name": name, "rows": row.levels[0].all, "full": row.levels[0].of,
                "application": row.levels[1].of, "master": row.levels[2].of,
                "claimed": row.claimed,
            })
        });
        json!({
            "captures": self.captures,
            "captures_not_read": unread.collect::<Vec<_>>(),
            "flows_without_row": self.flows_without_row,
            "rows_by_content": totals_json(&self.content),
            "all_rows": totals_json(&self.all),
            "names": names.collect::<Vec<_>>(),
            "expected_unknown": {
                "named_by_more_than_the_port": self.unknown.json(),
                "named_rightly_by_the_format": self.named_rightly,
                "guessed_from_the_port": self.unknown_guesses,
                "names": list_json(&self.false_names),
            },
            "differences_by_content": list_json(&self.differences),
            "differences_of_other_rows": list_json(&self.other_differences),
            "hosts": {
                "equal": self.hosts.json(),
                "beyond_the_reference": self.hosts_beyond,
                "differences": list_json(&self.host_differences),
            },
            "ja4": {
                "equal": self.ja4.json(),
                "equal_as_described": self.ja4_as_described.json(),
                "differences": list_json(&self.ja4_differences),
            },
            "categories": {
                "strict": self.category_strict.json(),
                "mapped": self.category_mapped.json(),
                "mapped_where_the_application_is_equal": self.category_same_app.json(),
                "differences": list_json(&self.category_differences),
            },
            "packets_inspected": {
                "mean": self.effort.mean, "most": self.effort.most,
                "reference_mean": self.effort.reference,
            },
        })
    }

    /// The report for people; lists end after `most` rows.
    pub fn text(&self, most: usize) -> String {
        super::show::text(self, most)
    }
}

fn keep<'p>(pairs: &[&'p Pair], is: impl Fn(&Pair) -> bool) -> Vec<&'p Pair> {
    pairs.iter().copied().filter(|pair| is(pair)).collect()
}

fn share(pairs: &[&Pair], is: impl Fn(&Pair) -> bool) -> Share {
    Share { of: pairs.iter().filter(|pair| is(pair)).count(), all: pairs.len() }
}

fn has_host(pair: &Pair) -> bool {
    !pair.our_host().is_empty()
}

fn same_ja4(pair: &Pair) -> bool {
    pair.row.ja4 == pair.our_ja4()
}

fn near_ja4(pair: &Pair) -> bool {
    same_ja4_as_described(&pair.row.ja4, pair.our_ja4())
}

fn by_confidence(pair: &Pair) -> String {
    format!("by {}", pair.confidence().name())
}

fn ratio(of: usize, all: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of flows")]
    let (of, all) = (of as f64, all.max(1) as f64);
    of / all
}

/// To two places.
fn percent(ratio: f64) -> f64 {
    (ratio * 10_000.0).round() / 100.0
}

fn totals(pairs: &[&Pair]) -> Totals {
    let mut totals = Totals::default();
    for (level, (_, of)) in totals.levels.iter_mut().zip(LEVELS) {
        *level = level_of(pairs, of);
    }
    for pair in pairs {
        if let Some(kind) = pair.levels.full {
            let place = Kind::ALL.iter().position(|known| *known == kind);
            totals.kinds[place.unwrap_or_default()] += 1;
        }
        let plain = !pair.row.name.contains('.') && !pair.row.is_unknown();
        totals.finer +=
            usize::from(pair.levels.full.is_none() && plain && pair.levels.master.is_some());
        totals.guesses += usize::from(pair.levels.full.is_none() && pair.guessed.full.is_some());
        totals.no_flow += usize::from(pair.ours.is_none());
    }
    totals
}

fn level_of(pairs: &[&Pair], of: LevelOf) -> Level {
    let mapped = |pair: &Pair| of(&pair.levels).is_some();
    let strict = |pair: &Pair| of(&pair.levels).is_some_and(Kind::is_strict);
    let mut names: BTreeMap<&str, (Share, Share)> = BTreeMap::new();
    let mut captures: BTreeMap<&str, (Share, Share)> = BTreeMap::new();
    for pair in pairs {
        for (groups, key) in [(&mut names, &pair.row.name), (&mut captures, &pair.row.capture)] {
            let group = groups.entry(key).or_default();
            group.0.add(strict(pair));
            group.1.add(mapped(pair));
        }
    }
    Level {
        strict: share(pairs, strict),
        mapped: share(pairs, mapped),
        names_strict: mean(names.values().map(|shares| shares.0.ratio())),
        names_mapped: mean(names.values().map(|shares| shares.1.ratio())),
        captures_strict: mean(captures.values().map(|shares| shares.0.ratio())),
        captures_mapped: mean(captures.values().map(|shares| shares.1.ratio())),
        names: names.len(),
        captures: captures.len(),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The figures of each of the reference's names. A name of ours that equals several of theirs is
/// claimed for each.
fn names(pairs: &[&Pair]) -> BTreeMap<String, NameRow> {
    let mut names: BTreeMap<String, NameRow> = BTreeMap::new();
    for pair in pairs {
        let row = names.entry(pair.row.name.clone()).or_default();
        for (share, (_, of)) in row.levels.iter_mut().zip(LEVELS) {
            share.add(of(&pair.levels).is_some());
        }
    }
    let mapping = super::Mapping::names();
    let mut ours: BTreeMap<String, usize> = BTreeMap::new();
    for pair in keep(pairs, |pair| !pair.is_discounted()) {
        *ours.entry(pair.our_name()).or_default() += 1;
    }
    for (name, row) in &mut names {
        let same = ours.iter().filter(|(our, _)| mapping.compare(name, our).full.is_some());
        row.claimed = same.map(|(_, count)| count).sum();
    }
    names
}

fn names_that_differ(pairs: &[&Pair]) -> Vec<Difference> {
    let differing = keep(pairs, |pair| pair.levels.full.is_none());
    differences(&differing, |pair| pair.row.name.clone(), Pair::our_name)
}

fn host_differences(pairs: &[&Pair]) -> Vec<Difference> {
    let kind = |pair: &Pair| match (pair.our_host(), pair.ours.is_some()) {
        (_, false) => "(no flow)".into(),
        ("", _) => format!("none, {}", pair.our_name()),
        _ => format!("another, {}", pair.our_name()),
    };
    let mut found = differences(pairs, |pair| pair.row.name.clone(), kind);
    for difference in &mut found {
        let same =
            |pair: &&&Pair| pair.row.name == difference.theirs && kind(pair) == difference.ours;
        if let Some(pair) = pairs.iter().find(same) {
            let hosts = format!("{:?} here {:?}", pair.row.host, pair.our_host());
            difference.example = format!("{hosts} {}", difference.example);
        }
    }
    found
}

fn differences(
    pairs: &[&Pair],
    theirs: impl Fn(&Pair) -> String,
    ours: impl Fn(&Pair) -> String,
) -> Vec<Difference> {
    let mut found: BTreeMap<(String, String), Vec<&Pair>> = BTreeMap::new();
    for pair in pairs {
        found.entry((theirs(pair), ours(pair))).or_default().push(pair);
    }
    let row = |((theirs, ours), pairs): ((String, String), Vec<&Pair>)| {
        let example = pairs.first().map(|pair| format!("{} {}", pair.row.capture, pair.row.shown));
        Difference { theirs, ours, count: pairs.len(), example: example.unwrap_or_default() }
    };
    let mut found: Vec<Difference> = found.into_iter().map(row).collect();
    found.sort_by_key(|difference| std::cmp::Reverse(difference.count));
    found
}

fn effort(pairs: &[&Pair]) -> Effort {
    let inspected = pairs.iter().filter_map(|pair| pair.ours.as_ref()).map(|ours| ours.inspected);
    let reference = pairs.iter().filter_map(|pair| pair.row.inspected);
    Effort {
        mean: mean(inspected.clone().filter(|count| *count > 0).map(f64::from)),
        most: inspected.max().unwrap_or(0),
        reference: mean(reference.map(f64::from)),
    }
}

fn totals_json(totals: &Totals) -> Value {
    let levels = totals.levels.iter().zip(LEVELS).map(|(level, (name, _))| {
        json!({
            "level": name,
            "strict": level.strict.json(),
            "mapped": level.mapped.json(),
            "macro_by_name_strict": percent(level.names_strict),
            "macro_by_name_mapped": percent(level.names_mapped),
            "macro_by_capture_strict": percent(level.captures_strict),
            "macro_by_capture_mapped": percent(level.captures_mapped),
            "names": level.names,
            "captures": level.captures,
        })
    });
    let kinds = Kind::ALL.iter().zip(totals.kinds);
    let kinds = kinds.map(|(kind, count)| (kind.name().to_owned(), json!(count)));
    json!({
        "levels": levels.collect::<Vec<_>>(),
        "equal_by": Value::Object(kinds.collect()),
        "finer_than_the_reference": totals.finer,
        "equal_only_by_port_guess": totals.guesses,
        "without_a_flow": totals.no_flow,
    })
}

fn list_json(list: &[Difference]) -> Value {
    let rows = list.iter().map(|difference| {
        json!({
            "theirs": difference.theirs, "ours": difference.ours, "count": difference.count,
            "example": difference.example,
        })
    });
    Value::Array(rows.collect())
}
