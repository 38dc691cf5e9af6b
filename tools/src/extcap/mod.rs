//! `weir extcap`: Wireshark captures from a running engine.
//!
//! Wireshark runs every program of its extcap folder with options that all begin with `--extcap` or
//! `--capture`, without a word before them: a link `weir-extcap` to `weir` in that folder is enough
//! (see [`as_subcommand`]). What it asks and wants answered is in its manual page `extcap(4)`.
//!
//! Needs no privilege beyond that of reading packets, and cannot slow the engine down: when
//! Wireshark cannot keep up, packets are missed here, counted, and said in the file.

mod announce;
mod capture;
mod flows;
mod names;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::exit::{Code, failure};
use crate::live::EngineArgs;
use crate::packets::{self, PacketArgs};

/// What stands before an engine's name in the name of an interface.
pub(crate) const PREFIX: &str = "weir:";

/// The name under which Wireshark finds the program.
const PROGRAM: &str = "weir-extcap";

/// Capture from a running engine in Wireshark, which starts this by itself.
///
/// Put a link named `weir-extcap` to this program into Wireshark's personal or global extcap
/// folder (Help, About Wireshark, Folders). Each running engine then is an interface `weir:NAME`.
/// Packets carry the application of their flow as a comment.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that Wireshark gives")]
pub(crate) struct ExtcapArgs {
    /// List the interfaces: one for each running engine.
    #[arg(long)]
    extcap_interfaces: bool,

    /// Wireshark's own version.
    #[arg(long, value_name = "VERSION", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "")]
    extcap_version: Option<String>,

    /// The interface that is asked about: weir:NAME.
    #[arg(long, value_name = "INTERFACE")]
    extcap_interface: Option<String>,

    /// List the link types of the interface.
    #[arg(long)]
    extcap_dlts: bool,

    /// List the options that the interface has.
    #[arg(long)]
    extcap_config: bool,

    /// List the values of an option again; there are none that change.
    #[arg(long, value_name = "OPTION", hide = true)]
    extcap_reload_option: Option<String>,

    /// Clean up after a capture that was killed; there is nothing to.
    #[arg(long, hide = true)]
    extcap_cleanup_postkill: bool,

    /// A capture filter, in the language of tcpdump, which has to be installed. Without --capture:
    /// say whether it is right.
    #[arg(long, value_name = "FILTER", allow_hyphen_values = true)]
    extcap_capture_filter: Option<String>,

    /// Capture.
    #[arg(long)]
    capture: bool,

    /// Where to write what is captured.
    #[arg(long, value_name = "PATH")]
    fifo: Option<PathBuf>,

    /// Only packets of flows of these applications or protocols, separated by commas.
    #[arg(long = "app", value_name = "NAMES", value_delimiter = ',')]
    apps: Vec<String>,

    /// Only packets of this flow; 0: of all.
    #[arg(long, value_name = "ID", default_value_t = 0)]
    flow: u64,

    /// Bytes kept of each packet at most; 0: all.
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    snap: u32,

    /// Whether frames are copied for Wireshark or held by the engine.
    #[arg(long, value_name = "MODE", default_value = "window")]
    mode: Mode,

    /// Share the stream with the other members of this group.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,

    /// Leave out the comments on packets.
    #[arg(long)]
    no_comments: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Mode {
    /// Frames are copied.
    Window,
    /// The engine holds frames as far as it can.
    Lease,
}

/// The command line as `weir` takes it: where Wireshark calls, which names no subcommand, with one.
pub(crate) fn as_subcommand(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = given.collect();
    let called = words.first().map(Path::new).and_then(Path::file_stem);
    let first = words.get(1).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let asks = first.starts_with("--extcap-") || first == "--capture";
    if called.is_some_and(|name| name == PROGRAM) && first != "extcap" || asks {
        words.insert(1, "extcap".into());
    }
    words
}

/// Runs the command.
pub(crate) fn run(args: &ExtcapArgs) -> anyhow::Result<ExitCode> {
    if args.extcap_interfaces {
        return said(&announce::interfaces());
    }
    if args.extcap_cleanup_postkill {
        return Ok(ExitCode::SUCCESS);
    }
    let Some(interface) = &args.extcap_interface else {
        // Wireshark asks for the version alone to see whether the program can be used.
        if args.extcap_version.is_some() {
            return said(&announce::version());
        }
        return Err(failure(Code::Usage, format!("this is for Wireshark to run\n{HOW}")));
    };
    let name = interface.strip_prefix(PREFIX).unwrap_or(interface).to_owned();
    if args.extcap_config || args.extcap_reload_option.is_some() {
        return said(&announce::options());
    }
    let engine = EngineArgs { name: Some(name) };
    if args.extcap_dlts {
        return said(&announce::link_types(&engine)?);
    }
    if args.capture {
        return capture(args, engine);
    }
    if let Some(filter) = &args.extcap_capture_filter {
        // The answer is the objection, or nothing.
        let link_type = announce::link_type(&engine)?;
        return match packets::compile(filter, link_type) {
            Ok(_) => Ok(ExitCode::SUCCESS),
            Err(error) => said(&format!("{error:#}\n")),
        };
    }
    Err(failure(Code::Usage, format!("nothing is asked about {interface}\n{HOW}")))
}

const HOW: &str = "link it into Wireshark's extcap folder as weir-extcap; see weir extcap --help";

fn said(text: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn capture(args: &ExtcapArgs, engine: EngineArgs) -> anyhow::Result<ExitCode> {
    let Some(path) = &args.fifo else {
        return Err(failure(Code::Usage, "--capture needs --fifo PATH"));
    };
    let stop = packets::stop_on_signals()?;
    let wanted = PacketArgs {
        engine,
        filter: args.extcap_capture_filter.clone(),
        apps: args.apps.clone(),
        flow: (args.flow != 0).then_some(args.flow),
        group: args.group.clone(),
        lease: args.mode == Mode::Lease,
    };
    let mut reader = wanted.open("wireshark")?;
    let out = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let plan = capture::Plan {
        filter: wanted.filter.as_deref().unwrap_or_default(),
        snap_bytes: args.snap,
        comments: !args.no_comments,
    };
    capture::run(&mut reader, BufWriter::with_capacity(1 << 16, out), &plan, &stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(given: &str) -> String {
        let words = as_subcommand(given.split(' ').map(OsString::from));
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn wireshark_names_no_subcommand() {
        let asked = "/x/weir-extcap --extcap-interfaces --extcap-version=4.0";
        let meant = "/x/weir-extcap extcap --extcap-interfaces --extcap-version=4.0";
        assert_eq!(words(asked), meant);
        assert_eq!(words("weir --extcap-interfaces"), "weir extcap --extcap-interfaces");
        assert_eq!(words("weir --capture --fifo f"), "weir extcap --capture --fifo f");
        assert_eq!(words("weir-extcap"), "weir-extcap extcap");
        for as_it_is in ["weir run pcap:f", "weir extcap --capture", "weir-extcap extcap --x"] {
            assert_eq!(words(as_it_is), as_it_is);
        }
    }
}
