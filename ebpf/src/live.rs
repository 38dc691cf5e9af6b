//! Frames made in the kernel: an XDP program that the kernel runs on blank frames
//! (`BPF_PROG_RUN` with `BPF_F_TEST_XDP_LIVE_FRAMES`) writes one frame after the other, when it is
//! due, and redirects it into an interface.
//!
//! Which frame comes next, and what changes in it, follows from [`LiveSettings`] alone, in the way
//! that `bpf/live.bpf.c` describes; whoever makes the settings has the twin of that. Needs Linux
//! 5.18 and a driver that takes redirected frames.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{Link, MapCore, MapFlags, MapHandle, OpenObject};

use crate::error::Error;
use crate::program::{collect_what_libbpf_says, os, take_what_libbpf_said};
use crate::sys;
use crate::sys::live::{LiveSkelBuilder, OpenLiveSkel};

/// Bytes of a frame at most: the kernel keeps each in one page, with what it knows of it.
pub const LIVE_FRAME_BYTES: u32 = 3072;
/// Bytes of all frames at most: the verifier looks no further into one piece of memory.
pub const LIVE_STORE_BYTES: usize = (1 << 29) - (1 << 13);
/// Frames of a pattern of sizes at most.
pub const LIVE_PATTERN: usize = 48;
/// Blank frames that the kernel takes in hand at once, at most.
pub const LIVE_BATCH: u32 = 256;

/// A frame: where its bytes are, which of them change (0: not there), and when it is due.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LiveStep {
    /// Nanoseconds from its round's start; of meaning with [`LivePace::Timetable`].
    pub due_ns: u64,
    /// Where its bytes begin in the store.
    pub at: u32,
    /// How many they are: 14 to [`LIVE_FRAME_BYTES`].
    pub bytes: u32,
    /// Offset of the low four bytes of the address that changes.
    pub address_at: u16,
    /// Offset of the port that changes.
    pub port_at: u16,
    /// Offset of the IPv4 header's checksum.
    pub ip_sum_at: u16,
    /// Offset of the checksum that covers the pseudo-header.
    pub l4_sum_at: u16,
    /// Offset of the TCP sequence number.
    pub sequence_at: u16,
    /// Low bits of the address that may change, 24 at most.
    pub address_bits: u8,
    /// Whether a checksum of 0 means none.
    pub zero_is_none: bool,
}

/// Synthetic traffic; shares are of 65,536.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveSynth {
    /// Flows at the same time, 1 at least.
    pub flows: u32,
    /// With `frames`: a flow is followed by another after `frames / births` of its frames.
    pub births: u32,
    /// See `births`; 1 at least.
    pub frames: u32,
    /// What makes flows what they are.
    pub seed: u64,
    /// Share of flows that are TCP.
    pub tcp: u32,
    /// Share of those that begin with a handshake.
    pub handshakes: u32,
    /// Share of flows with an application's first words.
    pub payloads: u32,
    /// Size's place of each frame; [`LIVE_PATTERN`] at most, one at least.
    pub pattern: Vec<u8>,
    /// Payload bytes before each frame of the pattern, and of all.
    pub before: Vec<u32>,
    /// Bytes of first words by application.
    pub first_bytes: Vec<u32>,
}

/// Which frame follows which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LiveOrder {
    /// All steps, again and again.
    Loop {
        /// How long a round is.
        period_ns: u64,
        /// Each round's flows are others.
        new_flows: bool,
    },
    /// By arithmetic; the steps are eight frames for each application.
    Synth(LiveSynth),
}

/// When frames are due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LivePace {
    /// At once.
    Top,
    /// As the steps say.
    Timetable,
    /// So much time for each frame and for each of its bytes on the wire, in 2^-16 ns.
    Even {
        /// For a frame.
        frame: u64,
        /// For a byte.
        byte: u64,
    },
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct LiveSettings<'a> {
    /// The interface, by its index in the calling thread's network namespace.
    pub interface_index: u32,
    /// All frames, back to back; [`LIVE_STORE_BYTES`] at most.
    pub store: &'a [u8],
    /// The frames.
    pub steps: &'a [LiveStep],
    /// Their order.
    pub order: LiveOrder,
    /// Their times.
    pub pace: LivePace,
    /// The number of the first frame.
    pub first: u64,
    /// The number of the one after the last; none: no end.
    pub frames: Option<u64>,
    /// How long; none: no end.
    pub after_ns: Option<u64>,
    /// What is added to addresses for each flow.
    pub stride: u32,
}

/// How far it is. Times are nanoseconds from the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LiveState {
    /// Frames handed over, and those before the first.
    pub frames: u64,
    /// When the next is due, in 2^-16 ns.
    pub due: u64,
    /// Bytes on the wire of those handed over.
    pub bytes: u64,
    /// When the last was handed over.
    pub last_ns: u64,
    /// Whole seconds.
    pub seconds: u64,
    /// Frames of the slowest of them.
    pub slowest: u64,
    /// Frames of the fastest of them.
    pub fastest: u64,
    /// Frames that could not be made; they count as handed over.
    pub failed: u64,
    /// Nothing more is to be sent.
    pub done: bool,
}

/// What became of frames that were handed over.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LiveOutcome {
    /// The driver took them.
    pub sent: u64,
    /// The driver had no room for them.
    pub dropped: u64,
    /// The kernel did not redirect them.
    pub refused: u64,
    /// The last error's number, 0 for none.
    pub error: i32,
}

/// What [`Live::run`] came back with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LiveRun {
    /// All blank frames were used.
    Finished,
    /// A signal came.
    Interrupted,
}

/// The program, loaded with its frames.
#[derive(Debug)]
pub struct Live {
    program: OwnedFd,
    watch: LiveWatch,
    jitter: MapHandle,
    first: u64,
    blank: Vec<u8>,
    _counting: [Link; 2],
}

/// Words of `struct live_state`.
const STATE_WORDS: usize = 15;
/// Bytes of `struct live_step`.
const STEP_BYTES: usize = 32;

impl Live {
    /// Loads the program, its frames, and the two programs that count what becomes of them.
    ///
    /// # Errors
    /// Settings that make no sense, no privilege, no memory, or a kernel that lacks something.
    pub fn load(settings: &LiveSettings<'_>) -> Result<Live, Error> {
        check(settings)?;
        collect_what_libbpf_says();
        take_what_libbpf_said();
        let failed = |error: libbpf_rs::Error| Error::Load {
            source: os(&error),
            log: take_what_libbpf_said(),
        };
        let mut storage: MaybeUninit<OpenObject> = MaybeUninit::uninit();
        let mut open = LiveSkelBuilder::default().open(&mut storage).map_err(failed)?;
        set_constants(&mut open, settings);
        // What lies behind the last frame is never read, but the verifier counts with it.
        let store_bytes = settings.store.len() + LIVE_FRAME_BYTES as usize;
        open.maps.store.set_value_size(size(store_bytes)).map_err(failed)?;
        open.maps.steps.set_max_entries(size(settings.steps.len())).map_err(failed)?;
        let loaded = open.load().map_err(failed)?;
        let filled = |what| move |error| Error::Map { what, source: os(&error) };
        let mut store = settings.store.to_vec();
        store.resize(store_bytes.next_multiple_of(8), 0);
        store.truncate(store_bytes);
        loaded
            .maps
            .store
            .update(&[0; 4], &store, MapFlags::ANY)
            .map_err(filled("giving the kernel the frames"))?;
        fill_steps(&loaded.maps.steps, settings.steps)
            .map_err(filled("giving the kernel the order of frames"))?;
        let counting = [
            loaded.progs.weir_sent.attach().map_err(failed)?,
            loaded.progs.weir_refused.attach().map_err(failed)?,
        ];
        let program = loaded.progs.weir_live.as_fd().try_clone_to_owned();
        let longest = settings.steps.iter().map(|step| step.bytes).max().unwrap_or(0);
        Ok(Live {
            program: program.map_err(|source| Error::Load { source, log: String::new() })?,
            watch: LiveWatch {
                state: MapHandle::try_from(&loaded.maps.state).map_err(failed)?,
                outcome: MapHandle::try_from(&loaded.maps.outcome).map_err(failed)?,
            },
            jitter: MapHandle::try_from(&loaded.maps.jitter).map_err(failed)?,
            first: settings.first,
            blank: vec![0; longest as usize],
            _counting: counting,
        })
    }

    /// Goes back to the beginning, and sets the moment that times are counted from:
    /// `CLOCK_MONOTONIC`, nanoseconds; 0: when the first blank frame comes.
    ///
    /// # Errors
    /// Only if the kernel takes the map away, which it does not.
    pub fn start(&self, at_ns: u64) -> Result<(), Error> {
        const SECOND_NS: u64 = 1_000_000_000;
        let mut words = [0; STATE_WORDS];
        words[0] = at_ns;
        words[1] = self.first;
        words[8] = SECOND_NS;
        words[9] = self.first;
        let bytes: Vec<u8> = words.iter().flat_map(|word: &u64| word.to_ne_bytes()).collect();
        let what = "setting the start of live frames";
        self.watch
            .state
            .update(&[0; 4], &bytes, MapFlags::ANY)
            .map_err(|error| Error::Map { what, source: os(&error) })
    }

    /// Has the kernel use up so many blank frames, `batch` at a time ([`LIVE_BATCH`] at most). Each
    /// becomes a frame, or, if none is due, nothing. It comes back before if the thread gets a
    /// signal.
    ///
    /// To begin and to end a run takes the kernel tens of milliseconds: have few and long ones.
    ///
    /// # Errors
    /// When the kernel knows no live frames, or has no memory.
    pub fn run(&self, blanks: u32, batch: u32) -> Result<LiveRun, Error> {
        match sys::run_live(self.program.as_fd(), &self.blank, blanks, batch) {
            Ok(()) => Ok(LiveRun::Finished),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(LiveRun::Interrupted),
            Err(source) => Err(Error::Live { source }),
        }
    }

    /// Makes the next frame without sending it; none if none is due.
    ///
    /// # Errors
    /// As for run.
    pub fn make(&self) -> Result<Option<Vec<u8>>, Error> {
        const REDIRECT: u32 = 4;
        let ran = sys::test_run(self.program.as_fd(), &self.blank, 1)
            .map_err(|source| Error::Live { source })?;
        Ok((ran.verdict == REDIRECT).then_some(ran.data))
    }

    /// How far it is.
    ///
    /// # Errors
    /// Only if the kernel takes the map away, which it does not.
    pub fn state(&self) -> Result<LiveState, Error> {
        self.watch.state()
    }

    /// The same for another thread.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn watch(&self) -> Result<LiveWatch, Error> {
        self.watch.try_clone()
    }

    /// What became of the frames.
    ///
    /// # Errors
    /// As for state.
    pub fn outcome(&self) -> Result<LiveOutcome, Error> {
        self.watch.outcome()
    }

    /// How far distances between frames were off: nanoseconds, to a sixteenth, and how many frames.
    ///
    /// # Errors
    /// As for state.
    pub fn jitter(&self) -> Result<Vec<(Duration, u64)>, Error> {
        const BUCKETS: u32 = 1024;
        let mut found = Vec::new();
        for bucket in 0..BUCKETS {
            let frames = words(&self.jitter, bucket)?.first().copied().unwrap_or(0);
            if frames != 0 {
                found.push((Duration::from_nanos(middle(bucket)), frames));
            }
        }
        Ok(found)
    }
}

/// Looks at how far live frames are, from any thread.
#[derive(Debug)]
pub struct LiveWatch {
    state: MapHandle,
    outcome: MapHandle,
}

impl LiveWatch {
    /// How far it is.
    ///
    /// # Errors
    /// Only if the kernel takes the map away, which it does not.
    pub fn state(&self) -> Result<LiveState, Error> {
        let words = words(&self.state, 0)?;
        let word = |place: usize| words.get(place).copied().unwrap_or(0);
        Ok(LiveState {
            frames: word(1),
            due: word(4),
            bytes: word(5),
            last_ns: word(6),
            seconds: word(10),
            slowest: word(11),
            fastest: word(12),
            failed: word(13),
            done: word(14) != 0,
        })
    }

    /// What became of the frames.
    ///
    /// # Errors
    /// As for state.
    pub fn outcome(&self) -> Result<LiveOutcome, Error> {
        let count = |key| Ok(words(&self.outcome, key)?.first().copied().unwrap_or(0));
        Ok(LiveOutcome {
            sent: count(0)?,
            dropped: count(1)?,
            refused: count(2)?,
            error: i32::try_from(count(3)?).unwrap_or(0),
        })
    }

    fn try_clone(&self) -> Result<LiveWatch, Error> {
        let what = "looking at live frames from another thread";
        let copy = |map: &MapHandle| {
            MapHandle::try_from(map).map_err(|error| Error::Map { what, source: os(&error) })
        };
        Ok(LiveWatch { state: copy(&self.state)?, outcome: copy(&self.outcome)? })
    }
}

/// The middle of a bucket: 16 parts for each power of two.
fn middle(bucket: u32) -> u64 {
    if bucket < 16 {
        return bucket.into();
    }
    let shift = bucket / 16 - 1;
    let low = u64::from(16 + bucket % 16) << shift;
    low + ((1_u64 << shift) >> 1)
}

fn check(settings: &LiveSettings<'_>) -> Result<(), Error> {
    let LiveSettings { store, steps, order, .. } = settings;
    if steps.is_empty() || u32::try_from(steps.len()).is_err() {
        return Err(Error::Settings("live frames: there must be between one and 2^32 of them"));
    }
    if store.len() > LIVE_STORE_BYTES {
        return Err(Error::Settings("live frames: more than 512 MiB of them"));
    }
    for step in *steps {
        let end = u64::from(step.at) + u64::from(step.bytes);
        if !(14..=LIVE_FRAME_BYTES).contains(&step.bytes) || end > store.len() as u64 {
            return Err(Error::Settings("live frames: one is shorter than 14 bytes or too long"));
        }
    }
    if let LiveOrder::Synth(synth) = order {
        let LiveSynth { flows, frames, pattern, before, first_bytes, .. } = synth;
        let pattern_is_sound = !pattern.is_empty()
            && pattern.len() <= LIVE_PATTERN
            && before.len() == pattern.len() + 1
            && first_bytes.len() <= 8;
        if *flows == 0 || *frames == 0 || !pattern_is_sound {
            return Err(Error::Settings("live frames: the synthetic traffic makes no sense"));
        }
    }
    Ok(())
}

fn set_constants(open: &mut OpenLiveSkel<'_>, settings: &LiveSettings<'_>) {
    let Some(constants) = open.maps.rodata_data.as_mut() else { return };
    constants.target = settings.interface_index;
    constants.process = std::process::id();
    // Without /proc nothing matches, and what became of the frames stays unknown.
    if let Ok(namespace) = std::fs::metadata("/proc/self/ns/pid") {
        constants.namespace_device = namespace.dev();
        constants.namespace_inode = namespace.ino();
    }
    constants.frames_limit = settings.frames.unwrap_or(u64::MAX);
    constants.after_ns = settings.after_ns.unwrap_or(u64::MAX);
    constants.store_bytes = size(settings.store.len());
    constants.steps_count = settings.steps.len() as u64;
    constants.stride = settings.stride;
    match settings.pace {
        LivePace::Top => constants.pace = 0,
        LivePace::Timetable => constants.pace = 1,
        LivePace::Even { frame, byte } => {
            constants.pace = 2;
            constants.frame_time = frame;
            constants.byte_time = byte;
        }
    }
    // The verifier wants no division by zero, even where it is never reached.
    constants.flows = 1;
    constants.lifetime = 1;
    constants.pattern_frames = 1;
    match &settings.order {
        LiveOrder::Loop { period_ns, new_flows } => {
            constants.order = 0;
            constants.period_ns = *period_ns;
            constants.new_flows = u32::from(*new_flows);
        }
        LiveOrder::Synth(synth) => {
            constants.order = 1;
            constants.flows = synth.flows.into();
            constants.births = synth.births.into();
            constants.lifetime = synth.frames.into();
            constants.seed = synth.seed;
            constants.tcp_share = synth.tcp;
            constants.handshake_share = synth.handshakes;
            constants.payload_share = synth.payloads;
            constants.pattern_frames = size(synth.pattern.len());
            copy(&mut constants.pattern, &synth.pattern);
            copy(&mut constants.pattern_before, &synth.before);
            copy(&mut constants.first_bytes, &synth.first_bytes);
        }
    }
}

fn copy<T: Copy>(to: &mut [T], from: &[T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

fn fill_steps(map: &impl MapCore, steps: &[LiveStep]) -> Result<(), libbpf_rs::Error> {
    const AT_ONCE: usize = 4096;
    let mut first = 0_u32;
    for part in steps.chunks(AT_ONCE) {
        let count = size(part.len());
        let keys: Vec<u8> = (first..first + count).flat_map(u32::to_ne_bytes).collect();
        let values: Vec<u8> = part.iter().flat_map(step_bytes).collect();
        map.update_batch(&keys, &values, count, MapFlags::ANY, MapFlags::ANY)?;
        first += count;
    }
    Ok(())
}

/// `struct live_step`.
fn step_bytes(step: &LiveStep) -> [u8; STEP_BYTES] {
    let mut bytes = [0; STEP_BYTES];
    bytes[..8].copy_from_slice(&step.due_ns.to_ne_bytes());
    bytes[8..12].copy_from_slice(&step.at.to_ne_bytes());
    let short = u16::try_from(step.bytes).unwrap_or(0);
    let LiveStep { address_at, port_at, ip_sum_at, l4_sum_at, sequence_at, .. } = *step;
    let fields = [short, address_at, port_at, ip_sum_at, l4_sum_at, sequence_at];
    for (place, field) in bytes[12..24].chunks_exact_mut(2).zip(fields) {
        place.copy_from_slice(&field.to_ne_bytes());
    }
    bytes[24] = step.address_bits;
    bytes[25] = u8::from(step.zero_is_none);
    bytes
}

/// A map's entry as words.
fn words(map: &MapHandle, key: u32) -> Result<Vec<u64>, Error> {
    let what = "reading how far live frames are";
    let value = map
        .lookup(&key.to_ne_bytes(), MapFlags::ANY)
        .map_err(|error| Error::Map { what, source: os(&error) })?
        .unwrap_or_default();
    let (chunks, _) = value.as_chunks::<8>();
    Ok(chunks.iter().map(|chunk| u64::from_ne_bytes(*chunk)).collect())
}

fn size(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_have_their_middle() {
        assert_eq!([0, 15, 16, 31, 32, 33, 47, 48].map(middle), [0, 15, 16, 31, 33, 35, 63, 66]);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let step = LiveStep { bytes: 60, ..LiveStep::default() };
        let settings = LiveSettings {
            interface_index: 1,
            store: &[0; 59],
            steps: &[step],
            order: LiveOrder::Loop { period_ns: 1, new_flows: false },
            pace: LivePace::Top,
            frames: None,
            after_ns: None,
            first: 0,
            stride: 1,
        };
        assert!(matches!(Live::load(&settings), Err(Error::Settings(_))), "beyond the store");
        let none = LiveSettings { steps: &[], ..settings };
        assert!(matches!(Live::load(&none), Err(Error::Settings(_))));
    }
}
