//! The engine `live`: the kernel makes the frames itself and redirects them into the interface.
//!
//! What [`super::traffic`] and [`super::pacer`] do elsewhere is done there by the XDP program; this
//! module gives it the plan and brings back what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Signal, getpid, kill_process};
use rustix::thread::gettid;
use signal_hook::consts::SIGUSR1 as WAKE;
use weir_ebpf::{
    LIVE_BATCH, LIVE_FRAME_BYTES, LIVE_STORE_BYTES, Live, LiveOrder, LiveOutcome, LivePace,
    LiveSettings, LiveStep, LiveSynth,
};
use weir_engine::sys::clock;

use super::interface::Interface;
use super::meter::{Meter, Seconds};
use super::pacer::{self, End, Unsent};
use super::traffic::{Order, Pace, Plan, Template, Traffic};
use crate::exit::{Code, failure};

/// Blank frames of one call: some minutes of them. Short calls would cost the kernel tens of
/// milliseconds each; a signal ends one before its time.
const BLANKS: u32 = u32::MAX - (1 << 16);
/// The same where no signal would reach the thread that calls.
const FEW_BLANKS: u32 = 1 << 20;
/// Blank frames at once while frames have their times: what is due leaves when all of them are
/// through, some hundred nanoseconds later.
const PACED_BATCH: u32 = 16;
/// How soon it is noticed that all has been sent, or that nothing leaves.
const LOOK: Duration = Duration::from_millis(5);
/// So many frames that did not leave, and none that did, are enough to give up.
const HOPELESS: u64 = 100_000;

/// Why `live` cannot send `plan` out of `interface`; none if it can.
pub(super) fn obstacle(interface: &Interface, plan: &Plan) -> Option<String> {
    let longest = plan.longest();
    if longest > LIVE_FRAME_BYTES {
        return Some(format!(
            "frames are {longest} bytes long, and it makes {LIVE_FRAME_BYTES} at most; choose \
             --engine packet"
        ));
    }
    if plan.store.bytes().len() > LIVE_STORE_BYTES {
        return Some(
            "the capture has more than 512 MiB of frames; choose --engine packet or xdp".to_owned(),
        );
    }
    if interface.features.is_some_and(|features| !features.transmit()) {
        return Some(format!(
            "{} takes no redirected frames; for one end of a veth pair, turn on GRO at the other \
             end (`ethtool -K PEER gro on`) or attach an XDP program there; or choose --engine \
             packet",
            interface.name
        ));
    }
    None
}

/// Sends all of `traffic` out of `interface`.
///
/// # Errors
/// The kernel cannot, or will not.
pub(super) fn play(
    traffic: &mut Traffic,
    interface: &Interface,
    end: End<'_>,
) -> anyhow::Result<(Meter, Unsent)> {
    if let Some(why) = obstacle(interface, traffic.plan()) {
        bail!(failure(Code::Failed, format!("--engine live: {why}")));
    }
    let steps: Vec<LiveStep> = traffic.plan().store.templates().iter().map(step).collect();
    let first = traffic.index();
    let live = Live::load(&settings(traffic, interface.index, &steps, end.after_ns))?;
    run(&live, if traffic.pace() == Pace::Top { LIVE_BATCH } else { PACED_BATCH }, end)?;
    let state = live.state()?;
    let outcome = live.outcome()?;
    if outcome.sent == 0 && outcome.dropped + outcome.refused > 0 {
        bail!(failure(Code::Failed, nothing_left(interface, outcome)));
    }
    let mut meter = Meter::new(traffic.pace() != Pace::Top);
    (meter.frames, meter.bytes, meter.last_ns) = (state.frames - first, state.bytes, state.last_ns);
    meter.seconds = Seconds::of(state.seconds, state.slowest, state.fastest);
    for (off, frames) in live.jitter()? {
        meter.jitter.add(u64::try_from(off.as_nanos()).unwrap_or(u64::MAX), frames);
    }
    traffic.resume(state.frames, state.due);
    // Of the frames that did not leave the bytes are not known one by one.
    let mean = state.bytes / meter.frames.max(1);
    let refused = outcome.refused + state.failed;
    let mut unsent = Unsent { dropped_by_driver: outcome.dropped, refused, ..Unsent::default() };
    unsent.bytes = unsent.handed_over() * mean;
    if let Some(after_ns) = end.after_ns.filter(|_| !end.stop.load(Ordering::Relaxed)) {
        unsent.late = pacer::late(traffic, after_ns);
    }
    Ok((meter, unsent))
}

/// Runs it to its end.
fn run(live: &Live, batch: u32, end: End<'_>) -> anyhow::Result<()> {
    // A handler that does nothing: what counts is that a signal interrupts the call.
    signal_hook::flag::register(WAKE, Arc::default()).context("cannot catch signals")?;
    let watch = live.watch()?;
    let over = AtomicBool::new(false);
    live.start(0)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                clock::rest(LOOK);
                let done = watch.state().map_or(true, |state| state.done)
                    || watch.outcome().is_ok_and(is_hopeless);
                if done {
                    kill_process(getpid(), Signal::USR1).ok();
                }
            }
        });
        let ran = until_done(live, batch, end);
        over.store(true, Ordering::Relaxed);
        ran
    })
}

/// Runs it as often as that takes.
fn until_done(live: &Live, batch: u32, end: End<'_>) -> anyhow::Result<()> {
    // A signal to the process goes to its first thread.
    let is_first = gettid() == getpid();
    let blanks = if is_first { BLANKS } else { FEW_BLANKS };
    while !end.stop.load(Ordering::Relaxed) && !live.state()?.done && !is_hopeless(live.outcome()?)
    {
        live.run(blanks, batch)?;
    }
    Ok(())
}

fn is_hopeless(outcome: LiveOutcome) -> bool {
    outcome.sent == 0 && outcome.dropped + outcome.refused > HOPELESS
}

/// What the plan is in the kernel's terms.
fn settings<'a>(
    traffic: &'a Traffic,
    interface_index: u32,
    steps: &'a [LiveStep],
    after_ns: Option<u64>,
) -> LiveSettings<'a> {
    let plan = traffic.plan();
    let order = match &plan.order {
        Order::Loop { period_ns, new_flows } => {
            LiveOrder::Loop { period_ns: *period_ns, new_flows: *new_flows }
        }
        Order::Synth(synth) => LiveOrder::Synth(LiveSynth {
            flows: synth.wish.flows,
            births: synth.wish.births,
            frames: synth.wish.frames,
            seed: synth.wish.seed,
            tcp: synth.wish.tcp,
            handshakes: synth.wish.handshakes,
            payloads: synth.wish.payloads,
            pattern: synth.pattern.clone(),
            before: synth.before.clone(),
            first_bytes: synth.first_bytes.to_vec(),
        }),
    };
    let pace = match traffic.pace() {
        Pace::Top => LivePace::Top,
        Pace::Timetable => LivePace::Timetable,
        Pace::Even { frame, byte } => LivePace::Even { frame, byte },
    };
    let (store, frames, stride) = (plan.store.bytes(), traffic.frames(), plan.stride());
    let first = traffic.index();
    LiveSettings { interface_index, store, steps, order, pace, first, frames, after_ns, stride }
}

fn step(template: &Template) -> LiveStep {
    let Template { at, bytes, patch, due_ns } = *template;
    LiveStep {
        due_ns,
        at,
        bytes,
        address_at: patch.address_at,
        port_at: patch.port_at,
        ip_sum_at: patch.ip_sum_at,
        l4_sum_at: patch.l4_sum_at,
        sequence_at: patch.sequence_at,
        address_bits: patch.address_bits,
        zero_is_none: patch.zero_is_none,
    }
}

fn nothing_left(interface: &Interface, outcome: LiveOutcome) -> String {
    let why = if outcome.error == 0 {
        String::new()
    } else {
        format!(": {}", std::io::Error::from_raw_os_error(outcome.error))
    };
    format!(
        "none of {} frames left {}{why}; its other end must be up, or choose --engine packet",
        outcome.dropped + outcome.refused,
        interface.name
    )
}

#[cfg(test)]
mod tests {
    use weir_ebpf::Error;

    use super::super::traffic::synth::{Size, Synth, WHOLE, Wish};
    use super::super::traffic::{MAX_FRAME_BYTES, Reading, Store, read};
    use super::*;

    /// That the kernel's program makes the frames that are made here.
    fn compare(test: &str, plan: &Plan, first: u64, frames: u64) {
        let mut traffic = Traffic::new(plan.clone(), Pace::Top, Some(first + frames));
        traffic.resume(first, 0);
        let steps: Vec<LiveStep> = plan.store.templates().iter().map(step).collect();
        let live = match Live::load(&settings(&traffic, 1, &steps, None)) {
            Ok(live) => live,
            Err(Error::Load { source, .. })
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                return weir_tests::skipped(test, "loading BPF programs needs root");
            }
            Err(other) => panic!("{other}"),
        };
        live.start(clock::monotonic_ns()).unwrap();
        let mut room = vec![0; MAX_FRAME_BYTES];
        for number in 0..frames {
            let made = live.make().unwrap().unwrap();
            let bytes = traffic.write(&mut room);
            assert!(made == room[..bytes], "{number}\n{made:02x?}\n{:02x?}", &room[..bytes]);
        }
        assert_eq!(live.make().unwrap(), None, "the end");
        let state = live.state().unwrap();
        assert!(state.done && state.frames == first + frames && state.failed == 0, "{state:?}");
    }

    #[test]
    fn synthetic_frames_are_the_same_in_the_kernel() {
        let wish = Wish {
            size: Size::Mix,
            flows: 50,
            births: 3,
            frames: 70,
            tcp: WHOLE / 2,
            handshakes: WHOLE / 2,
            payloads: WHOLE / 2,
            seed: 11,
        };
        // The last has numbers that go beyond the addresses.
        for (flows, births, first) in
            [(50, 3, 0), (7, 0, 0), (70_000, 1, 123_456_789), (3_000_000_000, 1, 0)]
        {
            let mut store = Store::default();
            let order = Order::Synth(Synth::new(Wish { flows, births, ..wish }, &mut store));
            compare("synthetic_frames_are_the_same", &Plan { store, order }, first, 20_000);
        }
    }

    #[test]
    fn a_capture_is_the_same_in_the_kernel() {
        let file = tempfile::NamedTempFile::new().unwrap();
        weir_tests::traffic::mixed(200, 5).write(file.path()).unwrap();
        let reading = Reading { speed: 1.0, new_flows: true, longest: Some(LIVE_FRAME_BYTES) };
        let (plan, _) = read(file.path(), reading).unwrap();
        compare("a_capture_is_the_same", &plan, 0, plan.round() * 3);
    }
}
