//! Instruction counts beside those that were committed.
//!
//! A baseline is lines `name<TAB>instructions per operation`; lines that begin with `#` say what
//! it was counted with.

use std::fmt::Write;

/// What one case costs.
#[derive(Clone, PartialEq, Debug)]
pub struct Cost {
    /// The case.
    pub name: String,
    /// Instructions per operation.
    pub instructions: f64,
}

/// A rise beyond this share is one too much.
pub const TOLERATED: f64 = 0.01;

/// Costs, and what they were counted with.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Baseline {
    /// Valgrind, the C library, the compiler: another of these gives other counts.
    pub counted_with: String,
    /// In the order of the cases.
    pub costs: Vec<Cost>,
}

/// What became of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Within what is tolerated.
    Same,
    /// More than that below the baseline.
    Fell,
    /// More than that above it.
    Rose,
    /// The baseline does not have it.
    New,
    /// The baseline has it and the cases do not.
    Gone,
}

/// A case then and now.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The case.
    pub name: String,
    /// Instructions per operation by the baseline.
    pub old: Option<f64>,
    /// The same now.
    pub new: Option<f64>,
}

impl Row {
    /// By how much it rose, percent.
    pub fn percent(&self) -> Option<f64> {
        Some((self.new? / self.old? - 1.0) * 100.0)
    }

    /// What became of it.
    pub fn change(&self) -> Change {
        let (old, new) = match (self.old, self.new) {
            (None, _) => return Change::New,
            (_, None) => return Change::Gone,
            (Some(old), Some(new)) => (old, new),
        };
        if new > old * (1.0 + TOLERATED) {
            Change::Rose
        } else if new < old * (1.0 - TOLERATED) {
            Change::Fell
        } else {
            Change::Same
        }
    }
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// A line is none of one.
    pub fn parse(text: &str) -> Result<Baseline, String> {
        let mut baseline = Baseline::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(with) = line.strip_prefix("# ") {
                with.clone_into(&mut baseline.counted_with);
                continue;
            }
            let cost = line.split_once('\t').and_then(|(name, instructions)| {
                let instructions = instructions.parse().ok().filter(|count| *count > 0.0)?;
                Some(Cost { name: name.to_owned(), instructions })
            });
            baseline.costs.push(cost.ok_or_else(|| format!("not a name, a tab, a count: {line}"))?);
        }
        Ok(baseline)
    }

    /// The same as text.
    pub fn text(&self) -> String {
        let mut text = format!("# {}\n", self.counted_with);
        for Cost { name, instructions } in &self.costs {
            writeln!(text, "{name}\t{instructions:.2}").ok();
        }
        text
    }

    /// Every case of either, those of `now` first and in its order.
    pub fn beside(&self, now: &Baseline) -> Vec<Row> {
        let find = |among: &Baseline, name: &str| {
            among.costs.iter().find(|cost| cost.name == name).map(|cost| cost.instructions)
        };
        let rows = now.costs.iter().map(|cost| Row {
            name: cost.name.clone(),
            old: find(self, &cost.name),
            new: Some(cost.instructions),
        });
        let gone = self.costs.iter().filter(|cost| find(now, &cost.name).is_none());
        let gone = gone.map(|cost| Row {
            name: cost.name.clone(),
            old: Some(cost.instructions),
            new: None,
        });
        rows.chain(gone).collect()
    }
}

/// The rows as a table for people.
pub fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = format!("{:width$} {:>12} {:>12} {:>9}\n", "instructions", "old", "new", "");
    for row in rows {
        let count = |count: Option<f64>| count.map_or("-".into(), |count| format!("{count:.2}"));
        let percent = row.percent().map_or(String::new(), |percent| format!("{percent:+.2} %"));
        let said = match row.change() {
            Change::Same => "",
            Change::Fell => "  fell",
            Change::Rose => "  ROSE",
            Change::New => "  NEW",
            Change::Gone => "  GONE",
        };
        let (name, old, new) = (&row.name, count(row.old), count(row.new));
        writeln!(text, "{name:width$} {old:>12} {new:>12} {percent:>9}{said}").ok();
    }
    text
}

/// Whether the counts stand by the baseline, and what there is to do where they do not.
///
/// # Errors
/// They do not.
pub fn verdict(rows: &[Row]) -> Result<String, String> {
    let count = |change: Change| rows.iter().filter(|row| row.change() == change).count();
    let (rose, fell) = (count(Change::Rose), count(Change::Fell));
    let (new, gone) = (count(Change::New), count(Change::Gone));
    let all = rows.len();
    if rose > 0 {
        return Err(format!(
            "{rose} of {all} cases rose by more than 1 %. Make them as cheap as they were; or, where \
             what they do now is worth it, run `make icount-save` and commit benches/icount.tsv \
             together with the change, saying why."
        ));
    }
    if new + gone > 0 {
        return Err(format!(
            "{new} cases are not in benches/icount.tsv and {gone} of its are no more: run \
             `make icount-save` and commit it together with the change."
        ));
    }
    let keep = if fell > 0 {
        format!(
            "; {fell} fell by more: `make icount-save` and a commit of benches/icount.tsv keep that"
        )
    } else {
        String::new()
    };
    Ok(format!("{all} cases, none above its baseline by more than 1 %{keep}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(costs: &[(&str, f64)]) -> Baseline {
        let costs = costs.iter().map(|(name, instructions)| Cost {
            name: (*name).to_owned(),
            instructions: *instructions,
        });
        Baseline { counted_with: "valgrind-3".into(), costs: costs.collect() }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let written = baseline(&[("a/b, c", 12.25), ("d", 4000.0)]);
        assert_eq!(Baseline::parse(&written.text()), Ok(written));
        for wrong in ["name 12", "name\ttwelve", "name\t0", "name\tNaN"] {
            assert!(Baseline::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_percent_is_where_it_stops() {
        let old = baseline(&[("a", 100.0)]);
        for (now, change) in [
            (98.9, Change::Fell),
            (99.0, Change::Same),
            (101.0, Change::Same),
            (101.1, Change::Rose),
        ] {
            let rows = old.beside(&baseline(&[("a", now)]));
            assert_eq!(rows[0].change(), change, "{now}");
            assert_eq!(verdict(&rows).is_err(), change == Change::Rose);
        }
    }

    #[test]
    fn what_comes_or_goes_moves_the_baseline_too() {
        let rows = baseline(&[("a", 1.0), ("b", 1.0)]).beside(&baseline(&[("b", 1.0), ("c", 1.0)]));
        let changes: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.change())).collect();
        assert_eq!(changes, [("b", Change::Same), ("c", Change::New), ("a", Change::Gone)]);
        assert!(verdict(&rows).is_err());
        assert!(verdict(&rows[..1]).is_ok());
    }

    #[test]
    fn the_committed_baseline_has_every_case() {
        let committed = Baseline::parse(include_str!("../icount.tsv")).unwrap();
        let names: Vec<_> = committed.costs.iter().map(|cost| cost.name.clone()).collect();
        let cases: Vec<_> = crate::cases::all().into_iter().map(|case| case.name).collect();
        assert_eq!(names, cases, "make icount-save");
    }
}
