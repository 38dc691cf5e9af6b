//! Files written here, in every variant, give the frames that were put into them; damaged ones
//! give what was before the damage and say where it is.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::record::Order;
use super::*;
use crate::wire::LinkType;

/// A frame as it was put in and as it comes out.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Packet {
    timestamp_ns: u64,
    bytes: Vec<u8>,
    wire_bytes: u32,
    interface: u8,
    link: LinkType,
}

fn packet(number: usize) -> Packet {
    let bytes = vec![u8::try_from(number % 251).unwrap(); 20 + number % 1400];
    Packet {
        // Microseconds, so that every variant can tell it.
        timestamp_ns: 1_700_000_000_000_000_000 + number as u64 * 1_234_567_000,
        wire_bytes: u32::try_from(bytes.len() + number % 3).unwrap(),
        bytes,
        interface: 0,
        link: LinkType::Ethernet,
    }
}

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// All frames of a source, and whether its bookkeeping agrees with them.
fn read(source: &mut impl Source) -> Vec<Packet> {
    let (mut batch, mut packets) = (Batch::default(), Vec::new());
    while source.receive(&mut batch) == Received::Frames {
        assert!(!batch.as_slice().is_empty());
        for frame in batch.as_slice() {
            packets.push(Packet {
                timestamp_ns: frame.timestamp_ns,
                bytes: source.bytes(frame).to_vec(),
                wire_bytes: frame.wire_bytes,
                interface: frame.interface,
                link: frame.link,
            });
            assert_eq!(packets.last().unwrap().bytes.len(), frame.captured_bytes as usize);
        }
        source.release(&batch);
        batch.clear();
    }
    assert_eq!(source.receive(&mut batch), Received::End, "the end stays the end");
    packets
}

/// The frames of a file, mapped and unpacked alike, and what is wrong with it.
fn read_bytes(bytes: &[u8]) -> (Vec<Packet>, Option<FileProblem>) {
    let plain = file(bytes);
    let mut source = FileSource::open(plain.path()).unwrap();
    let packets = read(&mut source);
    let problem = source.problem().cloned();
    let sum = |packets: &[Packet]| packets.iter().map(|packet| packet.bytes.len() as u64).sum();
    assert_eq!(source.frames(), packets.len() as u64);
    assert_eq!(source.trouble(), problem.as_ref().map(ToString::to_string));
    if let Some(problem) = &problem {
        assert_eq!(problem.frames, packets.len() as u64);
        assert_eq!(problem.frame_bytes, sum(&packets));
        assert_eq!(problem.path, plain.path());
    } else {
        assert_eq!(Source::progress(&source), Some((bytes.len() as u64, bytes.len() as u64)));
    }
    let newest = packets.iter().map(|packet| packet.timestamp_ns).max().unwrap_or(0);
    assert_eq!(source.now_ns(), newest);

    let packed_bytes = gzipped(bytes);
    let packed = file(&packed_bytes);
    let mut source = FileSource::open(packed.path()).unwrap();
    assert_eq!(read(&mut source), packets, "packed or not");
    let same = source.problem().map(|problem| (problem.offset, problem.broken));
    assert_eq!(same, problem.as_ref().map(|problem| (problem.offset, problem.broken)));
    if problem.is_none() {
        let all = packed_bytes.len() as u64;
        assert_eq!(Source::progress(&source), Some((all, all)));
    }
    (packets, problem)
}

fn u32_of(order: Order, number: u32) -> [u8; 4] {
    match order {
        Order::Little => number.to_le_bytes(),
        Order::Big => number.to_be_bytes(),
    }
}

fn u16_of(order: Order, number: u16) -> [u8; 2] {
    match order {
        Order::Little => number.to_le_bytes(),
        Order::Big => number.to_be_bytes(),
    }
}

fn words(order: Order, numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| u32_of(order, *number)).collect()
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap()
}

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;

fn pcap_header(order: Order, magic: u32, link: u32) -> Vec<u8> {
    let version = [u16_of(order, 2), u16_of(order, 4)].concat();
    [u32_of(order, magic).to_vec(), version, words(order, &[0, 0, 65535, link])].concat()
}

fn pcap_record(order: Order, magic: u32, packet: &Packet) -> Vec<u8> {
    let unit = if magic == NANOSECONDS { 1 } else { 1000 };
    let seconds = narrow(packet.timestamp_ns / 1_000_000_000);
    let fraction = narrow(packet.timestamp_ns % 1_000_000_000 / unit);
    let captured = u32::try_from(packet.bytes.len()).unwrap();
    let mut record = words(order, &[seconds, fraction, captured, packet.wire_bytes]);
    if magic == MODIFIED {
        record.extend([3, 0, 0, 0, 8, 0, 0, 0]);
    }
    record.extend(&packet.bytes);
    record
}

fn pcap(order: Order, magic: u32, packets: &[Packet]) -> Vec<u8> {
    let mut file = pcap_header(order, magic, 1);
    for packet in packets {
        file.extend(pcap_record(order, magic, packet));
    }
    file
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = body.len().next_multiple_of(4) - body.len();
    let length = u32_of(order, u32::try_from(12 + body.len() + padding).unwrap());
    [&u32_of(order, kind)[..], &length, body, &vec![0; padding], &length].concat()
}

fn section(order: Order) -> Vec<u8> {
    let version = [u16_of(order, 1), u16_of(order, 0)].concat();
    let magic = u32_of(order, 0x1a2b_3c4d);
    block(order, 0x0a0d_0d0a, &[&magic[..], &version, &[0xff; 8]].concat())
}

fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let length = u16_of(order, u16::try_from(value.len()).unwrap());
    let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
    [&u16_of(order, code)[..], &length, value, &padding].concat()
}

fn interface(order: Order, link: u16, snap_bytes: u32, options: &[u8]) -> Vec<u8> {
    let head = [&u16_of(order, link)[..], &[0, 0], &u32_of(order, snap_bytes), options].concat();
    block(order, 1, &head)
}

fn enhanced(order: Order, interface: u32, units: u64, packet: &Packet) -> Vec<u8> {
    let captured = u32::try_from(packet.bytes.len()).unwrap();
    let head = [interface, narrow(units >> 32), narrow(units), captured, packet.wire_bytes];
    let comment = option(order, 1, b"seen");
    let padding = vec![0; packet.bytes.len().next_multiple_of(4) - packet.bytes.len()];
    block(order, 6, &[words(order, &head), packet.bytes.clone(), padding, comment].concat())
}

fn pcapng(order: Order, packets: &[Packet]) -> Vec<u8> {
    let mut file = [section(order), interface(order, 1, 0, &[])].concat();
    for packet in packets {
        file.extend(enhanced(order, 0, packet.timestamp_ns / 1000, packet));
    }
    file
}

#[test]
fn every_pcap_variant_gives_its_frames() {
    let packets: Vec<Packet> = (0..300).map(packet).collect();
    for order in [Order::Little, Order::Big] {
        for magic in [MICROSECONDS, NANOSECONDS, MODIFIED] {
            let (read, problem) = read_bytes(&pcap(order, magic, &packets));
            assert_eq!(problem, None, "{order:?} {magic:x}");
            assert_eq!(read, packets, "{order:?} {magic:x}");
        }
    }
}

#[test]
fn nanoseconds_are_kept_where_the_file_has_them() {
    let fine = Packet { timestamp_ns: 1_700_000_000_123_456_789, ..packet(1) };
    let files = [
        pcap(Order::Big, NANOSECONDS, std::slice::from_ref(&fine)),
        [
            section(Order::Little),
            interface(Order::Little, 1, 0, &option(Order::Little, 9, &[9])),
            enhanced(Order::Little, 0, fine.timestamp_ns, &fine),
        ]
        .concat(),
    ];
    for file in files {
        assert_eq!(read_bytes(&file).0, std::slice::from_ref(&fine));
    }
}

#[test]
fn old_versions_with_their_lengths_the_other_way_round_are_read() {
    let order = Order::Little;
    let packet = Packet { wire_bytes: 99, ..packet(3) };
    let captured = u32::try_from(packet.bytes.len()).unwrap();
    for minor in [2, 3] {
        let mut file = pcap_header(order, MICROSECONDS, 1);
        file[6] = minor;
        let time = [1_700_000_003, 703_701];
        file.extend(words(order, &[time[0], time[1], packet.wire_bytes, captured]));
        file.extend(&packet.bytes);
        assert_eq!(read_bytes(&file), (vec![packet.clone()], None), "version 2.{minor}");
    }
}

#[test]
fn a_link_type_that_is_not_read_gives_frames_that_say_so() {
    let mut file = pcap_header(Order::Little, MICROSECONDS, 147);
    file.extend(pcap_record(Order::Little, MICROSECONDS, &packet(1)));
    let (read, problem) = read_bytes(&file);
    assert_eq!((read[0].link, read.len(), problem), (LinkType::Unsupported, 1, None));
    // What the upper half of the number tells does not change the link type.
    let mut file = pcap_header(Order::Little, MICROSECONDS, 0x1400_0065);
    file.extend(pcap_record(Order::Little, MICROSECONDS, &packet(1)));
    assert_eq!(read_bytes(&file).0[0].link, LinkType::RawIp);
}

#[test]
fn pcapng_of_both_orders_and_all_packet_blocks_gives_its_frames() {
    let packets: Vec<Packet> = (0..300).map(packet).collect();
    for order in [Order::Little, Order::Big] {
        assert_eq!(read_bytes(&pcapng(order, &packets)), (packets.clone(), None), "{order:?}");
        let one = &packets[6];
        let captured = u32::try_from(one.bytes.len()).unwrap();
        let units = one.timestamp_ns / 1000;
        let old = [
            &u16_of(order, 0)[..],
            &u16_of(order, 77),
            &words(order, &[narrow(units >> 32), narrow(units), captured, one.wire_bytes]),
            &one.bytes,
        ];
        let simple = [&u32_of(order, captured)[..], &one.bytes].concat();
        let cut = [&u32_of(order, 5000)[..], &[7; 1000]].concat();
        let file = [
            section(order),
            interface(order, 1, 1000, &[]),
            block(order, 2, &old.concat()),
            // It has no time of its own.
            block(order, 3, &simple),
            block(order, 3, &cut),
        ]
        .concat();
        let (read, problem) = read_bytes(&file);
        assert_eq!(problem, None);
        let whole = Packet { wire_bytes: captured, ..one.clone() };
        let cut = Packet { bytes: vec![7; 1000], wire_bytes: 5000, ..one.clone() };
        assert_eq!(read, [one.clone(), whole, cut], "{order:?}");
    }
}

#[test]
fn interfaces_have_their_own_links_and_clocks_and_sections_their_own_interfaces() {
    let seconds = 1_700_000_000_u64;
    let order = Order::Big;
    let resolution = |value: u8| option(order, 9, &[value]);
    let offset = option(order, 14, &1_000_i64.to_be_bytes());
    let first = packet(1);
    let expect =
        |timestamp_ns, interface, link| Packet { timestamp_ns, interface, link, ..first.clone() };
    let file = [
        section(order),
        interface(order, 1, 0, &resolution(6)),
        interface(order, 101, 0, &[resolution(3), offset].concat()),
        interface(order, 113, 0, &resolution(0x80 | 0x0a)),
        interface(order, 276, 0, &resolution(12)),
        enhanced(order, 0, seconds * 1_000_000 + 5, &first),
        enhanced(order, 1, seconds * 1_000 + 5, &first),
        // Blocks that hold no packets are passed over, large ones too.
        block(order, 5, &[0; 40]),
        block(order, 0x8000_0001, &vec![1; 5_000_000]),
        enhanced(order, 2, seconds * 1024 + 512, &first),
        enhanced(order, 3, 1_000_000_007_000, &first),
        // The next section counts its interfaces anew, in the other order.
        section(Order::Little),
        interface(Order::Little, 228, 0, &[]),
        enhanced(Order::Little, 0, 5, &first),
    ]
    .concat();
    let second_ns = 1_000_000_000;
    let expected = [
        expect(seconds * second_ns + 5_000, 0, LinkType::Ethernet),
        expect((seconds + 1_000) * second_ns + 5_000_000, 1, LinkType::RawIp),
        expect(seconds * second_ns + second_ns / 2, 2, LinkType::LinuxSll),
        expect(second_ns + 7, 3, LinkType::LinuxSll2),
        expect(5_000, 0, LinkType::RawIp),
    ];
    assert_eq!(read_bytes(&file), (expected.to_vec(), None));
}

#[test]
fn a_file_that_is_cut_anywhere_gives_all_whole_frames_and_the_place() {
    let packets: Vec<Packet> = (0..4).map(packet).collect();
    let order = Order::Little;
    let mut ends = vec![24];
    for packet in &packets {
        ends.push(ends.last().unwrap() + 16 + packet.bytes.len());
    }
    let whole = pcap(order, MICROSECONDS, &packets);
    let ng = pcapng(order, &packets);
    let mut ng_ends = vec![section(order).len() + interface(order, 1, 0, &[]).len()];
    for packet in &packets {
        ng_ends.push(ng_ends.last().unwrap() + enhanced(order, 0, 0, packet).len());
    }
    for (whole, ends) in [(whole, ends), (ng, ng_ends)] {
        assert_eq!(whole.len(), *ends.last().unwrap());
        for bytes in ends[0]..whole.len() {
            let (read, problem) = read_bytes(&whole[..bytes]);
            let count = ends.iter().filter(|end| **end <= bytes).count() - 1;
            assert_eq!(read, packets[..count]);
            let place = problem.map(|problem| (problem.offset, problem.broken));
            let expected = (ends[count] as u64, Broken::Truncated);
            assert_eq!(place, (ends[count] != bytes).then_some(expected));
        }
    }
}

#[test]
fn every_kind_of_damage_is_told_by_name_after_what_was_before_it() {
    let order = Order::Little;
    let good = packet(2);
    let classic = pcap(order, MICROSECONDS, std::slice::from_ref(&good));
    let huge = words(order, &[0, 0, (1 << 18) + 1, (1 << 18) + 1]);
    let ng = pcapng(order, std::slice::from_ref(&good));
    let mut differing = enhanced(order, 0, 0, &good);
    let last = differing.len() - 4;
    differing[last] ^= 4;
    let mut beyond = enhanced(order, 0, 0, &good);
    beyond[8 + 12] = 0xff;
    beyond[8 + 13] = 0x7f;
    let too_large = words(order, &[0, 0, 0, 1 << 20, 1 << 20]);
    let interfaces = interface(order, 1, 0, &[]).repeat(256);
    let no_order = [&[0x0a, 0x0d, 0x0d, 0x0a][..], &words(order, &[28, 0x1234_5678])].concat();
    let cases: [(&[u8], &[u8], Broken); 9] = [
        (&classic, &huge, Broken::FrameTooLarge),
        (&ng, &differing, Broken::BadLength),
        (&ng, &beyond, Broken::BadLength),
        (&ng, &words(order, &[6, 13, 0]), Broken::BadLength),
        (&ng, &words(order, &[6, 1 << 24, 0]), Broken::BadLength),
        (&ng, &block(order, 6, &too_large), Broken::FrameTooLarge),
        (&ng, &enhanced(order, 1, 0, &good), Broken::NoInterface),
        (&ng, &no_order, Broken::NoByteOrder),
        (&ng, &interfaces, Broken::TooManyInterfaces),
    ];
    for (before, damage, broken) in cases {
        let (read, problem) = read_bytes(&[before, damage, &[0; 100]].concat());
        let problem = problem.unwrap();
        assert_eq!((read, problem.broken), (vec![Packet { ..good.clone() }], broken));
        // 255 more interfaces fit in.
        let fitting =
            if broken == Broken::TooManyInterfaces { interfaces.len() * 255 / 256 } else { 0 };
        assert_eq!(problem.offset, (before.len() + fitting) as u64, "{broken:?}");
        let text = problem.to_string();
        let told = format!("stopped at byte {}", problem.offset);
        assert!(text.contains(&told) && text.contains("1 frames"), "{text}");
    }
}

#[test]
fn packed_data_that_is_damaged_gives_what_was_before_it() {
    let packets: Vec<Packet> = (0..6000).map(packet).collect();
    let packed = gzipped(&pcap(Order::Little, MICROSECONDS, &packets));
    let cut = file(&packed[..packed.len() / 2]);
    let mut source = FileSource::open(cut.path()).unwrap();
    let read_before = read(&mut source);
    assert!(read_before.len() > 1000, "{}", read_before.len());
    assert_eq!(read_before, packets[..read_before.len()]);
    assert_eq!(source.problem().unwrap().broken, Broken::Truncated);

    let mut wrong = packed.clone();
    let at = wrong.len() - 8;
    wrong[at] ^= 0xff; // the checksum
    let wrong = file(&wrong);
    let mut source = FileSource::open(wrong.path()).unwrap();
    let read_before = read(&mut source);
    assert_eq!(read_before, packets[..read_before.len()]);
    assert_eq!(source.problem().map(|problem| problem.broken), Some(Broken::Unpacking));
}

#[test]
fn several_packed_members_are_one_file() {
    let packets: Vec<Packet> = (0..50).map(packet).collect();
    let whole = pcap(Order::Little, MICROSECONDS, &packets);
    let (one, two) = whole.split_at(whole.len() / 3);
    let packed = file(&[gzipped(one), gzipped(two)].concat());
    let mut source = FileSource::open(packed.path()).unwrap();
    assert_eq!(read(&mut source), packets);
    assert_eq!(source.problem(), None);
}

#[test]
fn what_is_no_capture_is_refused_with_its_name_and_first_bytes() {
    for bytes in [&b""[..], b"P", b"PK\x03\x04 and more of it", &[0; 100]] {
        let other = file(bytes);
        let error = FileSource::open(other.path()).unwrap_err();
        assert!(matches!(error, FileError::NotACapture { .. }), "{error}");
        assert!(error.to_string().contains(&other.path().display().to_string()));
    }
    let cut = file(&pcap_header(Order::Little, MICROSECONDS, 1)[..20]);
    let error = FileSource::open(cut.path()).unwrap_err();
    assert!(matches!(error, FileError::Damaged(_)), "{error}");
    let none = FileSource::open(Path::new("/nonexistent/weir.pcap")).unwrap_err();
    assert!(none.to_string().contains("/nonexistent/weir.pcap"), "{none}");
}

#[test]
fn an_empty_capture_ends_at_once_and_well() {
    for bytes in [pcap(Order::Little, NANOSECONDS, &[]), pcapng(Order::Big, &[])] {
        assert_eq!(read_bytes(&bytes), (vec![], None));
    }
}

#[test]
fn preloaded_frames_are_played_round_by_round_in_forward_time() {
    let packets: Vec<Packet> = (0..100).map(packet).collect();
    let whole = file(&pcap(Order::Little, MICROSECONDS, &packets));
    let frames = Arc::new(PreloadedFrames::load(whole.path()).unwrap());
    assert_eq!(frames.frames(), 100);
    let bytes: usize = packets.iter().map(|packet| packet.bytes.len()).sum();
    assert_eq!((frames.bytes(), frames.problem()), (bytes, None));
    let mut source = Preloaded::new(Arc::clone(&frames), 3);
    let played = read(&mut source);
    assert_eq!(played.len(), 300);
    assert_eq!(played[..100], packets);
    for (one, two) in played.iter().zip(&played[100..]) {
        assert_eq!(one.bytes, two.bytes);
        assert!(one.timestamp_ns < two.timestamp_ns);
    }
    assert!(played.is_sorted_by_key(|packet| packet.timestamp_ns));
    assert_eq!(source.now_ns(), played[299].timestamp_ns);
    assert!(read(&mut Preloaded::new(frames, 0)).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_ends_well(
        ng: bool,
        big: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end: prop::sample::Index,
    ) {
        let order = if big { Order::Big } else { Order::Little };
        let packets: Vec<Packet> = (0..5).map(packet).collect();
        let mut bytes =
            if ng { pcapng(order, &packets) } else { pcap(order, MICROSECONDS, &packets) };
        // The header stays, so that it is still a capture.
        for (at, value) in changes {
            let at = 24 + at.index(bytes.len() - 24);
            bytes[at] = value;
        }
        bytes.truncate(24 + end.index(bytes.len() - 23));
        // Mapped and unpacked agree on every frame and on the damage.
        read_bytes(&bytes);
    }
}
