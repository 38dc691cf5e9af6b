use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::config::Raw;
use crate::ffi::Owner;
use crate::stream::Known;

/// A frame of the stream below.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    number: u64,
    about: About,
    bytes: Vec<u8>,
}

/// What the stream was asked for, in order.
#[derive(Debug, Default)]
struct Log {
    released: Vec<u64>,
    shunted: Vec<u64>,
    judged: Vec<(u64, bool)>,
    naps: u32,
    dropped: bool,
}

/// A stream that gives what it was made with.
#[derive(Debug)]
struct Given {
    coming: VecDeque<Got<Frame>>,
    passed: Passed,
    log: Arc<Mutex<Log>>,
}

impl Stream for Given {
    type Frame = Frame;

    fn next(&mut self) -> Got<Frame> {
        let got = self.coming.pop_front().unwrap_or(Got::Nothing);
        match got {
            Got::Frame(_) => self.passed.delivered += 1,
            Got::Gap => self.passed.missed += 3,
            _ => {}
        }
        got
    }

    fn about(&self, frame: &Frame) -> About {
        frame.about
    }

    fn bytes<'a>(&'a self, frame: &'a Frame) -> &'a [u8] {
        &frame.bytes
    }

    fn release(&mut self, frame: Frame) {
        self.log.lock().unwrap().released.push(frame.number);
    }

    fn wait(&mut self, time: Option<Duration>) {
        assert!(time.is_some_and(|time| time <= LOOK), "an interrupt is never missed for long");
        self.log.lock().unwrap().naps += 1;
        if self.coming.is_empty() {
            rustix::thread::sched_yield();
        }
    }

    fn waker(&self) -> Option<Waker> {
        None
    }

    fn passed(&self) -> Passed {
        self.passed
    }

    fn link_type(&self) -> u32 {
        101
    }

    fn set_filter(&mut self, _program: &[weir_shm::bpf::Instruction]) -> Result<(), String> {
        self.passed.filtered += 1;
        Ok(())
    }

    fn shunt(&mut self, frame: &Frame) -> Result<(), String> {
        self.log.lock().unwrap().shunted.push(frame.about.flow);
        Ok(())
    }

    fn judge(&mut self, frame: &Frame, allow: bool) -> Result<(), String> {
        self.log.lock().unwrap().judged.push((frame.about.flow, allow));
        Ok(())
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.log.lock().unwrap().dropped = true;
    }
}

fn frame(number: u64, flow: u64) -> Got<Frame> {
    let about = About { time_ns: 1_000_001_000 + number, wire_bytes: 90, flow, ..About::default() };
    Got::Frame(Frame { number, about, bytes: vec![0x5a; 80] })
}

struct Bench {
    instance: Instance<Given>,
    interrupt: Interrupt,
    log: Arc<Mutex<Log>>,
}

impl Bench {
    fn new(coming: Vec<Got<Frame>>, variables: &[(&str, Option<&str>)], messages: u32) -> Self {
        let owned =
            |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
        let raw = Raw {
            input: Some("weir:bench".to_owned()),
            timeout_ms: 1,
            messages,
            snap_bytes: 64,
            mode: crate::abi::mode::PASSIVE,
            variables: variables.iter().map(owned).collect(),
            ..Raw::default()
        };
        let settings = Settings::new(raw, 256).unwrap();
        let layout = Layout::of(None);
        let pool = Pool::new(settings.messages, Owner::NOBODY, layout.header_bytes());
        let log = Arc::new(Mutex::new(Log::default()));
        let mut instance = Instance::new(settings, layout, pool);
        let interrupt = Interrupt::default();
        let given = Given { coming: coming.into(), passed: Passed::default(), log: log.clone() };
        instance.start(&interrupt, |_| Ok(given)).unwrap();
        Self { instance, interrupt, log }
    }

    fn receive(&mut self, most: u32) -> (u32, Vec<u32>) {
        let (status, _) = self.instance.receive(most, &self.interrupt);
        (status, self.instance.batch().to_vec())
    }
}

#[test]
fn packets_come_in_batches_and_go_back_when_finalized() {
    let coming = (0..5).map(|number| frame(number, 7)).collect();
    let mut bench = Bench::new(coming, &[], 8);
    let (state, first) = bench.receive(3);
    assert_eq!((state, first.len()), (status::OK, 3));
    let (state, second) = bench.receive(8);
    assert_eq!((state, second.len()), (status::WOULD_BLOCK, 2));
    assert_eq!(bench.receive(8), (status::TIMEOUT, vec![]));
    assert_eq!(bench.instance.pool_info().available, 3);
    assert!(bench.log.lock().unwrap().released.is_empty(), "held until finalized");
    // The first packet last, as an application does that holds one back.
    for message in first[1..].iter().chain(&second).chain(&first[..1]) {
        assert!(bench.instance.finalize(*message, verdict::PASS));
        assert!(!bench.instance.finalize(*message, verdict::PASS), "once");
    }
    assert_eq!(bench.log.lock().unwrap().released, [1, 2, 3, 4, 0]);
    assert_eq!(bench.instance.pool_info().available, 8);
    assert!(!bench.instance.finalize(99, verdict::PASS));
}

#[test]
fn a_header_says_what_the_descriptor_says() {
    let about = About {
        time_ns: 5_000_123_456,
        wire_bytes: 1500,
        interface: 3,
        flow: 0x1_0000_0002,
        to_client: true,
        ..About::default()
    };
    let coming = vec![Got::Frame(Frame { number: 0, about, bytes: vec![1; 100] }), frame(1, 0)];
    let mut bench = Bench::new(coming, &[], 8);
    let (_, batch) = bench.receive(2);
    let header = bench.instance.pool().header(batch[0]);
    assert_eq!((header.time.seconds, header.time.microseconds), (5, 123));
    assert_eq!((header.wire_bytes, header.ingress, header.flow_id), (1500, 3, 3));
    let flags = packet_flag::NOT_FORWARDING | packet_flag::FLOW_ID | packet_flag::REVERSE;
    assert_eq!(header.flags, flags);
    // Cut to the snap length, in place.
    let (at, bytes) = bench.instance.pool().data(batch[0]);
    let frame = bench.instance.frames[batch[0] as usize].as_ref().unwrap();
    assert_eq!((at, bytes), (frame.bytes.as_ptr(), 64));
    // Of no flow.
    let header = bench.instance.pool().header(batch[1]);
    assert_eq!((header.flags, header.flow_id), (packet_flag::NOT_FORWARDING, 0));
    assert_eq!(bench.instance.data_link(), 12, "raw IP");
}

#[test]
fn the_pool_limits_what_is_handed_out() {
    let coming = (0..9).map(|number| frame(number, 7)).collect();
    let mut bench = Bench::new(coming, &[], 4);
    let (state, batch) = bench.receive(64);
    assert_eq!((state, batch.len()), (status::OK, 4));
    assert_eq!(bench.receive(64), (status::NO_MESSAGE, vec![]));
    assert!(bench.instance.finalize(batch[2], verdict::PASS));
    assert_eq!(bench.receive(64), (status::OK, vec![batch[2]]));
}

#[test]
fn the_end_comes_after_the_packets() {
    let mut bench = Bench::new(vec![frame(0, 7), Got::Ended, Got::Ended], &[], 4);
    assert_eq!(bench.receive(4).0, status::OK);
    assert_eq!(bench.receive(4), (status::END, vec![]));
    let mut bench = Bench::new(vec![frame(0, 7), Got::Died, Got::Died], &[], 4);
    assert_eq!(bench.receive(4).0, status::OK);
    let (state, failure) = bench.instance.receive(4, &bench.interrupt);
    assert_eq!(state, status::ERROR);
    assert!(failure.unwrap().text.contains("bench"));
}

#[test]
fn an_interrupt_ends_one_receive() {
    let mut bench = Bench::new(vec![frame(0, 7)], &[], 4);
    bench.interrupt.ask();
    bench.interrupt.ask();
    assert_eq!(bench.receive(4), (status::INTERRUPTED, vec![]));
    assert_eq!(bench.receive(4).0, status::WOULD_BLOCK);
}

#[test]
fn verdicts_are_told_of_once() {
    let flows = [1, 1, 1, 2, 2, 3, 3, 0, 4, 5];
    let coming = (0_u64..).zip(flows).map(|(number, flow)| frame(number, flow)).collect();
    let mut bench = Bench::new(coming, &[("group", Some("ids"))], 16);
    let (_, batch) = bench.receive(16);
    let verdicts = [
        verdict::WHITELIST,
        verdict::WHITELIST,
        verdict::BLACKLIST, // Changed its mind.
        verdict::BLACKLIST,
        verdict::BLACKLIST,
        verdict::IGNORE,
        verdict::IGNORE,
        verdict::WHITELIST, // Of no flow.
        verdict::BLOCK,     // That packet alone.
        77,                 // Not a verdict.
    ];
    for (message, verdict) in batch.iter().zip(verdicts) {
        assert!(bench.instance.finalize(*message, verdict));
    }
    let log = bench.log.lock().unwrap();
    assert_eq!(log.judged, [(1, true), (1, false), (2, false)]);
    assert_eq!(log.shunted, [1, 1, 2, 3]);
    let (stats, words) = bench.instance.stats();
    assert_eq!(words, 12);
    assert_eq!(stats.words, [10, 0, 10, 0, 0, 0, 1, 1, 0, 3, 3, 2]);
}

#[test]
fn what_the_engine_knows_is_not_told_again() {
    let known = |number, flow, allowed, blocked, shunted| {
        let about = About { flow, known: Known { shunted, allowed, blocked }, ..About::default() };
        Got::Frame(Frame { number, about, bytes: vec![] })
    };
    let coming = vec![
        known(0, 1, true, false, true),
        known(1, 2, false, true, true),
        known(2, 3, true, false, true),
        known(3, 4, false, true, false),
    ];
    let mut bench = Bench::new(coming, &[("group", Some("ids"))], 16);
    let (_, batch) = bench.receive(16);
    let verdicts = [verdict::WHITELIST, verdict::BLACKLIST, verdict::BLACKLIST, verdict::BLACKLIST];
    for (message, verdict) in batch.iter().zip(verdicts) {
        assert!(bench.instance.finalize(*message, verdict));
    }
    let log = bench.log.lock().unwrap();
    assert_eq!(log.judged, [(3, false)]);
    assert_eq!(log.shunted, [4]);
}

#[test]
fn without_a_group_flows_are_judged_but_not_shunted() {
    let mut bench = Bench::new(vec![frame(0, 1), frame(1, 2)], &[], 16);
    let (_, batch) = bench.receive(16);
    assert!(bench.instance.finalize(batch[0], verdict::WHITELIST));
    assert!(bench.instance.finalize(batch[1], verdict::IGNORE));
    let log = bench.log.lock().unwrap();
    assert_eq!(log.judged, [(1, true)]);
    assert!(log.shunted.is_empty());
    let with = bench.instance.capabilities();
    assert_eq!(with & (capability::WHITELIST | capability::BLOCK), 0);
}

#[test]
fn advice_is_asked_for() {
    let variables = [("group", Some("ids")), ("advise", None)];
    let mut bench = Bench::new(vec![frame(0, 1)], &variables, 16);
    let bits = capability::BLOCK | capability::BLACKLIST | capability::WHITELIST;
    assert_eq!(bench.instance.capabilities() & bits, bits);
    let (_, batch) = bench.receive(1);
    let flags = bench.instance.pool().header(batch[0]).flags;
    assert_eq!(flags, packet_flag::FLOW_ID, "not said to be passive");
}

#[test]
fn statistics_begin_again_and_outlive_the_stream() {
    let coming = vec![frame(0, 1), Got::Gap, frame(1, 1), frame(2, 1)];
    let mut bench = Bench::new(coming, &[], 4);
    let (_, batch) = bench.receive(2);
    assert!(bench.instance.finalize(batch[0], verdict::PASS));
    let (stats, _) = bench.instance.stats();
    assert_eq!(stats.words[..7], [5, 3, 2, 0, 0, 1, 1]);
    bench.instance.reset_stats();
    let (stats, _) = bench.instance.stats();
    assert_eq!(stats.words[..7], [0, 0, 0, 0, 0, 1, 0], "what is outstanding stays so");
    let (_, rest) = bench.receive(2);
    bench.instance.stop().unwrap();
    assert_eq!(bench.receive(2).0, status::INVALID);
    assert!(!bench.log.lock().unwrap().dropped, "messages are out");
    for message in [batch[1], rest[0]] {
        assert!(bench.instance.finalize(message, verdict::PASS));
    }
    assert!(bench.log.lock().unwrap().dropped);
    assert_eq!(bench.log.lock().unwrap().released, [0, 1, 2]);
    let (stats, _) = bench.instance.stats();
    assert_eq!(stats.words[..7], [1, 0, 1, 0, 0, 0, 2]);
}

#[test]
fn states_follow_one_another() {
    let mut bench = Bench::new(vec![], &[], 4);
    let log = bench.log.clone();
    let again = Given { coming: VecDeque::new(), passed: Passed::default(), log };
    assert!(bench.instance.start(&bench.interrupt, |_| Ok(again)).is_err());
    bench.instance.stop().unwrap();
    assert!(bench.instance.stop().is_err());
}

#[test]
fn the_release_of_libdaq_decides_on_verdicts() {
    let mut bench = Bench::new(vec![frame(0, 1), frame(1, 1)], &[], 4);
    bench.instance.layout = Layout::of(Some(0x0300_0100));
    let (_, batch) = bench.receive(2);
    assert!(bench.instance.finalize(batch[0], 6));
    assert!(bench.instance.finalize(batch[1], 7));
    let (stats, words) = bench.instance.stats();
    assert_eq!((words, stats.words[5], stats.words[11]), (12, 1, 1));
    assert!(bench.log.lock().unwrap().judged.is_empty());
}

#[test]
fn time_is_given_out_in_naps() {
    let mut deadline = None;
    assert_eq!(nap(None, &mut deadline), Some(LOOK));
    assert_eq!(deadline, None);
    assert_eq!(nap(Some(Duration::from_secs(9)), &mut deadline), Some(LOOK));
    assert!(deadline.is_some());
    assert_eq!(nap(Some(Duration::from_secs(9)), &mut Some(0)), None);
}

proptest! {
    /// Whatever is received and finalized in whatever order, each packet is released once, and the
    /// statistics add up.
    #[test]
    fn every_packet_is_released_once(
        steps in proptest::collection::vec((0_u32..9, any::<u16>(), 0_u32..8), 1..60),
    ) {
        let coming: Vec<_> = (0..120).map(|number| frame(number, number / 3)).collect();
        let mut bench = Bench::new(coming, &[("group", Some("ids"))], 16);
        let mut out: Vec<u32> = Vec::new();
        let mut finalized = 0_u64;
        for (most, pick, verdict) in steps {
            out.extend(bench.receive(most).1);
            for _ in 0..most.min(4) {
                if out.is_empty() {
                    break;
                }
                let message = out.swap_remove(usize::from(pick) % out.len());
                prop_assert!(bench.instance.finalize(message, verdict));
                finalized += 1;
            }
            let (stats, _) = bench.instance.stats();
            prop_assert_eq!(stats.words[5], out.len() as u64);
            prop_assert_eq!(stats.words[2], finalized + stats.words[5]);
            prop_assert_eq!(stats.words[6..].iter().sum::<u64>(), finalized);
        }
        let mut released = bench.log.lock().unwrap().released.clone();
        prop_assert_eq!(released.len() as u64, finalized);
        released.sort_unstable();
        released.dedup();
        prop_assert_eq!(released.len() as u64, finalized, "none twice");
    }
}
