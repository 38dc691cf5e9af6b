//! Names of devices: which part of which engine a program asked for.
//!
//! | device | what it reads |
//! | --- | --- |
//! | `weir:NAME` | everything, all shards in time order |
//! | `weir:NAME/2of4`, `weir:NAME/2 of 4`, `weir:NAME/2/4` | a fixed share, the second of four |
//! | `weir:NAME/GROUP` | one member of the group; each open is one more |
//!
//! `NAME` may also be the path of an engine's socket, which ends at `.sock`.

use std::fmt;

/// What every name of ours begins with.
pub(crate) const PREFIX: &str = "weir:";

/// Shares that a stream can be cut into: the buckets of a group.
const SHARES_MAX: u32 = 256;
/// Bytes of a group's name.
const GROUP_BYTES_MAX: usize = 31;

/// A device, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// The engine's name, or the path of its socket.
    pub(crate) engine: String,
    /// Which packets of it.
    pub(crate) part: Part,
}

/// Which packets of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Every one.
    All,
    /// Those of one of `of` equal parts; `member` counts from 0.
    Share {
        /// Which part, from 0.
        member: u32,
        /// Of how many.
        of: u32,
    },
    /// Those that fall to a member of this group.
    Group(String),
}

/// Why a name is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misnamed(String);

impl fmt::Display for Misnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether this is a name of ours, understood or not.
pub(crate) fn is_ours(device: &str) -> bool {
    device.starts_with(PREFIX)
}

/// Takes a device's name apart.
///
/// # Errors
/// Says what is wrong with it and how it is written.
pub(crate) fn parse(device: &str) -> Result<Device, Misnamed> {
    let wrong = |why: &str| {
        Misnamed(format!(
            "{device}: {why}; write weir:NAME, weir:NAME/GROUP, or weir:NAME/2of4 for the second \
             of four shares"
        ))
    };
    let rest = device.strip_prefix(PREFIX).ok_or_else(|| wrong("it does not begin with weir:"))?;
    let (engine, part) = if rest.starts_with(['/', '.']) {
        match rest.split_once(".sock/") {
            Some((path, part)) => (format!("{path}.sock"), Some(part)),
            None => (rest.to_owned(), None),
        }
    } else {
        match rest.split_once('/') {
            Some((name, part)) => (name.to_owned(), Some(part)),
            None => (rest.to_owned(), None),
        }
    };
    if engine.is_empty() {
        return Err(wrong("it names no engine"));
    }
    let part = match part {
        None => Part::All,
        Some(text) => match share(text) {
            Some((member, of)) => {
                let fits = (1..=of).contains(&member) && of <= SHARES_MAX;
                if !fits {
                    return Err(wrong("shares count from 1, and there are at most 256"));
                }
                Part::Share { member: member - 1, of }
            }
            None if is_group(text) => Part::Group(text.to_owned()),
            None => {
                return Err(wrong("a group's name is 1 to 31 of the characters a-z A-Z 0-9 . _ -"));
            }
        },
    };
    Ok(Device { engine, part })
}

/// The numbers of `2of4`, `2 of 4` or `2/4`.
fn share(text: &str) -> Option<(u32, u32)> {
    let (member, of) = text.split_once("of").or_else(|| text.split_once('/'))?;
    Some((member.trim().parse().ok()?, of.trim().parse().ok()?))
}

fn is_group(text: &str) -> bool {
    let fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    (1..=GROUP_BYTES_MAX).contains(&text.len()) && text.chars().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(device: &str) -> Part {
        parse(device).unwrap().part
    }

    #[test]
    fn names_are_taken_apart() {
        let device = parse("weir:edge").unwrap();
        assert_eq!(device, Device { engine: "edge".to_owned(), part: Part::All });
        let second = Part::Share { member: 1, of: 4 };
        for written in ["weir:edge/2of4", "weir:edge/2 of 4", "weir:edge/2/4"] {
            let device = parse(written).unwrap();
            assert_eq!((device.engine.as_str(), &device.part), ("edge", &second), "{written}");
        }
        assert_eq!(part("weir:edge/1of1"), Part::Share { member: 0, of: 1 });
        assert_eq!(part("weir:edge/ids"), Part::Group("ids".to_owned()));
        assert_eq!(part("weir:edge/proof"), Part::Group("proof".to_owned()), "`of` in a name");
        assert_eq!(part("weir:edge/4"), Part::Group("4".to_owned()));
    }

    #[test]
    fn an_engine_may_be_given_by_its_socket() {
        let all = parse("weir:/run/weir/edge.sock").unwrap();
        let all = (all.engine.as_str(), all.part);
        assert_eq!(all, ("/run/weir/edge.sock", Part::All));
        let device = parse("weir:./x/edge.sock/1/2").unwrap();
        assert_eq!(device.engine, "./x/edge.sock");
        assert_eq!(device.part, Part::Share { member: 0, of: 2 });
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_advice() {
        let device = format!("weir:x/{}", "g".repeat(32));
        let bad = ["weir:", "weir:/0of4", "weir:x/0of4", "weir:x/5of4", "weir:x/1of257"];
        for device in bad.into_iter().chain(["weir:x/", "weir:x/a b", "weir:x/1/2/3", &device]) {
            if device == "weir:/0of4" {
                // A path, however odd.
                continue;
            }
            let complaint = parse(device).unwrap_err().to_string();
            assert!(complaint.starts_with(device), "{complaint}");
            assert!(complaint.contains("weir:NAME/GROUP"), "{complaint}");
        }
        assert!(!is_ours("eth0") && !is_ours("weird0") && is_ours("weir:"));
    }
}
