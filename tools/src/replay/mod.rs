//! `weir replay`: sends traffic, a capture again or synthetic, at a rate that is held.
//!
//! [`traffic`] is what is sent and when it is due, [`pacer`] holds the rate, and `packet`, `xdp` and
//! `live` are the ways out. `live` does in the kernel what `traffic` and `pacer` do here.

mod file;
mod interface;
mod live;
mod meter;
mod options;
mod pacer;
mod packet;
mod report;
mod traffic;
mod xdp;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use weir_engine::sys::place;

use crate::exit::{Code, failure};
use crate::netlink::Features;
pub(crate) use interface::Interface;
use meter::Meter;
pub(crate) use options::ReplayArgs;
use options::{Engine, Job};
use pacer::{End, Unsent};
use packet::PacketOut;
use report::Report;
use traffic::Plan;
use xdp::XdpOut;

/// Runs the command.
pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    let report = match (&args.interface, &args.write) {
        (Some(name), _) => send(args, name, &stop)?,
        (None, Some(path)) => {
            let mut job = args.job(None)?;
            let end = End { after_ns: job.after_ns, stop: &stop };
            let meter = file::write(path, &mut job.traffic, end)?;
            let unsent = left_out(&job, Unsent::default());
            let to = path.display().to_string();
            let mut report = Report::new("written".to_owned(), to, &meter, unsent);
            report.notes(&job.notes);
            report
        }
        (None, None) => return Err(failure(Code::Usage, "say --interface or --write")),
    };
    let text = if args.json { serde_json::to_string_pretty(&report)? } else { report.text() };
    crate::exit::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Sends what is asked for out of an interface.
fn send(args: &ReplayArgs, name: &str, stop: &AtomicBool) -> anyhow::Result<Report> {
    let interface = Interface::find(name, args.anyway)?;
    let mut job = args.job(Some(interface.frame_bytes))?;
    let advice = "; or leave such frames of a capture out with --skip-too-long";
    interface.must_take(job.traffic.plan().longest(), advice)?;
    if let Some(core) = args.core {
        pin(core)?;
    }
    let before = interface.sent();
    let end = End { after_ns: job.after_ns, stop };
    let (title, meter, unsent) = play(args, &interface, &mut job, end)?;
    let unsent = left_out(&job, unsent);
    let mut report = Report::new(title, name.to_owned(), &meter, unsent);
    report.counted(before, interface.sent());
    report.notes(&job.notes);
    Ok(report)
}

/// Sends the traffic with the engine asked for; its name, and what came of it.
fn play(
    args: &ReplayArgs,
    interface: &Interface,
    job: &mut Job,
    end: End<'_>,
) -> anyhow::Result<(String, Meter, Unsent)> {
    let plan = job.traffic.plan();
    let longest = plan.longest();
    let engine = match args.engine {
        Engine::Auto => choose(interface, plan),
        engine => engine,
    };
    match engine {
        Engine::Live => {
            let (meter, unsent) = live::play(&mut job.traffic, interface, end)?;
            Ok(("live".to_owned(), meter, unsent))
        }
        Engine::Xdp => {
            xdp::must_take(longest)?;
            let mut out = XdpOut::open(interface, args.queue)?;
            let (meter, unsent) = pacer::play(&mut job.traffic, &mut out, end)?;
            Ok((out.title().to_owned(), meter, unsent))
        }
        Engine::Packet | Engine::Auto => {
            let mut out = PacketOut::open(interface, longest)?;
            let (meter, unsent) = pacer::play(&mut job.traffic, &mut out, end)?;
            Ok(("packet".to_owned(), meter, unsent))
        }
    }
}

/// The engine that fits best: `xdp` where the driver takes frames in place, else `live` where it
/// takes redirected ones, else `packet`.
fn choose(interface: &Interface, plan: &Plan) -> Engine {
    let zero_copy = interface.features.is_some_and(Features::zero_copy);
    if zero_copy && plan.longest() <= xdp::FRAME_BYTES {
        return Engine::Xdp;
    }
    let takes = interface.features.is_some_and(Features::transmit);
    if takes && live::obstacle(interface, plan).is_none() { Engine::Live } else { Engine::Packet }
}

/// With the frames of the capture that were never part of the traffic.
fn left_out(job: &Job, unsent: Unsent) -> Unsent {
    Unsent { too_long: job.notes.too_long, too_short: job.notes.too_short, ..unsent }
}

fn pin(core: usize) -> anyhow::Result<()> {
    let cores = place::cores();
    let found = cores.iter().find(|found| found.os_index == core);
    if found.is_some_and(|core| place::pin(*core)) {
        return Ok(());
    }
    let cores: Vec<String> = cores.iter().map(|core| core.os_index.to_string()).collect();
    Err(failure(
        Code::Usage,
        format!("no core {core} for this process; it has {}", cores.join(", ")),
    ))
}

fn stop_on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot catch signals")?;
    }
    Ok(stop)
}
