//! Pieces of a datagram follow their first.

use super::build::*;
use super::*;

const SECOND_NS: u64 = 1_000_000_000;

fn table(capacity: usize) -> Fragments {
    Fragments::new(capacity, [1, 2, 3, 4])
}

fn follow(table: &mut Fragments, frame: &[u8], now_ns: u64) -> Result<Parsed, Reason> {
    follow_in(table, 0, frame, now_ns)
}

fn follow_in(
    table: &mut Fragments,
    vlan: u16,
    frame: &[u8],
    now_ns: u64,
) -> Result<Parsed, Reason> {
    let mut parsed = parsed_of(LinkType::Ethernet, vlan, frame, frame.len())?;
    table.follow(frame, &mut parsed, now_ns)?;
    Ok(parsed)
}

fn first(id: u16) -> Vec<u8> {
    ethernet(0x0800, &ipv4_piece(17, id, 0x2000, &udp()))
}

fn later(id: u16) -> Vec<u8> {
    ethernet(0x0800, &ipv4_piece(17, id, 3, b"the rest"))
}

#[test]
fn later_pieces_get_the_flow_of_the_first_and_no_payload() {
    let mut table = table(16);
    let flow = parsed(LinkType::Ethernet, &plain()).unwrap().key;
    assert_eq!(follow(&mut table, &plain(), 0).unwrap().fragment, Fragment::No);
    let one = follow(&mut table, &first(7), 0).unwrap();
    assert_eq!((one.fragment, one.datagram_id, one.key), (Fragment::First, 7, flow));
    for _ in 0..3 {
        let two = follow(&mut table, &later(7), 1).unwrap();
        assert_eq!((two.fragment, two.datagram_id, two.key), (Fragment::Later, 7, flow));
        assert_eq!((two.payload_bytes, two.tcp), (0, TcpHead::default()));
        assert_eq!(two.swapped, one.swapped);
    }
    let counters = FragmentCounters { firsts: 1, followed: 3, ..FragmentCounters::default() };
    assert_eq!(table.counters(), &counters);
}

#[test]
fn a_later_piece_of_another_datagram_has_no_flow() {
    let mut table = table(16);
    assert_eq!(follow(&mut table, &later(7), 0), Err(Reason::FragmentWithoutFirst));
    follow(&mut table, &first(7), 0).unwrap();
    follow(&mut table, &later(7), 0).unwrap();
    assert_eq!(follow(&mut table, &later(8), 0), Err(Reason::FragmentWithoutFirst));
    let mut other = later(7);
    other[14 + 9] = 6;
    assert_eq!(follow(&mut table, &other, 0), Err(Reason::FragmentWithoutFirst), "protocol");
    let mut other = later(7);
    other[14 + 15] = 99;
    assert_eq!(follow(&mut table, &other, 0), Err(Reason::FragmentWithoutFirst), "address");
    let in_vlan = follow_in(&mut table, 5, &later(7), 0);
    assert_eq!(in_vlan, Err(Reason::FragmentWithoutFirst), "VLAN");
    assert_eq!(table.counters().without_first, 5);
}

#[test]
fn both_directions_of_a_flow_in_pieces_have_one_key() {
    let reversed = |mut frame: Vec<u8>, ports: bool| {
        let (one, two) = frame[26..34].split_at_mut(4);
        one.swap_with_slice(two);
        if ports {
            let (one, two) = frame[34..38].split_at_mut(2);
            one.swap_with_slice(two);
        }
        frame
    };
    let mut table = table(16);
    let there = follow(&mut table, &first(7), 0).unwrap();
    let back = follow(&mut table, &reversed(first(7), true), 0).unwrap();
    assert_eq!((there.key, there.swapped), (back.key, !back.swapped));
    let there = follow(&mut table, &later(7), 0).unwrap();
    let back = follow(&mut table, &reversed(later(7), false), 0).unwrap();
    assert_eq!((there.key, there.swapped), (back.key, !back.swapped));
}

#[test]
fn ipv6_pieces_follow_by_addresses_and_identification() {
    let mut table = table(16);
    let one = ethernet(0x86dd, &ipv6_piece(6, 0x1234_5678, 1, &tcp()));
    let two = ethernet(0x86dd, &ipv6_piece(6, 0x1234_5678, 0x18, b"the rest"));
    let other = ethernet(0x86dd, &ipv6_piece(6, 0x1234_5679, 0x18, b"the rest"));
    let flow = follow(&mut table, &one, 0).unwrap();
    assert_eq!((flow.fragment, flow.datagram_id), (Fragment::First, 0x1234_5678));
    assert_eq!(follow(&mut table, &two, 0).unwrap().key, flow.key);
    assert_eq!(follow(&mut table, &other, 0), Err(Reason::FragmentWithoutFirst));
}

#[test]
fn pieces_of_a_tunnels_datagram_follow_the_flow_within() {
    let vxlan = [&[8, 0, 0, 0, 0, 0, 9, 0], &ethernet(0x86dd, &inner())[..]].concat();
    let whole = udp_of((40_000, 4789), &vxlan);
    // Cut within the inner payload: the inner packet is longer than the piece that it begins in.
    let (head, rest) = whole.split_at(whole.len() - whole.len() % 8 - 8);
    let place = u16::try_from(head.len() / 8).unwrap();
    let one = ethernet(0x0800, &ipv4_piece(17, 9, 0x2000, head));
    let two = ethernet(0x0800, &ipv4_piece(17, 9, place, rest));
    let mut table = table(16);
    // Tags around and within: the identity is the outer header's.
    let flow = follow_in(&mut table, 6, &one, 0).unwrap();
    assert_eq!((flow.key.tunnel(), flow.key.port_hi()), (Tunnel::Vxlan, 80));
    assert_eq!((flow.fragment, flow.datagram_id), (Fragment::First, 9));
    let rest = follow_in(&mut table, 6, &two, 0).unwrap();
    assert_eq!((rest.key, rest.swapped), (flow.key, flow.swapped));
}

#[test]
fn a_first_piece_is_forgotten_after_its_time() {
    let mut table = table(1);
    follow(&mut table, &first(7), SECOND_NS).unwrap();
    follow(&mut table, &later(7), SECOND_NS + Fragments::TIMEOUT_NS).unwrap();
    let late = follow(&mut table, &later(7), SECOND_NS + Fragments::TIMEOUT_NS + 1);
    assert_eq!(late, Err(Reason::FragmentWithoutFirst));
    // A clock that runs backwards makes nothing older.
    follow(&mut table, &later(7), 0).unwrap();
}

#[test]
fn a_flood_of_first_pieces_displaces_the_oldest_and_is_counted() {
    let mut table = table(4);
    for id in 0..4 {
        follow(&mut table, &first(id), u64::from(id)).unwrap();
    }
    follow(&mut table, &first(2), 10).unwrap();
    assert_eq!(table.counters().replaced, 0, "the same datagram takes no new place");
    follow(&mut table, &first(100), 11).unwrap();
    assert_eq!((table.counters().replaced, table.counters().expired), (1, 0));
    assert_eq!(follow(&mut table, &later(0), 12), Err(Reason::FragmentWithoutFirst), "the oldest");
    for id in [1, 2, 3, 100] {
        follow(&mut table, &later(id), 12).unwrap();
    }
    follow(&mut table, &first(101), 12 + 2 * Fragments::TIMEOUT_NS).unwrap();
    assert_eq!((table.counters().replaced, table.counters().expired), (1, 1));
}
