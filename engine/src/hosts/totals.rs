//! Where the totals of applications, VLANs and networks are: a row each, so that none is looked for.

use weir_shm::hosts::{HostsWriter, Share, TotalKey};

use super::classify::{NETWORKS, OUTSIDE, Places};

/// Application ids are below this.
const APPS: usize = (weir_dpi::rules::FIRST_CUSTOM + weir_dpi::rules::MOST_CUSTOM) as usize;
const ALL: usize = APPS;
const VLANS_AT: usize = ALL + 1;
/// VLANs that have a row, the last of which is for all others.
const VLANS: usize = 64;
const NETWORKS_AT: usize = VLANS_AT + VLANS;
const REMOTE: usize = NETWORKS_AT + NETWORKS;
/// Rows in all.
#[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
pub(super) const ROWS: u32 = (REMOTE + 1) as u32;

/// See the module.
#[derive(Debug)]
pub(super) struct Totals {
    /// VLANs that have a row.
    vlans: [u16; VLANS - 1],
    used: usize,
}

impl Totals {
    /// Names the rows of everything and of the networks.
    pub(super) fn new(writer: &HostsWriter, places: &Places) -> Totals {
        writer.total(ALL).name(TotalKey::All);
        writer.total(REMOTE).name(TotalKey::Remote);
        for (row, network) in (NETWORKS_AT..).zip(places.networks()) {
            let address = weir_shm::flow::pack_address(network.address());
            writer.total(row).name(TotalKey::Network(address, network.prefix()));
        }
        Totals { vlans: [0; VLANS - 1], used: 0 }
    }

    /// The row of a VLAN, to be kept by its flows.
    pub(super) fn vlan(&mut self, writer: &HostsWriter, vlan: u16) -> u8 {
        let known = self.vlans[..self.used].iter().position(|known| *known == vlan);
        let row = known.unwrap_or_else(|| {
            let row = self.used;
            if let Some(free) = self.vlans.get_mut(row) {
                *free = vlan;
                self.used += 1;
                writer.total(VLANS_AT + row).name(TotalKey::Vlan(vlan));
            } else if !writer.total(VLANS_AT + row).is_named() {
                writer.total(VLANS_AT + row).name(TotalKey::Vlan(u16::MAX));
            }
            row
        });
        u8::try_from(row).unwrap_or(u8::MAX)
    }

    /// The row of an application.
    #[inline(always)]
    pub(super) const fn app(app: u16) -> usize {
        app as usize % APPS
    }

    /// Names the row of an application where that is new.
    #[inline(always)]
    pub(super) fn name_app(writer: &HostsWriter, app: u16) {
        let row = writer.total(Totals::app(app));
        if !row.is_named() {
            row.name(TotalKey::App(app));
        }
    }

    /// The rows that all flows of a VLAN count in.
    #[inline(always)]
    pub(super) const fn common(vlan: u8) -> [usize; 2] {
        [ALL, VLANS_AT + vlan as usize]
    }

    /// The row of a network.
    #[inline(always)]
    pub(super) const fn network(network: u8) -> usize {
        if network == OUTSIDE { REMOTE } else { NETWORKS_AT + network as usize }
    }

    /// Adds a report to a row.
    #[inline(always)]
    pub(super) fn account(writer: &HostsWriter, row: usize, share: &Share, last_ns: u64) {
        let total = writer.total(row);
        total.begin();
        total.account(share, last_ns);
        total.commit();
    }

    /// Counts flows in a row.
    #[inline(always)]
    pub(super) fn flows(writer: &HostsWriter, row: usize, begun: i64, live: i64) {
        let total = writer.total(row);
        total.begin();
        total.flows(begun, live);
        total.commit();
    }
}
