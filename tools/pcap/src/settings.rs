//! What a program sets on a handle before it activates it.

use std::time::Duration;

use crate::code::{self, Failure};

/// Bytes of a packet that are given at most, and the default.
pub(crate) const SNAPLEN_MAX: u32 = 262_144;

/// Time stamps from the host, the only type there is.
const TSTAMP_HOST: i32 = 0;

/// How fine the time stamps of a handle are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// Microseconds.
    Micro,
    /// Nanoseconds.
    Nano,
}

impl Precision {
    /// As libpcap numbers it.
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Micro => 0,
            Self::Nano => 1,
        }
    }
}

/// The settings of one handle. What has no meaning for memory that an engine shares (promiscuous
/// mode, the size of the kernel's buffer, immediate mode) is taken and kept nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    snaplen: i32,
    timeout_ms: i32,
    monitor: bool,
    /// How fine time stamps are.
    pub(crate) precision: Precision,
}

impl Default for Settings {
    fn default() -> Self {
        Self { snaplen: 0, timeout_ms: 0, monitor: false, precision: Precision::Micro }
    }
}

impl Settings {
    /// Sets the bytes of a packet to be given; anything out of range stands for all.
    pub(crate) fn set_snaplen(&mut self, snaplen: i32) {
        self.snaplen = snaplen;
    }

    /// Sets the read timeout in milliseconds; 0 and less: for ever.
    pub(crate) fn set_timeout(&mut self, timeout_ms: i32) {
        self.timeout_ms = timeout_ms;
    }

    /// Asks for monitor mode, which [`Self::check`] refuses.
    pub(crate) fn set_monitor(&mut self, monitor: bool) {
        self.monitor = monitor;
    }

    /// Sets the type of time stamps; the number that libpcap answers.
    pub(crate) fn set_tstamp_type(kind: i32) -> i32 {
        if kind == TSTAMP_HOST { 0 } else { code::WARNING_TSTAMP_TYPE }
    }

    /// Sets the precision of time stamps.
    ///
    /// # Errors
    /// It is neither of the two.
    pub(crate) fn set_precision(&mut self, number: i32) -> Result<(), Failure> {
        self.precision = match number {
            0 => Precision::Micro,
            1 => Precision::Nano,
            _ => {
                let text = "time stamps are in micro- or nanoseconds";
                return Err(Failure::new(code::PRECISION_NOTSUP, text));
            }
        };
        Ok(())
    }

    /// Refuses what an engine cannot give.
    ///
    /// # Errors
    /// Monitor mode was asked for.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.monitor {
            let text = "an engine has no monitor mode: it gives what its interface receives";
            return Err(Failure::new(code::RFMON_NOTSUP, text));
        }
        Ok(())
    }

    /// Bytes of a packet that are given at most.
    pub(crate) fn snaplen(&self) -> u32 {
        match u32::try_from(self.snaplen) {
            Ok(bytes @ 1..=SNAPLEN_MAX) => bytes,
            _ => SNAPLEN_MAX,
        }
    }

    /// How long a read waits for a first packet; `None`: for ever.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let millis = u64::try_from(self.timeout_ms).ok().filter(|millis| *millis > 0)?;
        Some(Duration::from_millis(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_numbers_mean_what_they_mean_to_libpcap() {
        let mut settings = Settings::default();
        assert_eq!((settings.snaplen(), settings.timeout()), (SNAPLEN_MAX, None));
        for (asked, given) in
            [(0, SNAPLEN_MAX), (-1, SNAPLEN_MAX), (96, 96), (262_145, SNAPLEN_MAX)]
        {
            settings.set_snaplen(asked);
            assert_eq!(settings.snaplen(), given);
        }
        settings.set_timeout(-5);
        assert_eq!(settings.timeout(), None);
        settings.set_timeout(500);
        assert_eq!(settings.timeout(), Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_there_is_not_is_refused_by_its_number() {
        let mut settings = Settings::default();
        assert_eq!(Settings::set_tstamp_type(0), 0);
        assert_eq!(Settings::set_tstamp_type(3), code::WARNING_TSTAMP_TYPE);
        assert!(settings.set_precision(1).is_ok());
        assert_eq!(settings.set_precision(2).unwrap_err().code, code::PRECISION_NOTSUP);
        assert_eq!(settings.precision.number(), 1);
        assert!(settings.check().is_ok());
        settings.set_monitor(true);
        assert_eq!(settings.check().unwrap_err().code, code::RFMON_NOTSUP);
    }
}
