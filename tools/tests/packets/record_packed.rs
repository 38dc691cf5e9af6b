//! What is recorded compressed is what came, others can open it, and it is found as fast.

use std::path::Path;
use std::process::Command;

use weir_tests::faults::loops;
use weir_tests::programs;

use crate::engine::{Engine, WITHIN, capture, output, source, weir};
use crate::record::{
    FILTERS, by_flow_and_host, by_time, extract, files, is_part_of, kill, opened_by_others,
    packets, record, repeated, tcpdump,
};

const METHODS: [&[&str]; 4] = [
    &["--compress", "zstd"],
    &["--compress", "zstd:7", "--compress-threads", "3"],
    &["--compress", "lz4"],
    &["--compress", "lz4", "--format", "pcap", "--no-uring", "--no-direct"],
];

fn has_others(test: &str) -> bool {
    let found = |program| programs::find(test, program).is_some();
    ["tcpdump", "tshark", "zstd", "lz4"].into_iter().all(found)
}

/// What tcpdump reads of a compressed file, through the program that is for it.
fn unpacked(file: &Path) -> Vec<(u64, Vec<u8>)> {
    let program = if file.extension().is_some_and(|e| e == "zst") { "zstd" } else { "lz4" };
    let plain = file.with_extension("unpacked");
    let mut command = Command::new(program);
    command.args(["-d", "-q", "-f"]).arg(file);
    if program == "zstd" {
        command.arg("-o");
    }
    output(command.arg(&plain));
    let found = tcpdump(&plain, "");
    std::fs::remove_file(plain).unwrap();
    found
}

#[test]
fn a_compressed_recording_is_what_came() {
    let test = "a_compressed_recording_is_what_came";
    if !has_others(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let all = tcpdump(&file, "");
    for (number, method) in METHODS.into_iter().enumerate() {
        let dir = folder.path().join(format!("packed{number}"));
        let said = record(&file, &dir, &[&["--file-size", "200KB", "--json"], method].concat());
        let summary: serde_json::Value = serde_json::from_str(&said).unwrap();
        let count = |name: &str| summary[name].as_u64().unwrap();
        assert_eq!(count("recorded"), all.len() as u64, "{said}");
        assert!(count("file_bytes") < count("uncompressed_bytes"), "{said}");
        let there = files(&dir);
        let bytes: u64 = there.iter().map(|path| path.metadata().unwrap().len()).sum();
        assert_eq!((bytes, there.len() as u64), (count("file_bytes"), count("files")), "{said}");
        assert!(there.len() > 1, "{said}");
        assert_eq!(opened_by_others(&dir), all.len(), "{method:?}");
        let read: Vec<_> = there.iter().flat_map(|path| unpacked(path)).collect();
        assert!(read == all, "{method:?}");
        for filter in FILTERS {
            let found = extract(&dir, &["--filter", filter]);
            assert!(found == tcpdump(&file, filter), "{method:?} {filter}");
        }
        by_flow_and_host(&file, &dir);
        by_time(&dir, &all);
        // The same from the files alone.
        for path in there {
            std::fs::remove_file(format!("{}.widx", path.display())).unwrap();
        }
        by_flow_and_host(&file, &dir);
        output(&mut weir(&["index", dir.to_str().unwrap()]));
        by_flow_and_host(&file, &dir);
        by_time(&dir, &all);
    }
}

/// A file of several sections, of which a flow takes one, is not read as a whole.
#[test]
fn only_what_is_needed_is_read() {
    let test = "only_what_is_needed_is_read";
    if !has_others(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, small) = capture(folder.path(), 300);
    let long = repeated(&small, 24_000_000);
    let last = tcpdump(&long, "").last().unwrap().clone();
    // One more packet at the end, of a host that is nowhere else.
    let mut frame = last.1;
    frame.clear();
    frame.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
    frame.extend([0x45, 0, 0, 28, 0, 9, 0, 0, 64, 17, 0, 0, 203, 0, 113, 77, 10, 0, 0, 2]);
    frame.extend([0, 1, 0, 2, 0, 8, 0, 0]);
    let mut bytes = std::fs::read(&long).unwrap();
    let record_head = [bytes[24..28].try_into().unwrap(), [0; 4], [42, 0, 0, 0], [42, 0, 0, 0]];
    bytes.extend(record_head.concat());
    bytes.extend(&frame);
    std::fs::write(&long, bytes).unwrap();
    // With little memory nobody waits for ever, and files are of the size that was asked for.
    for (number, method) in [&[][..]].into_iter().chain(METHODS).enumerate() {
        let dir = folder.path().join(format!("little{number}"));
        let sizes = ["--buffers", "1", "--file-size", "2MB"];
        record(&long, &dir, &[&sizes, method].concat());
        let sizes: Vec<u64> =
            files(&dir).iter().map(|path| path.metadata().unwrap().len()).collect();
        assert!(sizes.len() > 2 && sizes.iter().all(|bytes| *bytes < 2_600_000), "{sizes:?}");
        // How much becomes of what is compressed is known once the threads are done with the first file,
        // while the second may have begun.
        let middle = &sizes[2..sizes.len() - 1];
        assert!(middle.iter().all(|bytes| *bytes > 1_000_000), "{method:?}: {sizes:?}");
    }
    for (number, method) in METHODS.into_iter().enumerate() {
        let dir = folder.path().join(format!("found{number}"));
        let said = record(&long, &dir, &[&["--json"], method].concat());
        let summary: serde_json::Value = serde_json::from_str(&said).unwrap();
        let bytes = summary["file_bytes"].as_u64().unwrap();
        assert!(summary["index_bytes"].as_u64().unwrap() < bytes / 4, "{said}");
        let out = folder.path().join("one.pcap");
        let mut command = weir(&["extract", dir.to_str().unwrap(), "-F", "pcap", "-w"]);
        command.arg(&out).args(["--host", "203.0.113.77"]);
        let done = programs::run(&mut command, WITHIN).unwrap();
        assert!(done.status.success(), "{}", done.errors);
        let found: Vec<Vec<u8>> = packets(&out).into_iter().map(|(_, bytes)| bytes).collect();
        assert!(found == [frame.clone()], "{method:?}");
        let read = done.errors.rsplit_once(" skipped, ").unwrap().1.replace(" read", "");
        let (number, unit) = read.trim().split_once(' ').unwrap();
        let scale = if unit.starts_with('M') { 1e6 } else { 1e3 };
        let read = number.parse::<f64>().unwrap() * scale;
        assert!(read < 700_000.0, "{method:?}: {}", done.errors);
    }
}

#[test]
fn a_recorder_of_compressed_files_that_is_killed() {
    let test = "a_recorder_of_compressed_files_that_is_killed";
    if !has_others(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, small) = capture(folder.path(), 300);
    let long = repeated(&small, 64_000_000);
    let arguments = |round| [&["--file-size", "4MB"][..], METHODS[round % METHODS.len()]].concat();
    kill((&small, &long), 8, 700_000_000, arguments, |dir, there| {
        let read: usize = files(dir).iter().map(|path| unpacked(path).len()).sum();
        assert_eq!(read, there);
    });
}

/// Directories of plain, compressed and others' files; and files that are damaged.
#[test]
fn compressed_files_of_others_and_torn_ones() {
    let test = "compressed_files_of_others_and_torn_ones";
    if !has_others(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let all = tcpdump(&file, "");
    let dir = folder.path().join("others");
    std::fs::create_dir(&dir).unwrap();
    std::fs::copy(&file, dir.join("a.pcap")).unwrap();
    output(Command::new("zstd").args(["-q", "-19", "-o"]).arg(dir.join("b.pcap.zst")).arg(&file));
    output(Command::new("lz4").args(["-q", "-BD"]).arg(&file).arg(dir.join("c.pcap.lz4")));
    record(&file, &folder.path().join("d"), &["--compress", "zstd"]);
    let ours = files(&folder.path().join("d")).remove(0);
    std::fs::copy(&ours, dir.join("d.pcapng.zst")).unwrap();
    let four = [&all[..]; 4].concat();
    assert!(extract(&dir, &[]) == four);
    output(&mut weir(&["index", dir.to_str().unwrap()]));
    let filter = ["--filter", "udp port 53"];
    assert!(extract(&dir, &filter) == [&tcpdump(&file, filter[1])[..]; 4].concat());
    let host = std::net::Ipv4Addr::from([all[0].1[26], all[0].1[27], all[0].1[28], all[0].1[29]]);
    let by_host = extract(&dir, &["--host", &host.to_string(), "--filter", "ip and not vlan"]);
    assert_eq!(by_host.len() % 4, 0);
    // Recorded again, without an engine.
    let again = folder.path().join("again");
    record(&dir, &again, &["--compress", "lz4"]);
    assert!(extract(&again, &[]) == four);
    // Torn and damaged in many places: what is read is the beginning, and nothing falls.
    let long = repeated(&file, 3_000_000);
    record(&long, &folder.path().join("long"), &["--compress", "zstd"]);
    let whole = std::fs::read(files(&folder.path().join("long")).remove(0)).unwrap();
    let all = tcpdump(&long, "");
    let (torn, out) = (folder.path().join("torn.pcapng.zst"), folder.path().join("out.pcap"));
    let mut most = 0;
    for number in 0..loops(12) {
        let at = whole.len() * (number + 1) / (loops(12) + 1);
        let mut bytes = whole.clone();
        if number % 2 == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 0x55;
        }
        std::fs::write(&torn, bytes).unwrap();
        let mut command = weir(&["extract", torn.to_str().unwrap(), "-F", "pcap", "-w"]);
        let done = programs::run(command.arg(&out), WITHIN).unwrap();
        if !done.status.success() {
            // What it begins with is gone.
            assert!(done.errors.contains("no capture file"), "{}", done.errors);
            continue;
        }
        let found = packets(&out);
        assert!(number % 2 == 1 || all.starts_with(&found), "{number}");
        output(&mut weir(&["index", "--force", torn.to_str().unwrap()]));
        assert_eq!(extract(&torn, &["--from", "1"]).len(), found.len());
        most = most.max(found.len());
    }
    assert!(most > all.len() / 2);
}

#[test]
fn a_full_disk_and_compressed_files() {
    let test = "a_full_disk_and_compressed_files";
    if !has_others(test) {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return weir_tests::skipped(test, "a small file system needs root");
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, small) = capture(folder.path(), 300);
    let long = repeated(&small, 24_000_000);
    let all = packets(&long);
    for method in METHODS {
        let place = folder.path().join("small");
        std::fs::create_dir_all(&place).unwrap();
        output(Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "weir"]).arg(&place));
        let mut command = weir(&["record", &source(&long), "--dir"]);
        let full = programs::run(command.arg(&place).args(method), WITHIN);
        let seen = opened_by_others(&place);
        let there = extract(&place, &[]);
        output(Command::new("umount").arg(&place));
        let full = full.unwrap();
        assert!(!full.status.success() && full.errors.contains("No space left"), "{}", full.errors);
        assert!(is_part_of(&there, &all) && !there.is_empty() && seen == there.len(), "{seen}");
        let lost = all.len() - there.len();
        let said = format!("{} of {} packets recorded", there.len(), all.len());
        assert!(full.output.contains(&said), "{lost} lost: {}", full.output);
    }
}

/// All shards' packets in one stream, and each shard's by itself: in the order of time either way.
#[test]
fn two_shards_each_way() {
    let test = "two_shards_each_way";
    if !has_others(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = capture(folder.path(), 300);
    let all = tcpdump(&file, "");
    for (number, arguments) in [
        &["--writers", "merged"][..],
        &["--writers", "shard"],
        &["--writers", "shard", "--compress", "zstd", "--file-packets", "500"],
    ]
    .into_iter()
    .enumerate()
    {
        let dir = folder.path().join(format!("shards{number}"));
        let run = ["--wait-for-readers", "--shards", "2"];
        let engine = Engine::start(&source(&file), &run);
        let mut command = engine.command(&["record", "--json"]);
        let said = output(command.args(arguments).arg("--dir").arg(&dir));
        assert!(engine.end(false).status.success());
        let summary: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&summary["seen"], &summary["missed"]), (&all.len().into(), &0.into()));
        assert_eq!(summary["recorded"], all.len(), "{said}");
        let names: Vec<String> = files(&dir)
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        for shard in ["-s0.", "-s1."] {
            let has = names.iter().any(|name| name.contains(shard));
            assert_eq!(has, number > 0, "{names:?}");
        }
        assert_eq!(opened_by_others(&dir), all.len());
        let there = extract(&dir, &[]);
        assert!(there.is_sorted_by_key(|(time, _)| *time), "{arguments:?}");
        let (mut one, mut other) = (there.clone(), all.clone());
        one.sort();
        other.sort();
        assert!(one == other, "{arguments:?}");
        by_time(&dir, &there);
        let dns = extract(&dir, &["--app", "DNS"]);
        assert!(!dns.is_empty() && dns.is_sorted_by_key(|(time, _)| *time));
    }
}
