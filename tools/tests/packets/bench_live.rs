//! `weir bench live`: a tiny grid over a cable of its own; what its options and errors say.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weir_tests::programs;

use crate::engine::weir;

/// Two cells, a second or three each, and the engine without traffic.
fn tiny(state: &Path) -> Value {
    const WITHIN: Duration = Duration::from_mins(1);
    let mut command = weir(&["bench", "live", "--json", "--work", "flow", "--flows", "1K"]);
    command.args(["--trial", "100ms", "--precision", "20%", "--for", "20s", "--state"]).arg(state);
    let printed = programs::run(&mut command, WITHIN).unwrap().success().unwrap();
    serde_json::from_str(&printed).unwrap()
}

#[test]
fn every_frame_of_a_tiny_grid_is_accounted_for() {
    const TEST: &str = "every_frame_of_a_tiny_grid_is_accounted_for";
    if !rustix::process::geteuid().is_root() {
        return weir_tests::skipped(TEST, "network namespaces need root");
    }
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let outcome = tiny(&state);
    let cells = outcome["cells"].as_array().unwrap();
    let works: Vec<&str> = cells.iter().map(|cell| cell["work"].as_str().unwrap()).collect();
    assert_eq!(works, ["rxdrop", "flow"], "{outcome}");
    for cell in cells {
        assert_eq!((&cell["unaccounted"], &cell["balanced"]), (&0.into(), &true.into()), "{cell}");
        assert!(cell["frames"].as_u64().unwrap() > 100_000, "{cell}");
        assert!(cell["top_taken"].as_f64().unwrap() > 0.0, "{cell}");
    }
    // Nothing is measured twice.
    let lines = std::fs::read_to_string(&state).unwrap();
    let again = tiny(&state);
    assert_eq!(again["cells"], outcome["cells"]);
    assert_eq!(std::fs::read_to_string(&state).unwrap(), lines);
}

#[test]
fn what_cannot_be_measured_is_said_with_advice() {
    for (arguments, part) in [
        (&["--tx", "nothing-here", "--rx", "lo"][..], "ip link"),
        (&["--tx", "lo", "--rx", "lo"], "two"),
        (&["--tx", "lo"], "--rx"),
        (&["--core", "99999", "--tx", "lo", "--rx", "nothing-here"], "no core 99999"),
        (&["--size", "63"], "64 to 1518"),
    ] {
        let mut command = weir(&["bench", "live"]);
        let ended = programs::run(command.args(arguments), Duration::from_secs(30)).unwrap();
        assert!(!ended.status.success() && ended.errors.contains(part), "{}", ended.errors);
    }
}
