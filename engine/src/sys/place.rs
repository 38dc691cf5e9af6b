//! Where threads run: cores and their NUMA nodes.

use core_affinity::CoreId;
use hwlocality::Topology;
use hwlocality::memory::binding::{MemoryBindingFlags, MemoryBindingPolicy};
use hwlocality::object::types::ObjectType;

/// A core of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Core {
    /// The operating system's number.
    pub os_index: usize,
    /// Its NUMA node's number.
    pub node: usize,
}

/// The cores this process may run on, by node and number; empty where they cannot be read.
pub fn cores() -> Vec<Core> {
    let allowed = core_affinity::get_core_ids().unwrap_or_default();
    let topology = Topology::new().ok();
    let node_of = |os_index: usize| topology.as_ref().and_then(|found| node_of(found, os_index));
    let mut cores: Vec<_> = allowed
        .iter()
        .map(|core| Core { os_index: core.id, node: node_of(core.id).unwrap_or_default() })
        .collect();
    cores.sort_by_key(|core| (core.node, core.os_index));
    cores
}

/// The core for each shard, by the node that its frames come in on: one of that node, where it has
/// some left, else any other. No core gets two shards before each has one.
pub fn assign(cores: &[Core], nodes: &[Option<usize>]) -> Vec<Option<Core>> {
    let most = nodes.len().div_ceil(cores.len().max(1));
    let mut taken = vec![0; cores.len()];
    let mut seats = vec![None; nodes.len()];
    // Those that find a place at home take it before anybody else does.
    for at_home in [true, false] {
        for (seat, node) in seats.iter_mut().zip(nodes) {
            let fits = |core: &Core| !at_home || Some(core.node) == *node;
            let free = cores.iter().enumerate().filter(|(_, core)| seat.is_none() && fits(core));
            let free = free.filter(|(at, _)| taken[*at] < most);
            if let Some((at, core)) = free.min_by_key(|(at, _)| taken[*at]) {
                *seat = Some(*core);
                taken[at] += 1;
            }
        }
    }
    seats
}

/// Pins the calling thread; whether that worked.
pub fn pin(core: Core) -> bool {
    core_affinity::set_for_current(CoreId { id: core.os_index })
}

/// Does `work` with the calling thread's new memory on a NUMA node, where one is given and the
/// machine has several. Where the system refuses, memory comes from wherever it does.
pub fn on_node<T>(node: Option<usize>, work: impl FnOnce() -> T) -> T {
    let flags = MemoryBindingFlags::THREAD;
    let topology = node.and_then(|_| Topology::new().ok());
    let bound = topology.as_ref().filter(|topology| {
        let mut nodes = topology.objects_with_type(ObjectType::NUMANode);
        if nodes.len() < 2 {
            return false;
        }
        let wanted = nodes.find(|found| found.os_index() == node);
        let set = wanted.and_then(|found| Some(found.nodeset()?.clone_target()));
        set.is_some_and(|set| topology.bind_memory(&set, MemoryBindingPolicy::Bind, flags).is_ok())
    });
    let done = work();
    if let Some(topology) = bound {
        // A thread that stays bound allocates from that node: slower elsewhere, never wrong.
        topology.unbind_memory(flags).ok();
    }
    done
}

/// The NUMA node of a network interface, where it has one.
pub fn node_of_interface(interface: &str) -> Option<usize> {
    let device = format!("/sys/class/net/{interface}/device");
    let paths = [format!("{device}/numa_node"), format!("{device}/../numa_node")];
    paths.iter().find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok())
}

fn node_of(topology: &Topology, os_index: usize) -> Option<usize> {
    let mut units = topology.objects_with_type(ObjectType::PU);
    let unit = units.find(|unit| unit.os_index() == Some(os_index))?;
    unit.nodeset()?.first_set().map(usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_take_the_cores_of_the_wanted_node_first() {
        let core = |os_index, node| Core { os_index, node };
        let cores = [core(0, 0), core(1, 0), core(2, 1), core(3, 1)];
        let taken = assign(&cores, &[Some(1); 3]);
        assert_eq!(taken, [Some(core(2, 1)), Some(core(3, 1)), Some(core(0, 0))]);
        assert_eq!(assign(&[], &[None]), [None]);
        assert_eq!(assign(&cores[..1], &[None; 2]), [Some(core(0, 0)); 2]);
    }

    #[test]
    fn the_shards_of_two_cards_are_each_on_their_card_s_node() {
        let core = |os_index, node| Core { os_index, node };
        let cores = [core(0, 0), core(1, 0), core(2, 1), core(3, 1)];
        let nodes = |each: usize| [[Some(1)].repeat(each), [Some(0)].repeat(each)].concat();
        for shards in 1..=4 {
            for (node, seat) in nodes(shards).iter().zip(assign(&cores, &nodes(shards))) {
                assert_eq!(seat.map(|core| core.node), *node, "{shards} shards each");
            }
        }
    }
}
