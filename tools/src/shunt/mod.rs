//! `weir shunt`: tells an engine that a group of readers wants no more of some flows: named by their
//! numbers, or by what Suricata says in its event log.

mod eve;
mod follow;

use std::collections::HashSet;
use std::convert::Infallible;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use weir_shm::packets::{Control, FlowRef};

use crate::exit::{self, Code, failure};
use crate::live::{self, EngineArgs};
use crate::packets::{self, Stop};
use eve::{Asking, Tuple};
use follow::Source;

/// Events are gathered so long before the flow table is looked through for them.
const GATHER: Duration = Duration::from_millis(50);
/// Events gathered at most; beyond, the table is looked through at once.
const GATHERED: usize = 4096;

/// Tell an engine that a group of packet readers wants no more of some flows.
///
/// Their packets are no longer handed to that group; the engine still counts them, and other
/// readers still get them. Flows are given by number, or taken from Suricata's events as they come:
/// those of flows that Suricata itself bypasses (the keyword `bypass`), alerts whose rule has
/// `metadata: weir shunt`, and alerts of the signatures given.
#[derive(Args, Debug)]
pub(crate) struct ShuntArgs {
    #[command(flatten)]
    engine: EngineArgs,

    /// Flows, by number as `weir flows --columns shard,flow_id` shows it: ID, or SHARD/ID.
    #[arg(value_name = "FLOW", required_unless_present = "eve", conflicts_with = "eve")]
    flows: Vec<FlowName>,

    /// The group that wants no more of them.
    #[arg(long, short = 'g', value_name = "NAME")]
    group: String,

    /// Follow Suricata's events: a file that grows, or unix:PATH, a stream socket made here for
    /// Suricata to write to (`filetype: unix_stream`).
    #[arg(long, value_name = "PATH")]
    eve: Option<String>,

    /// Take alerts of this signature; may be given several times.
    #[arg(long, value_name = "ID", requires = "eve", value_delimiter = ',')]
    signature: Vec<u64>,

    /// Begin with the file's beginning rather than its end.
    #[arg(long, requires = "eve")]
    all: bool,
}

/// A flow as the user names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FlowName {
    shard: Option<u16>,
    id: u64,
}

impl std::str::FromStr for FlowName {
    type Err = String;

    fn from_str(text: &str) -> Result<FlowName, String> {
        let (shard, id) = match text.split_once('/') {
            Some((shard, id)) => (shard.parse().ok(), id),
            None => (None, text),
        };
        match id.parse() {
            Ok(id @ 1..) if shard.is_some() || !text.contains('/') => Ok(FlowName { shard, id }),
            _ => Err("a flow is a number, or SHARD/NUMBER".to_owned()),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &ShuntArgs) -> anyhow::Result<ExitCode> {
    let control = args.engine.open(Control::open)?;
    crate::names::learn(control.attached().app_names());
    if let Some(eve) = &args.eve {
        let asking = Asking { signatures: args.signature.iter().copied().collect() };
        let source = Source::open(eve, args.all)?;
        return follow(&control, &args.group, &asking, source);
    }
    let found = by_number(&control, &args.flows)?;
    for flow in &found {
        control.shunt(&args.group, *flow)?;
    }
    exit::print(&format!("{} flows shunted for group {}", found.len(), args.group))?;
    Ok(ExitCode::SUCCESS)
}

/// The flows of these numbers.
///
/// # Errors
/// One is not there, or a number without its shard is that of several.
fn by_number(control: &Control, names: &[FlowName]) -> anyhow::Result<Vec<FlowRef>> {
    let mut found: Vec<Vec<FlowRef>> = vec![Vec::new(); names.len()];
    each_flow(control, |flow, at| {
        for (name, places) in names.iter().zip(&mut found) {
            if flow.id == name.id && name.shard.is_none_or(|shard| shard == flow.shard) {
                places.push(at);
            }
        }
    });
    let mut flows = Vec::new();
    for (name, places) in names.iter().zip(found) {
        match places.as_slice() {
            [one] => flows.push(*one),
            [] => {
                let gone = format!("there is no flow {} (any more)", name.id);
                return Err(failure(Code::Failed, gone));
            }
            [first, ..] => {
                let advice = format!("write its shard, too, as in {}/{}", first.shard, name.id);
                let several = format!("flow {} is in {} shards; {advice}", name.id, places.len());
                return Err(failure(Code::Usage, several));
            }
        }
    }
    Ok(flows)
}

/// Shows every live flow, and where it is.
fn each_flow(control: &Control, mut each: impl FnMut(&crate::flow::Flow<'_>, FlowRef)) {
    for shard in control.attached().shards() {
        let number = shard.shard();
        let scanned: Result<_, Infallible> = live::scan_shard(shard, |slot, flow, _| {
            if let Ok(slot) = u32::try_from(slot) {
                each(flow, FlowRef { shard: number, slot, id: flow.id });
            }
            Ok(())
        });
        scanned.ok();
    }
}

/// What became of the events.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Counts {
    events: u64,
    asking: u64,
    shunted: u64,
    gone: u64,
}

/// Shunts the flows of events until the engine ends, a signal comes, or the socket is closed.
fn follow(
    control: &Control,
    group: &str,
    asking: &Asking,
    mut source: Source,
) -> anyhow::Result<ExitCode> {
    let stop: Stop = packets::stop_on_signals()?;
    let mut counts = Counts::default();
    let mut waiting: HashSet<Tuple> = HashSet::new();
    writeln!(std::io::stderr(), "following {}", source.title())?;
    while !stop.is_set() && control.attached().alive() {
        source.wait(GATHER)?;
        source.lines(|line| {
            counts.events += 1;
            if let Some(tuple) = asking.tuple(line) {
                counts.asking += 1;
                waiting.insert(tuple);
            }
            waiting.len() < GATHERED
        })?;
        if !waiting.is_empty() {
            shunt_all(control, group, &mut waiting, &mut counts)?;
        }
    }
    exit::print(&format!(
        "{} events, {} of them ask to shunt: {} flows shunted for group {group}, {} were gone",
        counts.events, counts.asking, counts.shunted, counts.gone
    ))?;
    let ended = !stop.is_set();
    if ended { live::ended(control.attached()) } else { Ok(ExitCode::SUCCESS) }
}

/// Looks once through the flow table for all that wait.
fn shunt_all(
    control: &Control,
    group: &str,
    waiting: &mut HashSet<Tuple>,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let mut found = Vec::new();
    each_flow(control, |flow, at| {
        found.extend(
            Tuple::of(flow).into_iter().find(|tuple| waiting.contains(tuple)).map(|t| (t, at)),
        );
    });
    for (tuple, at) in found {
        waiting.remove(&tuple);
        match control.shunt(group, at) {
            Ok(()) => counts.shunted += 1,
            // What follows is said as of an engine that ended.
            Err(_) if !control.attached().alive() => {}
            Err(error) => return Err(error).context("cannot tell the engine"),
        }
    }
    counts.gone += u64::try_from(waiting.len()).unwrap_or(0);
    waiting.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_by_number() {
        assert_eq!("12".parse(), Ok(FlowName { shard: None, id: 12 }));
        assert_eq!("3/12".parse(), Ok(FlowName { shard: Some(3), id: 12 }));
        for wrong in ["", "0", "x", "x/1", "1/x", "/1", "-1"] {
            assert!(wrong.parse::<FlowName>().is_err(), "{wrong}");
        }
    }
}
