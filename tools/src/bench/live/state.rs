//! What is measured already: a file of JSON lines, to which each result is added as it comes, so that
//! a second run goes on where the first was ended.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::cell::{Latency, Row};
use super::grid::Cell;

/// A result, with what it was measured with.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Line {
    /// Results of other settings are not comparable.
    pub(super) settings: String,
    pub(super) result: Measured,
}

/// What was measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Measured {
    Cell(Box<Row>),
    /// An engine without traffic, share of a core.
    Idle {
        cpu: f64,
    },
    /// Shards that poll without pause.
    BusyPoll(Box<(Cell, Latency)>),
}

/// The results so far.
#[derive(Debug)]
pub(super) struct State {
    file: Option<File>,
    settings: String,
    pub(super) results: Vec<Measured>,
}

impl State {
    /// The results of these settings in `path`, which later ones are added to; without one, they are
    /// kept in memory alone.
    ///
    /// # Errors
    /// The file cannot be opened, or holds something else.
    pub(super) fn open(path: Option<&Path>, settings: String) -> anyhow::Result<State> {
        let Some(path) = path else {
            return Ok(State { file: None, settings, results: Vec::new() });
        };
        let shown = path.display();
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = file.with_context(|| format!("cannot open the state file {shown}"))?;
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(|| format!("cannot read {shown}"))?;
        let mut results = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            match serde_json::from_str::<Line>(line) {
                Ok(line) if line.settings == settings => results.push(line.result),
                // Cut off when its run was ended.
                Err(error) if error.is_eof() => {}
                Ok(_) => {}
                Err(error) => {
                    bail!("{shown}, line {number}: {error}; it is no state of `weir bench live`")
                }
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").with_context(|| format!("cannot write to {shown}"))?;
        }
        Ok(State { file: Some(file), settings, results })
    }

    /// Adds a result.
    ///
    /// # Errors
    /// The file cannot be written to.
    pub(super) fn add(&mut self, result: Measured) -> anyhow::Result<()> {
        if let Some(file) = &mut self.file {
            let line = Line { settings: self.settings.clone(), result: result.clone() };
            let mut text = serde_json::to_string(&line)?;
            text.push('\n');
            file.write_all(text.as_bytes()).context("cannot write to the state file")?;
        }
        self.results.push(result);
        Ok(())
    }

    /// The result of a cell.
    pub(super) fn row(&self, cell: Cell) -> Option<&Row> {
        self.results.iter().find_map(|result| match result {
            Measured::Cell(row) if row.cell == cell => Some(row.as_ref()),
            _ => None,
        })
    }

    /// Whether the engine without traffic was measured.
    pub(super) fn idle(&self) -> Option<f64> {
        self.results.iter().find_map(|result| match result {
            Measured::Idle { cpu } => Some(*cpu),
            _ => None,
        })
    }

    /// Shards that poll without pause, if that was measured.
    pub(super) fn busy_poll(&self) -> Option<&(Cell, Latency)> {
        self.results.iter().find_map(|result| match result {
            Measured::BusyPoll(found) => Some(found.as_ref()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_there_again_for_the_same_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut state = State::open(Some(&path), "a".to_owned()).unwrap();
        state.add(Measured::Idle { cpu: 0.01 }).unwrap();
        assert_eq!(State::open(Some(&path), "b".to_owned()).unwrap().results, []);
        // A line that was cut off is left out, and what comes after it is read.
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(b"{\"settings\":\"a\",\"res"))
            .unwrap();
        let mut state = State::open(Some(&path), "a".to_owned()).unwrap();
        assert_eq!(state.idle(), Some(0.01));
        state.add(Measured::Idle { cpu: 0.5 }).unwrap();
        assert_eq!(State::open(Some(&path), "a".to_owned()).unwrap().results.len(), 2);
        std::fs::write(&path, "hello\n").unwrap();
        assert!(State::open(Some(&path), "a".to_owned()).is_err());
    }
}
