//! From a handle's settings to a session.

use crate::code::{self, Failure};
use crate::feed::{Bell, EngineFeed};
use crate::session::Session;
use crate::settings::Precision;
use crate::slot::Slot;

/// What a new session needs to become a handle's.
#[derive(Debug)]
pub(crate) struct Opened {
    session: Session<EngineFeed>,
    bell: Bell,
    fd: i32,
    /// For the handle that stands in.
    pub(crate) dlt: i32,
    /// For the handle that stands in.
    pub(crate) snaplen: u32,
    /// For the handle that stands in.
    pub(crate) precision: Precision,
}

/// The environment variable that chooses how frames are read.
const MODE: &str = "WEIR_MODE";

/// Begins to read what the handle is for. A handle whose engine has gone may be activated again.
///
/// # Errors
/// It is activated, a setting is not possible, or the engine cannot be read.
pub(crate) fn open(slot: &Slot<EngineFeed>) -> Result<Opened, Failure> {
    if slot.is_active() && slot.over().is_none() {
        return Err(Failure::new(code::ACTIVATED, "the handle is activated already"));
    }
    let Some((device, settings)) = slot.plan() else {
        return Err(Failure::plain("the handle is closed"));
    };
    settings.check()?;
    let mode = std::env::var(MODE).unwrap_or_default();
    let feed = EngineFeed::open(&device, lease(&mode)?)?;
    let (bell, fd, dlt) = (feed.bell(), feed.fd(), feed.dlt());
    let snaplen = settings.snaplen();
    let session = Session::new(feed, snaplen, settings.precision);
    Ok(Opened { session, bell, fd, dlt, snaplen, precision: settings.precision })
}

/// Makes the session the handle's.
pub(crate) fn finish(slot: &Slot<EngineFeed>, opened: Opened) {
    slot.activate(opened.session, Some(opened.bell), opened.fd);
}

/// Whether frames are used in place.
fn lease(mode: &str) -> Result<bool, Failure> {
    match mode {
        "" | "lease" => Ok(true),
        "window" => Ok(false),
        _ => Err(Failure::plain(format!("{MODE}={mode}: it is lease (the default) or window"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn modes_have_names() {
        assert_eq!((lease(""), lease("lease"), lease("window")), (Ok(true), Ok(true), Ok(false)));
        assert!(lease("copy").unwrap_err().text.contains("window"));
    }

    #[test]
    fn an_engine_that_is_not_there_is_no_such_device() {
        let slot = Slot::default();
        slot.begin(device::parse("weir:/nowhere/at.sock").unwrap());
        let failure = open(&slot).unwrap_err();
        assert_eq!(failure.code, code::NO_SUCH_DEVICE);
        assert!(failure.text.contains("/nowhere/at.sock"), "{}", failure.text);
        slot.end();
        assert_eq!(open(&slot).unwrap_err().code, code::ERROR);
    }
}
