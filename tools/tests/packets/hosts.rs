//! `weir hosts` and `weir apps` of an engine that has read a capture.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::engine::{Engine, capture, output, source};

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn hosts_and_applications_are_those_of_the_capture() {
    let place = tempfile::tempdir().unwrap();
    let (traffic, file) = capture(place.path(), 400);
    let engine = Engine::start(&source(&file), &["--wait"]);
    let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
    for flow in &traffic.flows {
        for (end, sent) in [(flow.client, 0), (flow.server, 1)] {
            *wanted.entry(end.address.to_string()).or_default() += flow.bytes[sent];
        }
    }
    wanted.retain(|_, sent| *sent > 0);
    let ask = |arguments: &[&str]| output(&mut engine.command(arguments));
    let mut seen = BTreeMap::new();
    for _ in 0..300 {
        seen = rows(&ask(&["hosts", "--json"]))
            .iter()
            .map(|row| (row["address"].as_str().unwrap().to_owned(), row["sent"].as_u64().unwrap()))
            .filter(|(_, sent)| *sent > 0)
            .collect();
        if seen == wanted {
            break;
        }
        weir_engine::sys::clock::rest(std::time::Duration::from_millis(20));
    }
    assert_eq!(seen, wanted);
    let bytes: u64 = traffic.flows.iter().map(|flow| flow.bytes[0] + flow.bytes[1]).sum();
    let apps = rows(&ask(&["apps", "--json"]));
    let sum = |key: &str| apps.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("sent") + sum("received"), bytes);
    assert_eq!(sum("flows"), traffic.flows.len() as u64);
    let (greatest, _) = wanted.iter().max_by_key(|(_, sent)| **sent).unwrap();
    let page: Value = serde_json::from_str(&ask(&["hosts", greatest, "--json"])).unwrap();
    assert_eq!(page["bytes_sent"].as_u64(), Some(wanted[greatest]));
    let text = ask(&["hosts", greatest]);
    assert!(text.starts_with(&format!("address        {greatest} (")), "{text}");
    // No local host serves anything there, and all have the same hardware address.
    for (list, least) in
        [("matrix", 2), ("networks", 2), ("interfaces", 2), ("services", 1), ("devices", 1)]
    {
        let csv = ask(&["hosts", "--show", list, "--csv"]);
        assert!(csv.lines().count() >= least, "{list}: {csv}");
        assert!(!ask(&["hosts", "--show", list]).is_empty());
    }
    let local = rows(&ask(&["hosts", "--kind", "local", "--network", "10.0.0.0/8", "--json"]));
    assert!(local.iter().all(|row| row["kind"] == "local"));
    let wrong = engine.command(&["hosts", "--sort", "nothing"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let nobody = engine.command(&["hosts", "203.0.113.250"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    for (list, least) in [("peers", 2), ("matrix", 2)] {
        let csv = ask(&["hosts", "--show", list, greatest, "--csv"]);
        let rows: Vec<&str> = csv.lines().skip(1).collect();
        assert!(rows.len() + 1 >= least, "{list}: {csv}");
        assert!(rows.iter().all(|row| row.starts_with(&format!("{greatest},"))), "{csv}");
    }
    let dns = rows(&ask(&["hosts", "--port", "53", "--kind", "local", "--json"]));
    let all = rows(&ask(&["hosts", "--kind", "local", "--json"]));
    assert!(!dns.is_empty() && dns.len() < all.len(), "{} of {}", dns.len(), all.len());
    engine.end(true);
}

#[test]
fn one_setting_tells_every_reader_whose_networks_there_are() {
    let place = tempfile::tempdir().unwrap();
    let (_, file) = capture(place.path(), 100);
    let database = place.path().join("asn.mmdb");
    std::fs::write(&database, weir_tests::mmdb::asns()).unwrap();
    let config = place.path().join("weir.toml");
    let text = format!("[hosts]\nasn_db = \"{}\"\n", database.display());
    std::fs::write(&config, text).unwrap();
    let engine = Engine::start(&source(&file), &["--wait", "--config", config.to_str().unwrap()]);
    let ask = |arguments: &[&str]| output(&mut engine.command(arguments));
    // The clients are in 10.0.0.0/8, the servers in the half of which nothing is known.
    let mut flows = Vec::new();
    for _ in 0..300 {
        flows = rows(&ask(&["flows", "--json", "--filter", "src_asn == 64500"]));
        if flows.len() > 50 {
            break;
        }
        weir_engine::sys::clock::rest(std::time::Duration::from_millis(20));
    }
    assert!(flows.len() > 50, "{}", flows.len());
    assert!(flows.iter().all(|flow| flow["src_asn"] == 64_500 && flow["dst_asn"].is_null()));
    let csv = ask(&["flows", "--csv", "-c", "asn", "-f", "asn ~ example", "-l", "1"]);
    assert_eq!(csv, "asn\nAS64500 Example\n");
    let hosts = rows(&ask(&["hosts", "--kind", "local", "--json"]));
    assert!(hosts.iter().any(|host| host["asn"] == "AS64500 Example"), "{hosts:?}");
    let asns = ask(&["hosts", "--show", "asns", "--csv"]);
    assert!(asns.starts_with("asn,hosts,flows,live,sent,received,rate\nunknown,"), "{asns}");
    let without = engine.command(&["hosts", "--show", "countries"]).output().unwrap();
    assert_eq!(without.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&without.stderr).contains("hosts.country_db"));
    let wrong = engine.command(&["flows", "--asn-db", "/nowhere/x"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    engine.end(true);
}
