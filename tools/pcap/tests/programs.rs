//! A program that knows libpcap and nothing of Weir reads an engine: every way to read, to wait and
//! to stop; and everything that is not an engine goes on as before.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, and so do its helpers"
)]

mod rig;

use std::process::Command;
use std::time::Duration;

use rig::{Bench, Probe, number, rest, run, skipped};

const PACKETS: u64 = 5_000;

/// Arguments, environment, and what the probe says.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], String);

#[test]
fn every_way_to_read_gives_every_packet() {
    let Some(bench) = Bench::new("every_way_to_read_gives_every_packet") else { return };
    let capture = bench.capture(PACKETS);
    let told = |returned| format!("select told\n{}", capture.all(false, returned));
    let cases: [Case<'_>; 10] = [
        (&["loop"], &[], capture.all(false, 0)),
        (&["loop"], &[("WEIR_MODE", "window")], capture.all(false, 0)),
        (&["loop"], &[("NANO", "1")], capture.all(true, 0)),
        (&["dispatch"], &[], format!("{}again -2\n", capture.all(false, -2))),
        (&["dispatch", "64"], &[], format!("{}again -2\n", capture.all(false, -2))),
        (&["dispatch", "1"], &[], format!("{}again -2\n", capture.all(false, -2))),
        (&["next_ex"], &[], capture.all(false, -2)),
        (&["next"], &[], capture.all(false, 0)),
        (&["select"], &[], told(-2)),
        (&["select"], &[("ONE", "1")], told(-2)),
    ];
    for (what, environment, wanted) in cases {
        let engine = bench.engine(1);
        let device = engine.device("");
        let arguments = [&[what[0], &device], &what[1..]].concat();
        assert_eq!(run(&arguments, environment), wanted, "{what:?} {environment:?}");
    }
}

#[test]
fn packets_are_cut_filtered_counted_and_limited() {
    let Some(bench) = Bench::new("packets_are_cut_filtered_counted_and_limited") else { return };
    let capture = bench.capture(PACKETS);
    let count = i64::try_from(PACKETS).unwrap();
    let said = |what: &[&str], environment: &[(&str, &str)]| {
        let engine = bench.engine(1);
        let device = engine.device("");
        let arguments = [&[what[0], &device], &what[1..]].concat();
        run(&arguments, environment)
    };
    let cut = said(&["loop"], &[("SNAPLEN", "40")]);
    assert_eq!((number(&cut, "packets"), number(&cut, "bytes")), (count, 40 * count), "{cut}");
    let all = capture.all(false, 0);
    assert_eq!(number(&cut, "wire"), number(&all, "wire"), "the length on the wire stays");
    let open_live = said(&["open_live"], &[]);
    assert_eq!(number(&open_live, "packets"), count);
    let one_port = said(&["loop"], &[("FILTER", "udp port 2007")]);
    assert_eq!(number(&one_port, "packets"), count / 40, "{one_port}");
    let none = said(&["dispatch"], &[("FILTER", "tcp")]);
    assert_eq!((number(&none, "packets"), number(&none, "returned")), (0, -2), "{none}");
    let some = said(&["loop", "17"], &[]);
    assert_eq!((number(&some, "packets"), number(&some, "returned")), (17, 0), "{some}");
    let stats = said(&["stats"], &[]);
    let wanted = format!("received {PACKETS} dropped 0 by interface 0\n");
    assert_eq!(stats, wanted + &all);
}

#[test]
fn raw_ip_is_a_link_type_that_libpcap_knows() {
    let Some(bench) = Bench::new("raw_ip_is_a_link_type_that_libpcap_knows") else { return };
    bench.capture_of(101, PACKETS);
    let engine = bench.engine(1);
    let said = run(&["loop", &engine.device("")], &[("FILTER", "udp port 2007")]);
    assert_eq!(number(&said, "packets"), i64::try_from(PACKETS).unwrap() / 40, "{said}");
}

#[test]
fn what_is_written_can_be_read_again_without_an_engine() {
    let test = "what_is_written_can_be_read_again_without_an_engine";
    let Some(bench) = Bench::new(test) else { return };
    let capture = bench.capture(PACKETS);
    for (nanoseconds, magic) in [(false, 0xa1b2_c3d4_u32), (true, 0xa1b2_3c4d)] {
        let engine = bench.engine(1);
        let out = bench.path("out.pcap");
        let out = out.to_str().unwrap();
        let environment: &[(&str, &str)] = if nanoseconds { &[("NANO", "1")] } else { &[] };
        let said = run(&["dump", &engine.device(""), out], environment);
        assert_eq!((number(&said, "packets"), number(&said, "returned")), (0, 0), "{said}");
        let file = std::fs::read(out).unwrap();
        assert_eq!(file[..4], magic.to_le_bytes());
        // A savefile is nothing of ours: the real library reads it.
        assert_eq!(run(&["offline", out], &[]), capture.all(false, 0));
    }
}

#[test]
fn a_reader_that_waits_can_be_stopped() {
    let Some(bench) = Bench::new("a_reader_that_waits_can_be_stopped") else { return };
    bench.capture(10);
    // It waits for more readers than come, so there is nothing to read.
    let engine = bench.engine(9);
    let device = engine.device("");
    let said = run(&["timeout", &device], &[]);
    assert!(said.starts_with("waited as told\n"), "{said}");
    assert_eq!((number(&said, "packets"), number(&said, "returned")), (0, 0), "{said}");
    for how in ["alarm", "thread"] {
        let said = run(&[how, &device], &[]);
        assert_eq!((number(&said, "packets"), number(&said, "returned")), (0, -2), "{how}: {said}");
    }
}

#[test]
fn an_engine_that_dies_is_an_error() {
    let Some(bench) = Bench::new("an_engine_that_dies_is_an_error") else { return };
    bench.capture(10);
    for what in ["loop", "dispatch", "next_ex", "select"] {
        let mut engine = bench.engine(9);
        let probe = Probe::start(&[what, &engine.device("")], &[]).ready();
        rest(Duration::from_millis(100));
        engine.kill();
        let said = probe.end();
        assert_eq!(number(&said, "returned"), -1, "{what}: {said}");
        let wanted = format!("error engine {} died: it was killed or it crashed\n", engine.name);
        assert!(said.contains(&wanted), "{what}: {said}");
    }
}

#[test]
fn a_handle_whose_engine_died_can_be_activated_again() {
    let test = "a_handle_whose_engine_died_can_be_activated_again";
    let Some(bench) = Bench::new(test) else { return };
    let capture = bench.capture(PACKETS);
    let mut engine = bench.engine(9);
    let probe = Probe::start(&["reopen", &engine.device("")], &[]).ready();
    engine.kill();
    // The probe finds nobody there at first.
    rest(Duration::from_millis(300));
    let again = bench.engine_named(&engine.name, 1);
    let said = probe.end();
    assert!(said.contains("returned -1\n") && said.contains("\nactivate -5\n"), "{said}");
    let wanted = format!("\nactivate later 0\n{}", capture.all(false, 0));
    assert!(said.ends_with(&wanted), "{said}");
    drop(again);
}

#[test]
fn members_of_a_group_and_shares_divide_the_stream() {
    let Some(bench) = Bench::new("members_of_a_group_and_shares_divide_the_stream") else { return };
    let capture = bench.capture(PACKETS);
    let wanted = capture.all(false, 0);
    for parts in [["/ids", "/ids"], ["/1of2", "/2of2"], ["/2/2", "/1 of 2"]] {
        let engine = bench.engine(2);
        let probes = parts.map(|part| Probe::start(&["loop", &engine.device(part)], &[]));
        let said = probes.map(Probe::end);
        for word in ["packets", "bytes", "wire", "sum"] {
            let of_each = said.each_ref().map(|said| number(said, word));
            assert!(of_each.iter().all(|number| *number > 0), "{parts:?}: {said:?}");
            assert_eq!(of_each.iter().sum::<i64>(), number(&wanted, word), "{parts:?}: {said:?}");
        }
    }
}

#[test]
fn each_function_answers_as_libpcap_does() {
    let Some(bench) = Bench::new("each_function_answers_as_libpcap_does") else { return };
    bench.capture(10);
    let engine = bench.engine(9);
    let wanted = "\
datalink before -3
dispatch before -3
stats before -3
compile before -3
can rfmon 0
rfmon 0
activate with rfmon -6
no rfmon 0
buffer 0
immediate 0
tstamp host 0
tstamp adapter 3
precision 2 -12
precision 1 0
snaplen 0
activate 0
activate again -4
snaplen after -4
snapshot 96
precision 1
datalink 1
datalinks 1
first datalink 1
set datalink 0
set other datalink -1
tstamp types 1
both directions 0
one direction -1
nonblock 0
set nonblock 0
nonblock now 1
dispatch nothing 0
swapped 0
file 0
fd 1
select timeout 0
inject -1
send -1
compile wrong -1
says can't parse filter expression: syntax error
no filter -1
says pcap_setfilter: there is no program
lookupnet 0
net 0
mask 0
";
    let said = run(&["settings", &engine.device("")], &[]);
    // Versions of libpcap word this differently.
    let said =
        said.replace("says syntax error", "says can't parse filter expression: syntax error");
    assert_eq!(said, wanted);
}

#[test]
fn devices_are_listed_and_missing_ones_are_said_to_be() {
    let test = "devices_are_listed_and_missing_ones_are_said_to_be";
    let Some(bench) = Bench::new(test) else { return };
    bench.capture(10);
    let engine = bench.engine(9);
    let said = run(&["devices", "all"], &[]);
    assert!(said.starts_with("findalldevs 0\n"), "{said}");
    let wanted = format!("device {}: Weir engine reading pcap:", engine.device(""));
    assert!(said.contains(&wanted), "{said}");
    let missing = run(&["open", "weir:no-such-engine"], &[]);
    let complaint = "no engine named \"no-such-engine\" is running";
    assert!(missing.starts_with(&format!("activate -5\nsays {complaint}")), "{missing}");
    assert!(missing.contains(&format!("\nperror: {complaint}")), "{missing}");
    let odd = run(&["open", "weir:x/0of4"], &[]);
    assert!(odd.starts_with("create: weir:x/0of4: shares count from 1"), "{odd}");
    let mode = run(&["open", &engine.device("")], &[("WEIR_MODE", "copy")]);
    assert!(mode.contains("activate -1\nsays WEIR_MODE=copy"), "{mode}");
    let not_ours = run(&["open", "no-such-interface"], &[]);
    assert!(not_ours.starts_with("activate -5\n"), "{not_ours}");
}

#[test]
fn a_program_may_be_linked_with_it_in_place_of_libpcap() {
    let test = "a_program_may_be_linked_with_it_in_place_of_libpcap";
    let Some(bench) = Bench::new(test) else { return };
    let capture = bench.capture(PACKETS);
    let installed = bench.path("libpcap-weir.so");
    std::fs::copy(rig::library(), &installed).unwrap();
    let linked = bench.path("linked");
    if let Err(reason) = rig::compile(&linked, &[&installed]) {
        return skipped(test, reason);
    }
    let engine = bench.engine(1);
    let mut command = Command::new(&linked);
    command.env("LD_LIBRARY_PATH", linked.parent().unwrap());
    let probe = Probe::of(command, &["loop", &engine.device("")], &[("FILTER", "udp")]);
    assert_eq!(probe.end(), capture.all(false, 0));
    // As the distribution's library by its name.
    std::fs::rename(&installed, bench.path("libpcap.so.0.8")).unwrap();
    let mut command = Command::new(&linked);
    command.env("LD_PRELOAD", bench.path("libpcap.so.0.8"));
    let file = bench.path("in.pcap");
    let probe = Probe::of(command, &["offline", file.to_str().unwrap()], &[]);
    assert_eq!(probe.end(), capture.all(false, 0));
}

#[test]
fn weir_with_becomes_the_program() {
    let Some(bench) = Bench::new("weir_with_becomes_the_program") else { return };
    let library = rig::library().canonicalize().unwrap();
    let library = library.to_str().unwrap();
    let shown = |command: &mut Command| {
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let show = ["sh", "-c", "echo $0 $LD_PRELOAD; exit 7", "-i"];
    let found = shown(bench.with(&show).env_remove("LD_PRELOAD"));
    assert_eq!(found, (Some(7), format!("-i {library}\n")));
    let found = shown(bench.with(&show).env("LD_PRELOAD", library));
    assert_eq!(found, (Some(7), format!("-i {library}:{library}\n")), "what was there stays");
    let output = bench.with(&["no-such-program"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such program"));
}

#[test]
fn tcpdump_and_dumpcap_read_an_engine() {
    let test = "tcpdump_and_dumpcap_read_an_engine";
    let Some(bench) = Bench::new(test) else { return };
    let capture = bench.capture(PACKETS);
    let file = bench.path("out.pcap");
    let file = file.to_str().unwrap();
    let programs: [&[&str]; 2] =
        [&["tcpdump", "-Z", "root", "-w", file, "-i"], &["dumpcap", "-q", "-P", "-w", file, "-i"]];
    for program in programs {
        let engine = bench.engine(1);
        let device = engine.device("");
        let output = bench.with(&[program, &[&device]].concat()).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        if complaint.contains("there is no such program") {
            skipped(&format!("{test} ({})", program[0]), "it is not installed");
            continue;
        }
        if complaint.contains("ignores LD_PRELOAD") {
            skipped(&format!("{test} ({})", program[0]), "it has privileges of its own");
            continue;
        }
        assert!(output.status.success(), "{}: {complaint}", program[0]);
        assert_eq!(run(&["offline", file], &[]), capture.all(false, 0), "{}", program[0]);
    }
}
