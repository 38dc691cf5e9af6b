//! What functions of libpcap return.

/// It failed; the text says why.
pub(crate) const ERROR: i32 = -1;
/// A loop was broken out of, or there is nothing more to come.
pub(crate) const BREAK: i32 = -2;
/// The handle is not activated yet.
pub(crate) const NOT_ACTIVATED: i32 = -3;
/// The handle is activated already.
pub(crate) const ACTIVATED: i32 = -4;
/// There is no such device.
pub(crate) const NO_SUCH_DEVICE: i32 = -5;
/// The device has no monitor mode.
pub(crate) const RFMON_NOTSUP: i32 = -6;
/// It is not allowed.
pub(crate) const PERM_DENIED: i32 = -8;
/// That precision of time stamps is not supported.
pub(crate) const PRECISION_NOTSUP: i32 = -12;
/// A warning: that type of time stamp is not supported.
pub(crate) const WARNING_TSTAMP_TYPE: i32 = 3;

/// A failure as libpcap reports one: a number, and words for `pcap_geterr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One of the negative numbers above.
    pub(crate) code: i32,
    /// For people.
    pub(crate) text: String,
}

impl Failure {
    /// A failure of this kind.
    pub(crate) fn new(code: i32, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// The plain kind.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(ERROR, text)
    }

    /// The handle is not activated yet.
    pub(crate) fn not_activated() -> Self {
        Self::new(NOT_ACTIVATED, "the handle is not activated yet: pcap_activate comes first")
    }
}
