//! `weir alerts`: what is worth a look, out of shared memory alone.

pub(crate) mod follow;
mod http;
pub(crate) mod page;
mod send;
pub(crate) mod show;
mod syslog;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use weir_shm::Attached;
use weir_shm::alerts::{Alert, AlertKind, Severity};
use weir_shm::records::StartAt;

use crate::exit::{Code, failure};
use crate::flow::from_ip;
use crate::live::{self, EngineArgs};
use crate::{flows, table, terminal};
use follow::{Follower, Listing};
use send::Sinks;

/// How often a follower looks.
const LOOK: Duration = Duration::from_millis(100);

/// Show the alerts of a running engine, active and ended, or follow them and hand them on. Reads
/// shared memory only; needs no privilege.
///
/// docs/ALERTS.md says what each rule means, and how to set it.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct AlertsArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// Only those that are active.
    #[arg(long, short = 'a', conflicts_with = "ended")]
    active: bool,

    /// Only those that have ended.
    #[arg(long, short = 'e')]
    ended: bool,

    /// Only of these rules or kinds, separated by commas.
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    rule: Vec<String>,

    /// Only of at least this severity: low, medium, high or severe.
    #[arg(long, value_name = "SEVERITY", value_parser = severity, default_value = "low")]
    severity: Severity,

    /// Only about this address, as subject or as peer.
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,

    /// Show at most N, 0 for all [default: what fits the terminal; all elsewhere].
    #[arg(long, short = 'l', value_name = "N")]
    limit: Option<usize>,

    /// One JSON object a line.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Comma-separated values.
    #[arg(long)]
    csv: bool,

    /// Show again every SECS seconds until the engine ends.
    #[arg(long, short = 'w', value_name = "SECS", value_parser = flows::seconds)]
    watch: Option<Duration>,

    /// Tell each start, update and end as it comes, until the engine ends. The alerts that are
    /// active now come first.
    #[arg(long, short = 'f', conflicts_with_all = ["watch", "active", "ended", "limit"])]
    follow: bool,

    /// Follow, and send each to a syslog daemon (RFC 5424): HOST:PORT over UDP, `tcp:HOST:PORT`, or
    /// the path of a socket; /dev/log if ADDR is left out.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "/dev/log")]
    syslog: Option<String>,

    /// Follow, and POST each as JSON to this `http://` address. There is no https here: let a proxy
    /// on this machine do that. What cannot be delivered is tried again, and then counted.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,

    /// Write nothing to standard output: what is sent is enough.
    #[arg(long, short = 'q')]
    quiet: bool,

    /// Leave out the column titles and the closing line.
    #[arg(long)]
    no_header: bool,
}

/// Reads the name of a severity.
///
/// # Errors
/// It is none, in words.
pub(crate) fn severity(text: &str) -> Result<Severity, String> {
    Severity::by_name(text).ok_or_else(|| "give low, medium, high or severe".to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Csv,
}

/// Runs the command.
pub(crate) fn run(args: &AlertsArgs) -> anyhow::Result<ExitCode> {
    let sinks = Sinks::new(args.syslog.as_deref(), args.webhook.as_deref())?;
    let form = match (args.json, args.csv) {
        (true, _) => Form::Json,
        (_, true) => Form::Csv,
        _ => Form::Text,
    };
    let engine = args.engine.attach()?;
    let known = |name: &String| AlertKind::ALL.iter().any(|kind| kind.name() == name);
    if args.follow || sinks.is_some() {
        return follow(args, form, &engine, sinks);
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let clear = args.watch.is_some() && form == Form::Text && io::stdout().is_terminal();
    loop {
        if clear {
            // Home, and clear what is below.
            write!(out, "\x1b[H\x1b[J")?;
        }
        let found = list(args, form, &engine, &mut out)?;
        out.flush()?;
        let Some(time) = args.watch else {
            if let (0, Some(name)) = (found, args.rule.iter().find(|name| !known(name))) {
                let message = format!("no alert of `{name}`, which is no built-in rule");
                writeln!(io::stderr(), "weir: {message}")?;
            }
            return Ok(ExitCode::SUCCESS);
        };
        if !live::wait(&engine, time) {
            return live::ended(&engine);
        }
    }
}

/// Whether the alert is asked for.
fn passes(args: &AlertsArgs, alert: &Alert) -> bool {
    let named = |name: &String| name == alert.kind.name() || *name == alert.rule.to_text();
    let of_rule = args.rule.is_empty() || args.rule.iter().any(named);
    let of_host = args.host.is_none_or(|host| {
        let host = from_ip(host);
        alert.subject.address == host || alert.peer.address == host
    });
    of_rule && of_host && alert.severity >= args.severity
}

/// Lists what there is; how many were asked for.
fn list(
    args: &AlertsArgs,
    form: Form,
    engine: &Attached,
    out: &mut impl Write,
) -> anyhow::Result<usize> {
    let Listing { active, ended } = Listing::of(engine);
    let (active, ended) = match (args.active, args.ended) {
        (true, _) => (active, Vec::new()),
        (_, true) => (Vec::new(), ended),
        _ => (active, ended),
    };
    let mut alerts: Vec<Alert> = active.into_iter().chain(ended).collect();
    alerts.retain(|alert| passes(args, alert));
    let found = alerts.len();
    let fits =
        terminal::height().filter(|_| form == Form::Text).map(|lines| lines.saturating_sub(3));
    match args.limit.unwrap_or_else(|| fits.unwrap_or(0)) {
        0 => {}
        most => alerts.truncate(most),
    }
    if form != Form::Text {
        if form == Form::Csv && !args.no_header {
            writeln!(out, "{}", show::TITLES.join(","))?;
        }
        alerts.iter().try_for_each(|alert| one(form, alert, out))?;
        return Ok(found);
    }
    let now_ns = live::engine_now_ns(engine);
    let rows: Vec<Vec<String>> = alerts.iter().map(|alert| show::row(alert, now_ns)).collect();
    if !rows.is_empty() {
        let text = table::render(&show::columns(), &rows, terminal::width(), !args.no_header);
        out.write_all(text.as_bytes())?;
    }
    if !args.no_header {
        match (alerts.len(), found) {
            (_, 0) => writeln!(out, "no alerts")?,
            (shown, all) if shown < all => {
                writeln!(out, "{shown} of {all} alerts shown (--limit 0 shows all)")?;
            }
            (_, all) => writeln!(out, "{all} alerts")?,
        }
    }
    Ok(found)
}

/// Writes one alert as a line.
fn one(form: Form, alert: &Alert, out: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Json => {
            let mut line = Vec::with_capacity(1024);
            show::json_line(&mut line, alert)?;
            out.write_all(&line)
        }
        Form::Csv => {
            let mut line = String::new();
            show::csv_line(&mut line, alert);
            out.write_all(line.as_bytes())
        }
        Form::Text => {
            let (phase, severity) = (alert.phase.name(), alert.severity.name());
            writeln!(out, "{phase} {severity} {}", show::sentence(alert))
        }
    }
}

fn follow(
    args: &AlertsArgs,
    form: Form,
    engine: &Attached,
    sinks: Option<Sinks>,
) -> anyhow::Result<ExitCode> {
    let mut follower = Follower::new(engine, StartAt::Now);
    let mut out = BufWriter::new(io::stdout().lock());
    let tell = |alert: &Alert, out: &mut BufWriter<io::StdoutLock<'_>>| -> io::Result<()> {
        if !passes(args, alert) {
            return Ok(());
        }
        if let Some(sinks) = &sinks {
            sinks.send(alert);
        }
        if args.quiet { Ok(()) } else { one(form, alert, out) }
    };
    for alert in Listing::of(engine).active.iter().rev() {
        tell(alert, &mut out)?;
    }
    let mut missed = 0;
    loop {
        // Asked first: what was written before the end is then seen by the read below.
        let alive = engine.alive();
        let some = follower.poll(|alert| tell(alert, &mut out))?;
        out.flush()?;
        if follower.missed() > missed {
            missed = follower.missed();
            writeln!(io::stderr(), "weir: {missed} alert records missed so far")?;
        }
        if !alive {
            break;
        }
        if !some {
            live::pause(LOOK);
        }
    }
    let lost = sinks.map_or(0, Sinks::finish);
    if lost > 0 {
        let message = format!("{lost} alerts could not be delivered");
        return Err(failure(Code::Failed, message));
    }
    live::ended(engine)
}
