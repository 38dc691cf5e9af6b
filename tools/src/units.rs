//! Numbers with units, in both directions: `1.5MB` to a number and a number to `1.5 MB`.

/// What a number counts, and so which units may follow it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quantity {
    /// A plain number: packets, ports, ids. `K`, `M` and `G` may follow.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds; a number without a unit is in seconds.
    Time,
    /// Bits per second.
    Rate,
}

const COUNT: &[(&str, u64)] = &[("k", 1_000), ("m", 1_000_000), ("g", 1_000_000_000)];
const BYTES: &[(&str, u64)] = &[
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];
const TIME: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
const RATE: &[(&str, u64)] = &[
    ("bps", 1),
    ("bit", 1),
    ("k", 1_000),
    ("kbit", 1_000),
    ("kbps", 1_000),
    ("m", 1_000_000),
    ("mbit", 1_000_000),
    ("mbps", 1_000_000),
    ("g", 1_000_000_000),
    ("gbit", 1_000_000_000),
    ("gbps", 1_000_000_000),
];

impl Quantity {
    const fn units(self) -> &'static [(&'static str, u64)] {
        match self {
            Quantity::Count => COUNT,
            Quantity::Bytes => BYTES,
            Quantity::Time => TIME,
            Quantity::Rate => RATE,
        }
    }

    const fn without_unit(self) -> u64 {
        if matches!(self, Quantity::Time) { 1_000_000_000 } else { 1 }
    }

    /// The units that may follow, for messages.
    pub(crate) const fn examples(self) -> &'static str {
        match self {
            Quantity::Count => "443 or 10K",
            Quantity::Bytes => "1500, 64KB, 1MiB or 2.5GB",
            Quantity::Time => "30, 250ms, 10s, 5m or 1h",
            Quantity::Rate => "500Kbit, 10Mbit or 1Gbit",
        }
    }

    /// `number` with the unit in which it is exact.
    pub(crate) fn exact(self, number: u64) -> String {
        match self {
            Quantity::Time if number.is_multiple_of(1_000_000_000) => {
                format!("{}s", number / 1_000_000_000)
            }
            Quantity::Time => format!("{number}ns"),
            Quantity::Count | Quantity::Bytes | Quantity::Rate => number.to_string(),
        }
    }

    /// `number` for people, in at most seven characters or so.
    pub(crate) fn short(self, number: u64) -> String {
        match self {
            Quantity::Count => scaled(number, &["", "K", "M", "G", "T", "P", "E"], ""),
            Quantity::Bytes => scaled(number, &["B", "KB", "MB", "GB", "TB", "PB", "EB"], " "),
            Quantity::Rate => scaled(
                number,
                &["bit/s", "Kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s", "Ebit/s"],
                " ",
            ),
            Quantity::Time => duration(number),
        }
    }
}

/// Reads `text` as a number of `quantity` in its smallest unit. Nothing where it is no such
/// number, or one that 64 bits do not hold.
pub(crate) fn parse(text: &str, quantity: Quantity) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let factor = if unit.is_empty() {
        quantity.without_unit()
    } else {
        quantity.units().iter().find(|(name, _)| *name == unit)?.1
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let mut value = u128::from(whole.parse::<u64>().ok()?) * u128::from(factor);
    if !fraction.is_empty() {
        let ten = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        value += u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor) / ten;
    }
    u64::try_from(value).ok()
}

/// `number` in thousands until it has at most three digits before the point.
fn scaled(number: u64, names: &[&str], gap: &str) -> String {
    let mut unit = 1_u64;
    let mut step = 0;
    while step + 1 < names.len() && number / unit >= 1000 {
        unit *= 1000;
        step += 1;
    }
    let name = names.get(step).copied().unwrap_or_default();
    let whole = number / unit;
    let tenths = number % unit / unit.div_ceil(10);
    let point = step > 0 && whole < 100;
    if point { format!("{whole}.{tenths}{gap}{name}") } else { format!("{whole}{gap}{name}") }
}

/// A time for people: `250 ms`, `12.5 s`, `4m10s`, `3h05m`, `2d04h`.
fn duration(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0 if ns < 1_000 => format!("{ns} ns"),
        0 if ns < 1_000_000 => format!("{} us", ns / 1_000),
        0 => format!("{} ms", ns / 1_000_000),
        1..60 => format!("{seconds}.{} s", ns / 100_000_000 % 10),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Quantity; 4] = [Quantity::Count, Quantity::Bytes, Quantity::Time, Quantity::Rate];

    #[test]
    fn units_mean_what_they_say() {
        assert_eq!(parse("1KB", Quantity::Bytes), Some(1_000));
        assert_eq!(parse("1kib", Quantity::Bytes), Some(1_024));
        assert_eq!(parse("1.5MB", Quantity::Bytes), Some(1_500_000));
        assert_eq!(parse("10", Quantity::Time), Some(10_000_000_000));
        assert_eq!(parse("0.25s", Quantity::Time), Some(250_000_000));
        assert_eq!(parse("5m", Quantity::Time), Some(300_000_000_000));
        assert_eq!(parse("10Mbit", Quantity::Rate), Some(10_000_000));
        for wrong in ["", "KB", ".5", "1..2", "1 2", "10parsecs", "99999999999TB", "-1"] {
            assert_eq!(parse(wrong, Quantity::Bytes), None, "{wrong}");
        }
    }

    #[test]
    fn people_read_three_digits() {
        assert_eq!(Quantity::Bytes.short(999), "999 B");
        assert_eq!(Quantity::Bytes.short(1_500), "1.5 KB");
        assert_eq!(Quantity::Bytes.short(999_999), "999 KB");
        assert_eq!(Quantity::Count.short(12_345), "12.3K");
        assert_eq!(Quantity::Rate.short(9_990_000_000), "9.9 Gbit/s");
        assert_eq!(Quantity::Time.short(90_000_000_000), "1m30s");
        assert_eq!(Quantity::Count.short(u64::MAX), "18.4E");
    }

    proptest! {
        /// What `exact` writes `parse` reads back, for every quantity.
        #[test]
        fn exact_round_trips(number: u64, at in 0_usize..4) {
            let quantity = ALL[at];
            prop_assert_eq!(parse(&quantity.exact(number), quantity), Some(number));
        }

        /// No text makes the reader panic, and no number the writer.
        #[test]
        fn any_input_is_survived(text: String, number: u64) {
            for quantity in ALL {
                let _ = parse(&text, quantity);
                prop_assert!(quantity.short(number).len() <= 12);
            }
        }
    }
}
