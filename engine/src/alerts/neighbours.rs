//! Which device has an address, by ARP and by neighbour discovery; who claims one that another has; and
//! devices never seen before.

use weir_shm::alerts::{Alert, AlertKind, Figure, Party};

use super::keyed::Keyed;
use super::{Alerts, Counted, halves, key, seconds};
use crate::wire::{Arp, Neighbour, mapped};

/// For how long a question makes a reply one that was asked for.
const ASKED_NS: u64 = 250_000_000;
const REPLY: u8 = 2;
const REQUEST: u8 = 1;

/// Who has which address, and which devices were seen.
#[derive(Debug)]
pub(super) struct Neighbours {
    bindings: Keyed<Binding>,
    devices: Keyed<()>,
}

/// An address and who has it.
#[derive(Clone, Copy, Default, Debug)]
struct Binding {
    mac: [u8; 6],
    /// When `mac` last claimed it; 0: nobody has.
    seen_s: u32,
    /// Who had it before, and when it last claimed it; 0: nobody.
    other: [u8; 6],
    other_s: u32,
    /// When it was last asked for; 0: never.
    asked_ns: u64,
}

/// What a claim comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Claim {
    /// Nothing is odd about it.
    Sound,
    /// An answer that nobody asked for gives the address of this device to another.
    Spoofed([u8; 6]),
    /// This device had claimed it shortly before.
    Disputed([u8; 6]),
}

impl Neighbours {
    pub(super) fn new(places: usize, secret: u64) -> Neighbours {
        let devices = Keyed::new(places, secret.rotate_left(3));
        Neighbours { bindings: Keyed::new(places, secret), devices }
    }

    pub(super) fn evicted(&self) -> u64 {
        self.bindings.evicted() + self.devices.evicted()
    }

    /// Notes who claims an address. What a false answer says is not believed.
    fn claim(&mut self, said: &Said, now_ns: u64, window_s: u32) -> Claim {
        let (now_s, mac) = (seconds(now_ns), said.mac);
        let binding = self.bindings.entry(&address_key(&said.address), now_s).value;
        if binding.seen_s == 0 || binding.mac == mac {
            (binding.mac, binding.seen_s) = (mac, now_s.max(1));
            return Claim::Sound;
        }
        let was_asked = now_ns.saturating_sub(binding.asked_ns) <= ASKED_NS;
        if said.is_answer && !was_asked && !is_shared(mac) {
            return Claim::Spoofed(binding.mac);
        }
        // It moved; if the one before comes again soon, both want it.
        let comes_again = binding.other == mac
            && binding.other_s != 0
            && now_s.saturating_sub(binding.other_s) <= window_s
            && !is_shared(mac)
            && !is_shared(binding.mac);
        let before = binding.mac;
        (binding.other, binding.other_s) = (binding.mac, binding.seen_s);
        (binding.mac, binding.seen_s) = (mac, now_s.max(1));
        if comes_again { Claim::Disputed(before) } else { Claim::Sound }
    }

    fn ask(&mut self, address: &[u8; 16], now_ns: u64) {
        let binding = self.bindings.entry(&address_key(address), seconds(now_ns)).value;
        binding.asked_ns = now_ns;
    }
}

/// Who says that it has an address.
#[derive(Clone, Copy, Debug)]
struct Said {
    address: [u8; 16],
    mac: [u8; 6],
    /// It is said to one who should have asked.
    is_answer: bool,
}

impl Alerts {
    /// A frame of ARP. Others than whole requests and replies say nothing here.
    pub fn arp(&mut self, arp: &Arp, now_ns: u64) {
        let (REQUEST | REPLY, Some(target)) = (arp.operation, arp.target) else { return };
        self.tick(now_ns);
        self.note_device(arp.mac, Some(&arp.mapped()), now_ns);
        if arp.operation == REQUEST && arp.address != target {
            self.neighbours.ask(&mapped(target), now_ns);
        }
        // A probe (RFC 5227) claims nothing.
        if arp.address != [0; 4] {
            let is_answer = arp.operation == REPLY && arp.address != target;
            self.said(&Said { address: arp.mapped(), mac: arp.mac, is_answer }, now_ns);
        }
    }

    /// A message of neighbour discovery.
    pub fn neighbour(&mut self, neighbour: &Neighbour, now_ns: u64) {
        self.tick(now_ns);
        if neighbour.is_question {
            self.neighbours.ask(&neighbour.target, now_ns);
        }
        if let Some((address, mac)) = neighbour.claim() {
            self.note_device(mac, Some(&address), now_ns);
            self.said(&Said { address, mac, is_answer: neighbour.is_answer }, now_ns);
        }
    }

    fn said(&mut self, said: &Said, now_ns: u64) {
        let window_s = self.bar(AlertKind::DuplicateAddress).map_or(60, |bar| bar.window_s);
        match self.neighbours.claim(said, now_ns, window_s) {
            Claim::Sound => {}
            Claim::Spoofed(owner) => self.claimed(AlertKind::ArpSpoof, said, owner, now_ns),
            Claim::Disputed(other) => {
                self.claimed(AlertKind::DuplicateAddress, said, other, now_ns);
            }
        }
    }

    /// A device has sent something.
    pub(super) fn note_device(&mut self, mac: [u8; 6], host: Option<&[u8; 16]>, now_ns: u64) {
        // Group addresses are no device's, and zeros stand for none.
        if mac[0] & 1 != 0 || mac == [0; 6] {
            return;
        }
        let now_s = seconds(now_ns);
        let word = word_of(mac);
        if !self.neighbours.devices.entry(&[word, 0, 0], now_s).is_new || self.is_learning(now_s) {
            return;
        }
        let address = host.copied().unwrap_or_default();
        self.count(
            AlertKind::NewDevice,
            &Counted {
                key: [word, 0, AlertKind::NewDevice as u64],
                amount: 1,
                figure: Figure::Devices,
                flow: 0,
                now_ns,
                ident: word,
                about: &|| Alert { peer: Party { address, port: 0 }, mac, ..Alert::default() },
            },
        );
    }

    fn claimed(&mut self, kind: AlertKind, said: &Said, owner: [u8; 6], now_ns: u64) {
        let address = said.address;
        let word = word_of(said.mac);
        // Who claims it falsely is one; of two that want it, neither is.
        let ident = if kind == AlertKind::ArpSpoof { word } else { 0 };
        self.count(
            kind,
            &Counted {
                key: key(kind, &address, 0, ident),
                amount: 1,
                figure: Figure::Claims,
                flow: 0,
                now_ns,
                ident,
                about: &|| Alert {
                    subject: Party { address, port: 0 },
                    mac: if ident == 0 { [0; 6] } else { said.mac },
                    peer_mac: owner,
                    ..Alert::default()
                },
            },
        );
    }
}

/// Addresses of devices that stand in for each other: VRRP and CARP (RFC 5798), HSRP, GLBP.
fn is_shared(mac: [u8; 6]) -> bool {
    let heads: [&[u8]; 5] = [
        &[0x00, 0x00, 0x5e, 0x00, 0x01],
        &[0x00, 0x00, 0x5e, 0x00, 0x02],
        &[0x00, 0x00, 0x0c, 0x07, 0xac],
        &[0x00, 0x00, 0x0c, 0x9f],
        &[0x00, 0x07, 0xb4],
    ];
    heads.iter().any(|head| mac.starts_with(head))
}

fn word_of(mac: [u8; 6]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..6].copy_from_slice(&mac);
    u64::from_le_bytes(bytes)
}

fn address_key(address: &[u8; 16]) -> [u64; 3] {
    let [a, b] = halves(address);
    [a, b, 0]
}
