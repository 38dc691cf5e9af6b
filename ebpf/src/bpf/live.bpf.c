// SPDX-License-Identifier: MIT OR Apache-2.0
/* Makes frames. The kernel runs weir_live on blank frames (BPF_PROG_RUN with live frames); it waits
 * for the next frame's time by dropping blank ones, then writes the frame and redirects it. Which
 * frame comes next, and what changes in it, is as in tools/src/replay/traffic: its twin. The two
 * programs beside it count what the kernel and the driver made of the frames. */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "live.h"

/* Set by the loader before loading, constant from then on. */
const volatile __u32 target;       /* interface */
const volatile __u32 process;      /* whose frames are counted, in its namespace */
const volatile __u64 namespace_device;
const volatile __u64 namespace_inode;
const volatile __u32 order;        /* enum live_order */
const volatile __u32 pace;         /* enum live_pace */
const volatile __u64 frames_limit; /* all ones: none */
const volatile __u64 after_ns;     /* all ones: no end */
const volatile __u64 frame_time;   /* LIVE_EVEN, 16 bits of fraction */
const volatile __u64 byte_time;
const volatile __u32 store_bytes;  /* of all frames */
const volatile __u32 stride;
const volatile __u64 steps_count;
const volatile __u64 period_ns;    /* LIVE_LOOP */
const volatile __u32 new_flows;
const volatile __u64 flows;        /* LIVE_SYNTH */
const volatile __u64 births;
const volatile __u64 lifetime;
const volatile __u64 seed;
const volatile __u32 tcp_share;
const volatile __u32 handshake_share;
const volatile __u32 payload_share;
const volatile __u32 pattern_frames;
const volatile __u8 pattern[64];
const volatile __u32 pattern_before[64];
const volatile __u32 first_bytes[8];

/* All frames, back to back, and room for one more that is never read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, LIVE_FRAME_BYTES); /* the loader says how much */
} store SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the loader says how many */
	__type(key, __u32);
	__type(value, struct live_step);
} steps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct live_state);
} state SEC(".maps");

/* Frames by how far their distance to the one before was off: 16 parts for each power of two. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIVE_BUCKETS);
	__type(key, __u32);
	__type(value, __u64);
} jitter SEC(".maps");

/* What became of redirected frames: sent, dropped by the driver, not redirected, last error. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} outcome SEC(".maps");

struct pick {
	__u32 step;
	__u32 flow;
	__u32 sequence;
};

static __always_inline __u64 mix(__u64 number)
{
	number += 0x9e3779b97f4a7c15ull;
	number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9ull;
	number = (number ^ (number >> 27)) * 0x94d049bb133111ebull;
	return number ^ (number >> 31);
}

static __always_inline __u32 bytes_until(__u64 frames)
{
	__u32 length = pattern_frames, place = frames % length;

	return (__u32)(frames / length) * pattern_before[length & 63] + pattern_before[place & 63];
}

static __always_inline struct pick pick_synth(__u64 index)
{
	__u64 round = index / flows, slot = index % flows;
	__u64 lived = round * births + slot * lifetime / flows;
	__u64 generation = 0, place = round, what;
	struct pick pick = {};
	__u32 tcp, speaks, app, lead, phase;

	if (births) {
		generation = lived / lifetime;
		place = (lived - generation * lifetime) / births;
	}
	pick.flow = slot + generation * flows;
	what = mix(seed ^ pick.flow);
	tcp = (what & 0xffff) < tcp_share;
	speaks = (what >> 32 & 0xffff) < payload_share;
	app = tcp ? (speaks ? 1 + (what >> 48 & 1) : 0) : (speaks ? 4 : 3);
	lead = tcp && (what >> 16 & 0xffff) < handshake_share ? 3 : 0;
	pick.step = app * 8;
	if (place < lead) {
		pick.step += place;
		return pick;
	}
	place -= lead;
	if (speaks) {
		if (!place) {
			pick.step += 3;
			return pick;
		}
		place--;
	}
	phase = (__u32)(what >> 49 & 0x7fff) % pattern_frames;
	place += phase;
	pick.step += 4 + pattern[(place % pattern_frames) & 63];
	if (tcp)
		pick.sequence = first_bytes[app & 7] + bytes_until(place) - bytes_until(phase);
	return pick;
}

static __always_inline struct pick pick_next(const struct live_state *at)
{
	struct pick pick = {};

	if (order == LIVE_SYNTH)
		return pick_synth(at->index);
	pick.step = at->step;
	if (new_flows)
		pick.flow = at->rounds;
	return pick;
}

/* A field of `size` bytes of the frame; none at 0 and beyond the end. */
static __always_inline void *field(struct xdp_md *xdp, __u32 at, __u32 size)
{
	void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;

	at &= 0xfff;
	if (!at || data + at + size > end)
		return 0;
	return data + at;
}

static __always_inline __u32 difference(__u32 before, __u32 after)
{
	return (~before & 0xffff) + after;
}

/* Updates a checksum (RFC 1624, equation 3). */
static __always_inline void fix(struct xdp_md *xdp, __u32 at, __u32 sum, int zero_is_none)
{
	__be16 *place = field(xdp, at, 2);

	if (!sum || !place || (zero_is_none && !*place))
		return;
	sum += ~bpf_ntohs(*place) & 0xffff;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	*place = zero_is_none && !sum ? 0xffff : bpf_htons(sum);
}

static __always_inline void change(struct xdp_md *xdp, const struct live_step *step,
				   struct pick pick)
{
	__u32 address_sum = 0, other_sum = 0;

	if (pick.flow) {
		__u32 bits = step->address_bits & 31, mask = (1u << bits) - 1;
		__u32 beyond = pick.flow >> bits;
		__be32 *address = field(xdp, step->address_at, 4);

		if (address) {
			__u32 old = bpf_ntohl(*address), new;

			new = (old & ~mask) | ((old + pick.flow * stride) & mask);
			*address = bpf_htonl(new);
			address_sum = difference(old >> 16, new >> 16) +
				      difference(old & 0xffff, new & 0xffff);
		}
		if (beyond) {
			__be16 *port = field(xdp, step->port_at, 2);

			if (port) {
				__u32 old = bpf_ntohs(*port), new = old;

				if (old >= 1024)
					new = 1024 + (old - 1024 + beyond % 64512) % 64512;
				*port = bpf_htons(new);
				other_sum += difference(old, new);
			}
		}
	}
	if (pick.sequence) {
		__be32 *sequence = field(xdp, step->sequence_at, 4);

		if (sequence) {
			__u32 old = bpf_ntohl(*sequence), new = old + pick.sequence;

			*sequence = bpf_htonl(new);
			other_sum += difference(old >> 16, new >> 16) +
				     difference(old & 0xffff, new & 0xffff);
		}
	}
	fix(xdp, step->ip_sum_at, address_sum, 0);
	fix(xdp, step->l4_sum_at, address_sum + other_sum, step->zero_is_none);
}

/* Makes the blank frame this one. */
static __always_inline int make(struct xdp_md *xdp, const struct live_step *step, struct pick pick)
{
	__u32 zero = 0, at = step->at, bytes = step->bytes;
	void *all = bpf_map_lookup_elem(&store, &zero);
	void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	int delta = (int)bytes - (int)(end - data);

	if (!all || at >= store_bytes || bytes < 14 || bytes > LIVE_FRAME_BYTES)
		return -1;
	if (delta && bpf_xdp_adjust_tail(xdp, delta))
		return -1;
	if (bpf_xdp_store_bytes(xdp, 0, all + at, bytes))
		return -1;
	change(xdp, step, pick);
	return 0;
}

static __always_inline void count_jitter(const struct live_state *at, __u64 due_ns, __u64 now_ns)
{
	__s64 off = (__s64)(now_ns - at->last_ns) - (__s64)(due_ns - at->last_due_ns);
	__u64 ns = off < 0 ? -off : off, *bucket;
	__u32 power = 0, place, rest;

	/* Below 16 each has its own; above, the four bits after the first one tell. */
	if (ns >> 40)
		ns = (1ull << 40) - 1;
	rest = ns >> 32;
	if (rest)
		power = 32;
	else
		rest = ns;
	for (int shift = 16; shift; shift >>= 1)
		if (rest >> shift) {
			rest >>= shift;
			power += shift;
		}
	place = power < 4 ? ns : (power - 3) * 16 + (ns >> (power - 4) & 15);
	bucket = bpf_map_lookup_elem(&jitter, &place);
	if (bucket)
		(*bucket)++;
}

static __always_inline void count_second(struct live_state *at, __u64 now_ns)
{
	__u64 this;

	/* Pauses of many seconds end in the next frames. */
	for (int times = 0; times < 8 && now_ns >= at->second_end_ns; times++) {
		this = at->index - at->second_start;
		at->second_start = at->index;
		at->second_end_ns += 1000000000;
		if (!at->seconds || this < at->slowest)
			at->slowest = this;
		if (this > at->fastest)
			at->fastest = this;
		at->seconds++;
	}
}

/* Goes on to the next frame; sets when it is due. */
static __always_inline void advance(struct live_state *at, __u32 bytes)
{
	__u64 wire = bytes + 4 < 64 ? 64 : bytes + 4;

	at->index++;
	at->bytes += wire;
	if (order == LIVE_LOOP && ++at->step >= steps_count) {
		at->step = 0;
		at->rounds++;
	}
	if (pace == LIVE_EVEN) {
		at->due += frame_time + byte_time * wire;
	} else if (pace == LIVE_TIMETABLE) {
		__u32 key = at->step;
		struct live_step *next = bpf_map_lookup_elem(&steps, &key);

		if (next)
			at->due = (at->rounds * period_ns + next->due_ns) << 16;
	}
}

SEC("xdp")
int weir_live(struct xdp_md *xdp)
{
	__u32 zero = 0;
	struct live_state *at = bpf_map_lookup_elem(&state, &zero);
	struct live_step *step;
	struct pick pick;
	__u64 now_ns, due_ns;
	__u32 key;

	if (!at || at->done)
		return XDP_DROP;
	due_ns = at->due >> 16;
	now_ns = at->last_ns;
	if (at->index >= frames_limit || due_ns >= after_ns) {
		at->done = 1;
		return XDP_DROP;
	}
	/* At top speed the clock is looked at now and then. */
	if (pace != LIVE_TOP || !(at->index & 63) || at->index + 1 == frames_limit) {
		__u64 clock = bpf_ktime_get_ns();
		__s64 since;

		if (!at->start_ns)
			at->start_ns = clock;
		since = clock - at->start_ns;
		if (since < 0)
			return XDP_DROP;
		now_ns = since;
		if (now_ns >= at->second_end_ns)
			count_second(at, now_ns);
		if (now_ns >= after_ns) {
			at->done = 1;
			return XDP_DROP;
		}
	}
	if (due_ns > now_ns)
		return XDP_DROP;
	pick = pick_next(at);
	key = pick.step;
	step = bpf_map_lookup_elem(&steps, &key);
	if (!step || make(xdp, step, pick)) {
		at->failed++;
		advance(at, step ? step->bytes : 0);
		return XDP_DROP;
	}
	if (pace != LIVE_TOP && at->index)
		count_jitter(at, due_ns, now_ns);
	at->last_ns = now_ns;
	at->last_due_ns = due_ns;
	advance(at, step->bytes);
	return bpf_redirect(target, 0);
}

struct bpf_prog;

struct net_device {
	int ifindex;
} __attribute__((preserve_access_index));

/* Redirected frames that this process sends to the target. */
static __always_inline int is_ours(int index)
{
	struct bpf_pidns_info at = {};

	return index == (int)target &&
	       !bpf_get_ns_current_pid_tgid(namespace_device, namespace_inode, &at, sizeof(at)) &&
	       at.tgid == process;
}

static __always_inline void add(__u32 key, __u64 frames)
{
	__u64 *count = bpf_map_lookup_elem(&outcome, &key);

	if (count)
		__sync_fetch_and_add(count, frames);
}

static __always_inline void keep(int error)
{
	__u32 key = 3;
	__u64 *last = bpf_map_lookup_elem(&outcome, &key);

	if (last && error)
		*last = error < 0 ? -error : error;
}

SEC("tp_btf/xdp_devmap_xmit")
int BPF_PROG(weir_sent, const struct net_device *from, const struct net_device *to, int sent,
	     int drops, int error)
{
	if (!is_ours(to->ifindex))
		return 0;
	add(0, sent);
	add(1, drops);
	keep(error);
	return 0;
}

SEC("tp_btf/xdp_redirect_err")
int BPF_PROG(weir_refused, const struct net_device *device, const struct bpf_prog *program,
	     const void *to, int error, int type, __u32 map, __u32 index)
{
	if (!is_ours(index))
		return 0;
	add(2, 1);
	keep(error);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
