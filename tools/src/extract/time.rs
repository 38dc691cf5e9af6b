//! Moments, as people write them.

use crate::live::now_ns;
use crate::units::{self, Quantity};

/// Reads a moment: `2026-11-28T17:47:41.5Z`, the same without a time or with a space, seconds since
/// 1970 as `1700000000.25`, or so long ago as `-10m`. Unix nanoseconds, UTC.
///
/// # Errors
/// It is none of these, in words.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("{text:?} is no moment, as 2026-11-28T17:47:41Z, 1700000000.25 or -10m (ago)");
    if let Some(ago) = text.strip_prefix('-') {
        let ago = units::parse(ago, Quantity::Time).ok_or_else(wrong)?;
        return Ok(now_ns().saturating_sub(ago));
    }
    if text.get(4..5) == Some("-") {
        return date(text).ok_or_else(wrong);
    }
    units::parse(text, Quantity::Time).ok_or_else(wrong)
}

fn date(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "0:0:0"));
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute) = (clock.next()??, clock.next()??);
    let second = clock.next().unwrap_or(Some(0))?;
    if !(1970..2500).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 24 || minute > 59 || second > 60 || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u64.pow(9 - u32::try_from(fraction.len()).ok()?);
    let nanoseconds = fraction.parse::<u64>().ok()? * scale;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000_000_000 + nanoseconds)
}

/// Days from 1970 on (H. Hinnant, `chrono`-compatible low-level date algorithms, `days_from_civil`).
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_in_each_form() {
        let s = 1_000_000_000;
        assert_eq!(parse("2023-11-14T22:13:20Z"), Ok(1_700_000_000 * s));
        assert_eq!(parse("2023-11-14 22:13:20.25"), Ok(1_700_000_000 * s + s / 4));
        assert_eq!(parse("1970-01-02"), Ok(86_400 * s));
        assert_eq!(parse("2000-02-29T00:00"), Ok(951_782_400 * s));
        assert_eq!(parse("1700000000.5"), Ok(1_700_000_000 * s + s / 2));
        assert!(parse("-1h").unwrap() < now_ns());
        for wrong in ["", "today", "2023-13-01", "2023-11-14T25:00:00", "2023-11-14T1:2:3.x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
