//! `weir check`: one figure of a host, in the form of Nagios plugins.

use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use weir_shm::Attached;

use crate::alerts::follow::Listing;
use crate::flow::{C2S, S2C, from_ip};
use crate::live::{self, EngineArgs};

/// Compare a figure of a host (or of all hosts) with thresholds, for Nagios, Icinga and the like:
/// one line, and 0 (OK), 1 (WARNING), 2 (CRITICAL) or 3 (UNKNOWN).
///
/// A threshold is a range as plugins have them: `10` is alarmed above 10 and below 0, `10:` below
/// 10, `~:10` above 10, `10:20` outside, `@10:20` inside.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// The host; without, all hosts together.
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,

    /// What is compared.
    #[arg(long, short = 'm', value_enum)]
    metric: Metric,

    /// The range beyond which it is a WARNING.
    #[arg(long, short = 'w', value_name = "RANGE", allow_hyphen_values = true)]
    warn: Option<String>,

    /// The range beyond which it is CRITICAL.
    #[arg(long, short = 'c', value_name = "RANGE", allow_hyphen_values = true)]
    crit: Option<String>,

    /// Over how many seconds rates are measured.
    #[arg(long, value_name = "SECS", value_parser = crate::flows::seconds, default_value = "2")]
    over: Duration,
}

/// `--metric`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Metric {
    /// Alerts that are active.
    Alerts,
    /// The severity of the gravest of them: 1 low, 2 medium, 3 high, 4 severe; 0 none.
    Severity,
    /// Live flows.
    Flows,
    /// Bits a second that the host sends.
    BpsOut,
    /// Bits a second that it gets.
    BpsIn,
    /// Packets a second that it sends.
    PpsOut,
    /// Packets a second that it gets.
    PpsIn,
    /// Seconds since the newest packet of its live flows.
    Idle,
}

impl Metric {
    /// The name, and the unit of measurement of performance data.
    const fn name(self) -> (&'static str, &'static str) {
        match self {
            Metric::Alerts => ("alerts", ""),
            Metric::Severity => ("severity", ""),
            Metric::Flows => ("flows", ""),
            Metric::BpsOut => ("bps-out", ""),
            Metric::BpsIn => ("bps-in", ""),
            Metric::PpsOut => ("pps-out", ""),
            Metric::PpsIn => ("pps-in", ""),
            Metric::Idle => ("idle", "s"),
        }
    }

    const fn is_rate(self) -> bool {
        matches!(self, Metric::BpsOut | Metric::BpsIn | Metric::PpsOut | Metric::PpsIn)
    }
}

/// What a check ends with; the codes are those of plugins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Ok => "OK",
            State::Warning => "WARNING",
            State::Critical => "CRITICAL",
            State::Unknown => "UNKNOWN",
        })
    }
}

/// Runs the command. Whatever goes wrong is an UNKNOWN.
pub(crate) fn run(args: &CheckArgs) -> ExitCode {
    let (state, text) = match check(args) {
        Ok((state, text)) => (state, text),
        Err(error) => {
            let text = format!("{error:#}");
            (State::Unknown, text.lines().next().unwrap_or_default().to_owned())
        }
    };
    // Who asked and hung up has the code at least.
    writeln!(io::stdout(), "WEIR {state} - {text}").ok();
    ExitCode::from(state as u8)
}

fn check(args: &CheckArgs) -> anyhow::Result<(State, String)> {
    let read = |text: &Option<String>| text.as_deref().map(Range::parse).transpose();
    let (warn, crit) = (read(&args.warn)?, read(&args.crit)?);
    let host = args.host.as_deref().map(str::parse::<IpAddr>).transpose();
    let host = host.map_err(|_| anyhow::anyhow!("--host takes an address, such as 10.0.0.5"))?;
    let engine = args.engine.attach()?;
    let Some(value) = measure(&engine, host.map(from_ip), args.metric, args.over) else {
        return Ok((State::Unknown, "the host has no live flow".to_owned()));
    };
    let alarmed = |range: &Option<Range>| range.as_ref().is_some_and(|range| range.alarms(value));
    let state = match (alarmed(&crit), alarmed(&warn)) {
        (true, _) => State::Critical,
        (_, true) => State::Warning,
        _ => State::Ok,
    };
    let (name, unit) = args.metric.name();
    let whom = host.map_or_else(|| "all hosts".to_owned(), |host| host.to_string());
    let shown = |text: &Option<String>| text.clone().unwrap_or_default();
    let text = format!(
        "{name} of {whom} is {value}{unit} | {name}={value}{unit};{};{};0;",
        shown(&args.warn),
        shown(&args.crit)
    );
    Ok((state, text))
}

/// The figure now; none where nothing is known.
fn measure(
    engine: &Attached,
    host: Option<[u8; 16]>,
    metric: Metric,
    over: Duration,
) -> Option<u64> {
    if matches!(metric, Metric::Alerts | Metric::Severity) {
        let about = |address: [u8; 16]| host.is_none_or(|host| host == address);
        let Listing { active, .. } = Listing::of(engine);
        let active = active.iter();
        let mut active =
            active.filter(|alert| about(alert.subject.address) || about(alert.peer.address));
        return Some(match metric {
            Metric::Alerts => active.count() as u64,
            _ => active.by_ref().map(|alert| alert.severity as u64 + 1).max().unwrap_or(0),
        });
    }
    let before = if metric.is_rate() { Sums::of(engine, host) } else { Sums::default() };
    if metric.is_rate() {
        live::wait(engine, over);
    }
    let now = Sums::of(engine, host);
    let milliseconds = u64::try_from(over.as_millis()).unwrap_or(u64::MAX).max(1);
    let a_second = |now: u64, before: u64| now.saturating_sub(before) * 1000 / milliseconds;
    match metric {
        Metric::Flows => Some(now.flows),
        Metric::BpsOut => Some(a_second(now.bytes[0], before.bytes[0]) * 8),
        Metric::BpsIn => Some(a_second(now.bytes[1], before.bytes[1]) * 8),
        Metric::PpsOut => Some(a_second(now.packets[0], before.packets[0])),
        Metric::PpsIn => Some(a_second(now.packets[1], before.packets[1])),
        _ if now.last_ns == 0 => None,
        _ => Some(live::engine_now_ns(engine).saturating_sub(now.last_ns) / 1_000_000_000),
    }
}

/// What the live flows of a host come to: sent and got.
#[derive(Clone, Copy, Default, Debug)]
struct Sums {
    flows: u64,
    packets: [u64; 2],
    bytes: [u64; 2],
    last_ns: u64,
}

impl Sums {
    fn of(engine: &Attached, host: Option<[u8; 16]>) -> Sums {
        let mut sums = Sums::default();
        let seen: Result<_, std::convert::Infallible> = live::scan(engine, |flow, _| {
            let is = |address: [u8; 16]| host.is_none_or(|host| host == address);
            let (client, server) = (is(flow.client.address), is(flow.server.address));
            if !client && !server {
                return Ok(());
            }
            // Seen from the host; of all hosts, from who began it.
            let [out, back] = if client { [C2S, S2C] } else { [S2C, C2S] };
            sums.flows += 1;
            for (at, direction) in [out, back].into_iter().enumerate() {
                sums.packets[at] += flow.packets[direction];
                sums.bytes[at] += flow.bytes[direction];
            }
            sums.last_ns = sums.last_ns.max(flow.last_ns);
            Ok(())
        });
        seen.ok();
        sums
    }
}

/// A range as plugins have them: alarmed outside, or inside where it begins with `@`.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Range {
    from: f64,
    to: f64,
    inside: bool,
}

impl Range {
    fn parse(text: &str) -> anyhow::Result<Range> {
        let wrong =
            || anyhow::anyhow!("`{text}` is no range: write 10, 10:, ~:10, 10:20 or @10:20");
        let (inside, rest) = text.strip_prefix('@').map_or((false, text), |rest| (true, rest));
        let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        let (from, to) = rest.split_once(':').unwrap_or(("0", rest));
        let from = match from {
            "~" => Some(f64::NEG_INFINITY),
            "" => Some(0.0),
            from => number(from),
        };
        let to = match to {
            "" if rest.contains(':') => Some(f64::INFINITY),
            to => number(to),
        };
        let (from, to) = from.zip(to).filter(|(from, to)| from <= to).ok_or_else(wrong)?;
        Ok(Range { from, to, inside })
    }

    #[expect(clippy::cast_precision_loss, reason = "thresholds are not that exact")]
    fn alarms(&self, value: u64) -> bool {
        let value = value as f64;
        (self.from..=self.to).contains(&value) == self.inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_alarm_as_plugins_do() {
        for (text, alarmed, fine) in [
            ("10", 11, 10),
            ("10:", 9, 10),
            ("~:10", 11, 0),
            ("10:20", 21, 15),
            ("@10:20", 15, 21),
            (":5", 6, 5),
        ] {
            let range = Range::parse(text).unwrap();
            assert!(range.alarms(alarmed) && !range.alarms(fine), "{text}");
        }
        for wrong in ["", "x", "20:10", "@", "1:2:3", "inf"] {
            assert!(Range::parse(wrong).is_err(), "{wrong}");
        }
    }
}
