//! The command line against a fake engine: what it prints, and what it ends with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fake;

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use fake::{FakeEngine, FakeFlow, weir};
use serde_json::Value;
use weir_dpi::{AppId, attr};

fn flow(client: (&'static str, u16), server: (&'static str, u16), l4: u8) -> FakeFlow {
    FakeFlow {
        client,
        server,
        l4,
        master: AppId::UNKNOWN,
        app: AppId::UNKNOWN,
        packets: [2, 1],
        bytes: [200, 100],
        found: Vec::new(),
    }
}

fn flows() -> Vec<FakeFlow> {
    let tls = FakeFlow {
        master: AppId::TLS,
        app: AppId::TLS,
        packets: [10, 20],
        bytes: [1_500, 30_000],
        found: vec![
            (attr::HOST_NAME, b"www.example.org".to_vec()),
            (attr::TLS_SNI, b"www.example.org".to_vec()),
        ],
        ..flow(("10.0.0.2", 40_000), ("10.0.0.1", 443), 6)
    };
    let dns = FakeFlow {
        master: AppId::DNS,
        app: AppId::DNS,
        packets: [1, 1],
        bytes: [80, 120],
        found: vec![(attr::DNS_NAME, b"evil\x1b[2J,\"quoted\"".to_vec())],
        ..flow(("2001:db8::5", 5_353), ("2001:db8::1", 53), 17)
    };
    vec![tls, dns, flow(("192.0.2.9", 1_000), ("192.0.2.1", 2_000), 6)]
}

fn run(engine: &FakeEngine, arguments: &[&str]) -> Output {
    engine.command(arguments).output().unwrap()
}

fn text(engine: &FakeEngine, arguments: &[&str]) -> String {
    let output = run(engine, arguments);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn flows_as_a_table() {
    let engine = FakeEngine::start(&flows(), 0);
    let wanted = "\
l4  client  server  app  host  packets  bytes  duration  idle
TCP  10.0.0.2:40000  10.0.0.1:443  TLS  www.example.org  30  31.5 KB  2.0 s  0 ns
TCP  192.0.2.9:1000  192.0.2.1:2000  Unknown  3  300 B  2.0 s  0 ns
UDP  [2001:db8::5]:5353  [2001:db8::1]:53  DNS  evil\u{fffd}[2J,\"quoted\"  2  200 B  2.0 s  0 ns
3 flows shown (3 live)
";
    let found = text(&engine, &["flows"]);
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeeze(&found), squeeze(wanted), "{found}");
    assert!(!found.contains('\x1b'));
}

#[test]
fn flows_filtered_sorted_and_cut() {
    let engine = FakeEngine::start(&flows(), 0);
    let ids = |arguments: &[&str]| {
        let mut all = vec!["flows", "--csv", "--no-header", "--columns", "flow_id"];
        all.extend(arguments);
        text(&engine, &all).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(&["--sort", "bytes"]), "1 3 2");
    assert_eq!(ids(&["--sort", "bytes", "--reverse"]), "2 3 1");
    assert_eq!(ids(&["--sort", "host", "--limit", "2"]), "3 2");
    assert_eq!(ids(&["--limit", "1"]), "1");
    assert_eq!(ids(&["--filter", r#"app == "TLS" and host ~ "example" and bytes > 1KB"#]), "1");
    assert_eq!(ids(&["--filter", "src in 2001:db8::/32 or port == 2000", "-s", "flow_id"]), "3 2");
    let none = text(&engine, &["flows", "--filter", "bytes > 1GB"]);
    assert!(none.ends_with("none of 3 live flows pass the filter\n"), "{none}");
}

#[test]
fn flows_as_json_and_csv() {
    let engine = FakeEngine::start(&flows(), 0);
    let lines = text(&engine, &["flows", "--json"]);
    let objects: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[0]["src_ip"], "10.0.0.2");
    assert_eq!(objects[0]["hostname"], "www.example.org");
    assert_eq!(objects[0]["tls"]["sni"], "www.example.org");
    assert_eq!(objects[0]["bytes_s2c"], 30_000);
    assert_eq!(objects[0]["first_ns"], fake::FIRST_NS);
    assert_eq!(objects[0]["confidence"], "content");
    assert_eq!(objects[1]["src_ip"], "2001:db8::5");
    assert_eq!(objects[2]["app"], "Unknown");
    let csv = text(&engine, &["flows", "--csv", "--columns", "src_ip,bytes,hostname"]);
    let wanted = "src_ip,bytes,hostname\n10.0.0.2,31500,www.example.org\n\
                  2001:db8::5,200,\"evil\u{fffd}[2J,\"\"quoted\"\"\"\n192.0.2.9,300,\n";
    assert_eq!(csv, wanted);
}

#[test]
fn a_flow_is_told_in_sentences_while_it_lives_and_after() {
    let engine = FakeEngine::start(&flows(), 0);
    let live = text(&engine, &["flow", "1"]);
    for wanted in [
        "TCP 10.0.0.2:40000 -> 10.0.0.1:443  TLS www.example.org\n",
        "30 packets, 31.5 KB in 2.0 s; 1.5 KB there, 30.0 KB back\n",
        "\nClosed by both sides after 2.0 s.\n",
        "(health.enabled",
    ] {
        assert!(live.contains(wanted), "{wanted}: {live}");
    }
    let ended = text(&engine, &["flow", &fake::ENDED.to_string()]);
    assert!(ended.contains("\nOver: nothing came for the idle time-out.\n"), "{ended}");
    let refused = "Reset by the server after 2.0 s: nothing listens there (TCP port 443).";
    assert!(ended.contains(refused), "{ended}");
    let json = text(&engine, &["flow", &fake::ENDED.to_string(), "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["end_reason"], &json["sentences"][0]), (&"idle".into(), &refused.into()));
    let nobody = run(&engine, &["flow", "999"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("its record is gone"));
}

#[test]
fn an_engine_without_hosts_says_so_on_every_page_of_them() {
    let engine = FakeEngine::start_with(&flows(), 0, weir_shm::hosts::HostsSpec::NONE);
    for page in ["1", "2", "4"] {
        let shown = text(&engine, &["top", "--once", "--page", page, "--interval", "0.1"]);
        assert!(shown.contains("This engine keeps no hosts"), "{shown}");
    }
    assert_eq!(run(&engine, &["hosts"]).status.code(), Some(1));
}

#[test]
fn alerts_are_listed_filtered_and_written_in_every_form() {
    let engine = FakeEngine::start(&flows(), 0);
    let table = text(&engine, &["alerts"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("SEVERITY  RULE"), "{table}");
    assert!(lines[1].contains("port_scan") && lines[1].contains("active"), "{table}");
    assert!(lines[2].contains("10.0.0.1:80") && lines[2].contains("ended"), "{table}");
    assert_eq!(lines[3], "2 alerts");
    let json = text(&engine, &["alerts", "--json", "--active"]);
    let alert: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&alert["technique"], &alert["figures"]["ports"]), (&"T1046".into(), &120.into()));
    for (filter, count) in [
        (["--rule", "port_scan"], 1),
        (["--severity", "severe"], 1),
        (["--host", "10.0.0.1"], 2),
        (["--host", "10.0.0.66"], 1),
        (["--limit", "1"], 1),
    ] {
        let csv = text(&engine, &["alerts", "--csv", "--no-header", filter[0], filter[1]]);
        assert_eq!(csv.lines().count(), count, "{filter:?}");
    }
    let wrong = engine.command(&["alerts", "--webhook", "https://x/"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("https is not supported"));
}

#[test]
fn a_follower_tells_what_is_active_and_ends_with_the_engine() {
    let mut engine = FakeEngine::start(&flows(), 0);
    let mut command = engine.command(&["alerts", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    engine.end(true);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        said,
        "started high port_scan: 10.0.0.66 with 10.0.0.1, 120 ports in 60 s (threshold 100)\n"
    );
    assert!(output.status.success());
}

#[test]
fn a_check_speaks_as_plugins_do() {
    let engine = FakeEngine::start(&flows(), 0);
    for (arguments, code, said) in [
        (vec!["-m", "flows", "--host", "10.0.0.1"], 0, "WEIR OK - flows of 10.0.0.1 is "),
        (
            vec!["-m", "alerts", "--host", "10.0.0.1", "-w", "0", "-c", "5"],
            1,
            "WEIR WARNING - alerts of 10.0.0.1 is 1 | alerts=1;0;5;0;\n",
        ),
        (
            vec!["-m", "severity", "-c", "2"],
            2,
            "WEIR CRITICAL - severity of all hosts is 3 | severity=3;;2;0;\n",
        ),
        (vec!["-m", "flows", "-w", "x"], 3, "WEIR UNKNOWN - `x` is no range"),
        (
            vec!["-m", "idle", "--host", "203.0.113.9"],
            3,
            "WEIR UNKNOWN - the host has no live flow",
        ),
        (
            vec!["-m", "bps-in", "--host", "10.0.0.1", "--over", "0.1"],
            0,
            "WEIR OK - bps-in of 10.0.0.1 is 0 |",
        ),
    ] {
        let output = engine.command(&[&["check"], &*arguments].concat()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with(said), "{text}");
        assert_eq!(output.status.code(), Some(code), "{text}");
    }
    let nobody = weir(&["check", "-m", "flows", "--name", "no-such-engine"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&nobody.stdout).starts_with("WEIR UNKNOWN - "));
}

#[test]
fn stats_show_the_books() {
    let engine = FakeEngine::start(&flows(), 0);
    let found = text(&engine, &["stats", "--check"]);
    for wanted in ["engine fake 9.9.9 · running", "BALANCED", "ring_full", "arp", "turn_length"] {
        assert!(found.contains(wanted), "{wanted}: {found}");
    }
    assert!(!found.contains("NOT BALANCED"));
    let json: Value = serde_json::from_str(&text(&engine, &["stats", "--json"])).unwrap();
    assert_eq!(json["ledger"]["balanced"], true);
    assert_eq!(json["ledger"]["total"]["wire"], 35 + fake::DROPPED + fake::LOST);
    assert_eq!(json["ledger"]["total"]["parsed"], 35);
    assert_eq!(json["histograms"][0]["count"], 1);
    let csv = text(&engine, &["stats", "--csv"]);
    assert!(csv.starts_with("kind,block,name,unit,role,value\n"));
    assert!(csv.contains("shard,shard 0,frames_parsed,packets,parsed,35\n"), "{csv}");
}

#[test]
fn books_that_do_not_balance_are_said_to_and_end_with_5() {
    let engine = FakeEngine::start(&flows(), 4);
    let output = run(&engine, &["stats", "--check"]);
    assert_eq!(output.status.code(), Some(5));
    let found = String::from_utf8(output.stdout).unwrap();
    let wanted = "NOT BALANCED: total: of the packets on the wire 4 are not lost or processed";
    assert!(found.contains(wanted), "{found}");
    assert!(run(&engine, &["stats"]).status.success(), "without --check it only says so");
}

#[test]
fn top_draws_every_page_at_every_size() {
    let engine = FakeEngine::start(&flows(), 0);
    for page in ["1", "2", "3", "4", "5", "6"] {
        for size in ["20x5", "40x10", "80x24", "200x60"] {
            let arguments = ["top", "--once", "--page", page, "--size", size, "--interval", "0.1"];
            let found = text(&engine, &arguments);
            assert!(!found.contains('\x1b'), "{found}");
            assert_eq!(found.lines().count().to_string(), size.split_once('x').unwrap().1);
            if size == "80x24" {
                let wanted = match page {
                    "1" | "2" => "Applications (3)",
                    "3" => "Flows (3)",
                    "4" => "Hosts (6)",
                    "5" => "ring_full",
                    _ => "Alerts (2, 1 active)",
                };
                assert!(found.contains(wanted), "{found}");
                assert!(found.contains("BALANCED"), "{found}");
            }
        }
    }
}

#[test]
fn wrong_questions_are_answered_before_the_engine_is_asked() {
    let usage = |arguments: &[&str], wanted: &str| {
        let output = weir(arguments).args(["--name", "/nowhere/at.sock"]).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.contains(wanted), "{complaint}");
    };
    usage(&["flows", "--filter", "hots == a"], "did you mean `host`?");
    usage(&["flows", "--sort", "byte"], "did you mean `bytes`?");
    usage(&["flows", "--columns", "src,hots"], "did you mean `host`?");
    usage(&["flows", "--watch", "0"], "0.1 to 86400 seconds");
    usage(&["top", "--filter", "app ="], "equal is written `==`");
}

#[test]
fn an_engine_that_is_not_there_ends_with_3_and_advice() {
    for command in ["flows", "stats", "top"] {
        let output = weir(&[command, "--name", "/nowhere/at.sock"]).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{complaint}");
        assert!(complaint.contains("/nowhere/at.sock"), "{complaint}");
        let advice = complaint.contains("weir run") || complaint.contains("--name");
        assert!(advice, "{complaint}");
    }
}

#[test]
fn a_watcher_notices_the_end_and_how_it_came() {
    for (orderly, code, wanted) in [
        (true, 0, "engine fake ended\n"),
        (false, 4, "engine fake ended without a word: it was killed or it crashed\n"),
    ] {
        for command in ["flows", "stats"] {
            let mut engine = FakeEngine::start(&flows(), 0);
            let mut watcher = engine
                .command(&[command, "--watch", "0.1"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // It has attached once it has printed something.
            let mut first = [0];
            let mut out = watcher.stdout.take().unwrap();
            std::io::Read::read_exact(&mut out, &mut first).unwrap();
            engine.end(orderly);
            std::io::copy(&mut out, &mut std::io::sink()).unwrap();
            let output = watcher.wait_with_output().unwrap();
            let complaint = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{command}: {complaint}");
            assert!(complaint.ends_with(wanted), "{command}: {complaint}");
        }
    }
}

#[test]
fn the_doctor_looks_at_loopback_with_and_without_rights() {
    let output = weir(&["doctor", "lo", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = i32::from(report["failed"] == true);
    assert_eq!(output.status.code(), Some(code));
    let sections = report["sections"].as_array().unwrap();
    assert_eq!(sections[1]["title"], "Interface lo");
    for finding in sections.iter().flat_map(|section| section["findings"].as_array().unwrap()) {
        let level = finding["level"].as_str().unwrap();
        let advised = finding["advice"].is_string();
        assert_eq!(advised, matches!(level, "warn" | "fail" | "unseen"), "{finding}");
    }
    let names = report["interfaces"].as_array().unwrap().iter().map(|one| &one["name"]);
    assert!(names.into_iter().any(|name| name == "lo"));
    let missing = weir(&["doctor", "no-such-if"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there are lo"));
}
