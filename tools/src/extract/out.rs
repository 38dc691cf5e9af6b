//! Where extracted packets go: a file, a pipe, Wireshark, or an interface at the pace that they came.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use super::find::Progress;
use super::merge::Take;
use crate::feed::target::{Outcome, Target};
use crate::files::Packet;
use crate::files::encode::{self, Format, Framed, Said};
use crate::files::layout::Layout;
use crate::live;
use crate::packets::{ETHERNET, Stop};
use crate::pcapng::Interface;
use crate::units::Quantity;

/// A capture file in the making.
pub(super) struct Capture {
    out: Box<dyn Write>,
    format: Format,
    framed: Framed,
    /// (name, link type), in the file's order.
    interfaces: Vec<(String, u32)>,
    begun: bool,
    wireshark: Option<Child>,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").field("interfaces", &self.interfaces).finish_non_exhaustive()
    }
}

/// Where to.
#[derive(Debug)]
pub(super) enum Way {
    Capture(Capture),
    Interface { target: Target, pace: Pace },
}

/// When a packet is due.
#[derive(Debug)]
pub(super) struct Pace {
    /// Times as fast as they came, in thousandths; none: at once.
    speed: Option<u64>,
    /// The first packet's time, and when it was sent.
    first: Option<(u64, u64)>,
}

impl Capture {
    /// To a file, or to standard output.
    ///
    /// # Errors
    /// The file cannot be made, or standard output is a terminal.
    pub(super) fn to(path: Option<&Path>, format: Format) -> anyhow::Result<Capture> {
        let out: Box<dyn Write> = match path.filter(|path| *path != Path::new("-")) {
            Some(path) => {
                let file = File::create(path);
                Box::new(file.with_context(|| format!("cannot write {}", path.display()))?)
            }
            None if io::stdout().is_terminal() => {
                bail!("packets are no text: give a file by --write, or a pipe, as `| tcpdump -r -`")
            }
            None => Box::new(io::stdout()),
        };
        Ok(Capture::new(out, format, None))
    }

    /// Into Wireshark.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn wireshark(format: Format) -> anyhow::Result<Capture> {
        let mut command = Command::new("wireshark");
        let mut child = command
            .args(["-k", "-i", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start wireshark; is it installed?")?;
        let stdin = child.stdin.take().context("wireshark has no standard input")?;
        Ok(Capture::new(Box::new(stdin), format, Some(child)))
    }

    fn new(out: Box<dyn Write>, format: Format, wireshark: Option<Child>) -> Capture {
        let out = Box::new(BufWriter::with_capacity(1 << 18, out));
        let framed = Framed::default();
        Capture { out, format, framed, interfaces: Vec::new(), begun: false, wireshark }
    }

    fn packet(&mut self, packet: &Packet<'_>, layout: &Layout) -> anyhow::Result<bool> {
        if !self.begun {
            self.begin(packet.link_type)?;
        }
        let name = layout.interface_name(packet.interface);
        let same = |(known, link): &(String, u32)| known == name && *link == packet.link_type;
        let interface = match self.format {
            Format::Pcap if self.interfaces.iter().any(|(_, link)| *link != packet.link_type) => {
                return Ok(false);
            }
            Format::Pcap => 0,
            Format::Pcapng => match self.interfaces.iter().position(same) {
                Some(known) => known,
                None => self.interface(name, packet.link_type)?,
            },
        };
        let said = Said::of(packet, u32::try_from(interface)?);
        self.framed.frame(self.format, packet, &said);
        self.out.write_all(self.framed.head())?;
        self.out.write_all(packet.bytes)?;
        self.out.write_all(self.framed.tail())?;
        Ok(true)
    }

    fn begin(&mut self, link_type: u32) -> io::Result<()> {
        self.begun = true;
        if self.format == Format::Pcap {
            self.interfaces.push((String::new(), link_type));
        }
        self.out.write_all(&encode::begin(self.format, link_type))
    }

    fn interface(&mut self, name: &str, link_type: u32) -> io::Result<usize> {
        let block = encode::interface(&Interface {
            name,
            description: "",
            filter: "",
            link_type,
            snap_bytes: 0,
        });
        self.out.write_all(&block)?;
        self.interfaces.push((name.to_owned(), link_type));
        Ok(self.interfaces.len() - 1)
    }

    /// A file of no packets is a file.
    fn end(mut self) -> anyhow::Result<()> {
        if !self.begun {
            self.begin(ETHERNET)?;
            if self.format == Format::Pcapng {
                self.interface("", ETHERNET)?;
            }
        }
        self.out.flush()?;
        drop(self.out);
        if let Some(mut child) = self.wireshark {
            child.wait().context("wireshark")?;
        }
        Ok(())
    }
}

impl Pace {
    pub(super) const fn new(speed: Option<u64>) -> Pace {
        Pace { speed, first: None }
    }

    /// Waits until a packet is due. Whether to go on.
    fn wait(&mut self, time_ns: u64, stop: &Stop) -> bool {
        let Some(speed) = self.speed else { return !stop.is_set() };
        let (first_ns, began_ns) = *self.first.get_or_insert((time_ns, live::monotonic_ns()));
        let after = u128::from(time_ns.saturating_sub(first_ns)) * 1000 / u128::from(speed.max(1));
        let due_ns = began_ns.saturating_add(u64::try_from(after).unwrap_or(u64::MAX));
        loop {
            if stop.is_set() {
                return false;
            }
            let left = due_ns.saturating_sub(live::monotonic_ns());
            if left == 0 {
                return true;
            }
            live::pause(Duration::from_nanos(left.min(100_000_000)));
        }
    }
}

/// What was passed on.
#[derive(Debug)]
pub(super) struct Out {
    way: Way,
    stop: Stop,
    show: bool,
    shown_ns: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// The interface did not take them, or a pcap file has one link type.
    pub(super) dropped: u64,
}

impl Out {
    pub(super) fn new(way: Way, stop: Stop, quiet: bool) -> Out {
        let show = !quiet && io::stderr().is_terminal();
        let shown_ns = live::monotonic_ns();
        Out { way, stop, show, shown_ns, packets: 0, bytes: 0, dropped: 0 }
    }

    /// Ends what was written. Packets, bytes, dropped.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn end(self) -> anyhow::Result<[u64; 3]> {
        if self.show {
            write!(io::stderr(), "\r\x1b[K")?;
        }
        match self.way {
            Way::Capture(capture) => capture.end()?,
            Way::Interface { target, .. } => target.close(&self.stop),
        }
        Ok([self.packets, self.bytes, self.dropped])
    }
}

impl Take for Out {
    fn take(&mut self, packet: &Packet<'_>, layout: &Layout) -> anyhow::Result<bool> {
        let taken = match &mut self.way {
            Way::Capture(capture) => capture.packet(packet, layout)?,
            Way::Interface { target, pace } => {
                if !pace.wait(packet.time_ns, &self.stop) {
                    return Ok(false);
                }
                packet.link_type == ETHERNET
                    && target.send_patiently(packet.bytes)? == Outcome::Sent
            }
        };
        if taken {
            self.packets += 1;
            self.bytes += u64::try_from(packet.bytes.len())?;
        } else {
            self.dropped += 1;
        }
        Ok(true)
    }

    fn progress(&mut self, progress: &Progress) -> anyhow::Result<bool> {
        let now_ns = live::monotonic_ns();
        if self.show && now_ns.saturating_sub(self.shown_ns) > 500_000_000 {
            self.shown_ns = now_ns;
            let read = Quantity::Bytes.short(progress.read_bytes);
            let packets = Quantity::Count.short(self.packets);
            write!(io::stderr(), "\r\x1b[K{read} read, {packets} packets")?;
        }
        Ok(!self.stop.is_set())
    }
}
