//! The ceiling: frames received over AF_XDP and given back at once, by the engine's own source. No
//! byte of a frame is looked at here; the XDP program is the one that the engine uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{anyhow, bail};
use weir_engine::capture::xdp::{XdpConfig, XdpPort, XdpSource};
use weir_engine::capture::{Batch, Received, Source};
use weir_engine::config::{Config, SourceSpec};
use weir_engine::engine::{secret, xdp_config};
use weir_engine::sys::place::{self, Core};

use super::subject::{Counts, Ended};

/// See the module.
#[derive(Debug)]
pub(super) struct RxDrop {
    port: XdpPort,
    obtained: String,
    stop: Arc<AtomicBool>,
    /// Frames that each thread received.
    received: Vec<Arc<AtomicU64>>,
    threads: Vec<JoinHandle<()>>,
}

impl RxDrop {
    /// Starts it with the capture settings of `config`.
    ///
    /// # Errors
    /// What the capture says.
    pub(super) fn start(config: &Config, cores: &[Core]) -> anyhow::Result<RxDrop> {
        let wanted = capture(config)?;
        let (sources, mut port) = XdpPort::prepare(&wanted)?;
        let stop = Arc::new(AtomicBool::new(false));
        let seats = place::assign(cores, &vec![None; sources.len()]);
        let (mut received, mut threads) = (Vec::new(), Vec::new());
        for (source, seat) in sources.into_iter().zip(seats) {
            let count = Arc::new(AtomicU64::new(0));
            received.push(Arc::clone(&count));
            let stop = Arc::clone(&stop);
            threads.push(std::thread::Builder::new().spawn(move || {
                if let Some(core) = seat {
                    place::pin(core);
                }
                drop_all(source, &count, &stop);
            })?);
        }
        port.start(wanted.native)?;
        let obtained = port.report().to_string();
        Ok(RxDrop { port, obtained, stop, received, threads })
    }

    /// The modes obtained.
    pub(super) fn obtained(&self) -> &str {
        &self.obtained
    }

    /// What was counted.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub(super) fn counts(&self) -> anyhow::Result<Counts> {
        let received = self.received.iter().map(|count| count.load(Ordering::Acquire)).sum();
        let nic_dropped = self.port.nic_missed().unwrap_or(0);
        let mut counts = Counts {
            wire: nic_dropped,
            processed: received,
            parsed: received,
            ..Counts::default()
        };
        let mut lost = |name: &str, frames: u64| {
            *counts.lost.entry(name.to_owned()).or_default() += frames;
        };
        lost("nic_dropped", nic_dropped);
        for row in self.port.ledger()? {
            counts.wire += row.seen();
            lost("xdp_passed", row.passed_no_socket());
            lost("xdp_aborted", row.aborted());
            lost("ring_full", row.ring_full);
            lost("no_buffer", row.dropped);
        }
        Ok(counts)
    }

    /// Ends it.
    ///
    /// # Errors
    /// A thread panicked.
    pub(super) fn end(mut self) -> anyhow::Result<Ended> {
        self.port.detach();
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| anyhow!("a receiver panicked"))?;
        }
        Ok(Ended { balanced: self.counts()?.missing() == 0, cpu: None })
    }
}

impl Drop for RxDrop {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What the engine would capture with.
fn capture(config: &Config) -> anyhow::Result<XdpConfig> {
    let Some(SourceSpec::Xdp(interface)) = config.sources.first() else {
        bail!("the ceiling is of AF_XDP");
    };
    Ok(xdp_config(config, interface, config.shards, secret()?))
}

fn drop_all(mut source: XdpSource, count: &AtomicU64, stop: &AtomicBool) {
    const NAP: Duration = Duration::from_millis(10);
    let mut batch = Batch::default();
    let mut received = 0;
    loop {
        batch.clear();
        // Asked before the last look: what was on its way then is taken in.
        let last = stop.load(Ordering::Relaxed);
        match source.receive(&mut batch) {
            Received::Frames => {
                received += batch.as_slice().len() as u64;
                source.release(&batch);
                count.store(received, Ordering::Release);
            }
            Received::Idle | Received::End if last => break,
            Received::Idle | Received::End => source.wait(NAP),
        }
    }
}
