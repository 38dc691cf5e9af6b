//! The XDP program's counters: the one table, the twin of `enum weir_counter`.

/// What a counter says in the books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Frames that came in: every frame once.
    In,
    /// Where they went: every frame in one of these.
    Verdict,
    /// For information; not part of the balance.
    Information,
}

/// One counter's name and meaning.
#[derive(Clone, Copy, Debug)]
pub struct CounterInfo {
    /// Which.
    pub counter: Counter,
    /// The name that users see.
    pub name: &'static str,
    /// Its part in the books.
    pub role: Role,
    /// What it counts.
    pub help: &'static str,
}

macro_rules! counters {
    ($($variant:ident, $name:literal, $role:ident, $help:literal;)*) => {
        /// The counters, in the order in which they lie in the map.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        pub enum Counter {
            $(#[doc = $help] $variant),*
        }

        /// Every counter, by its place in the map.
        pub const COUNTERS: &[CounterInfo] = &[
            $(CounterInfo {
                counter: Counter::$variant,
                name: $name,
                role: Role::$role,
                help: $help,
            }),*
        ];
    };
}

counters! {
    Seen, "xdp_seen", In, "frames that reached the XDP program";
    SeenBytes, "xdp_seen_bytes", Information, "bytes of the frames that reached the XDP program";
    Redirected, "xdp_redirected", Verdict, "frames sent to a socket";
    PassedNoSocket, "xdp_passed_no_socket", Verdict,
        "frames left to the kernel because their queue has no socket";
    Aborted, "xdp_aborted", Verdict, "frames lost because the redirection was refused";
    NotIp, "xdp_not_ip", Information, "frames without an IP header, sent to the first shard";
    TooShort, "xdp_too_short", Information,
        "frames shorter than an Ethernet header, sent to the first shard";
    StoppedShallow, "xdp_stopped_shallow", Information,
        "frames with more tunnels in each other than are followed, hashed by an outer one";
    Fragment, "xdp_fragment", Information, "IP fragments, hashed over their addresses alone";
    Tunnel, "xdp_tunnel", Information, "frames hashed by what their tunnel carries";
    SlowPath, "xdp_slow_path", Information,
        "frames not of the common kind (Ethernet, tags, IP, TCP or UDP)";
    MultiBuffer, "xdp_multi_buffer", Information, "frames over several buffers of the driver";
    VlanFromNic, "xdp_vlan_from_nic", Information, "frames whose VLAN tag the NIC had taken off";
    MetadataFailed, "xdp_metadata_failed", Information,
        "frames sent on without metadata, for which the driver has no place";
}

/// The counters of one receive queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    values: [u64; COUNTERS.len()],
}

impl Default for Row {
    fn default() -> Row {
        Row { values: [0; COUNTERS.len()] }
    }
}

impl Row {
    /// One counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.values[counter as usize]
    }

    /// All of them with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static CounterInfo, u64)> {
        COUNTERS.iter().zip(self.values)
    }

    /// Frames in that no verdict accounts for: 0, or a mistake in the program.
    pub fn unaccounted(&self) -> u64 {
        let verdicts: u64 = self
            .iter()
            .filter(|(info, _)| info.role == Role::Verdict)
            .map(|(_, value)| value)
            .sum();
        self.get(Counter::Seen).abs_diff(verdicts)
    }

    /// Adds what another program counted on the same queue.
    pub fn merge(&mut self, other: &Row) {
        for (value, more) in self.values.iter_mut().zip(other.values) {
            *value = value.wrapping_add(more);
        }
    }

    /// Adds one CPU's bytes of the row, as the map gives them.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<8>();
        for (value, word) in self.values.iter_mut().zip(words) {
            *value = value.wrapping_add(u64::from_ne_bytes(*word));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in an enum of the header, in order, without the last (the count).
    fn enumerators(name: &str) -> Vec<String> {
        let header = include_str!("bpf/weir.h");
        let (_, body) = header.split_once(&format!("enum {name} {{")).unwrap();
        let (body, _) = body.split_once('}').unwrap();
        body.lines()
            .map(|line| line.split("/*").next().unwrap())
            .flat_map(|line| line.split(','))
            .map(|item| item.split('=').next().unwrap().trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect()
    }

    #[test]
    fn the_table_is_the_header_s() {
        let mut header = enumerators("weir_counter");
        assert_eq!(header.pop().unwrap(), "WEIR_COUNTERS");
        let table: Vec<String> = COUNTERS
            .iter()
            .map(|info| format!("WEIR_{}", info.name["xdp_".len()..].to_uppercase()))
            .collect();
        assert_eq!(header, table);
        for (place, info) in COUNTERS.iter().enumerate() {
            assert_eq!(info.counter as usize, place);
        }
    }

    #[test]
    fn every_counter_is_counted_by_the_program() {
        let program = concat!(include_str!("bpf/weir.bpf.c"), include_str!("bpf/walk.h"));
        for name in enumerators("weir_counter").iter().filter(|name| *name != "WEIR_COUNTERS") {
            assert!(program.contains(name.as_str()), "{name} is never counted");
        }
    }

    #[test]
    fn the_flags_are_the_header_s() {
        use crate::metadata;
        let header = include_str!("bpf/weir.h");
        for (name, value) in [
            ("FRAGMENT", metadata::FLAG_FRAGMENT),
            ("TUNNEL", metadata::FLAG_TUNNEL),
            ("NOT_IP", metadata::FLAG_NOT_IP),
            ("SHALLOW", metadata::FLAG_SHALLOW),
            ("VLAN", metadata::FLAG_VLAN),
        ] {
            assert!(header.contains(&format!("WEIR_FLAG_{name} = {value},")), "{name}");
        }
    }

    #[test]
    fn rows_of_several_processors_add_up() {
        let mut row = Row::default();
        let mut bytes = vec![0; COUNTERS.len() * 8];
        bytes[..8].copy_from_slice(&5_u64.to_ne_bytes());
        row.add(&bytes);
        row.add(&bytes);
        row.add(&[1, 2, 3]);
        assert_eq!(row.get(Counter::Seen), 10);
        assert_eq!(row.unaccounted(), 10);
        row.merge(&row.clone());
        assert_eq!(row.get(Counter::Seen), 20);
    }
}
