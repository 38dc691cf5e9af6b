//! Alerts of the engine whose packets are recorded: what they name is told to the recorder.

use weir_shm::Attached;
use weir_shm::alerts::{Alert, Phase, Severity};
use weir_shm::records::StartAt;

use super::recorder::Recorder;
use crate::alerts::follow::{Follower, Listing};
use crate::files::alert::Named;

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    follower: Follower,
    /// What less weighs chooses no packets; it is told of in files nevertheless.
    severity: Option<Severity>,
    missed: u64,
    has_begun: bool,
}

impl Watch {
    /// Follows from the oldest alert that is there on: the packets that are read first may be of its
    /// time. Only alerts of this severity and more choose packets; none: no alert does.
    pub(super) fn new(engine: &Attached, severity: Option<Severity>) -> Watch {
        let follower = Follower::new(engine, StartAt::Oldest);
        Watch { follower, severity, missed: 0, has_begun: false }
    }

    /// Tells what came since the last call.
    pub(super) fn look(&mut self, engine: &Attached, recorder: &mut Recorder) {
        // What was over before the first packet is none of ours, and its time is to be known for that.
        if recorder.counts.seen == 0 {
            return;
        }
        let severity = self.severity;
        if !std::mem::replace(&mut self.has_begun, true) {
            for alert in &Listing::of(engine).active {
                tell(recorder, severity, alert);
            }
        }
        let told = self.follower.poll(|alert| {
            tell(recorder, severity, alert);
            Ok::<(), std::convert::Infallible>(())
        });
        // It cannot fail.
        told.ok();
        if self.follower.missed() > self.missed {
            self.missed = self.follower.missed();
            let active = Listing::of(engine).active;
            let ids: Vec<u64> = active.iter().map(|alert| alert.id).collect();
            recorder.only_alerts(&ids);
            for alert in &active {
                tell(recorder, severity, alert);
            }
        }
        recorder.settle();
    }
}

fn tell(recorder: &mut Recorder, severity: Option<Severity>, alert: &Alert) {
    let mut named = Named::from(alert);
    if alert.phase == Phase::Ended {
        named.end_ns = named.end_ns.max(1);
    }
    recorder.alert(&named, severity.is_some_and(|least| alert.severity >= least));
}
