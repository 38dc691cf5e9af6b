//! Trying AF_XDP for real: a socket is bound to queue 0 and closed again.
//!
//! No XDP program is attached and no packet is taken. A driver that grants zero-copy restarts that
//! one queue for it, which may cost a few packets; where it says beforehand that it has no
//! zero-copy, that is not tried.

use af_xdp::{Area, AreaConfig, BindConfig, Error, Mode, ModeWish, QueueId, Umem, UmemConfig};

use super::report::Finding;

/// Binds with zero-copy where it may work, else with a copy.
pub(super) fn finding(interface: &str, zero_copy_possible: bool) -> Finding {
    const SUBJECT: &str = "AF_XDP mode";
    let refused = if zero_copy_possible {
        match bind(interface, ModeWish::ZeroCopy) {
            Ok(_) => return Finding::ok(SUBJECT, "zero-copy (tried on queue 0)"),
            Err(error) => Some(error),
        }
    } else {
        None
    };
    match (bind(interface, ModeWish::Copy), refused) {
        (Ok(_), None) => Finding::warn(
            SUBJECT,
            "copy: this driver has no zero-copy",
            "packets are copied once; for more, use a NIC whose driver has it \
             (ice, i40e, ixgbe, igb, igc, mlx5, bnxt …)",
        ),
        (Ok(_), Some(error)) => Finding::warn(
            SUBJECT,
            format!("copy: zero-copy was refused ({error})"),
            "packets are copied once; see dmesg for the driver's reason",
        ),
        (Err(error), _) => refusal(&error),
    }
}

fn refusal(error: &Error) -> Finding {
    const SUBJECT: &str = "AF_XDP mode";
    const BUSY: i32 = rustix::io::Errno::BUSY.raw_os_error();
    const PERM: i32 = rustix::io::Errno::PERM.raw_os_error();
    const ACCESS: i32 = rustix::io::Errno::ACCESS.raw_os_error();
    match error.os_error() {
        Some(PERM | ACCESS) => Finding::unseen(
            SUBJECT,
            "not allowed to bind a socket",
            "run weir doctor as root, or with CAP_NET_RAW and CAP_IPC_LOCK",
        ),
        Some(BUSY) => Finding::info(
            SUBJECT,
            "not tried: another AF_XDP socket has queue 0 (weir stats shows a running engine)",
        ),
        _ => Finding::fail(
            SUBJECT,
            format!("no socket could be bound: {error}"),
            "use packet:IF on this interface",
        ),
    }
}

/// The mode obtained on queue 0. All that was made is gone when this returns.
fn bind(interface: &str, mode: ModeWish) -> Result<Mode, Error> {
    const CHUNKS: usize = 64;
    let umem = UmemConfig::default();
    let bytes = CHUNKS * usize::try_from(umem.chunk_bytes).unwrap_or(4096);
    let area = Area::create(&AreaConfig { bytes, ..AreaConfig::default() })?;
    let mut umem = Umem::new(area, &umem)?;
    let config = BindConfig {
        rx_entries: 64,
        fill_entries: 64,
        completion_entries: 64,
        mode,
        ..BindConfig::default()
    };
    let bound = umem.bind(&QueueId::of(interface, 0)?, &config)?;
    Ok(bound.socket.mode())
}
