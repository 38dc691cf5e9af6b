use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

const METHODS: [Method; 3] = [Method::Zstd(1), Method::Zstd(12), Method::Lz4];

/// What packets are like: heads that repeat, with noise between.
fn section(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut out = Vec::with_capacity(bytes);
    while out.len() < bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.extend([6, 0, 0, 0, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend(&state.to_le_bytes()[..usize::try_from(state >> 61).unwrap()]);
        out.extend(b"GET / HTTP/1.1\r\nHost: ");
    }
    out.truncate(bytes);
    out
}

/// A compressed file of such sections, what it is of, and where sections end.
fn file(method: Method, lengths: &[usize]) -> (Vec<u8>, Vec<u8>, Vec<Point>) {
    let mut compressor = Packer::new(method).unwrap();
    let (mut packed, mut plain, mut ends) = (begin(method), Vec::new(), Vec::new());
    for (seed, length) in (0..).zip(lengths) {
        let bytes = section(seed, *length);
        compressor.section(&bytes, &mut packed).unwrap();
        plain.extend(bytes);
        plain.extend(method.filler());
        ends.push(Point { stream: plain.len() as u64, file: packed.len() as u64 });
    }
    packed.extend(method.tail());
    (packed, plain, ends)
}

fn unpacker(bytes: &[u8]) -> Unpacker {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    Unpacker::new(file)
}

fn all(unpacker: &mut Unpacker) -> Vec<u8> {
    let mut out = Vec::new();
    unpacker.read_to_end(&mut out).unwrap();
    out
}

const LENGTHS: &[usize] = &[70_000, 1, 262_108, 200_000, 900_000, 131_072, 65_536];

#[test]
fn what_is_written_is_read_by_us_and_by_others() {
    for method in METHODS {
        let (packed, plain, ends) = file(method, LENGTHS);
        let mut unpacker = unpacker(&packed);
        assert!(all(&mut unpacker) == plain, "{method:?}");
        let (whole, closed) = unpacker.whole();
        assert_eq!((Some(&whole), closed, unpacker.is_torn()), (ends.last(), true, false));
        assert!(packed.len() < plain.len() / 2);
        let program = if method == Method::Lz4 { "lz4" } else { "zstd" };
        let test = "what_is_written_is_read_by_us_and_by_others";
        if weir_tests::programs::find(test, program).is_none() {
            continue;
        }
        let mut child = Command::new(program)
            .args(["-d", "-c", "-q"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&packed));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success() && output.stdout == plain, "{method:?}");
    }
}

#[test]
fn reading_begins_at_any_place() {
    for method in METHODS {
        let (packed, plain, _) = file(method, LENGTHS);
        let mut learning = unpacker(&packed);
        all(&mut learning);
        assert!(learning.points().len() >= 5, "{:?}", learning.points());
        let mut seeking = unpacker(&packed);
        seeking.set_points(learning.points().to_vec());
        let mut place = 1_u64;
        for _ in 0..300 {
            place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = usize::try_from(place >> 33).unwrap() % plain.len();
            let bytes = (plain.len() - at).min(3000);
            let mut read = vec![0; bytes];
            seeking.seek(at as u64).unwrap();
            seeking.read_exact(&mut read).unwrap();
            assert!(read == plain[at..at + bytes], "{method:?} at {at}");
        }
        // One that asks for little reads little.
        let mut last = unpacker(&packed);
        last.set_points(learning.points().to_vec());
        last.seek(plain.len() as u64 - 10).unwrap();
        assert!(last.file_bytes() <= 1 << 17, "{}", last.file_bytes());
    }
}

#[test]
fn a_torn_file_is_whole_up_to_its_last_section() {
    for method in METHODS {
        let (packed, plain, ends) = file(method, &[3000, 200_000, 5000, 1]);
        for cut in (0..packed.len()).step_by(61) {
            for zeros in [0, 5000] {
                let mut torn = packed[..cut].to_vec();
                torn.resize(cut + zeros, 0);
                let mut unpacker = unpacker(&torn);
                let read = all(&mut unpacker);
                assert!(plain.starts_with(&read), "{method:?} {cut}");
                let before = ends.iter().rev().find(|end| end.file <= cut as u64);
                let (whole, closed) = unpacker.whole();
                assert_eq!(whole, before.copied().unwrap_or_default(), "{method:?} {cut}");
                assert!(unpacker.is_torn() || closed);
                let mut mended = torn[..usize::try_from(whole.file).unwrap()].to_vec();
                mended.extend(method.tail());
                let mut mended = self::unpacker(&mended);
                assert_eq!(all(&mut mended).len() as u64, whole.stream);
                assert!(whole.file == 0 || !mended.is_torn());
            }
        }
    }
}

/// Files of others: several frames, blocks that look back, checksums, lengths.
#[test]
fn frames_of_others() {
    let test = "frames_of_others";
    let plain = section(7, 3_000_000);
    for (program, arguments) in [
        ("zstd", &["--no-check"][..]),
        ("zstd", &["-19"]),
        ("zstd", &["--long=27"]),
        ("lz4", &[]),
        ("lz4", &["-BD", "-B4"]),
        ("lz4", &["-BX", "--content-size", "-BI"]),
        ("lz4", &["--no-frame-crc", "-B7"]),
    ] {
        if weir_tests::programs::find(test, program).is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut packed = Vec::new();
        for (number, part) in plain.chunks(1_100_000).enumerate() {
            let path = folder.path().join(format!("part{number}"));
            std::fs::write(&path, part).unwrap();
            let output =
                Command::new(program).args(arguments).args(["-q", "-c"]).arg(&path).output();
            packed.extend(output.unwrap().stdout);
            packed.extend([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        }
        let mut unpacker = unpacker(&packed);
        assert!(all(&mut unpacker) == plain, "{program} {arguments:?}");
        assert!(!unpacker.is_torn() && unpacker.whole().1);
        let points = unpacker.points().to_vec();
        assert!(points.len() >= 3, "{points:?}");
        unpacker.set_points(points);
        for at in [2_999_990, 1_100_001, 5, 2_000_000] {
            let mut read = [0; 10];
            unpacker.seek(at).unwrap();
            unpacker.read_exact(&mut read).unwrap();
            let at = usize::try_from(at).unwrap();
            assert!(read == plain[at..at + 10], "{program} {arguments:?} {at}");
        }
    }
}

/// A little that becomes much takes no more memory than what is asked for.
#[test]
fn a_bomb_is_read_a_part_at_a_time() {
    let zeros = vec![0; 1 << 30];
    let bomb = zstd::bulk::compress(&zeros, 3).unwrap();
    assert!(bomb.len() < 1 << 20);
    let mut unpacker = unpacker(&bomb);
    let mut read = vec![1; 1 << 20];
    let mut sum = 0_u64;
    loop {
        match unpacker.read(&mut read).unwrap() {
            0 => break,
            bytes => sum += bytes as u64,
        }
        assert!(unpacker.held() < 1 << 24, "{}", unpacker.held());
    }
    assert_eq!(sum, 1 << 30);
}

proptest! {
    #[test]
    fn damage_is_an_end_and_never_more(
        which in 0..METHODS.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        to in 0_u64..400_000,
    ) {
        let (mut packed, plain, ends) = file(METHODS[which], &[3000, 200_000, 70_000]);
        for (at, value) in &flips {
            let at = at.index(packed.len());
            packed[at] = *value;
        }
        let mut reading = unpacker(&packed);
        let read = all(&mut reading);
        prop_assert!(read.len() <= plain.len() + (4 << 20));
        let mut seeking = unpacker(&packed);
        seeking.set_points(ends);
        seeking.seek(to).unwrap();
        all(&mut seeking);
    }

    #[test]
    fn any_bytes_are_survived(which in 0..3_usize, bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let heads: [&[u8]; 3] = [&[0x28, 0xb5, 0x2f, 0xfd], &[0x04, 0x22, 0x4d, 0x18], &[]];
        let mut unpacker = unpacker(&[heads[which], &bytes].concat());
        all(&mut unpacker);
        unpacker.seek(5).unwrap();
    }
}

#[test]
fn methods_by_their_names() {
    assert_eq!(Method::parse("zstd"), Ok(Method::Zstd(1)));
    assert_eq!(Method::parse("zstd:19"), Ok(Method::Zstd(19)));
    assert_eq!(Method::parse("lz4"), Ok(Method::Lz4));
    for wrong in ["", "zstd:0", "zstd:20", "zstd:", "lz4:1", "gzip"] {
        assert!(Method::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(Method::of_name("a.pcapng.zst").map(Method::ending), Some("zst"));
    assert_eq!(Method::of_name("a.pcapng"), None);
    let file = File::open("/dev/null").unwrap();
    assert!(all(&mut Unpacker::new(file)).is_empty());
}
