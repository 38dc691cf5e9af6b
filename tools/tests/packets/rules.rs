//! Rules given at the start and to an engine that runs: flows are named by them, nothing is lost,
//! and what is wrong changes nothing.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use weir_shm::rules::{BundleBuilder, RulesControl, RulesStatus};
use weir_tests::cable::{Cable, FAR, NEAR};
use weir_tests::programs::{self, Running};
use weir_tests::traffic::packet::{Around, End, frame, udp};
use weir_tests::{player, traffic};

use crate::engine::{Engine, WITHIN, output, source, weir};

const RULES: &str = "app Backup category Cloud breed safe\n\
    app \"Video Wall\" category Video\n\
    host www.example.org -> Backup\n\
    port udp/47999 -> \"Video Wall\"\n\
    list bad domains \"lists/bad.txt\"\n";

/// A file of rules with its list.
fn rules(folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder.join("lists")).unwrap();
    std::fs::write(folder.join("lists/bad.txt"), "github.com\nbad.example\n").unwrap();
    let file = folder.join("my.rules");
    std::fs::write(&file, RULES).unwrap();
    file
}

fn text<'v>(flow: &'v Value, pointer: &str) -> &'v str {
    flow.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn a_capture_is_named_by_the_rules_of_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (traffic, file) = crate::engine::capture(folder.path(), 300);
    let (rules, flows) = (rules(folder.path()), folder.path().join("flows.json"));
    let settings = folder.path().join("weir.toml");
    let line = format!("[inspect]\nrules = [{:?}]\n", rules.display().to_string());
    std::fs::write(&settings, line).unwrap();
    let mut run = weir(&["run", &source(&file), "--timeouts", "off", "--name", "rules-start"]);
    let summary = output(run.arg("--config").arg(&settings).arg("--flows").arg(&flows));
    assert!(summary.contains("Backup"), "{summary}");
    let written = std::fs::read_to_string(&flows).unwrap();
    let (mut named, mut listed) = (0, 0);
    let mut apps = BTreeSet::new();
    for line in written.lines() {
        let flow: Value = serde_json::from_str(line).unwrap();
        let app = text(&flow, "/app").to_owned();
        if app.ends_with(".Backup") {
            named += 1;
            assert_eq!(text(&flow, "/category"), "Cloud", "{flow}");
            assert!(text(&flow, "/why").contains("rule "), "{flow}");
        }
        if text(&flow, "/hostname") == "github.com" {
            listed += 1;
            assert_eq!(app, "TLS.GitHub");
            let risks = flow["risks"].to_string();
            assert!(risks.contains("listed_host"), "{flow}");
            assert_eq!(flow.pointer("/list/0"), Some(&Value::from("bad")), "{flow}");
        }
        apps.insert(app);
    }
    assert!(named > 10 && listed > 0, "{named} named, {listed} listed: {apps:?}");
    assert_eq!(written.lines().count(), traffic.flows.len());
    assert!(apps.contains("TLS.Backup") && apps.contains("HTTP.Backup"), "{apps:?}");
    assert!(apps.contains("TLS.YouTube"), "what is built in stays: {apps:?}");
}

#[test]
fn wrong_rules_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mixed.pcap");
    traffic::mixed(3, 1).write(&file).unwrap();
    let settings = folder.path().join("weir.toml");
    std::fs::write(&settings, "[inspect]\nrules = [\"/does/not/exist.rules\"]\n").unwrap();
    let mut run = weir(&["run", &source(&file), "--name", "rules-wrong", "--config"]);
    let ended = programs::run(run.arg(&settings), WITHIN).unwrap();
    assert!(!ended.status.success());
    assert!(ended.errors.contains("/does/not/exist.rules: cannot be read"), "{}", ended.errors);
}

/// A datagram of the flow of this client port, which nothing that is built in names.
fn send(port: u16) {
    let client = End { address: "10.0.0.1".parse().unwrap(), port };
    let server = End { address: "198.51.100.1".parse().unwrap(), port: 47_999 };
    let frame = frame(Around::Nothing, &udp(client, server, &[0x99; 64]));
    assert_eq!(player::play([frame.as_slice()], FAR, 1000, 5).unwrap(), 1);
}

/// What the flow of this client port is called, once it is there.
fn name_of(engine: &Engine, port: u16) -> String {
    send(port);
    let filter = format!("sport == {port}");
    for _ in 0..100 {
        let mut flows = engine.command(&["flows", "--csv", "--no-header", "-c", "app"]);
        let name = output(flows.args(["--filter", &filter]));
        if !name.is_empty() {
            return name.trim().to_owned();
        }
        weir_engine::sys::clock::rest(Duration::from_millis(20));
    }
    unreachable!("no flow of port {port}")
}

fn load(engine: &Engine, file: &Path) -> String {
    output(engine.command(&["rules", "load"]).arg(file))
}

#[test]
fn rules_are_exchanged_while_an_engine_runs() {
    let Some(_cable) = Cable::new("rules_are_exchanged_while_an_engine_runs").unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = rules(folder.path());
    let engine = Engine::start(&format!("packet:{NEAR}"), &["--shards", "2"]);
    assert_eq!(name_of(&engine, 1001), "Unknown");
    let told = load(&engine, &file);
    assert!(told.starts_with("2 rules, 2 applications, 1 list; in force"), "{told}");
    assert_eq!(name_of(&engine, 1002), "Video Wall");
    let shown = output(&mut engine.command(&["rules", "show"]));
    assert!(shown.contains("2 rules") && shown.contains("Backup"), "{shown}");
    let mut flows = engine.command(&["flows", "--csv", "--no-header", "-c", "sport"]);
    let ports = output(flows.args(["--filter", "app == \"Video Wall\""]));
    assert_eq!(ports.trim(), "1002");

    // What is wrong is said, and changes nothing: by the tool, and by the engine itself.
    let wrong = folder.path().join("wrong.rules");
    std::fs::write(&wrong, "hots a.example -> TLS\n").unwrap();
    let mut command = engine.command(&["rules", "load"]);
    let ended = programs::run(command.arg(&wrong), WITHIN).unwrap();
    assert!(!ended.status.success());
    assert!(ended.errors.contains("wrong.rules:1:1: \"hots\" here"), "{}", ended.errors);
    let control = RulesControl::open(&engine.name).unwrap();
    let mut bundle = BundleBuilder::default();
    bundle.rules("their.rules", b"\nport 99999 -> TLS\n");
    let answer = control.load(&bundle.seal().unwrap()).unwrap();
    assert_eq!(answer.status, RulesStatus::Wrong);
    assert!(answer.text.starts_with("their.rules:2:6: "), "{answer:?}");
    assert_eq!(name_of(&engine, 1003), "Video Wall");

    // Others, in another order: a name keeps its id, and flows their name.
    std::fs::write(&file, "port udp/47999 -> \"Other\" category Game\napp \"Video Wall\"\n")
        .unwrap();
    load(&engine, &file);
    assert_eq!(name_of(&engine, 1004), "Other");
    let names: Vec<String> = [1002, 1003].map(|port| name_of(&engine, port)).into();
    assert_eq!(names, ["Video Wall"; 2]);

    output(&mut engine.command(&["rules", "unload"]));
    assert_eq!(name_of(&engine, 1005), "Unknown");
    output(&mut engine.command(&["stats", "--check"]));
    let ended = engine.end(true);
    assert!(ended.status.success(), "{}", ended.errors);
}

/// Loads by the dozen while frames come at a steady rate: every frame is there at the end.
#[test]
fn nothing_is_lost_while_rules_are_exchanged() {
    let Some(cable) = Cable::new("nothing_is_lost_while_rules_are_exchanged").unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = rules(folder.path());
    let names: String =
        (0..100_000).flat_map(|n| ["name".into(), n.to_string(), ".example\n".into()]).collect();
    std::fs::write(folder.path().join("lists/bad.txt"), names).unwrap();
    let engine = Engine::start(&format!("packet:{NEAR}"), &["--summary", "json"]);
    let traffic = traffic::mixed(600, 3);
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            cable.enter().unwrap();
            let frames = traffic.frames.iter().map(|(_, frame)| frame.as_slice());
            player::play(frames.filter(|frame| frame.len() >= 60), FAR, 2000, 60).unwrap()
        });
        let mut loads = 0;
        while !sender.is_finished() {
            load(&engine, &file);
            loads += 1;
        }
        assert!(loads > 3, "{loads} loads");
        sender.join().unwrap()
    });
    weir_engine::sys::clock::rest(Duration::from_millis(200));
    let ended = engine.end(true);
    assert!(ended.status.success(), "{}", ended.errors);
    let summary: Value = serde_json::from_str(&ended.output).unwrap();
    let lost: u64 = summary["queues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|queue| queue["kernel_dropped"].as_u64().unwrap_or(0))
        .sum();
    assert_eq!(lost, 0, "{summary}");
    let processed = summary["shards"][0]["frames_processed"].as_u64().unwrap();
    assert!(processed >= sent, "{processed} of {sent}");
}

#[test]
fn others_may_not_give_rules() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = crate::engine::capture(folder.path(), 10);
    let rules = rules(folder.path());
    let engine = Engine::start(&source(&file), &["--wait"]);
    if !rustix::process::geteuid().is_root() {
        return weir_tests::skipped("others_may_not_give_rules", "needs root to be somebody else");
    }
    // A copy that everybody can run and read.
    let program = folder.path().join("weir");
    std::fs::copy(env!("CARGO_BIN_EXE_weir"), &program).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let mut command = std::process::Command::new(&program);
    command.args(["rules", "load", "--name", &engine.name]).arg(&rules).uid(65_534).gid(65_534);
    let ended = Running::start(&mut command).unwrap().finish(WITHIN).unwrap();
    assert!(!ended.status.success());
    assert!(ended.errors.contains("only its own user and root"), "{}", ended.errors);
    let shown = output(&mut engine.command(&["rules", "show"]));
    assert!(shown.contains("no rules in force"), "{shown}");
    engine.end(true);
}
