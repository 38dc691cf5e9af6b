//! What Wireshark gets: the same packets, what is known of them, and the names of hosts.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::engine::{Engine, WITHIN, capture, output, source, weir};
use weir_tests::programs::{self, Running};

fn tshark(file: &Path, arguments: &[&str]) -> Option<Vec<String>> {
    let mut command = Command::new(programs::find("extcap", "tshark")?);
    command.args(["-n", "-o", "frame.generate_md5_hash:TRUE", "-r"]).arg(file).args(arguments);
    Some(output(&mut command).lines().map(str::to_owned).collect())
}

/// Kinds of the blocks of a file, and the last block.
fn blocks(file: &Path) -> (BTreeMap<u32, usize>, Vec<u8>) {
    let bytes = std::fs::read(file).unwrap();
    let (mut rest, mut kinds, mut last) = (&bytes[..], BTreeMap::new(), Vec::new());
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        *kinds.entry(word(0)).or_default() += 1;
        let length = usize::try_from(word(4)).unwrap();
        last = rest[..length].to_vec();
        rest = &rest[length..];
    }
    (kinds, last)
}

#[test]
fn packets_are_whole_and_carry_what_is_known_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (traffic, file) = capture(folder.path(), 300);
    let engine = Engine::start(&source(&file), &["--wait-for-readers"]);
    let interface = format!("weir:{}", engine.name);
    // Asking does not count as reading: the engine goes on waiting.
    let about = |arguments: &[&str]| {
        output(weir(&["extcap", "--extcap-interface", &interface]).args(arguments))
    };
    assert!(
        output(&mut weir(&["--extcap-interfaces"])).contains(&format!("{{value={interface}}}"))
    );
    assert_eq!(about(&["--extcap-dlts"]), "dlt {number=1}{name=EN10MB}{display=Ethernet}\n");
    assert!(about(&["--extcap-config"]).contains("{call=--app}"));
    let out = folder.path().join("out.pcapng");
    let mut command = weir(&["--capture", "--extcap-interface", &interface, "--fifo"]);
    output(command.arg(&out));
    assert!(engine.end(false).status.success());
    let (kinds, last) = blocks(&out);
    let frames = traffic.frames.len();
    assert_eq!((kinds[&1], kinds[&6], last[0]), (1, frames, 5), "{kinds:?}");
    assert!(kinds[&4] > 10, "names: {kinds:?}");
    // Received, and dropped.
    let counted = last.windows(12).any(|at| {
        at[..4] == [4, 0, 8, 0] && at[4..] == u64::try_from(frames).unwrap().to_le_bytes()
    });
    assert!(counted, "{last:?}");
    let fields =
        ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.md5_hash"];
    let Some(found) = tshark(&out, &fields) else { return };
    assert_eq!(found, tshark(&file, &fields).unwrap());
    let comments = tshark(&out, &["-T", "fields", "-e", "frame.comment"]).unwrap();
    let count = |part: &str| comments.iter().filter(|comment| comment.contains(part)).count();
    assert!(count("app=TLS.YouTube confidence=hostname") > 20, "{comments:?}");
    assert!(count("app=DNS confidence=content") > 20);
    // The type of an ICMP message, of which its identifier is made, is not kept.
    assert_eq!(count("community_id=1:"), count("app=") - count("app=ICMP"));
    assert_eq!(count("app="), frames - usize::try_from(traffic.no_flow).unwrap());
    let named = ["-N", "n", "-Y", "ip.dst_host == \"www.youtube.com\" && tls"];
    assert!(!tshark(&out, &named).unwrap().is_empty());
}

#[test]
fn a_filter_is_checked_and_kept() {
    let test = "a_filter_is_checked_and_kept";
    if programs::find(test, "tcpdump").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (traffic, file) = capture(folder.path(), 300);
    let engine = Engine::start(&source(&file), &["--wait-for-readers"]);
    let interface = format!("weir:{}", engine.name);
    let check = |filter: &str| {
        let arguments = ["extcap", "--extcap-interface", &interface, "--extcap-capture-filter"];
        output(weir(&arguments).arg(filter))
    };
    assert_eq!(check("udp port 53"), "");
    assert!(check("udp prt 53").contains("syntax error"), "{}", check("udp prt 53"));
    let out = folder.path().join("out.pcapng");
    let mut command = weir(&["extcap", "--capture", "--extcap-interface", &interface]);
    command.args(["--extcap-capture-filter", "udp port 53", "--snap", "60", "--app", "DNS"]);
    output(command.args(["--no-comments", "--fifo"]).arg(&out));
    assert!(engine.end(false).status.success());
    let (kinds, _) = blocks(&out);
    assert!((20..traffic.frames.len() / 4).contains(&kinds[&6]), "{kinds:?}");
    let Some(lines) = tshark(&out, &["-T", "fields", "-e", "frame.cap_len", "-e", "frame.comment"])
    else {
        return;
    };
    assert!(lines.iter().all(|line| line.trim() == "60"), "{lines:?}");
}

/// Wireshark takes an extcap folder from its user for nobody but ordinary users.
#[test]
fn tshark_captures_live() {
    const NOBODY: u32 = 65_534;
    let test = "tshark_captures_live";
    let Some(tshark) = programs::find(test, "tshark") else { return };
    if programs::find(test, "tcpdump").is_none() || programs::find(test, "setpriv").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (traffic, file) = capture(folder.path(), 300);
    // Where a build lies, an ordinary user may not go.
    let program = folder.path().join("weir");
    std::fs::copy(env!("CARGO_BIN_EXE_weir"), &program).unwrap();
    let (extcap, home) = (folder.path().join("extcap"), folder.path().join("home"));
    for made in [&extcap, &home] {
        std::fs::create_dir(made).unwrap();
    }
    symlink(&program, extcap.join("weir-extcap")).unwrap();
    let settings = folder.path().join("weir.toml");
    std::fs::write(&settings, "[export]\npacket_access = \"any\"\n").unwrap();
    let mut arguments = vec!["--wait-for-readers", "--config"];
    arguments.push(settings.to_str().unwrap());
    let engine = Engine::start(&source(&file), &arguments);
    let out = home.join("live.pcapng");
    let mut command = if rustix::process::geteuid().is_root() {
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        let mut command = Command::new("setpriv");
        let who = format!("{NOBODY}");
        command.args(["--reuid", &who, "--regid", &who, "--clear-groups", "--"]).arg(tshark);
        command
    } else {
        Command::new(tshark)
    };
    command.env("HOME", &home).env("WIRESHARK_EXTCAP_DIR", &extcap).current_dir(&home);
    let interface = format!("weir:{}", engine.name);
    command.args(["-n", "-f", "not tcp", "-i", &interface, "-w"]).arg(&out);
    let ended = Running::start(&mut command).unwrap().finish(WITHIN).unwrap();
    assert!(ended.status.success(), "{} {}", ended.errors, ended.output);
    assert!(engine.end(false).status.success());
    let (kinds, _) = blocks(&out);
    // tshark puts down every packet that it was given, and names with them.
    assert!((100..traffic.frames.len()).contains(&kinds[&6]), "{kinds:?}");
    assert!(kinds.contains_key(&4), "{kinds:?}");
}
