//! The command line of `weir replay`, and what it comes to: checked once, then types.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::traffic::synth::{SIZE_RANGE, Size, Synth, WHOLE, Wish};
use super::traffic::{CaptureNotes, Order, Pace, Plan, Reading, Store, Traffic, on_wire, read};
use crate::exit::{Code, failure};
use crate::units::{self, Quantity};

/// Send traffic out of an interface: a capture again, or synthetic traffic; or write it to a file.
///
/// Frames leave at a rate that is held, and the end tells what was sent, how evenly, and what was
/// not sent and why. For test beds: point it at one end of a veth pair or at a cable of your own.
/// docs/REPLAY.md has examples, units and limits.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("input").required(true).args(["file", "synth"]))]
#[command(group = clap::ArgGroup::new("output").required(true).args(["interface", "write"]))]
#[command(group = clap::ArgGroup::new("rate").args(["speed", "pps", "bps", "top"]))]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct ReplayArgs {
    /// Capture to send: pcap or pcapng, also gzipped.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Send synthetic traffic instead.
    #[arg(long)]
    synth: bool,

    /// The interface to send out of. There is no default.
    #[arg(long, short, value_name = "IF")]
    pub(super) interface: Option<String>,

    /// Write the same frames, with the times they would be sent at, to a pcap file instead.
    #[arg(long, value_name = "FILE")]
    pub(super) write: Option<PathBuf>,

    /// How frames are sent.
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    pub(super) engine: Engine,

    /// The capture's own timing, X times as fast. What is done if nothing is said: 1.
    #[arg(long, value_name = "X", conflicts_with = "synth")]
    speed: Option<f64>,

    /// Frames a second, such as 100K or 1M.
    #[arg(long, value_name = "N", value_parser = count)]
    pps: Option<u64>,

    /// Bits a second, of frames with their check sequence, such as 1Gbit.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    bps: Option<u64>,

    /// As fast as it goes.
    #[arg(long)]
    top: bool,

    /// How often the capture is sent; by default once, or until `--for` ends it.
    #[arg(long, value_name = "N", conflicts_with = "synth", value_parser = clap::value_parser!(u64).range(1..))]
    loops: Option<u64>,

    /// End after this time, such as 10s or 5m; at most 72h.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    duration_ns: Option<u64>,

    /// End after so many frames.
    #[arg(long, value_name = "N", value_parser = count, conflicts_with = "loops")]
    frames: Option<u64>,

    /// Each loop's flows are others: clients get other addresses, and checksums follow.
    #[arg(long, conflicts_with = "synth")]
    new_flows: bool,

    /// Leave out frames of the capture that are longer than the interface takes.
    #[arg(long, requires = "interface", conflicts_with = "synth")]
    skip_too_long: bool,

    #[command(flatten)]
    synthetic: SynthArgs,

    /// Pin the sending thread to this core.
    #[arg(long, value_name = "CORE")]
    pub(super) core: Option<usize>,

    /// The interface's queue that `--engine xdp` sends on.
    #[arg(long, value_name = "Q", default_value_t = 0)]
    pub(super) queue: u32,

    /// Send even out of an interface that carries a default route.
    #[arg(long)]
    pub(super) anyway: bool,

    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// What synthetic traffic is.
#[derive(Args, Debug)]
#[command(next_help_heading = "Synthetic traffic")]
struct SynthArgs {
    /// Bytes of a frame with its check sequence, 64 to 9018, or `imix` (28 of 64, 16 of 570, 4 of
    /// 1518).
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = size, conflicts_with = "file")]
    size: Size,

    /// Flows at the same time, 1 to 100M.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = count, conflicts_with = "file")]
    flows: u64,

    /// New flows a second, each in the place of an old one; needs `--pps` or `--bps`.
    #[arg(long, value_name = "N", value_parser = count, conflicts_with_all = ["file", "top"])]
    new_flows_per_second: Option<u64>,

    /// The share of flows that are TCP, 0 to 1; the others are UDP.
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share, conflicts_with = "file")]
    tcp_share: u32,

    /// The share of TCP flows that begin with a handshake.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, conflicts_with = "file")]
    handshakes: u32,

    /// The share of flows that say an application's first words: a TLS hello, an HTTP request, a
    /// DNS question.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, conflicts_with = "file")]
    payloads: u32,

    /// Begin with frame N of the traffic: as if those before it had been sent already.
    #[arg(long, value_name = "N", value_parser = count, default_value = "0", conflicts_with = "file")]
    from_frame: u64,

    /// The same number gives the same traffic.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "file")]
    seed: u64,
}

/// `--engine`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Engine {
    /// What fits the interface best: xdp where the driver takes frames in place, else live, else
    /// packet.
    Auto,
    /// Frames made by an XDP program in the kernel and redirected (Linux 5.18).
    Live,
    /// AF_XDP sockets.
    Xdp,
    /// AF_PACKET sockets: any interface.
    Packet,
}

/// The longest run: times are kept in so many bits.
const LONGEST_NS: u64 = 72 * 3_600 * 1_000_000_000;
const MOST_FLOWS: u64 = 100_000_000;
const MOST_FRAMES_A_SECOND: u64 = 1_000_000_000;

/// What is to be sent.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) traffic: Traffic,
    pub(crate) after_ns: Option<u64>,
    pub(crate) notes: CaptureNotes,
}

impl ReplayArgs {
    /// What the command line asks for. Frames longer than `longest` may be left out.
    ///
    /// # Errors
    /// It asks for what there is not.
    pub(super) fn job(&self, longest: Option<u32>) -> anyhow::Result<Job> {
        self.check()?;
        let (plan, notes) = match &self.file {
            Some(file) => {
                let speed = self.speed.unwrap_or(1.0);
                let longest = longest.filter(|_| self.skip_too_long);
                read(file, Reading { speed, new_flows: self.new_flows, longest })?
            }
            None => (self.synthetic()?, CaptureNotes::default()),
        };
        let pace = match (self.pps, self.bps) {
            (Some(pps), _) => Pace::frames_a_second(float(pps)),
            (_, Some(bps)) => Pace::bits_a_second(float(bps)),
            _ if self.top => Pace::Top,
            _ => Pace::Timetable,
        };
        let round = plan.round();
        let loops = match (self.loops, self.duration_ns, self.frames) {
            (None, None, None) if !self.synth => Some(1),
            (loops, ..) => loops,
        };
        let frames = self.frames.or(loops.map(|loops| loops.saturating_mul(round)));
        if let (Order::Loop { period_ns, .. }, Pace::Timetable) = (&plan.order, pace) {
            let all_ns = period_ns.saturating_mul(frames.unwrap_or(0).div_ceil(round));
            if self.duration_ns.is_none() && all_ns > LONGEST_NS {
                return usage("this would take more than 72h; say --for, or a higher --speed");
            }
        }
        let first = self.synthetic.from_frame;
        let frames = frames.map(|frames| frames.saturating_add(first));
        let mut traffic = Traffic::new(plan, pace, frames);
        if first != 0 {
            traffic.resume(first, 0);
        }
        Ok(Job { traffic, after_ns: self.duration_ns, notes })
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.synth && self.pps.is_none() && self.bps.is_none() && !self.top {
            return usage("--synth needs a rate: --pps, --bps or --top");
        }
        if self.speed.is_some_and(|speed| !(0.001..=1e6).contains(&speed)) {
            return usage("--speed is between 0.001 and 1000000");
        }
        if self.pps.is_some_and(|pps| !(1..=MOST_FRAMES_A_SECOND).contains(&pps)) {
            return usage("--pps is between 1 and 1G");
        }
        if self.bps.is_some_and(|bps| !(1_000..=10_000_000_000_000).contains(&bps)) {
            return usage("--bps is between 1Kbit and 10000Gbit");
        }
        if self.duration_ns.is_some_and(|ns| ns == 0 || ns > LONGEST_NS) {
            return usage("--for is more than nothing and at most 72h");
        }
        if self.frames == Some(0) {
            return usage("--frames is at least 1");
        }
        if self.write.is_some() {
            if self.top {
                return usage("--write needs times for its frames: --pps, --bps or --speed");
            }
            if self.synth && self.frames.is_none() && self.duration_ns.is_none() {
                return usage("--write needs an end: --frames or --for");
            }
        }
        Ok(())
    }

    fn synthetic(&self) -> anyhow::Result<Plan> {
        let wanted = &self.synthetic;
        if !(1..=MOST_FLOWS).contains(&wanted.flows) {
            return usage("--flows is between 1 and 100M");
        }
        let wish = Wish {
            size: wanted.size,
            flows: u32::try_from(wanted.flows).unwrap_or(1),
            births: 0,
            frames: 1,
            tcp: wanted.tcp_share,
            handshakes: wanted.handshakes,
            payloads: wanted.payloads,
            seed: wanted.seed,
        };
        let make = |wish: Wish| {
            let mut store = Store::default();
            let synth = Synth::new(wish, &mut store);
            Plan { store, order: Order::Synth(synth) }
        };
        let plan = make(wish);
        let Some(births) = wanted.new_flows_per_second.filter(|births| *births > 0) else {
            return Ok(plan);
        };
        let rate = match (self.pps, self.bps) {
            (Some(pps), _) => pps,
            (None, Some(bps)) => (bps / (8 * mean_bytes(&plan)).max(1)).max(1),
            (None, None) => return usage("--new-flows-per-second needs --pps or --bps"),
        };
        if births > rate {
            return usage("--new-flows-per-second: more new flows than there are frames");
        }
        let (births, frames) = fraction(births, rate);
        Ok(make(Wish { births, frames, ..wish }))
    }
}

/// Bytes on the wire of a frame, on average over the first frames.
fn mean_bytes(plan: &Plan) -> u64 {
    const FRAMES: u64 = 100_000;
    let templates = plan.store.templates();
    let bytes = (0..FRAMES).map(|index| {
        let place = usize::try_from(plan.pick(index).template).unwrap_or(0);
        templates.get(place).map_or(0, |template| on_wire(template.bytes))
    });
    bytes.sum::<u64>() / FRAMES
}

/// The same share in smaller numbers: such as the arithmetic of synthetic traffic has room for.
fn fraction(part: u64, whole: u64) -> (u32, u32) {
    const MOST: u64 = 1 << 20;
    let (mut a, mut b) = (part, whole);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let (mut part, mut whole) = (part / a.max(1), whole / a.max(1));
    while part > MOST || whole > u64::from(u32::MAX) {
        (part, whole) = (part.div_ceil(2), whole.div_ceil(2));
    }
    (u32::try_from(part).unwrap_or(1).max(1), u32::try_from(whole).unwrap_or(u32::MAX).max(1))
}

fn usage<T>(text: &str) -> anyhow::Result<T> {
    Err(failure(Code::Usage, text))
}

fn count(text: &str) -> Result<u64, String> {
    number(text, Quantity::Count)
}

fn rate(text: &str) -> Result<u64, String> {
    number(text, Quantity::Rate)
}

fn time(text: &str) -> Result<u64, String> {
    number(text, Quantity::Time)
}

fn number(text: &str, quantity: Quantity) -> Result<u64, String> {
    units::parse(text, quantity).ok_or_else(|| format!("write it as {}", quantity.examples()))
}

fn share(text: &str) -> Result<u32, String> {
    let share: f64 = text.parse().map_err(|_| "write a number from 0 to 1, such as 0.25")?;
    if !(0.0..=1.0).contains(&share) {
        return Err("write a number from 0 to 1, such as 0.25".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 65536")]
    let parts = (share * f64::from(WHOLE)).round() as u32;
    Ok(parts)
}

fn size(text: &str) -> Result<Size, String> {
    if text.eq_ignore_ascii_case("imix") {
        return Ok(Size::Mix);
    }
    let bytes = text.parse().ok().filter(|bytes| SIZE_RANGE.contains(bytes));
    bytes
        .map(Size::Fixed)
        .ok_or_else(|| format!("write {} to {}, or imix", SIZE_RANGE.start(), SIZE_RANGE.end()))
}

#[expect(clippy::cast_precision_loss, reason = "rates below 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ReplayArgs,
    }

    fn job(line: &str) -> Result<Job, String> {
        let words = std::iter::once("replay").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.args.job(None).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_asked_for_is_what_is_done() {
        let made =
            job("--synth -i a --pps 1M --for 10s --flows 5 --new-flows-per-second 1K").unwrap();
        assert_eq!(made.after_ns, Some(10_000_000_000));
        assert_eq!(made.traffic.pace(), Pace::frames_a_second(1e6));
        let Order::Synth(synth) = &made.traffic.plan().order else { unreachable!() };
        assert_eq!((synth.wish.flows, synth.wish.births, synth.wish.frames), (5, 1, 1000));
        let made = job("--synth -i a --bps 1Gbit --size imix --frames 7").unwrap();
        assert_eq!(made.traffic.frames(), Some(7));
        let made = job("--synth -i a --pps 1K --frames 7 --from-frame 1M").unwrap();
        assert_eq!(made.traffic.index(), 1_000_000);
        assert_eq!(made.traffic.frames(), Some(1_000_007));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_advice() {
        for (line, part) in [
            ("--synth -i a", "--pps"),
            ("-i a", "required"),
            ("--synth --pps 1", "--interface"),
            ("x.pcap --synth -i a --pps 1", "cannot be used"),
            ("--synth -i a --pps 1 --top", "cannot be used"),
            ("--synth -i a --pps 0", "between 1"),
            ("--synth -i a --pps 1 --for 0s", "at most 72h"),
            ("--synth -i a --pps 1 --for 73h", "at most 72h"),
            ("--synth -i a --pps 1 --size 63", "64 to 9018"),
            ("--synth -i a --pps 1 --tcp-share 1.5", "0 to 1"),
            ("--synth -i a --pps 10 --new-flows-per-second 11", "more new flows"),
            ("--synth -i a --top --new-flows-per-second 11", "cannot be used"),
            ("--synth --write f --top", "needs times"),
            ("--synth --write f --pps 1", "needs an end"),
            ("/nothing/here.pcap -i a", "cannot open"),
        ] {
            let error = job(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn shares_of_frames_keep_their_value() {
        for (part, whole) in
            [(1, 1), (3, 10), (333_333, 1_000_000), (5_000_001, 99_999_989), (1, u64::MAX)]
        {
            let (a, b) = fraction(part, whole);
            let wanted = float(part) / float(whole);
            let found = f64::from(a) / f64::from(b);
            assert!((found - wanted).abs() <= wanted * 1e-5 || whole == u64::MAX, "{part}/{whole}");
        }
    }
}
