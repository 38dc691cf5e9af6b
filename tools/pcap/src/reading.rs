//! Reading as libpcap does it: so many packets, or as long as it takes; timeouts; loops that are
//! broken out of.
//!
//! What always holds: the program's callback runs while nothing is locked and nothing of ours is
//! half done, so it may call what it likes, never come back, or throw.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::code;
use crate::feed::Feed;
use crate::session::{End, Header, Session, Taken};
use crate::slot::Slot;

/// Packets that one read gives where the program sets no limit, so that it comes back to its
/// caller though packets come faster than it takes them.
pub(crate) const AT_ONCE: u32 = 10_000;

/// A program that reads on though nothing will come is made to wait so long at most.
const AFTER_THE_END: Duration = Duration::from_millis(500);

/// What a read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// So many packets were given, at least one.
    Packets(u32),
    /// The timeout passed.
    Nothing,
    /// Somebody wants the loop to end.
    Broken,
    /// The engine ended in order and everything was given.
    Ended,
    /// It failed; the slot's text says why.
    Failed,
}

impl Read {
    /// As `pcap_dispatch` and `pcap_next_ex` return it.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Packets(packets) => i32::try_from(packets).unwrap_or(i32::MAX),
            Self::Nothing => 0,
            Self::Broken | Self::Ended => code::BREAK,
            Self::Failed => code::ERROR,
        }
    }
}

/// Whether to wait for a first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As the handle is set: for its timeout, or not at all where it is non-blocking.
    AsSet,
    /// As long as it takes.
    Endless,
}

/// A packet on its way to the program.
pub(crate) type Deliver<'a> = &'a mut dyn FnMut(&Header, *const u8);

/// `pcap_dispatch`: gives what is there, `most` packets at most, and waits for a first one.
pub(crate) fn dispatch<F: Feed>(
    slot: &Slot<F>,
    most: u32,
    patience: Patience,
    deliver: Deliver<'_>,
) -> Read {
    let read = give(slot, most, patience, deliver);
    finish(slot, matches!(read, Read::Packets(_)));
    read
}

/// `pcap_loop`: gives packets until it were so many (`None`: no limit), the loop is broken out of,
/// or the engine ends. The number that it returns.
pub(crate) fn run<F: Feed>(slot: &Slot<F>, most: Option<u32>, deliver: Deliver<'_>) -> i32 {
    let mut left = most;
    loop {
        let at_once = left.unwrap_or(AT_ONCE);
        match dispatch(slot, at_once, Patience::Endless, deliver) {
            Read::Packets(packets) => {
                left = left.map(|left| left.saturating_sub(packets));
                if left == Some(0) {
                    return 0;
                }
            }
            Read::Nothing => {}
            Read::Ended => return 0,
            over @ (Read::Broken | Read::Failed) => return over.number(),
        }
    }
}

/// `pcap_next_ex`: one packet, which stays in use until the next read.
pub(crate) fn next<F: Feed>(slot: &Slot<F>, deliver: Deliver<'_>) -> Read {
    let read = give(slot, 1, Patience::AsSet, deliver);
    if slot.is_selected() {
        let found = matches!(read, Read::Packets(_));
        guarded(slot, |session| session.arm(found));
    }
    read
}

/// What one look or wait came to.
enum Step {
    Packet(Header, *const u8),
    /// Nothing there.
    Nothing,
    /// There may be something after a wait.
    Waited,
    Over(End),
    /// No session, or it failed.
    Gone,
}

fn give<F: Feed>(slot: &Slot<F>, most: u32, patience: Patience, deliver: Deliver<'_>) -> Read {
    let mut given = 0;
    let mut deadline = None;
    loop {
        if slot.is_stopped() {
            if given > 0 {
                // It is the next read that tells of it, as libpcap's manual has it.
                return Read::Packets(given);
            }
            slot.has_stopped();
            return Read::Broken;
        }
        match look(slot) {
            Step::Packet(header, bytes) => {
                deliver(&header, bytes);
                given += 1;
                if given >= most {
                    return Read::Packets(given);
                }
            }
            _ if given > 0 => return Read::Packets(given),
            Step::Nothing => match wait(slot, patience, &mut deadline) {
                Step::Waited => {}
                Step::Gone => return Read::Failed,
                _ => return Read::Nothing,
            },
            Step::Over(end) => return over(slot, end),
            Step::Waited | Step::Gone => return Read::Failed,
        }
    }
}

/// The next packet; what the program had before goes back.
fn look<F: Feed>(slot: &Slot<F>) -> Step {
    guarded(slot, |session| match session.take() {
        Taken::Packet(header, bytes) => Step::Packet(header, bytes.as_ptr()),
        Taken::Nothing => Step::Nothing,
        Taken::Over(end) => Step::Over(end),
    })
    .unwrap_or(Step::Gone)
}

/// Waits for a first packet until the deadline, which the first wait sets.
fn wait<F: Feed>(slot: &Slot<F>, patience: Patience, deadline: &mut Option<Duration>) -> Step {
    let endless = patience == Patience::Endless;
    if slot.is_nonblock() && !endless {
        return Step::Nothing;
    }
    let timeout = slot.plan().and_then(|(_, settings)| settings.timeout());
    let timeout = timeout.filter(|_| !endless);
    guarded(slot, |session| {
        let left = match timeout {
            None => None,
            Some(timeout) => {
                let now = session.now();
                let until = *deadline.get_or_insert(now + timeout);
                match until.checked_sub(now) {
                    Some(left) if !left.is_zero() => Some(left),
                    _ => return Step::Nothing,
                }
            }
        };
        slot.note(session.counts());
        session.wait(left);
        Step::Waited
    })
    .unwrap_or(Step::Gone)
}

fn over<F: Feed>(slot: &Slot<F>, end: End) -> Read {
    let name = slot.plan().map(|(device, _)| device.engine).unwrap_or_default();
    let first = guarded(slot, Session::tell_end).unwrap_or(false);
    if !first && !slot.is_nonblock() {
        let timeout = slot.plan().and_then(|(_, settings)| settings.timeout());
        rest(timeout.unwrap_or(AFTER_THE_END).min(AFTER_THE_END));
    }
    match end {
        End::Ended => {
            slot.error.set(&format!("engine {name} ended"));
            Read::Ended
        }
        End::Died => {
            slot.error.set(&format!("engine {name} died: it was killed or it crashed"));
            Read::Failed
        }
    }
}

/// Ends a dispatch: the last packet goes back, and the descriptor tells of what comes.
fn finish<F: Feed>(slot: &Slot<F>, found: bool) {
    let selected = slot.is_selected();
    guarded(slot, |session| {
        session.let_go();
        if selected {
            session.arm(found);
        }
    });
}

/// Does something with the session. None, with a text for `pcap_geterr`, if there is none or it
/// failed in a way that it must not.
fn guarded<F: Feed, T>(slot: &Slot<F>, act: impl FnOnce(&mut Session<F>) -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(|| slot.with(act))) {
        Ok(Some(value)) => Some(value),
        Ok(None) => {
            slot.error.set("the handle was closed while it was read");
            None
        }
        Err(_) => {
            slot.error.set("a fault in libpcap-weir itself; please report it");
            None
        }
    }
}

/// Waits; a signal ends it early.
fn rest(time: Duration) {
    if let Ok(time) = time.try_into() {
        rustix::event::poll(&mut [], Some(&time)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;
    use crate::session::tests::{Does, Script};
    use crate::settings::Precision;

    fn slot(timeout_ms: i32, script: Script) -> Slot<Script> {
        let slot = Slot::default();
        slot.begin(device::parse("weir:edge").unwrap());
        let set = slot.set(|settings| {
            settings.set_timeout(timeout_ms);
            Ok(())
        });
        assert!(set.is_ok());
        slot.activate(Session::new(script, 100, Precision::Micro), None, 3);
        slot
    }

    fn packets(count: usize) -> Vec<Does> {
        vec![Does::Gives(vec![1; 10]); count]
    }

    fn dispatched(slot: &Slot<Script>, most: u32) -> i32 {
        let mut given = 0;
        let read = dispatch(slot, most, Patience::AsSet, &mut |header, _| {
            assert_eq!(header.captured_bytes, 10);
            given += 1;
        });
        assert_eq!(given, read.number().max(0));
        read.number()
    }

    #[test]
    fn a_dispatch_gives_what_is_there_up_to_its_limit() {
        let slot = slot(10, Script::of(&[packets(5), vec![Does::HasNothing]].concat()));
        assert_eq!(dispatched(&slot, 3), 3);
        assert_eq!(slot.with(|session| session.feed().in_use), Some(0), "the last one went back");
        assert_eq!(dispatched(&slot, AT_ONCE), 2);
        assert_eq!(dispatched(&slot, 3), 0, "nothing within the timeout");
        let waits = slot.with(|session| session.feed().waits.clone());
        assert_eq!(waits, Some(vec![Some(Duration::from_millis(10))]));
    }

    #[test]
    fn a_wait_that_a_bell_ends_early_goes_on_until_the_deadline() {
        let script = [vec![Does::HasNothing, Does::HasNothing], packets(1)].concat();
        let slot = slot(3_000, Script::of(&script));
        // Its clock stands still but for the waits, and each takes all that is left.
        assert_eq!(dispatched(&slot, 9), 0);
        assert_eq!(dispatched(&slot, 9), 1);
        let slot = self::slot(0, Script::of(&script));
        assert_eq!(dispatched(&slot, 9), 1, "without a timeout it waits again");
        assert_eq!(slot.with(|session| session.feed().waits.clone()), Some(vec![None, None]));
    }

    #[test]
    fn without_blocking_nothing_is_waited_for() {
        let slot = slot(10, Script::of(&[Does::HasNothing]));
        slot.set_nonblock(true);
        assert_eq!(dispatched(&slot, 3), 0);
        assert_eq!(next(&slot, &mut |_, _| {}), Read::Nothing);
        assert_eq!(slot.with(|session| session.feed().waits.len()), Some(0));
    }

    #[test]
    fn a_loop_runs_to_its_limit_or_to_the_end() {
        let slot = slot(1, Script::of(&[vec![Does::HasNothing], packets(7)].concat()));
        let mut given = 0;
        assert_eq!(run(&slot, Some(5), &mut |_, _| given += 1), 0);
        assert_eq!(given, 5);
        slot.with(|session| assert_eq!(session.feed().waits, [None], "no timeout in a loop"));
        let slot = self::slot(1, Script::of(&[packets(7), vec![Does::Ends]].concat()));
        assert_eq!(run(&slot, None, &mut |_, _| given += 1), 0);
        assert_eq!(given, 12);
        assert_eq!(dispatched(&slot, 1), code::BREAK);
        assert_eq!(slot.error.to_text(), "engine edge ended");
    }

    #[test]
    fn a_dead_engine_is_an_error() {
        let slot = slot(1, Script::of(&[packets(2), vec![Does::Dies]].concat()));
        let mut given = 0;
        assert_eq!(run(&slot, None, &mut |_, _| given += 1), code::ERROR);
        assert_eq!((given, dispatched(&slot, 1)), (2, code::ERROR));
        assert!(slot.error.to_text().starts_with("engine edge died"));
        assert_eq!(slot.over(), Some(End::Died));
    }

    #[test]
    fn a_broken_loop_says_so_once() {
        let slot = slot(1, Script::of(&packets(9)));
        let mut given = 0;
        let broken = run(&slot, None, &mut |_, _| {
            given += 1;
            if given == 3 {
                slot.break_loop();
            }
        });
        assert_eq!((broken, given), (code::BREAK, 3));
        slot.break_loop();
        assert_eq!(dispatched(&slot, 2), code::BREAK, "before the first packet");
        assert_eq!(dispatched(&slot, 2), 2);
        let mut last = 0;
        let read = dispatch(&slot, 9, Patience::AsSet, &mut |_, _| {
            last += 1;
            slot.break_loop();
        });
        assert_eq!(read, Read::Packets(1), "what was given counts first");
        assert_eq!(dispatched(&slot, 2), code::BREAK);
    }

    #[test]
    fn a_packet_of_next_ex_stays_until_the_next_read() {
        let slot = slot(1, Script::of(&packets(2)));
        let in_use = || slot.with(|session| session.feed().in_use);
        for _ in 0..2 {
            assert_eq!(next(&slot, &mut |_, _| {}), Read::Packets(1));
            assert_eq!(in_use(), Some(1));
        }
        assert_eq!(next(&slot, &mut |_, _| {}), Read::Nothing);
        assert_eq!(in_use(), Some(0));
    }

    #[test]
    fn who_selects_finds_the_descriptor_armed_after_each_read() {
        let slot = slot(1, Script::of(&packets(2)));
        let arms = || slot.with(|session| session.feed().arms).unwrap();
        assert_eq!(dispatched(&slot, 1), 1);
        assert_eq!(arms(), 0, "nobody selects");
        assert_eq!(slot.select(), 3);
        assert_eq!(arms(), 1);
        assert_eq!(dispatched(&slot, 1), 1);
        assert_eq!(dispatched(&slot, 1), 0);
        assert_eq!(arms(), 3);
    }

    #[test]
    fn a_handle_closed_in_its_own_callback_ends_the_loop() {
        let slot = slot(1, Script::of(&packets(2)));
        let mut given = 0;
        let ended = run(&slot, None, &mut |_, _| {
            given += 1;
            slot.end();
        });
        assert_eq!((ended, given), (code::ERROR, 1));
        assert!(slot.error.to_text().contains("closed"));
    }
}
