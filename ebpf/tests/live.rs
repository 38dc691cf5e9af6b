//! Frames made by the kernel's program, one at a time, without an interface. Needs root. That they
//! are those of the traffic's plan is proven where that is, by `weir replay`'s tests.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use weir_ebpf::{
    Error, LIVE_FRAME_BYTES, Live, LiveOrder, LivePace, LiveSettings, LiveStep, LiveSynth,
};

fn load(test: &str, settings: &LiveSettings<'_>) -> Option<Live> {
    match Live::load(settings) {
        Ok(live) => Some(live),
        Err(Error::Load { source, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            eprintln!("SKIPPED {test}: loading BPF programs needs root");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

fn now_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an uptime")]
    let ns = (seconds * 1e9) as u64;
    ns
}

fn step(at: u32, bytes: u32, due_ns: u64) -> LiveStep {
    LiveStep { at, bytes, due_ns, ..LiveStep::default() }
}

#[test]
fn frames_come_in_their_order_and_length_until_the_end() {
    let longest = usize::try_from(LIVE_FRAME_BYTES).unwrap();
    let mut store = vec![1; 14];
    store.extend([2; 15]);
    store.resize(14 + 15 + longest, 3);
    let steps = [step(0, 14, 0), step(14, 15, 0), step(29, LIVE_FRAME_BYTES, 0)];
    let settings = LiveSettings {
        interface_index: 1,
        store: &store,
        steps: &steps,
        order: LiveOrder::Loop { period_ns: 1, new_flows: false },
        pace: LivePace::Top,
        first: 0,
        frames: Some(7),
        after_ns: None,
        stride: 1,
    };
    let Some(live) = load("frames_come_in_their_order", &settings) else { return };
    live.start(1).unwrap();
    for (bytes, value) in [(14, 1), (15, 2), (longest, 3)].into_iter().cycle().take(7) {
        assert_eq!(live.make().unwrap().unwrap(), vec![value; bytes]);
    }
    assert_eq!(live.make().unwrap(), None);
    let state = live.state().unwrap();
    assert!(state.done);
    assert_eq!((state.frames, state.failed), (7, 0));
    assert_eq!(
        state.bytes,
        (64 * 4 + u64::from(LIVE_FRAME_BYTES) + 4) + 64 + u64::from(LIVE_FRAME_BYTES) + 4
    );
}

#[test]
fn a_frame_waits_for_its_time() {
    let steps = [step(0, 20, 0), step(0, 30, 3_600_000_000_000)];
    let settings = LiveSettings {
        interface_index: 1,
        store: &[7; 30],
        steps: &steps,
        order: LiveOrder::Loop { period_ns: u64::MAX >> 20, new_flows: true },
        pace: LivePace::Timetable,
        first: 0,
        frames: None,
        after_ns: Some(7_200_000_000_000),
        stride: 1,
    };
    let Some(live) = load("a_frame_waits_for_its_time", &settings) else { return };
    live.start(now_ns() + 1_000_000_000_000).unwrap();
    assert_eq!(live.make().unwrap(), None, "the start is to come");
    live.start(now_ns() - 100_000_000_000).unwrap();
    assert_eq!(live.make().unwrap().unwrap().len(), 20);
    assert_eq!(live.make().unwrap(), None, "not for an hour");
    assert!(!live.state().unwrap().done);
    live.start(now_ns().saturating_sub(7_300_000_000_000).max(1)).unwrap();
    let long_after = now_ns() > 7_300_000_000_000;
    assert_eq!(live.make().unwrap().is_none(), long_after, "the time is over");
}

/// Not a bound to hold, but the number is good to see: `--nocapture`.
#[test]
fn synthetic_traffic_is_made() {
    let synth = LiveSynth {
        flows: 1000,
        births: 1,
        frames: 9,
        seed: 5,
        tcp: 1 << 15,
        handshakes: 1 << 15,
        payloads: 1 << 15,
        pattern: vec![0, 1, 2],
        before: vec![0, 5, 10, 15],
        first_bytes: vec![0, 9, 9, 0, 9],
    };
    let steps = [step(0, 60, 0); 40];
    let settings = LiveSettings {
        interface_index: 1,
        store: &[0; 60],
        steps: &steps,
        order: LiveOrder::Synth(synth),
        pace: LivePace::Even { frame: 1, byte: 0 },
        first: 0,
        frames: Some(100_000),
        after_ns: None,
        stride: 1,
    };
    let Some(live) = load("synthetic_traffic_is_made", &settings) else { return };
    live.start(1).unwrap();
    for _ in 0..1000 {
        assert_eq!(live.make().unwrap().unwrap().len(), 60);
    }
    assert_eq!(live.state().unwrap().frames, 1000);
}
