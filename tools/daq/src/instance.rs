//! One instance: packets out, verdicts in, and the counts of both.
//!
//! Each message has a number; its packet is held in the place of that number from the receive that
//! handed it out to its verdict.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use weir_shm::packets::Waker;

use crate::Failure;
use crate::abi::{PoolInfo, Stats, capability, packet_flag, result, status, verdict};
use crate::config::Settings;
use crate::ffi::{Pool, Said, pcap};
use crate::layout::{Counts, Layout};
use crate::stream::{About, Got, Passed, Stream};

/// What `interrupt` needs, which may be called at any time from anywhere, a signal handler too.
#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    asked: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Interrupt {
    /// Has the receive that waits, or the next, end at once.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// Whether it was asked for; it is not any more then.
    fn take(&self) -> bool {
        // The load keeps the line shared while nobody asks.
        self.asked.load(Ordering::Acquire) && self.asked.swap(false, Ordering::AcqRel)
    }
}

/// A wait looks up this often, whatever woke it or did not.
const LOOK: Duration = Duration::from_millis(250);
/// `DLT_NULL`: what is said before the engine was asked.
const LINK_UNKNOWN: u32 = 0;
/// `DLT_EN10MB`.
const LINK_ETHERNET: u32 = 1;

/// See the module.
#[derive(Debug)]
pub(crate) struct Instance<S: Stream> {
    settings: Settings,
    layout: Layout,
    pool: Pool,
    /// By message: the packet that it is of.
    frames: Vec<Option<S::Frame>>,
    /// Messages that are not with the application.
    free: Vec<u32>,
    /// What the last receive handed out.
    batch: Vec<u32>,
    stream: Option<S>,
    state: State,
    filter: Option<String>,
    link: u32,
    counts: Counts,
    /// What the stream had counted when the counts were reset.
    base: Passed,
    /// What it had counted when it was closed.
    closed_at: Passed,
    told: Told,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Started,
    Stopped,
}

impl<S: Stream> Instance<S> {
    /// An instance with this pool; the engine is attached to by [`Self::start`].
    pub(crate) fn new(settings: Settings, layout: Layout, pool: Pool) -> Self {
        let messages = settings.messages;
        Self {
            settings,
            layout,
            pool,
            frames: (0..messages).map(|_| None).collect(),
            free: (0..messages).rev().collect(),
            batch: Vec::with_capacity(messages as usize),
            stream: None,
            state: State::Ready,
            filter: None,
            link: LINK_UNKNOWN,
            counts: Counts::default(),
            base: Passed::default(),
            closed_at: Passed::default(),
            told: Told::default(),
        }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The messages of the last receive.
    pub(crate) fn batch(&self) -> &[u32] {
        &self.batch
    }

    /// Leaves out what the filter, in the language of tcpdump, does not name.
    pub(crate) fn set_filter(&mut self, text: &str) -> Result<(), Failure> {
        let bad = |text| Failure::new(result::ERROR, text);
        // Before the start the link type is not known: it is compiled to see whether it can be.
        let link = if self.stream.is_some() { self.link } else { LINK_ETHERNET };
        let program = pcap::compile(text, link, self.settings.snap_bytes).map_err(bad)?;
        match &mut self.stream {
            Some(stream) => stream.set_filter(&program).map_err(bad)?,
            None => self.filter = Some(text.to_owned()),
        }
        Ok(())
    }

    /// Opens the stream; packets are this instance's from here on.
    pub(crate) fn start(
        &mut self,
        interrupt: &Interrupt,
        open: impl FnOnce(&Settings) -> Result<S, Failure>,
    ) -> Result<(), Failure> {
        if self.state != State::Ready {
            return Err(Failure::new(result::ERROR, "an instance is started once"));
        }
        let mut stream = open(&self.settings)?;
        self.link = data_link_of(stream.link_type());
        if let Some(text) = &self.filter {
            let bad = |text| Failure::new(result::ERROR, text);
            let program = pcap::compile(text, self.link, self.settings.snap_bytes).map_err(bad)?;
            stream.set_filter(&program).map_err(bad)?;
        }
        if let Some(waker) = stream.waker() {
            interrupt.waker.get_or_init(|| waker);
        }
        self.base = stream.passed();
        self.stream = Some(stream);
        self.state = State::Started;
        self.say(|| "started".to_owned());
        Ok(())
    }

    /// No more packets. Those that the application has stay good until it finalizes them.
    pub(crate) fn stop(&mut self) -> Result<(), Failure> {
        if self.state != State::Started {
            return Err(Failure::new(result::ERROR, "the instance is not started"));
        }
        self.state = State::Stopped;
        self.close_if_idle();
        self.say(|| "stopped".to_owned());
        Ok(())
    }

    fn close_if_idle(&mut self) {
        if self.state == State::Stopped && self.free.len() == self.frames.len() {
            if let Some(stream) = &self.stream {
                self.closed_at = stream.passed();
            }
            self.stream = None;
        }
    }

    /// Takes packets, `most` at most, into [`Self::batch`]; waits for the first one. Gives a
    /// number of [`status`] and, for an error, what to say of it.
    pub(crate) fn receive(&mut self, most: u32, interrupt: &Interrupt) -> (u32, Option<Failure>) {
        self.batch.clear();
        if self.state != State::Started {
            return (status::INVALID, None);
        }
        let most = (most as usize).min(self.frames.len());
        let mut deadline_ns = None;
        loop {
            if interrupt.take() {
                return (status::INTERRUPTED, None);
            }
            if self.batch.len() == most {
                return (status::OK, None);
            }
            if self.free.is_empty() {
                let any = !self.batch.is_empty();
                return (if any { status::OK } else { status::NO_MESSAGE }, None);
            }
            let Some(stream) = &mut self.stream else { return (status::INVALID, None) };
            match stream.next() {
                Got::Frame(frame) => self.hand_out(frame),
                Got::Gap => {}
                Got::Nothing if !self.batch.is_empty() => return (status::WOULD_BLOCK, None),
                Got::Nothing => {
                    let Some(nap) = nap(self.settings.timeout, &mut deadline_ns) else {
                        return (status::TIMEOUT, None);
                    };
                    stream.wait(Some(nap));
                }
                // What came before the end is handed out first; the next call comes here again.
                Got::Ended | Got::Died if !self.batch.is_empty() => return (status::OK, None),
                Got::Ended => return (status::END, None),
                Got::Died => {
                    let text = format!("the engine {} is gone", self.settings.engine);
                    return (status::ERROR, Some(Failure::new(result::ERROR, text)));
                }
            }
        }
    }

    fn hand_out(&mut self, frame: S::Frame) {
        let Some(stream) = &mut self.stream else { return };
        let Some(message) = self.free.pop() else { return stream.release(frame) };
        let Some(place) = self.frames.get_mut(message as usize) else { return };
        let about = stream.about(&frame);
        let frame = place.insert(frame);
        let bytes = stream.bytes(frame);
        let shown = bytes.len().min(self.settings.snap_bytes as usize);
        self.pool.fill(message, &said(&about, self.settings.advise), &bytes[..shown]);
        self.batch.push(message);
        self.counts.received += 1;
    }

    /// Takes a message back. False if the application does not have it.
    pub(crate) fn finalize(&mut self, message: u32, verdict: u32) -> bool {
        let Some(frame) = self.frames.get_mut(message as usize).and_then(Option::take) else {
            return false;
        };
        let known = (verdict as usize) < self.layout.verdicts();
        let verdict = if known { verdict } else { verdict::PASS };
        if let Some(count) = self.counts.verdicts.get_mut(verdict as usize) {
            *count += 1;
        }
        if let Some(stream) = &mut self.stream {
            if (verdict::WHITELIST..=verdict::IGNORE).contains(&verdict) {
                let about = stream.about(&frame);
                self.told.tell(stream, &frame, &about, verdict, self.settings.group.is_some());
            }
            stream.release(frame);
        }
        self.free.push(message);
        self.close_if_idle();
        true
    }

    /// The counts, in the words of this libdaq, and how many words there are.
    pub(crate) fn stats(&self) -> (Stats, usize) {
        let now = self.stream.as_ref().map_or(self.closed_at, Stream::passed);
        let since = |now: u64, base: u64| now.saturating_sub(base);
        let missed = since(now.missed, self.base.missed);
        let filtered = since(now.filtered, self.base.filtered);
        let shunted = since(now.shunted, self.base.shunted);
        let outstanding = self.frames.len() - self.free.len();
        let counts = Counts {
            received_below: since(now.delivered, self.base.delivered) + missed + filtered + shunted,
            dropped_below: missed,
            filtered,
            outstanding: outstanding as u64,
            ..self.counts
        };
        self.layout.stats(&counts)
    }

    /// Counts from 0 again.
    pub(crate) fn reset_stats(&mut self) {
        self.counts = Counts::default();
        self.base = self.stream.as_ref().map_or(self.closed_at, Stream::passed);
    }

    pub(crate) fn snap_bytes(&self) -> u32 {
        self.settings.snap_bytes
    }

    /// What this instance can do, as bits of [`capability`].
    pub(crate) fn capabilities(&self) -> u32 {
        let mut bits = capability::BPF | capability::INTERRUPT | capability::UNPRIVILEGED_START;
        if self.settings.group.is_some() {
            bits |= capability::WHITELIST;
        }
        if self.settings.advise {
            bits |= capability::BLOCK | capability::BLACKLIST;
        }
        bits
    }

    /// The link type, in the numbers of libpcap on Linux.
    pub(crate) fn data_link(&self) -> u32 {
        self.link
    }

    pub(crate) fn pool_info(&self) -> PoolInfo {
        PoolInfo {
            size: self.settings.messages,
            available: u32::try_from(self.free.len()).unwrap_or(0),
            memory_bytes: self.pool.memory_bytes(),
        }
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.settings.debug {
            let Settings { engine, instance, group, lease, messages, .. } = &self.settings;
            let what = what();
            let mode = if *lease { "lease" } else { "window" };
            let group = group.as_deref().unwrap_or("none");
            eprintln!(
                "weir DAQ, instance {instance}: {what} (engine {engine}, {mode}, group {group}, \
                 {messages} messages, link {}, {}, {} verdicts told, {} refused)",
                self.link,
                self.layout.describe(),
                self.told.requests,
                self.told.refused,
            );
        }
    }
}

/// What is said of a packet in its header.
fn said(about: &About, advise: bool) -> Said {
    let mut flags = 0;
    if !advise {
        flags |= packet_flag::NOT_FORWARDING;
    }
    if about.flow != 0 {
        flags |= packet_flag::FLOW_ID;
    }
    if about.to_client {
        flags |= packet_flag::REVERSE;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the application has 32 bits for it")]
    let flow_id = (about.flow ^ about.flow >> 32) as u32;
    Said {
        time_ns: about.time_ns,
        wire_bytes: about.wire_bytes,
        ingress: about.interface.into(),
        flow_id,
        flags,
    }
}

/// Capture files number two link types otherwise than programs do.
fn data_link_of(link_type: u32) -> u32 {
    match link_type {
        101 => 12, // raw IP
        100 => 11, // ATM
        other => other,
    }
}

/// How long to wait now; none if the time is over. The first call begins it.
fn nap(timeout: Option<Duration>, deadline_ns: &mut Option<u64>) -> Option<Duration> {
    let Some(timeout) = timeout else { return Some(LOOK) };
    let now_ns = monotonic_ns();
    let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let deadline_ns = deadline_ns.get_or_insert(now_ns.saturating_add(timeout_ns));
    let left = Duration::from_nanos(deadline_ns.saturating_sub(now_ns));
    (!left.is_zero()).then(|| left.min(LOOK))
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Flows that the engine was told of lately: an application repeats its verdict with each packet
/// of a flow, and once is enough. Two flows that share a place are told of more often.
#[derive(Debug)]
struct Told {
    recent: Box<[(u64, u32)]>,
    requests: u64,
    refused: u64,
}

const RECENT: usize = 1024;

impl Default for Told {
    fn default() -> Self {
        Self { recent: vec![(0, 0); RECENT].into(), requests: 0, refused: 0 }
    }
}

impl Told {
    /// Tells the engine of a verdict on a flow. A refusal is counted: the packet is over anyway.
    fn tell<S: Stream>(
        &mut self,
        stream: &mut S,
        frame: &S::Frame,
        about: &About,
        verdict: u32,
        in_group: bool,
    ) {
        let mut judged = about.known.allowed && verdict == verdict::WHITELIST;
        judged |= about.known.blocked && verdict == verdict::BLACKLIST;
        judged |= verdict == verdict::IGNORE;
        let shunted = about.known.shunted || !in_group;
        if about.flow == 0 || judged && shunted {
            return;
        }
        let place = usize::try_from(about.flow.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54);
        let Some(last) = place.ok().and_then(|place| self.recent.get_mut(place)) else { return };
        if *last == (about.flow, verdict) {
            return;
        }
        *last = (about.flow, verdict);
        self.requests += 1;
        if !judged {
            let judged = stream.judge(frame, verdict == verdict::WHITELIST);
            self.refused += u64::from(judged.is_err());
        }
        if !shunted {
            self.refused += u64::from(stream.shunt(frame).is_err());
        }
    }
}

#[cfg(test)]
mod tests;
