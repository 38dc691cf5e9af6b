//! Runs an engine in this process and collects its flow records, through shared memory as any
//! reader would.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use weir_engine::engine::Report;
use weir_engine::sys::clock;
use weir_engine::wire::Tunnel;
use weir_shm::Attached;
use weir_shm::flow::{Dir, FlowSnapshot};
use weir_shm::hosts::Hosts;
use weir_shm::records::{Next, Record, RecordKind, StartAt};

use crate::start::{Started, start};
use crate::traffic::Expected;
use crate::traffic::packet::End;

/// What was seen of one key: packets and bytes of both directions, and the application.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Packets: client to server, and back.
    pub packets: [u64; 2],
    /// Bytes of frames: the same.
    pub bytes: [u64; 2],
    /// Application as users see it.
    pub app: String,
}

/// A flow's identity: client, server, protocol, VLAN, tunnel.
pub type Key = (End, End, u8, u16, &'static str);

/// Flows by identity. A key that occurs twice is a mistake of ours.
pub type Flows = BTreeMap<Key, Seen>;

/// The flows that generated traffic must give.
pub fn expected(flows: &[Expected]) -> Flows {
    let row = |flow: &Expected| {
        let key = (flow.client, flow.server, flow.protocol, flow.vlan, flow.tunnel);
        (key, Seen { packets: flow.packets, bytes: flow.bytes, app: flow.app.to_owned() })
    };
    flows.iter().map(row).collect()
}

/// Runs an engine without timeouts. `while_running` is called once readers can attach; live
/// sources run until it returns, files until their end.
///
/// # Errors
/// The engine does not start, a record was missed, a key came twice.
pub fn run(
    source: &str,
    settings: &[(&str, toml::Value)],
    while_running: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<(Flows, Report)> {
    let (records, report) = run_records(source, settings, while_running)?;
    let mut flows = Flows::new();
    for (key, seen) in records {
        if let Some(before) = flows.insert(key, seen) {
            return Err(anyhow!("{key:?} came twice; first {before:?}"));
        }
    }
    Ok((flows, report))
}

/// The same, with every record of an ended flow, also of a key that came before.
///
/// # Errors
/// The engine does not start, a record was missed.
pub fn run_records(
    source: &str,
    settings: &[(&str, toml::Value)],
    while_running: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<(Vec<(Key, Seen)>, Report)> {
    let mut records = Vec::new();
    let take = |record: &Record| {
        if record.kind == RecordKind::Ended {
            records.push(decode(&record.flow)?);
        }
        Ok(())
    };
    let report = observe(source, settings, while_running, take)?;
    Ok((records, report))
}

/// Runs an engine over a file and hands every record to `take`.
///
/// # Errors
/// The engine does not start, a record was missed, or `take` says so.
pub fn records(
    source: &str,
    settings: &[(&str, toml::Value)],
    take: impl FnMut(&Record) -> anyhow::Result<()> + Send,
) -> anyhow::Result<Report> {
    observe(source, settings, |_| Ok(()), take)
}

fn observe(
    source: &str,
    settings: &[(&str, toml::Value)],
    while_running: impl FnOnce(&Path) -> anyhow::Result<()>,
    take: impl FnMut(&Record) -> anyhow::Result<()> + Send,
) -> anyhow::Result<Report> {
    let settings = [&[("flow.timeouts", false.into())], settings].concat();
    let Started { mut engine, socket, config, place: _place } = start(source, &settings, true, 0)?;
    let gates = engine.gates().to_vec();
    let (attached, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (attached, ended) = (&attached, &ended);
        let reader = scope.spawn({
            let socket = &socket;
            move || {
                let engine = Attached::open_path(socket);
                attached.store(true, Ordering::Release);
                collect(&engine?, &gates, ended, take)
            }
        });
        while !attached.load(Ordering::Acquire) {
            engine.serve()?;
            clock::rest(Duration::from_millis(1));
        }
        let live = config.sources.iter().all(|source| !source.is_file());
        let acted = while_running(&socket);
        while !live && !engine.is_done() {
            engine.serve()?;
            clock::rest(Duration::from_millis(1));
        }
        let report = engine.finish();
        ended.store(true, Ordering::Release);
        reader.join().map_err(|_| anyhow!("the reader panicked"))??;
        acted?;
        Ok(report)
    })
}

/// Runs an engine over a file; the hosts that it saw, as a reader finds them once all flows have ended.
///
/// # Errors
/// The engine does not start, or cannot be read.
pub fn hosts(source: &str, settings: &[(&str, toml::Value)]) -> anyhow::Result<(Hosts, Report)> {
    let Started { mut engine, socket, place: _place, .. } = start(source, settings, false, 0)?;
    let attaching = std::thread::spawn(move || Attached::open_path(&socket));
    while !attaching.is_finished() || !engine.is_done() {
        engine.serve()?;
        clock::rest(Duration::from_millis(1));
    }
    let attached = attaching.join().map_err(|_| anyhow!("the reader panicked"))??;
    let report = engine.finish();
    Ok((attached.hosts(), report))
}

fn collect(
    engine: &Attached,
    gates: &[Arc<AtomicU64>],
    ended: &AtomicBool,
    mut take: impl FnMut(&Record) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut readers: Vec<_> =
        engine.shards().iter().map(|shard| shard.records(StartAt::Oldest)).collect();
    let mut record = Record::default();
    loop {
        let last = ended.load(Ordering::Acquire);
        let mut idle = true;
        for (index, reader) in readers.iter_mut().enumerate() {
            loop {
                match reader.next(&mut record) {
                    Next::Record => take(&record)?,
                    Next::Missed(records) => return Err(anyhow!("missed {records} records")),
                    Next::Corrupt => return Err(anyhow!("a corrupt ring")),
                    Next::Empty => break,
                }
                idle = false;
                if let Some(gate) = gates.get(index) {
                    gate.store(reader.position(), Ordering::Release);
                }
            }
        }
        if idle && last {
            return Ok(());
        }
        if idle {
            clock::rest(Duration::from_millis(1));
        }
    }
}

/// A flow's identity and counts.
///
/// # Errors
/// Its tunnel is of no kind that there is.
pub fn decode(flow: &FlowSnapshot) -> anyhow::Result<(Key, Seen)> {
    let end = |end: weir_shm::flow::Endpoint| End { address: end.address, port: end.port };
    let tunnel = Tunnel::ALL.get(usize::from(flow.tunnel())).context("a tunnel's number")?;
    let name = |id| weir_dpi::app::describe(weir_dpi::AppId(id)).name;
    let app = match (name(flow.master()), name(flow.app())) {
        (master, app) if master == app => app.to_owned(),
        (master, app) => format!("{master}.{app}"),
    };
    let both = |count: fn(&FlowSnapshot, Dir) -> u64| {
        [count(flow, Dir::ToServer), count(flow, Dir::ToClient)]
    };
    let seen = Seen { packets: both(FlowSnapshot::packets), bytes: both(FlowSnapshot::bytes), app };
    let key = (end(flow.client()), end(flow.server()), flow.l4(), flow.vlan(), tunnel.name());
    Ok((key, seen))
}
