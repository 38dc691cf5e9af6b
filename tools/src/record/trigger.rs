//! One recorder a directory and prefix, and how it is told to write what it has in memory: a lock file
//! with its process id, a file that says which packets, and SIGUSR1.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use clap::Args;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGUSR1;

use super::asked::Wanted;
use crate::community;
use crate::exit::{Code, failure};
use crate::flow::from_ip;

/// Have a recorder write what it keeps in memory.
///
/// For a recorder with `--pretrigger`; the same as sending it SIGUSR1, with a choice of packets.
#[derive(Args, Debug)]
pub(crate) struct TriggerArgs {
    /// The recorder's directory.
    #[arg(long, short = 'd', value_name = "DIR")]
    dir: PathBuf,

    /// The recorder's prefix.
    #[arg(long, value_name = "TEXT", default_value = "weir")]
    prefix: String,

    /// Only packets of flows of this host, and ARP about it.
    #[arg(long, value_name = "ADDRESS")]
    host: Option<std::net::IpAddr>,

    /// Only packets of this flow.
    #[arg(long, value_name = "ID")]
    community_id: Option<String>,
}

fn lock_path(folder: &Path, prefix: &str) -> PathBuf {
    folder.join(format!(".{prefix}.lock"))
}

fn wanted_path(folder: &Path, prefix: &str) -> PathBuf {
    folder.join(format!(".{prefix}.trigger"))
}

/// Keeps other recorders away while it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the directory, which is made where it is not there.
    ///
    /// # Errors
    /// Another recorder has it, or it cannot be written.
    pub(super) fn take(folder: &Path, prefix: &str) -> anyhow::Result<Lock> {
        let cannot = || format!("cannot record to {}", folder.display());
        fs::create_dir_all(folder).with_context(cannot)?;
        let path = lock_path(folder, prefix);
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(cannot)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let advice = "another recorder writes there; choose another --dir or --prefix";
            return Err(failure(Code::Failed, format!("{}: {advice}", folder.display())));
        }
        file.set_len(0).with_context(cannot)?;
        write!(file, "{}", std::process::id()).with_context(cannot)?;
        Ok(Lock { _file: file })
    }
}

/// Hears of triggers.
#[derive(Debug)]
pub(super) struct Trigger {
    heard: Arc<AtomicBool>,
    wanted: Option<PathBuf>,
}

impl Trigger {
    /// Listens from now on.
    ///
    /// # Errors
    /// Signals cannot be caught.
    pub(super) fn new(place: Option<(&Path, &str)>) -> anyhow::Result<Trigger> {
        let heard = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGUSR1, Arc::clone(&heard)).context("cannot catch signals")?;
        let wanted = place.map(|(folder, prefix)| wanted_path(folder, prefix));
        Ok(Trigger { heard, wanted })
    }

    /// What was asked for since the last call.
    pub(super) fn take(&self) -> Option<Wanted> {
        if !self.heard.load(Ordering::Relaxed) {
            return None;
        }
        self.heard.store(false, Ordering::Relaxed);
        let path = self.wanted.as_ref()?;
        let text = fs::read_to_string(path).unwrap_or_default();
        fs::remove_file(path).ok();
        Some(read(&text))
    }
}

fn read(text: &str) -> Wanted {
    let mut wanted = Wanted::default();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("host", host)) => wanted.host = host.parse().ok().map(from_ip),
            Some(("community", id)) => wanted.community = community::digest(id.as_bytes()),
            _ => {}
        }
    }
    wanted
}

/// Runs `weir record trigger`.
pub(super) fn run(args: &TriggerArgs) -> anyhow::Result<ExitCode> {
    let path = lock_path(&args.dir, &args.prefix);
    let nobody = || format!("no recorder writes to {}", args.dir.display());
    let mut file = File::open(path).with_context(nobody)?;
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        bail!(nobody());
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(nobody)?;
    let pid = text.trim().parse().ok().and_then(Pid::from_raw).with_context(nobody)?;
    let mut wanted = String::new();
    if let Some(host) = args.host {
        writeln!(wanted, "host {host}")?;
    }
    if let Some(id) = &args.community_id {
        if community::digest(id.as_bytes()).is_none() {
            return Err(failure(Code::Usage, format!("{id:?} is no community id of version 1")));
        }
        writeln!(wanted, "community {id}")?;
    }
    let place = wanted_path(&args.dir, &args.prefix);
    let part = place.with_extension("trigger-part");
    fs::write(&part, wanted).with_context(|| format!("cannot write {}", part.display()))?;
    fs::rename(&part, &place).with_context(|| format!("cannot write {}", place.display()))?;
    kill_process(pid, Signal::USR1).with_context(nobody)?;
    Ok(ExitCode::SUCCESS)
}
