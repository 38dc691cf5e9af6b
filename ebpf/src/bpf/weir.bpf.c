// SPDX-License-Identifier: MIT OR Apache-2.0
/* Gives every frame to the socket of its flow's shard, with what was learned on the way in the
 * metadata before it. Two programs of one body: weir_xdp runs on any driver, and weir_xdp_hints
 * also asks the driver for the VLAN tag that the NIC took off, which only a program bound to the
 * device may do. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "weir.h"
#include "hash.h"
#include "walk.h"

/* Set by the loader before loading, constant from then on. */
const volatile __u64 hash_key[2];
const volatile __u32 split;
const volatile __u32 shards = 1;
const volatile __u32 queues = 1;

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1); /* the loader says how many */
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct row {
	__u64 value[WEIR_COUNTERS];
};

/* A row for each queue, and one more for queues that came later. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1); /* the loader says how many */
	__type(key, __u32);
	__type(value, struct row);
} counters SEC(".maps");

/* The walk of the frame at hand. One a CPU is enough: a CPU runs one XDP program at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} scratch SEC(".maps");

extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *xdp, __be16 *protocol,
					__u16 *tci) __ksym __weak;

/* The common kind of frame in a straight line: Ethernet, up to two tags, IPv4 without options and
 * whole, or IPv6 without extension headers, TCP or UDP, no tunnel. Says whether it was that. */
static __always_inline int plain(struct xdp_md *xdp, struct tuple *tuple)
{
	void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	struct ethhdr *ethernet = data;
	__u16 type;
	__be16 *ports;

	if ((void *)(ethernet + 1) > end)
		return 0;
	type = ethernet->h_proto;
	data = ethernet + 1;
	for (int tags = 0; tags < 2; tags++) {
		__be16 *tag = data;

		if (type != bpf_htons(0x8100) && type != bpf_htons(0x88a8))
			break;
		if ((void *)(tag + 2) > end)
			return 0;
		type = tag[1];
		data = tag + 2;
	}
	if (type == bpf_htons(0x0800)) {
		struct iphdr *ip = data;

		if ((void *)(ip + 1) > end || *(__u8 *)ip != 0x45 ||
		    ip->frag_off & bpf_htons(0x3fff))
			return 0;
		tuple->from.high = 0;
		tuple->from.low = weir_end_ipv4(ip->saddr);
		tuple->to.high = 0;
		tuple->to.low = weir_end_ipv4(ip->daddr);
		tuple->protocol = ip->protocol;
		ports = (void *)(ip + 1);
	} else if (type == bpf_htons(0x86dd)) {
		struct ipv6hdr *ip = data;

		if ((void *)(ip + 1) > end || ip->version != 6)
			return 0;
		__builtin_memcpy(&tuple->from.high, &ip->saddr, 8);
		__builtin_memcpy(&tuple->from.low, (__u8 *)&ip->saddr + 8, 8);
		__builtin_memcpy(&tuple->to.high, &ip->daddr, 8);
		__builtin_memcpy(&tuple->to.low, (__u8 *)&ip->daddr + 8, 8);
		tuple->protocol = ip->nexthdr;
		ports = (void *)(ip + 1);
	} else {
		return 0;
	}
	if ((tuple->protocol != IPPROTO_TCP && tuple->protocol != IPPROTO_UDP) ||
	    (void *)(ports + 2) > end)
		return 0;
	tuple->from.port = bpf_ntohs(ports[0]);
	tuple->to.port = bpf_ntohs(ports[1]);
	return tuple->protocol == IPPROTO_TCP ||
	       !(is_tunnel_port(tuple->from.port) || is_tunnel_port(tuple->to.port));
}

/* Any frame. Not static, so that the verifier checks it once by itself and not for every way in
 * which a frame is not of the common kind. */
__noinline int any(struct xdp_md *xdp, struct tuple *tuple, struct row *row)
{
	__u32 zero = 0;
	struct walk *walk = bpf_map_lookup_elem(&scratch, &zero);
	struct step first = { .xdp = xdp, .walk = walk };

	if (!walk || !tuple || !row)
		return WEIR_FLAG_NOT_IP;
	__builtin_memset(walk, 0, sizeof(*walk));
	walk->end = bpf_xdp_get_buff_len(xdp);
	walk->layer = LAYER_ETHERNET;
	bpf_loop(MAX_STEPS, step, &first, 0);
	row->value[WEIR_SLOW_PATH]++;
	if (!walk->found) {
		row->value[walk->too_short ? WEIR_TOO_SHORT : WEIR_NOT_IP]++;
		return WEIR_FLAG_NOT_IP;
	}
	if (walk->flags & WEIR_FLAG_FRAGMENT)
		row->value[WEIR_FRAGMENT]++;
	if (walk->flags & WEIR_FLAG_TUNNEL)
		row->value[WEIR_TUNNEL]++;
	if (walk->flags & WEIR_FLAG_SHALLOW)
		row->value[WEIR_STOPPED_SHALLOW]++;
	*tuple = walk->inner;
	return walk->flags;
}

static __always_inline int write(struct xdp_md *xdp, const struct weir_metadata *what)
{
	struct weir_metadata *meta;

	if (bpf_xdp_adjust_meta(xdp, -(int)sizeof(*meta)))
		return -1;
	meta = (void *)(long)xdp->data_meta;
	if ((void *)(meta + 1) > (void *)(long)xdp->data)
		return -1;
	*meta = *what;
	return 0;
}

static __always_inline int body(struct xdp_md *xdp, int hints)
{
	struct weir_metadata meta = { .magic = WEIR_MAGIC };
	__u32 queue = xdp->rx_queue_index, index = queue < queues ? queue : queues;
	__u32 bytes = bpf_xdp_get_buff_len(xdp);
	struct row *row = bpf_map_lookup_elem(&counters, &index);
	struct tuple tuple = {};
	int verdict;

	if (!row)
		return XDP_ABORTED;
	meta.monotonic_ns = bpf_ktime_get_ns();
	row->value[WEIR_SEEN]++;
	row->value[WEIR_SEEN_BYTES] += bytes;
	if (bytes > xdp->data_end - xdp->data)
		row->value[WEIR_MULTI_BUFFER]++;
	if (hints && bpf_xdp_metadata_rx_vlan_tag) {
		__be16 protocol;

		if (!bpf_xdp_metadata_rx_vlan_tag(xdp, &protocol, &meta.vlan)) {
			meta.flags |= WEIR_FLAG_VLAN;
			if (protocol == bpf_htons(0x88a8))
				meta.flags |= WEIR_FLAG_VLAN_SERVICE;
			row->value[WEIR_VLAN_FROM_NIC]++;
		}
	}
	if (!plain(xdp, &tuple))
		meta.flags |= any(xdp, &tuple, row);
	if (!(meta.flags & WEIR_FLAG_NOT_IP))
		meta.hash = weir_hash(hash_key[0], hash_key[1], &tuple.from, &tuple.to,
				      tuple.protocol);
	if (split == WEIR_SPLIT_XDP) {
		meta.shard = (__u64)meta.hash * shards >> 32;
		index = queue < queues ? queue * shards + meta.shard : ~0u;
	} else {
		index = queue < queues ? queue : ~0u;
	}
	if (write(xdp, &meta))
		row->value[WEIR_METADATA_FAILED]++;
	verdict = bpf_redirect_map(&sockets, index, XDP_PASS);
	if (verdict == XDP_REDIRECT)
		row->value[WEIR_REDIRECTED]++;
	else if (verdict == XDP_PASS)
		row->value[WEIR_PASSED_NO_SOCKET]++;
	else
		row->value[WEIR_ABORTED]++;
	return verdict;
}

SEC("xdp.frags")
int weir_xdp(struct xdp_md *xdp)
{
	return body(xdp, 0);
}

SEC("xdp.frags")
int weir_xdp_hints(struct xdp_md *xdp)
{
	return body(xdp, 1);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
