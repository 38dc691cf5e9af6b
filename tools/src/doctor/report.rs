//! Findings, and how they are shown.

use std::io::{self, Write};

use serde::Serialize;

use crate::terminal::clean;

/// How a finding is to be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Neither good nor bad.
    Info,
    /// It works, but not at its best.
    Warn,
    /// It does not work.
    Fail,
    /// It could not be seen; the advice says what it takes.
    Unseen,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Level::Ok => "OK",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Fail => "FAIL",
            Level::Unseen => "?",
        }
    }
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What was looked at.
    pub(super) subject: &'static str,
    pub(super) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(subject: &'static str, found: impl Into<String>) -> Finding {
        Finding { level: Level::Ok, subject, found: found.into(), advice: None }
    }

    pub(super) fn info(subject: &'static str, found: impl Into<String>) -> Finding {
        Finding { level: Level::Info, ..Finding::ok(subject, found) }
    }

    pub(super) fn warn(
        subject: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        let advice = Some(advice.into());
        Finding { level: Level::Warn, advice, ..Finding::ok(subject, found) }
    }

    pub(super) fn fail(
        subject: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding { level: Level::Fail, ..Finding::warn(subject, found, advice) }
    }

    pub(super) fn unseen(
        subject: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding { level: Level::Unseen, ..Finding::warn(subject, found, advice) }
    }
}

/// Findings under a title.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) findings: Vec<Finding>,
}

/// Whether anything does not work.
pub(super) fn failed(sections: &[Section]) -> bool {
    let mut all = sections.iter().flat_map(|section| &section.findings);
    all.any(|finding| finding.level == Level::Fail)
}

/// The sections for people.
pub(super) fn render(out: &mut impl Write, sections: &[Section]) -> io::Result<()> {
    for section in sections {
        writeln!(out, "{}", clean(&section.title))?;
        for Finding { level, subject, found, advice } in &section.findings {
            writeln!(out, "  {:<4}  {subject:<16}  {}", level.word(), clean(found))?;
            if let Some(advice) = advice {
                for line in advice.lines() {
                    writeln!(out, "        {:<16}  → {}", "", clean(line))?;
                }
            }
        }
        writeln!(out)?;
    }
    let count = |level| {
        let all = sections.iter().flat_map(|section| &section.findings);
        all.filter(|finding| finding.level == level).count()
    };
    let line = |word, level| match count(level) {
        0 => String::new(),
        many => format!(", {many} {word}"),
    };
    writeln!(
        out,
        "{} ok{}{}{}",
        count(Level::Ok),
        line("to improve", Level::Warn),
        line("in the way", Level::Fail),
        line("not seen", Level::Unseen),
    )
}
