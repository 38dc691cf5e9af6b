//! The alerts that are active: started when a value reaches its rule's threshold, ended when it has
//! stayed below for long enough.

use weir_shm::alerts::{Alert, AlertWriter, Figure, Phase, ShortText};

use super::keyed::Key;
use super::meter::Bar;
use super::rules::Rule;

const SECOND_NS: u64 = 1_000_000_000;

/// What raised an alert.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raise<'a> {
    pub(super) rule: &'a Rule,
    /// Whom it is about, and what is known: `subject`, `peer`, `note` and the like are taken; those
    /// and `ident` make its identity.
    pub(super) about: Alert,
    /// What its identity is made of besides the rule and the addresses.
    pub(super) ident: u64,
    pub(super) value: u64,
    /// What the value counts.
    pub(super) figure: Figure,
    pub(super) flows: [u64; 2],
    /// The meter whose value ends it.
    pub(super) key: Key,
    pub(super) now_ns: u64,
}

/// How an active alert ends.
#[derive(Clone, Copy, Default, Debug)]
struct Place {
    alert: Alert,
    key: Key,
    bar: Bar,
    /// The window that is looked at next, by its start.
    look_s: u32,
    end_below: u64,
    end_windows: u32,
    below: u32,
    figure: Option<Figure>,
    /// It ends by word, not by windows.
    held: bool,
}

impl Default for Bar {
    fn default() -> Bar {
        Bar { window_s: 1, threshold: 1 }
    }
}

/// Counts of what became of alerts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Raised {
    /// Started.
    pub started: u64,
    /// Ended.
    pub ended: u64,
    /// Not started: every place was taken.
    pub full: u64,
    /// Not started: excluded by the rule.
    pub excluded: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Active {
    writer: AlertWriter,
    ids: Box<[u64]>,
    places: Box<[Place]>,
    used: usize,
    counts: Raised,
}

impl Active {
    pub(super) fn new(writer: AlertWriter) -> Active {
        let places = writer.places();
        Active {
            writer,
            ids: vec![0; places].into(),
            places: vec![Place::default(); places].into(),
            used: 0,
            counts: Raised::default(),
        }
    }

    pub(super) const fn counts(&self) -> Raised {
        self.counts
    }

    /// Starts the alert, or says that it goes on.
    #[cold]
    pub(super) fn raise(&mut self, raise: &Raise<'_>) {
        let rule = raise.rule;
        let sides = [raise.about.subject.address, raise.about.peer.address];
        if sides.iter().any(|side| rule.excludes(*side)) {
            self.counts.excluded += 1;
            return;
        }
        let id = identity(rule, &raise.about, raise.ident);
        let window_s = rule.bar.window_s;
        let now_s = super::seconds(raise.now_ns);
        let start_s = rule.bar.start(now_s);
        let known = self.ids.iter().take(self.used).position(|known| *known == id);
        let Some(place) = known.or_else(|| self.free_place()) else {
            self.counts.full += 1;
            return;
        };
        let slot = &mut self.places[place];
        if known.is_none() {
            *slot = Place {
                alert: Alert {
                    id,
                    kind: rule.kind,
                    severity: rule.severity,
                    rule: ShortText::new(rule.name.as_bytes()),
                    start_ns: raise.now_ns,
                    threshold: rule.threshold,
                    window_s,
                    ..raise.about
                },
                key: raise.key,
                bar: rule.bar,
                look_s: start_s,
                end_below: rule.end_below,
                end_windows: rule.end_windows,
                below: 0,
                figure: Some(raise.figure),
                held: rule.held,
            };
        }
        let alert = &mut slot.alert;
        alert.phase = if known.is_none() { Phase::Started } else { Phase::Updated };
        alert.window = u64::from(start_s / window_s.max(1));
        alert.value = raise.value;
        alert.update_ns = raise.now_ns;
        alert.peer = raise.about.peer;
        for (figure, value) in raise.about.figures.iter().flatten() {
            alert.set_figure(*figure, *value);
        }
        raise.flows.into_iter().for_each(|flow| alert.add_flow(flow));
        self.ids[place] = id;
        self.counts.started += u64::from(known.is_none());
        self.tell(place, raise.now_ns);
    }

    /// Looks at the windows that are over; `value_of` gives the value of a meter in the window that
    /// began then.
    pub(super) fn look(&mut self, now_s: u32, value_of: impl Fn(&Key, Bar, u32) -> u64) {
        let mut place = 0;
        while place < self.used {
            if self.places[place].held || !self.close_windows(place, now_s, &value_of) {
                place += 1;
            }
        }
    }

    /// Ends an alert that ends by word.
    pub(super) fn end(&mut self, rule: &Rule, about: &Alert, ident: u64, now_ns: u64) {
        let id = identity(rule, about, ident);
        if let Some(place) = self.ids.iter().take(self.used).position(|known| *known == id) {
            self.finish(place, now_ns);
        }
    }

    /// Ends all: the run is over. `value_of` gives the value of a meter in the window that is open.
    pub(super) fn end_all(&mut self, now_ns: u64, value_of: impl Fn(&Key, Bar) -> u64) {
        while let Some(last) = self.used.checked_sub(1) {
            let Place { alert, key, bar, held, .. } = &mut self.places[last];
            if !*held {
                alert.value = value_of(key, *bar);
                alert.peak = alert.peak.max(alert.value);
            }
            self.finish(last, now_ns);
        }
    }

    /// Whether the alert in this place ended, and another one took the place.
    fn close_windows(
        &mut self,
        place: usize,
        now_s: u32,
        value_of: &impl Fn(&Key, Bar, u32) -> u64,
    ) -> bool {
        loop {
            let slot = &mut self.places[place];
            let end_s = slot.look_s.saturating_add(slot.bar.window_s);
            if end_s > now_s {
                return false;
            }
            let value = value_of(&slot.key, slot.bar, slot.look_s);
            let window = u64::from(slot.look_s / slot.bar.window_s.max(1));
            let end_ns = u64::from(end_s) * SECOND_NS;
            slot.look_s = end_s;
            slot.alert.value = value;
            slot.alert.peak = slot.alert.peak.max(value);
            slot.alert.window = window;
            slot.below = if value < slot.end_below { slot.below + 1 } else { 0 };
            if slot.below >= slot.end_windows {
                self.finish(place, end_ns);
                return true;
            }
            if value >= slot.bar.threshold {
                slot.alert.update_ns = slot.alert.update_ns.max(end_ns);
                slot.alert.times = slot.alert.times.saturating_add(1);
            }
            slot.alert.phase = Phase::Updated;
            self.tell(place, end_ns);
        }
    }

    fn finish(&mut self, place: usize, now_ns: u64) {
        let Place { alert, figure, held, .. } = &mut self.places[place];
        if let Some(figure) = figure.filter(|_| !*held) {
            alert.set_figure(figure, alert.value);
        }
        alert.phase = Phase::Ended;
        alert.end_ns = now_ns.max(alert.start_ns).max(1);
        alert.time_ns = now_ns;
        self.writer.push(&self.places[place].alert);
        self.counts.ended += 1;
        let last = self.used - 1;
        self.places.swap(place, last);
        self.ids.swap(place, last);
        self.ids[last] = 0;
        self.used = last;
        if place != last {
            self.writer.set(place, &self.places[place].alert);
        }
        self.writer.clear(last);
    }

    fn tell(&mut self, place: usize, now_ns: u64) {
        let slot = &mut self.places[place];
        let alert = &mut slot.alert;
        alert.time_ns = now_ns;
        alert.peak = alert.peak.max(alert.value);
        if let Some(figure) = slot.figure {
            alert.set_figure(figure, alert.value);
        }
        self.writer.push(alert);
        self.writer.set(place, alert);
    }

    fn free_place(&mut self) -> Option<usize> {
        let place = self.used;
        (place < self.places.len()).then(|| {
            self.used += 1;
            place
        })
    }
}

/// The same for the same rule and subject, in every run (FNV-1a).
fn identity(rule: &Rule, about: &Alert, ident: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    add(rule.name.as_bytes());
    add(&about.subject.address);
    add(&about.subject.port.to_le_bytes());
    add(&about.mac);
    add(&ident.to_le_bytes());
    hash.max(1)
}
