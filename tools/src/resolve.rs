//! The optional reverse look-up: what addresses are called, asked of the system's resolver.
//!
//! Off unless somebody asks for it: Weir itself sends no query. Threads of their own ask, so that no
//! display waits for an answer; what waits and what is remembered is bounded, and names that came this
//! way are marked where people see them.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::live;

/// Threads that ask. A query without an answer takes as long as the system's resolver says, 10 s
/// as a rule.
const THREADS: usize = 8;
/// Addresses that wait to be asked about; what comes beyond is asked again at the next look.
const WAITING: usize = 1024;
/// Addresses of a generation that are remembered; there are two of them.
const REMEMBERED: usize = 1 << 14;
/// How long a name is believed, and how long that there is none.
const BELIEVED_S: [u64; 2] = [3600, 300];
/// Longest name of DNS.
const NAME_BYTES: usize = 255;

/// How long a picture that is shown once waits for names at most.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

static RESOLVER: OnceLock<Resolver> = OnceLock::new();

/// Whether to look up names.
#[derive(Args, Clone, Debug)]
pub(crate) struct ResolveArgs {
    /// Look up what addresses without a name are called, with this machine's resolver (hosts file,
    /// DNS, mDNS): private ones, too. Whoever runs the name servers sees which addresses you look at.
    /// Such names have a column of their own, or a `~` before them.
    #[arg(long)]
    resolve: bool,
}

impl ResolveArgs {
    /// Has addresses looked up from now on, if that is asked for.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn begin(&self) -> anyhow::Result<()> {
        if self.resolve && !is_on() {
            let resolver = Resolver::start(THREADS, ask_system).context("--resolve")?;
            // Of two that come at the same time one is dropped; its threads end with it.
            RESOLVER.set(resolver).ok();
        }
        Ok(())
    }
}

/// Whether addresses are looked up.
pub(crate) fn is_on() -> bool {
    RESOLVER.get().is_some()
}

/// What the address is called, as far as it is known by now: never waits. Marked as looked up, by a `~`.
pub(crate) fn name(address: IpAddr) -> Option<String> {
    bare_name(address).map(|name| format!("~{name}"))
}

/// The same without the mark, for a column that says so by its title.
pub(crate) fn bare_name(address: IpAddr) -> Option<String> {
    RESOLVER.get()?.name(address)
}

/// Waits until everything that was asked for is known, `time` at most.
pub(crate) fn settle(time: Duration) {
    if let Some(resolver) = RESOLVER.get() {
        resolver.settle(time);
    }
}

/// Asks as the system is set up: hosts file, DNS, mDNS. No answer and no name are the same.
fn ask_system(address: IpAddr) -> Option<String> {
    let (name, _) =
        dns_lookup::getnameinfo(&SocketAddr::new(address, 0), libc::NI_NAMEREQD).ok()?;
    Some(name)
}

/// See the module.
#[derive(Debug)]
struct Resolver {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something waits to be asked, or it is over.
    work: Condvar,
    /// Nothing waits any more.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    young: HashMap<IpAddr, Known>,
    old: HashMap<IpAddr, Known>,
    waiting: VecDeque<IpAddr>,
    /// Asked, and not answered yet.
    asked: Vec<IpAddr>,
    is_over: bool,
}

#[derive(Clone, Debug)]
struct Known {
    name: Option<Arc<str>>,
    until_s: u64,
}

impl Resolver {
    fn start(
        threads: usize,
        ask: impl Fn(IpAddr) -> Option<String> + Send + Sync + 'static,
    ) -> std::io::Result<Resolver> {
        let resolver = Resolver { shared: Arc::new(Shared::default()) };
        let ask = Arc::new(ask);
        for _ in 0..threads {
            let (shared, ask) = (Arc::clone(&resolver.shared), Arc::clone(&ask));
            // Nobody waits for its end: it may be in the middle of a query.
            std::thread::Builder::new()
                .name("resolver".to_owned())
                .spawn(move || shared.work(&*ask))?;
        }
        Ok(resolver)
    }

    fn name(&self, address: IpAddr) -> Option<String> {
        let mut state = self.shared.lock();
        let known = state.get(address).cloned();
        if known.as_ref().is_none_or(|known| known.until_s <= now_s()) {
            let is_coming = state.asked.contains(&address) || state.waiting.contains(&address);
            if !is_coming && state.waiting.len() < WAITING && !is_pointless(address) {
                state.waiting.push_back(address);
                self.shared.work.notify_one();
            }
        }
        // An old name is better than none while it is asked for again.
        known.and_then(|known| known.name).map(|name| name.to_string())
    }

    fn settle(&self, time: Duration) {
        let state = self.shared.lock();
        let waits = |state: &mut State| !state.waiting.is_empty() || !state.asked.is_empty();
        let waited = self.shared.done.wait_timeout_while(state, time, waits);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's whole life.
    fn work(&self, ask: &dyn Fn(IpAddr) -> Option<String>) {
        let mut state = self.lock();
        while !state.is_over {
            let Some(address) = state.waiting.pop_front() else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.asked.push(address);
            drop(state);
            let name = ask(address).filter(|name| is_name(name, address));
            state = self.lock();
            state.asked.retain(|asked| *asked != address);
            state.put(address, name);
            if state.asked.is_empty() && state.waiting.is_empty() {
                self.done.notify_all();
            }
        }
    }
}

impl State {
    fn get(&self, address: IpAddr) -> Option<&Known> {
        self.young.get(&address).or_else(|| self.old.get(&address))
    }

    fn put(&mut self, address: IpAddr, name: Option<String>) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        let until_s = now_s() + BELIEVED_S[usize::from(name.is_none())];
        self.young.insert(address, Known { name: name.map(Arc::from), until_s });
    }
}

/// Whether nobody can have a name for it.
fn is_pointless(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    address.is_unspecified() || address.is_multicast() || broadcast
}

/// Whether it is a name, and not the address again or something that no name is.
fn is_name(name: &str, address: IpAddr) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES && name.parse() != Ok(address)
}

fn now_s() -> u64 {
    live::monotonic_ns() / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn address(last: u8) -> IpAddr {
        [192, 168, 0, last].into()
    }

    /// One whose only look-up hangs until the sender is dropped.
    fn hanging() -> (mpsc::Sender<()>, Resolver) {
        let (keep, gate) = mpsc::channel();
        let gate = Mutex::new(gate);
        let resolver = Resolver::start(1, move |_| {
            gate.lock().unwrap().recv().ok()?;
            None
        });
        (keep, resolver.unwrap())
    }

    #[test]
    fn names_come_without_anybody_waiting_and_are_asked_for_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (go, gate) = mpsc::channel::<()>();
        let (gate, count) = (Mutex::new(gate), Arc::clone(&asked));
        let resolver = Resolver::start(2, move |address| {
            count.fetch_add(1, Ordering::SeqCst);
            gate.lock().unwrap().recv().ok()?;
            (address == self::address(1)).then(|| "printer.lan".to_owned())
        })
        .unwrap();
        // The look-up hangs, and the display goes on.
        for _ in 0..3 {
            assert_eq!(resolver.name(address(1)), None);
            assert_eq!(resolver.name(address(2)), None);
        }
        (0..2).for_each(|_| go.send(()).unwrap());
        resolver.settle(SOON);
        assert_eq!(resolver.name(address(1)).as_deref(), Some("printer.lan"));
        assert_eq!(resolver.name(address(2)), None);
        assert_eq!(asked.load(Ordering::SeqCst), 2, "that there is none is known, too");
    }

    #[test]
    fn what_waits_and_what_is_remembered_is_bounded() {
        let (_keep, resolver) = hanging();
        for number in 0..3 * u32::try_from(WAITING).unwrap() {
            resolver.name(IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
        }
        let state = resolver.shared.lock();
        assert!(state.waiting.len() <= WAITING && state.asked.len() <= 1);
        drop(state);
        let mut state = State::default();
        for number in 0..5 * u32::try_from(REMEMBERED).unwrap() {
            state.put(IpAddr::from(number.to_be_bytes()), Some("x".to_owned()));
        }
        assert!(state.young.len() + state.old.len() <= 2 * REMEMBERED);
        let newest = 5 * u32::try_from(REMEMBERED).unwrap() - 1;
        assert!(state.get(IpAddr::from(newest.to_be_bytes())).is_some());
    }

    #[test]
    fn waiting_has_an_end() {
        let (_keep, resolver) = hanging();
        resolver.name(address(9));
        resolver.settle(Duration::from_millis(20));
        assert_eq!(resolver.name(address(9)), None);
    }

    #[test]
    fn groups_and_addresses_in_place_of_names_are_no_names() {
        assert!(is_pointless("224.0.0.251".parse().unwrap()));
        assert!(is_pointless("255.255.255.255".parse().unwrap()));
        assert!(!is_pointless(address(1)));
        assert!(!is_name("192.168.0.1", address(1)));
        assert!(!is_name("", address(1)) && is_name("a.lan", address(1)));
    }

    /// The system's own way; loopback has a name on every machine with a hosts file.
    #[test]
    fn the_system_knows_this_machine() {
        match ask_system([127, 0, 0, 1].into()) {
            Some(name) => assert!(!name.is_empty()),
            None => weir_tests::skipped(
                "the_system_knows_this_machine",
                "no hosts file names 127.0.0.1",
            ),
        }
    }
}
