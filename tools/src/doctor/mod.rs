//! `weir doctor`: what this machine gives, and what to do about it. Changes nothing.

mod host;
mod interface;
mod irq;
mod machine;
mod probe;
mod report;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::exit::{Code, failure};
use crate::live;
use crate::netlink;
use crate::table::{self, Column};
use crate::terminal;
use host::Host;
use interface::Seen;
use report::{Finding, Section};

/// Say what this machine and an interface give for capturing, and what to do about it.
///
/// Each line is OK, INFO, WARN (works, but not at its best), FAIL (does not work) or ? (not
/// visible without more rights). Changes nothing. Ends with code 1 if anything is FAIL.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// The interface to look at; without one, all are listed.
    #[arg(value_name = "IF")]
    interface: Option<String>,

    /// One JSON object.
    #[arg(long)]
    json: bool,

    /// Whether to bind an AF_XDP socket for trial. Where a driver has zero-copy, the trial restarts
    /// queue 0, which may cost a few packets.
    #[arg(long, value_enum, default_value_t = Try::Auto)]
    probe: Try,
}

/// `--probe`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Try {
    /// Unless the trial could disturb the interface that the default route uses.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let host = Host::this();
    let mut machine = machine::findings(&host);
    machine.extend(engines());
    let mut sections = vec![Section { title: "Machine".to_owned(), findings: machine }];
    let all = interfaces(&host);
    if let Some(name) = &args.interface {
        let Some(seen) = Seen::look(&host, name) else {
            let names: Vec<&str> = all.iter().map(|seen| seen.name.as_str()).collect();
            let name = terminal::clean(name);
            let message = format!("there is no interface {name}; there are {}", names.join(", "));
            return Err(failure(Code::Failed, message));
        };
        let findings = interface::findings(&host, &seen, args.probe);
        sections.push(Section { title: format!("Interface {name}"), findings });
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let listed: Vec<_> = all.iter().map(as_json).collect();
        let failed = report::failed(&sections);
        let whole = serde_json::json!({
            "failed": failed, "sections": sections, "interfaces": listed,
        });
        serde_json::to_writer_pretty(&mut out, &whole)?;
        writeln!(out)?;
    } else {
        report::render(&mut out, &sections)?;
        if args.interface.is_none() {
            write!(out, "\nInterfaces\n{}", listing(&all))?;
            writeln!(out, "weir doctor IF looks at one of them")?;
        }
    }
    out.flush()?;
    let code = if report::failed(&sections) { Code::Failed as u8 } else { 0 };
    Ok(ExitCode::from(code))
}

fn interfaces(host: &Host) -> Vec<Seen> {
    let names = host.list("/sys/class/net");
    names.iter().filter_map(|name| Seen::look(host, name)).collect()
}

/// The engines that run.
fn engines() -> Option<Finding> {
    let names: Vec<String> = weir_shm::list_names().into_iter().map(|e| e.name).collect();
    let sources = |name: &String| {
        let engine = weir_shm::Attached::open(name).ok()?;
        let state = live::state_word(&engine);
        Some(format!("{name} ({}, {state})", engine.info().sources.join(", ")))
    };
    let text: Vec<String> = names.iter().map(|n| sources(n).unwrap_or_else(|| n.clone())).collect();
    (!text.is_empty()).then(|| Finding::info("engines", text.join("; ")))
}

fn listing(all: &[Seen]) -> String {
    let columns = [
        Column::new("interface", false),
        Column::new("link", false),
        Column::new("driver", false),
        Column::new("queues", true),
        Column::new("MTU", true),
        Column::new("XDP", false),
        Column::new("zero-copy", false),
        Column::new("node", true),
    ];
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|seen| {
            let says = |yes: Option<bool>| match yes {
                Some(true) => "yes",
                Some(false) => "no",
                None => "?",
            };
            let native = match seen.xdp.map(netlink::Features::native) {
                Some(true) => "native",
                Some(false) => "generic",
                None => "?",
            };
            vec![
                seen.name.clone(),
                if seen.up { "up" } else { "down" }.to_owned(),
                seen.driver.clone().unwrap_or_else(|| "-".to_owned()),
                seen.queues().to_string(),
                seen.mtu.to_string(),
                native.to_owned(),
                says(seen.xdp.map(netlink::Features::zero_copy)).to_owned(),
                seen.node.map_or_else(|| "-".to_owned(), |node| node.to_string()),
            ]
        })
        .collect();
    table::render(&columns, &rows, terminal::width(), true)
}

fn as_json(seen: &Seen) -> serde_json::Value {
    serde_json::json!({
        "name": seen.name,
        "up": seen.up,
        "driver": seen.driver,
        "queues": seen.queues(),
        "mtu": seen.mtu,
        "native_xdp": seen.xdp.map(netlink::Features::native),
        "zero_copy": seen.xdp.map(netlink::Features::zero_copy),
        "numa_node": seen.node,
    })
}
