//! Giving up privileges once nothing needs them any more.
//!
//! A shard's thread reads what strangers send; the control thread only undoes what it did to the
//! interface, or does it again. Both give up everything else before the first packet. What a thread has given up, it
//! and the threads it starts cannot get back.

use std::io;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs,
};

/// What the calling thread keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// `CAP_NET_ADMIN`, where it has it: the receive hash and promiscuous mode are put back at the
    /// end.
    NetAdmin,
    /// That, and what setting an AF_XDP capture up takes, where it has it: an interface that goes
    /// and comes back is taken anew.
    Capture,
}

/// Gives up the calling thread's capabilities, for good.
///
/// # Errors
/// What the kernel says.
pub fn give_up(keep: Keep) -> io::Result<()> {
    let wanted = match keep {
        Keep::Nothing => CapabilitySet::empty(),
        Keep::NetAdmin => CapabilitySet::NET_ADMIN,
        Keep::Capture => {
            CapabilitySet::NET_ADMIN
                | CapabilitySet::NET_RAW
                | CapabilitySet::BPF
                | CapabilitySet::PERFMON
                | CapabilitySet::IPC_LOCK
        }
    };
    let kept = capabilities(None)?.permitted & wanted;
    set_no_new_privs(true)?;
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    Ok(set_capabilities(None, sets)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_up_stays_so() {
        // On a thread of its own: other tests may need theirs.
        let thread = std::thread::spawn(|| {
            give_up(Keep::NetAdmin).unwrap();
            let left = capabilities(None).unwrap();
            assert!((left.permitted & !CapabilitySet::NET_ADMIN).is_empty());
            give_up(Keep::Nothing).unwrap();
            assert!(capabilities(None).unwrap().permitted.is_empty());
            let all = CapabilitySets {
                effective: CapabilitySet::NET_RAW,
                permitted: CapabilitySet::NET_RAW,
                inheritable: CapabilitySet::empty(),
            };
            assert!(set_capabilities(None, all).is_err());
        });
        thread.join().unwrap();
    }
}
