//! `weir top` in a terminal, against an engine that has read a capture.

use weir_tests::programs;

use crate::engine::{Engine, capture, output, source};
use crate::terminal::Terminal;

const DOWN: &str = "\x1b[B";
const ESCAPE: &str = "\x1b";

#[test]
fn every_pane_opens_in_a_terminal_of_any_size() {
    let test = "every_pane_opens_in_a_terminal_of_any_size";
    let Some(setsid) = programs::find(test, "setsid") else { return };
    let place = tempfile::tempdir().unwrap();
    let (traffic, file) = capture(place.path(), 400);
    let engine = Engine::start(&source(&file), &["--wait"]);
    let bytes: u64 = traffic.flows.iter().map(|flow| flow.bytes[0] + flow.bytes[1]).sum();
    for _ in 0..300 {
        let apps = output(&mut engine.command(&["apps", "--json"]));
        let rows =
            apps.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        if rows
            .map(|row| row["sent"].as_u64().unwrap() + row["received"].as_u64().unwrap())
            .sum::<u64>()
            == bytes
        {
            break;
        }
        weir_engine::sys::clock::rest(std::time::Duration::from_millis(20));
    }
    let command = engine.command(&["top", "--interval", "0.1"]);
    let mut terminal = Terminal::start(&setsid, &command, (100, 30));
    terminal.until("1 Overview");
    terminal.press("2");
    let shown = terminal.until("95 %");
    assert!(shown.contains(") by bytes") && shown.contains("half"), "{shown}");
    terminal.press("\r");
    let shown = terminal.until("filter: app == ");
    assert!(shown.contains("Flows ("), "{shown}");
    terminal.press("\r");
    let shown = terminal.until("Flow ");
    assert!(shown.contains("Go to") && shown.contains("client "), "{shown}");
    // From the flow to its server, and back twice.
    terminal.press(DOWN);
    terminal.press("\r");
    terminal.until("Host ");
    terminal.until("its flows");
    terminal.press(ESCAPE);
    terminal.until("Flow ");
    terminal.press(ESCAPE);
    terminal.until("Flows (");
    terminal.press("4");
    let shown = terminal.until("Hosts (");
    assert!(shown.contains("by bytes"), "{shown}");
    terminal.press("s");
    terminal.until("by rate");
    terminal.press("/10.0.\r");
    terminal.until("find: 10.0.");
    terminal.press("\r");
    terminal.until("address ");
    for size in [(40, 10), (20, 5), (80, 24)] {
        terminal.resize(size);
        terminal.until(" 4 Hosts");
        for page in ["1 Overview", "2 Applications", "3 Flows", "5 Drops", "6 Alerts", "4 Hosts"] {
            terminal.press(&page[..1]);
            terminal.until(&format!(" {page}"));
        }
    }
    terminal.press("?");
    terminal.until("Help");
    // An escape and a digit in one breath would be a key of its own.
    terminal.press("?");
    terminal.press("6");
    terminal.until("Alerts (");
    terminal.press("q");
    assert!(terminal.end().success());
    engine.end(true);
}
