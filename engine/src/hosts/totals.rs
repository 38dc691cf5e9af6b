//! Where the totals of applications, VLANs and networks are: a row each, so that none is looked for.

use weir_shm::hosts::{HostsWriter, TotalKey};

use super::classify::{NETWORKS, OUTSIDE, Places};

/// Application ids are below this.
const APPS: usize = (weir_dpi::rules::FIRST_CUSTOM + weir_dpi::rules::MOST_CUSTOM) as usize;
const ALL: usize = APPS;
const VLANS_AT: usize = ALL + 1;
/// VLANs that have a row, the last of which is for all others.
const VLANS: usize = VLAN_ROWS as usize;
const VLAN_ROWS: u8 = 64;
const _: () = assert!(VLANS < NO_ROW as usize);
const NETWORKS_AT: usize = VLANS_AT + VLANS;
const REMOTE: usize = NETWORKS_AT + NETWORKS;
/// Rows in all.
#[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
pub(super) const ROWS: u32 = (REMOTE + 1) as u32;

/// See the module.
#[derive(Debug)]
pub(super) struct Totals {
    /// The row of each VLAN, or [`NO_ROW`].
    vlans: Box<[u8; VLAN_IDS]>,
    used: u8,
}

/// VLAN ids have twelve bits.
const VLAN_IDS: usize = 4096;
const NO_ROW: u8 = u8::MAX;

impl Totals {
    /// Names the rows of everything and of the networks.
    pub(super) fn new(writer: &HostsWriter, places: &Places) -> Totals {
        writer.total(ALL).name(TotalKey::All);
        writer.total(REMOTE).name(TotalKey::Remote);
        for (row, network) in (NETWORKS_AT..).zip(places.networks()) {
            let address = weir_shm::flow::pack_address(network.address());
            writer.total(row).name(TotalKey::Network(address, network.prefix()));
        }
        Totals { vlans: Box::new([NO_ROW; VLAN_IDS]), used: 0 }
    }

    /// The row of a VLAN, to be kept by its flows.
    #[inline]
    pub(super) fn vlan(&mut self, writer: &HostsWriter, vlan: u16) -> u8 {
        let row = self.vlans[usize::from(vlan) % VLAN_IDS];
        if row == NO_ROW { self.add_vlan(writer, vlan) } else { row }
    }

    #[cold]
    fn add_vlan(&mut self, writer: &HostsWriter, vlan: u16) -> u8 {
        const OTHERS: u8 = VLAN_ROWS - 1;
        let row = self.used;
        self.vlans[usize::from(vlan) % VLAN_IDS] = row;
        let total = writer.total(VLANS_AT + usize::from(row));
        if row < OTHERS {
            self.used += 1;
            total.name(TotalKey::Vlan(vlan));
        } else if !total.is_named() {
            total.name(TotalKey::Vlan(u16::MAX));
        }
        row
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

    /// Counts flows in a row.
    #[inline(always)]
    pub(super) fn flows(writer: &HostsWriter, row: usize, begun: i64, live: i64) {
        let total = writer.total(row);
        total.begin();
        total.flows(begun, live);
        total.commit();
    }
}
