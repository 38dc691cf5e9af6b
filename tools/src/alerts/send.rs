//! Handing alerts on: one thread a recipient behind a queue of fixed length, so that a recipient that
//! is slow or gone holds nothing up.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use weir_shm::alerts::Alert;

use super::http::{Sent, Target};
use super::show;
use super::syslog::Syslog;
use crate::exit::{Code, failure};
use crate::live;

/// Alerts that wait for a recipient, at most.
const QUEUE: usize = 4096;
/// Times that one is tried.
const TRIES: u32 = 6;
/// The wait before the second try; twice as long before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// How often, and how many times, the end looks whether all is delivered: for ten seconds.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 500;

/// The recipients.
#[derive(Debug)]
pub(super) struct Sinks {
    queues: Vec<SyncSender<Alert>>,
    threads: Vec<JoinHandle<()>>,
    lost: Arc<AtomicU64>,
}

/// Who hands an alert on; what it says when it could not, and whether to try again.
type Hand = Box<dyn FnMut(&Alert) -> Result<(), Trouble> + Send>;

enum Trouble {
    Again(String),
    Never(String),
}

impl Sinks {
    /// Opens those that are asked for; none if none is.
    ///
    /// # Errors
    /// An address is none.
    pub(super) fn new(
        syslog: Option<&str>,
        webhook: Option<&str>,
    ) -> anyhow::Result<Option<Sinks>> {
        let mut hands: Vec<(&'static str, Hand)> = Vec::new();
        if let Some(address) = syslog {
            let mut syslog = Syslog::open(address).map_err(|error| {
                let advice = "give HOST:PORT, tcp:HOST:PORT or a path";
                failure(Code::Usage, format!("--syslog {address}: {error}; {advice}"))
            })?;
            let hand = move |alert: &Alert| {
                syslog.send(alert).map_err(|error| Trouble::Again(error.to_string()))
            };
            hands.push(("syslog", Box::new(hand)));
        }
        if let Some(url) = webhook {
            let target = Target::parse(url)
                .map_err(|wrong| failure(Code::Usage, format!("--webhook {wrong}")))?;
            hands.push(("webhook", Box::new(move |alert: &Alert| post(&target, alert))));
        }
        if hands.is_empty() {
            return Ok(None);
        }
        let lost = Arc::new(AtomicU64::new(0));
        let mut sinks = Sinks { queues: Vec::new(), threads: Vec::new(), lost: Arc::clone(&lost) };
        for (name, hand) in hands {
            let (queue, waiting) = sync_channel(QUEUE);
            let lost = Arc::clone(&lost);
            let body = move || deliver(name, hand, &waiting, &lost);
            sinks
                .threads
                .push(std::thread::Builder::new().name(format!("weir {name}")).spawn(body)?);
            sinks.queues.push(queue);
        }
        Ok(Some(sinks))
    }

    /// Hands an alert to every recipient. One whose queue is full misses it, which is counted.
    pub(super) fn send(&self, alert: &Alert) {
        for queue in &self.queues {
            if queue.try_send(*alert).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits for what is on its way, for a while; how many were not delivered.
    pub(super) fn finish(self) -> u64 {
        let Sinks { queues, threads, lost } = self;
        drop(queues);
        let mut looks = 0;
        for thread in threads {
            while !thread.is_finished() && looks < LOOKS {
                live::pause(LOOK);
                looks += 1;
            }
            if thread.is_finished() {
                thread.join().ok();
            } else {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        lost.load(Ordering::Relaxed)
    }
}

fn post(target: &Target, alert: &Alert) -> Result<(), Trouble> {
    let mut body = Vec::with_capacity(1024);
    show::json_line(&mut body, alert).map_err(|error| Trouble::Never(error.to_string()))?;
    match target.post(&body) {
        Sent::Taken => Ok(()),
        Sent::Refused(status) => Err(Trouble::Never(format!("refused with status {status}"))),
        Sent::Later(why) => Err(Trouble::Again(why)),
    }
}

/// Hands on what comes, in its order, until nothing comes any more.
fn deliver(name: &str, mut hand: Hand, waiting: &Receiver<Alert>, lost: &AtomicU64) {
    let mut said = String::new();
    loop {
        let alert = match waiting.recv_timeout(Duration::from_secs(1)) {
            Ok(alert) => alert,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Err(why) = try_often(&mut hand, &alert) else {
            said.clear();
            continue;
        };
        lost.fetch_add(1, Ordering::Relaxed);
        if why != said {
            // Who reads this may be gone as well.
            writeln!(std::io::stderr(), "weir: {name}: an alert was not delivered: {why}").ok();
            said = why;
        }
    }
}

fn try_often(hand: &mut Hand, alert: &Alert) -> Result<(), String> {
    let mut wait = FIRST_WAIT;
    let mut last = String::new();
    for attempt in 0..TRIES {
        match hand(alert) {
            Ok(()) => return Ok(()),
            Err(Trouble::Never(why)) => return Err(why),
            Err(Trouble::Again(why)) => last = why,
        }
        if attempt + 1 < TRIES {
            live::pause(wait);
            wait *= 2;
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_again_and_what_is_refused_is_not() {
        let mut left = 1;
        let mut hand: Hand = Box::new(move |_| {
            left -= 1;
            if left < 0 { Ok(()) } else { Err(Trouble::Again("busy".into())) }
        });
        assert_eq!(try_often(&mut hand, &Alert::default()), Ok(()));
        let mut hand: Hand = Box::new(|_| Err(Trouble::Never("no".into())));
        assert_eq!(try_often(&mut hand, &Alert::default()), Err("no".to_owned()));
    }
}
