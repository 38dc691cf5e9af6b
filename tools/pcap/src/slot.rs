//! What belongs to one handle, beside the handle itself.
//!
//! Three kinds of threads come here: the one that reads, others that ask (`pcap_stats`) or set a
//! filter meanwhile, and signal handlers that end a loop. So the session has a lock, which the
//! reading thread holds while it looks or waits and never while it runs the program's callback;
//! who asks takes the lock only if it is free and makes do with the last figures if not; and
//! [`Slot::break_loop`] waits for no lock at all.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::code::Failure;
use crate::device::Device;
use crate::feed::{Bell, Counts, Feed, Filter};
use crate::session::{End, Header, Session};
use crate::settings::Settings;
use crate::text::Text;

/// No descriptor.
const NO_FD: i32 = -1;

/// See the module.
#[derive(Debug)]
pub(crate) struct Slot<F: Feed> {
    settings: Mutex<Option<(Device, Settings)>>,
    session: Mutex<Option<Session<F>>>,
    bell: Mutex<Option<Bell>>,
    filter: Mutex<Option<Filter>>,
    filter_waits: AtomicBool,
    active: AtomicBool,
    stop: AtomicBool,
    nonblock: AtomicBool,
    selected: AtomicBool,
    fd: AtomicI32,
    counts: [AtomicU64; 3],
    header: [AtomicU64; 3],
    /// The real library's handle that stands in for ours: with our link type, snaplen, precision.
    pub(crate) stand_in: AtomicUsize,
    /// What went wrong last, if it went wrong here.
    pub(crate) error: Text,
}

impl<F: Feed> Default for Slot<F> {
    fn default() -> Self {
        Self {
            settings: Mutex::new(None),
            session: Mutex::new(None),
            bell: Mutex::new(None),
            filter: Mutex::new(None),
            filter_waits: AtomicBool::new(false),
            active: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            nonblock: AtomicBool::new(false),
            selected: AtomicBool::new(false),
            fd: AtomicI32::new(NO_FD),
            counts: [const { AtomicU64::new(0) }; 3],
            header: [const { AtomicU64::new(0) }; 3],
            stand_in: AtomicUsize::new(0),
            error: Text::new(),
        }
    }
}

/// A lock's content; a panic in its holder left nothing half done that the next would mind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<F: Feed> Slot<F> {
    /// Makes the slot a new handle's, for this device.
    pub(crate) fn begin(&self, device: Device) {
        self.end();
        *lock(&self.settings) = Some((device, Settings::default()));
    }

    /// Ends whatever the slot was used for. Returns the handle that stood in.
    pub(crate) fn end(&self) -> usize {
        self.active.store(false, Ordering::Release);
        *lock(&self.bell) = None;
        *lock(&self.session) = None;
        *lock(&self.filter) = None;
        *lock(&self.settings) = None;
        for flag in [&self.filter_waits, &self.stop, &self.nonblock, &self.selected] {
            flag.store(false, Ordering::Relaxed);
        }
        self.fd.store(NO_FD, Ordering::Relaxed);
        for count in &self.counts {
            count.store(0, Ordering::Relaxed);
        }
        self.error.clear();
        self.stand_in.swap(0, Ordering::AcqRel)
    }

    /// The device and what is set on it.
    pub(crate) fn plan(&self) -> Option<(Device, Settings)> {
        lock(&self.settings).clone()
    }

    /// Whether the handle is activated.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// Changes a setting.
    ///
    /// # Errors
    /// The handle is activated already, or the setting is refused.
    pub(crate) fn set(
        &self,
        change: impl FnOnce(&mut Settings) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.is_active() {
            let text = "this cannot be set on a handle that is activated already";
            return Err(Failure::new(crate::code::ACTIVATED, text));
        }
        match lock(&self.settings).as_mut() {
            Some((_, settings)) => change(settings),
            None => Err(Failure::plain("the handle is closed")),
        }
    }

    /// Activates the handle, or does so anew where its engine had gone.
    pub(crate) fn activate(&self, session: Session<F>, bell: Option<Bell>, fd: i32) {
        *lock(&self.bell) = bell;
        self.fd.store(fd, Ordering::Relaxed);
        let mut place = lock(&self.session);
        *place = Some(session);
        self.filter_waits.store(lock(&self.filter).is_some(), Ordering::Release);
        self.active.store(true, Ordering::Release);
    }

    /// How the stream of an activated handle ended; none if it goes on, or somebody reads it now.
    pub(crate) fn over(&self) -> Option<End> {
        let session = self.session.try_lock().ok()?;
        session.as_ref()?.end()
    }

    /// Does something with the session, waiting for whoever has it. None if there is none.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Session<F>) -> T) -> Option<T> {
        let mut place = lock(&self.session);
        let session = place.as_mut()?;
        if self.filter_waits.load(Ordering::Relaxed)
            && self.filter_waits.swap(false, Ordering::Acquire)
        {
            session.set_filter(lock(&self.filter).clone());
        }
        Some(act(session))
    }

    /// Keeps the session's figures for those who ask while it is busy.
    pub(crate) fn note(&self, counts: Counts) {
        let values = [counts.delivered, counts.missed, counts.lost];
        for (place, value) in self.counts.iter().zip(values) {
            place.store(value, Ordering::Relaxed);
        }
    }

    /// What became of the packets: as of now, or as of when the reading thread last waited.
    pub(crate) fn counts(&self) -> Counts {
        if let Ok(session) = self.session.try_lock()
            && let Some(session) = session.as_ref()
        {
            self.note(session.counts());
        }
        let [delivered, missed, lost] = self.counts.each_ref().map(|c| c.load(Ordering::Relaxed));
        Counts { delivered, missed, lost }
    }

    /// Gives only what the program accepts, from the next packet on.
    pub(crate) fn set_filter(&self, filter: Filter) {
        *lock(&self.filter) = Some(filter);
        self.filter_waits.store(true, Ordering::Release);
    }

    /// Ends the loop that runs, or the next one. For signal handlers too: it takes no lock that
    /// is not free, and a bell that is being replaced just now belongs to nobody who waits.
    pub(crate) fn break_loop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Ok(bell) = self.bell.try_lock()
            && let Some(bell) = bell.as_ref()
        {
            bell.wake();
        }
    }

    /// Whether somebody wants the loop to end.
    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The loop has ended as it was wanted.
    pub(crate) fn has_stopped(&self) {
        self.stop.store(false, Ordering::SeqCst);
    }

    /// Sets whether reads wait.
    pub(crate) fn set_nonblock(&self, nonblock: bool) {
        self.nonblock.store(nonblock, Ordering::Relaxed);
    }

    /// Whether reads do not wait.
    pub(crate) fn is_nonblock(&self) -> bool {
        self.nonblock.load(Ordering::Relaxed)
    }

    /// The descriptor to select on, which from now on is left telling of packets.
    pub(crate) fn select(&self) -> i32 {
        if !self.selected.swap(true, Ordering::Relaxed)
            && let Ok(mut session) = self.session.try_lock()
            && let Some(session) = session.as_mut()
        {
            session.arm(false);
        }
        self.fd.load(Ordering::Relaxed)
    }

    /// Whether somebody selects on the descriptor.
    pub(crate) fn is_selected(&self) -> bool {
        self.selected.load(Ordering::Relaxed)
    }

    /// Puts a header where its address stays the same from packet to packet, and gives it.
    pub(crate) fn keep_header(&self, header: &Header) -> *const AtomicU64 {
        let lengths = u64::from(header.captured_bytes) | u64::from(header.wire_bytes) << 32;
        let words = [header.seconds.cast_unsigned(), header.fraction.cast_unsigned(), lengths];
        for (place, word) in self.header.iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        self.header.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;
    use crate::device;
    use crate::session::tests::Script;
    use crate::settings::Precision;

    fn slot() -> Slot<Script> {
        let slot = Slot::default();
        slot.begin(device::parse("weir:edge").unwrap());
        slot
    }

    #[test]
    fn settings_are_taken_until_the_handle_is_activated() {
        let slot = slot();
        let set = |bytes| {
            slot.set(|settings| {
                settings.set_snaplen(bytes);
                Ok(())
            })
        };
        assert!(set(96).is_ok());
        assert_eq!(slot.plan().unwrap().1.snaplen(), 96);
        slot.activate(Session::new(Script::default(), 96, Precision::Micro), None, 5);
        assert_eq!(set(40).unwrap_err().code, code::ACTIVATED);
        assert!(slot.is_active());
        assert_eq!(slot.select(), 5);
        slot.end();
        assert!(!slot.is_active());
        assert_eq!(slot.select(), NO_FD);
        assert!(set(40).is_err());
    }

    #[test]
    fn who_asks_while_a_thread_reads_gets_the_last_figures() {
        let slot = slot();
        let counts = Counts { delivered: 4, missed: 1, lost: 0 };
        let script = Script::default();
        script.counts.set(counts);
        slot.activate(Session::new(script, 96, Precision::Micro), None, 5);
        assert_eq!(slot.counts(), counts);
        let meanwhile = slot.with(|session| {
            session.feed().counts.set(Counts { delivered: 9, ..counts });
            slot.break_loop();
            (slot.counts(), slot.over())
        });
        assert_eq!(meanwhile, Some((counts, None)));
        assert_eq!(slot.counts().delivered, 9);
        assert!(slot.is_stopped());
        slot.has_stopped();
        assert!(!slot.is_stopped());
    }

    #[test]
    fn a_header_is_laid_out_as_libpcap_has_it() {
        let slot = slot();
        let header = Header { seconds: 1, fraction: 2, captured_bytes: 3, wire_bytes: 4 };
        let first = slot.keep_header(&header);
        let words = slot.header.each_ref().map(|word| word.load(Ordering::Relaxed));
        assert_eq!(words, [1, 2, 4 << 32 | 3]);
        assert_eq!(slot.keep_header(&Header::default()), first);
    }
}
