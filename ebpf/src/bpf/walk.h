/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The walk from the outermost layer to the innermost, for every frame that is not of the plain
 * kind. One layer a step, each step's reads checked by the helper that reads them, so the work is
 * bounded by the number of steps and the verifier sees one step only.
 *
 * It must agree with the engine's parser on which tuple is the innermost that holds what it
 * promises: packets of one flow must hash alike. Where the parser goes on and this walk does not
 * (TZSP, CAPWAP), all that the tunnel carries stays together in one shard. */
#ifndef WEIR_WALK_H
#define WEIR_WALK_H

#define MAX_STEPS 96
#define MAX_TUNNELS 4
#define MAX_LABELS 8
#define MAX_EXTENSIONS 8

#define STOP 1
#define GO_ON 0

enum layer {
	LAYER_ETHERNET,
	LAYER_ETHERTYPE,
	LAYER_LLC,
	LAYER_MPLS,
	LAYER_PPPOE,
	LAYER_PPP,
	LAYER_IP,
	LAYER_IPV4,
	LAYER_IPV6,
	LAYER_IPV6_EXTENSION,
	LAYER_TRANSPORT,
	LAYER_TUNNEL,
	LAYER_GRE,
	LAYER_GTP_EXTENSION,
};

struct tuple {
	struct weir_end from, to;
	__u8 protocol;
};

struct walk {
	__u32 at;     /* offset of the next layer */
	__u32 end;    /* offset after the last byte that belongs to it */
	__u32 layer;  /* of enum layer */
	__u16 number; /* the ethertype, or the tunnel's port */
	__u8 count;   /* labels or extension headers so far */
	__u8 tunnels;
	__u32 flags;
	__u8 found;
	__u8 too_short;
	__u8 piece; /* the IP header being read is of a piece of a datagram */
	struct tuple now;   /* of the IP header being read */
	struct tuple inner; /* of the innermost IP header that held what it promised */
};

/* What a step is given. The walk itself lies in a map and not on the stack: the verifier does not
 * follow values through a map, so that it need not check a step for every history of a walk. */
struct step {
	struct xdp_md *xdp;
	struct walk *walk;
};

/* Bytes that are there are read to `into`; anything else is -1. */
static __always_inline int peek(const struct step *s, __u32 skip, void *into, __u32 bytes)
{
	__u32 at = s->walk->at + skip;

	if (at + bytes > s->walk->end)
		return -1;
	return bpf_xdp_load_bytes(s->xdp, at, into, bytes);
}

static __always_inline int next(struct walk *w, __u32 layer, __u32 skip)
{
	w->at += skip;
	if (w->at > w->end)
		return STOP;
	w->layer = layer;
	return GO_ON;
}

static __always_inline __u16 be16(const __u8 *bytes)
{
	return (__u16)bytes[0] << 8 | bytes[1];
}

/* Ends the layer's bytes after `bytes` more, if there are as many. */
static __always_inline int limit(struct walk *w, __u32 bytes)
{
	if (w->at + bytes > w->end)
		return -1;
	w->end = w->at + bytes;
	return 0;
}

/* The IP header being read held what it promised: it counts unless one within does better. Says
 * whether to look for one: all pieces of a datagram must meet, so for a piece only what all of them
 * have is hashed, and what it carries is not looked at. */
static __always_inline int commit(struct walk *w)
{
	if (w->piece) {
		w->now.protocol = 0;
		w->now.from.port = 0;
		w->now.to.port = 0;
		w->flags |= WEIR_FLAG_FRAGMENT;
	}
	w->inner = w->now;
	w->found = 1;
	if (w->tunnels)
		w->flags |= WEIR_FLAG_TUNNEL;
	return !w->piece;
}

static __always_inline int enter(struct walk *w, __u32 layer, __u32 skip)
{
	if (w->tunnels >= MAX_TUNNELS) {
		w->flags |= WEIR_FLAG_SHALLOW;
		return STOP;
	}
	w->tunnels++;
	w->count = 0;
	return next(w, layer, skip);
}

static __always_inline int by_type_or_length(struct walk *w, __u16 number, __u32 skip)
{
	int ended = next(w, number > 1500 ? LAYER_ETHERTYPE : LAYER_LLC, skip);

	w->number = number;
	if (number <= 1500)
		limit(w, number); /* a length beyond the frame is left to what lies within */
	return ended;
}

static __always_inline int step_ethernet(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[14];

	if (peek(s, 0, head, sizeof(head))) {
		w->too_short = !w->tunnels;
		return STOP;
	}
	return by_type_or_length(w, be16(head + 12), sizeof(head));
}

static __always_inline int step_ethertype(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[4];

	switch (w->number) {
	case 0x0800:
		return next(w, LAYER_IPV4, 0);
	case 0x86dd:
		return next(w, LAYER_IPV6, 0);
	case 0x8100:
	case 0x88a8:
	case 0x9100:
	case 0x9200:
		if (peek(s, 0, head, sizeof(head)))
			return STOP;
		return by_type_or_length(w, be16(head + 2), sizeof(head));
	case 0x8847:
	case 0x8848:
		w->count = 0;
		return next(w, LAYER_MPLS, 0);
	case 0x8864:
		return next(w, LAYER_PPPOE, 0);
	case 0x880b:
		return next(w, LAYER_PPP, 0);
	case 0x6558:
		return next(w, LAYER_ETHERNET, 0);
	}
	return STOP;
}

static __always_inline int step_llc(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[8];

	if (peek(s, 0, head, 3))
		return STOP;
	if (head[0] == 0x06 && head[1] == 0x06 && head[2] == 0x03)
		return next(w, LAYER_IPV4, 3);
	if (head[0] != 0xaa || head[1] != 0xaa || head[2] != 0x03 || peek(s, 0, head, 8))
		return STOP;
	if (head[3] || head[4] || (head[5] != 0 && head[5] != 0xf8))
		return STOP;
	w->number = be16(head + 6);
	return next(w, LAYER_ETHERTYPE, 8);
}

/* RFC 3032; the first nibble after the labels decides (RFC 4385, RFC 4928). */
static __always_inline int step_mpls(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 label[4], first;

	if (w->count >= MAX_LABELS || peek(s, 0, label, sizeof(label)))
		return STOP;
	w->count++;
	if (!(label[2] & 1))
		return next(w, LAYER_MPLS, sizeof(label));
	if (peek(s, sizeof(label), &first, 1))
		return STOP;
	switch (first >> 4) {
	case 4:
		return next(w, LAYER_IPV4, 4);
	case 6:
		return next(w, LAYER_IPV6, 4);
	case 0:
		return next(w, LAYER_ETHERNET, 8);
	case 1:
		return STOP;
	}
	return next(w, LAYER_ETHERNET, 4);
}

/* RFC 2516, section 4. */
static __always_inline int step_pppoe(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[6];

	if (peek(s, 0, head, sizeof(head)) || head[0] != 0x11 || head[1])
		return STOP;
	next(w, LAYER_PPP, sizeof(head));
	limit(w, be16(head + 4));
	return GO_ON;
}

/* RFC 1661, section 2, with the shortened forms of sections 6.5 and 6.6. */
static __always_inline int step_ppp(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[2];
	__u16 number;
	__u32 bytes = 2;

	if (!peek(s, 0, head, 2) && head[0] == 0xff && head[1] == 0x03)
		w->at += 2;
	if (peek(s, 0, head, 1))
		return STOP;
	if (head[0] & 1) {
		number = head[0];
		bytes = 1;
	} else {
		if (peek(s, 0, head, 2))
			return STOP;
		number = be16(head);
	}
	switch (number) {
	case 0x0021:
		return next(w, LAYER_IPV4, bytes);
	case 0x0057:
		return next(w, LAYER_IPV6, bytes);
	case 0x0281:
	case 0x0283:
		w->count = 0;
		return next(w, LAYER_MPLS, bytes);
	}
	return STOP;
}

static __always_inline int step_ip(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 first;

	if (peek(s, 0, &first, 1))
		return STOP;
	if (first >> 4 == 4)
		return next(w, LAYER_IPV4, 0);
	if (first >> 4 == 6)
		return next(w, LAYER_IPV6, 0);
	return STOP;
}

/* A piece of a datagram: the outermost header that says so ends the walk. Within a tunnel a first
 * piece must hold what it promises, as everything there. */
static __always_inline int fragment(struct walk *w, int first, __u32 layer, __u32 skip)
{
	w->piece = 1;
	if (first && w->found)
		return next(w, layer, skip);
	commit(w);
	return STOP;
}

/* RFC 791, section 3.1. */
static __always_inline int step_ipv4(const struct step *s)
{
	struct walk *w = s->walk;
	struct iphdr head;
	__u32 header_bytes, total;

	if (peek(s, 0, &head, sizeof(head)) || head.version != 4)
		return STOP;
	header_bytes = head.ihl * 4;
	total = bpf_ntohs(head.tot_len);
	if (total == 0)
		total = w->end - w->at;
	if (header_bytes < sizeof(head) || total < header_bytes || limit(w, total))
		return STOP;
	w->now.from.high = 0;
	w->now.from.low = weir_end_ipv4(head.saddr);
	w->now.to.high = 0;
	w->now.to.low = weir_end_ipv4(head.daddr);
	w->now.from.port = 0;
	w->now.to.port = 0;
	w->now.protocol = head.protocol;
	if (head.frag_off & bpf_htons(0x3fff))
		return fragment(w, !(head.frag_off & bpf_htons(0x1fff)), LAYER_TRANSPORT,
				header_bytes);
	return next(w, LAYER_TRANSPORT, header_bytes);
}

#define HOP_BY_HOP 0
#define ROUTING 43
#define FRAGMENT 44
#define AUTHENTICATION 51
#define DESTINATION 60

/* RFC 8200, section 3. */
static __always_inline int step_ipv6(const struct step *s)
{
	struct walk *w = s->walk;
	struct ipv6hdr head;
	__u32 length;

	if (peek(s, 0, &head, sizeof(head)) || head.version != 6)
		return STOP;
	__builtin_memcpy(&w->now.from.high, &head.saddr, 8);
	__builtin_memcpy(&w->now.from.low, (__u8 *)&head.saddr + 8, 8);
	__builtin_memcpy(&w->now.to.high, &head.daddr, 8);
	__builtin_memcpy(&w->now.to.low, (__u8 *)&head.daddr + 8, 8);
	w->now.from.port = 0;
	w->now.to.port = 0;
	w->now.protocol = head.nexthdr;
	w->count = 0;
	next(w, LAYER_IPV6_EXTENSION, sizeof(head));
	length = bpf_ntohs(head.payload_len);
	if (length == 0 && (head.nexthdr == HOP_BY_HOP || head.nexthdr == IPPROTO_TCP ||
			    head.nexthdr == IPPROTO_UDP))
		return GO_ON;
	return limit(w, length) ? STOP : GO_ON;
}

/* RFC 8200, section 4; RFC 4302, section 2.2. */
static __always_inline int step_ipv6_extension(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[8];
	__u16 place;
	__u32 bytes;

	switch (w->now.protocol) {
	case FRAGMENT:
	case HOP_BY_HOP:
	case ROUTING:
	case DESTINATION:
	case AUTHENTICATION:
		break;
	default:
		return next(w, LAYER_TRANSPORT, 0);
	}
	if (w->count >= MAX_EXTENSIONS || peek(s, 0, head, sizeof(head)))
		return STOP;
	w->count++;
	if (w->now.protocol == FRAGMENT) {
		place = be16(head + 2);
		w->now.protocol = head[0];
		/* One that is both first and last is a whole datagram (RFC 6946). */
		if (place & 0xfff9)
			return fragment(w, !(place & 0xfff8), LAYER_IPV6_EXTENSION, 8);
		return next(w, LAYER_IPV6_EXTENSION, 8);
	}
	if (w->now.protocol == AUTHENTICATION)
		bytes = (head[1] + 2) * 4;
	else
		bytes = (head[1] + 1) * 8;
	w->now.protocol = head[0];
	return next(w, LAYER_IPV6_EXTENSION, bytes);
}

static __always_inline int is_tunnel_port(__u16 port)
{
	return port == 1701 || port == 2152 || port == 4789 || port == 6081 || port == 8472;
}

static __always_inline int step_udp(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[8];
	__u16 from, to, says;

	if (peek(s, 0, head, sizeof(head)))
		return STOP;
	from = be16(head);
	to = be16(head + 2);
	says = be16(head + 4);
	w->now.from.port = from;
	w->now.to.port = to;
	if (!commit(w) || (!is_tunnel_port(from) && !is_tunnel_port(to)))
		return STOP;
	w->at += sizeof(head);
	if (says >= 8)
		limit(w, says - 8); /* all of it where that is impossible */
	/* VXLAN and Geneve are sent to their port from any; the others use it on either side. */
	if (to == 4789 || to == 8472)
		w->number = 4789;
	else if (to == 6081)
		w->number = to;
	else if (from == 2152 || to == 2152)
		w->number = 2152;
	else if (from == 1701 || to == 1701)
		w->number = 1701;
	else
		return STOP;
	return next(w, LAYER_TUNNEL, 0);
}

static __always_inline int step_transport(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[20];

	switch (w->now.protocol) {
	case IPPROTO_TCP:
		if (peek(s, 0, head, sizeof(head)) || head[12] >> 4 < 5 ||
		    w->at + (head[12] >> 4) * 4 > w->end)
			return STOP;
		w->now.from.port = be16(head);
		w->now.to.port = be16(head + 2);
		commit(w);
		return STOP;
	case IPPROTO_UDP:
		return step_udp(s);
	case IPPROTO_IPIP:
		return commit(w) ? enter(w, LAYER_IPV4, 0) : STOP;
	case IPPROTO_IPV6:
		return commit(w) ? enter(w, LAYER_IPV6, 0) : STOP;
	case IPPROTO_GRE:
		return commit(w) ? next(w, LAYER_GRE, 0) : STOP;
	}
	commit(w);
	return STOP;
}

/* RFC 7348, section 5. */
static __always_inline int vxlan(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[8];

	if (peek(s, 0, head, sizeof(head)) || !(head[0] & 0x08) || head[7])
		return STOP;
	return enter(w, LAYER_ETHERNET, sizeof(head));
}

/* RFC 8926, section 3.4. */
static __always_inline int geneve(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[8];

	if (peek(s, 0, head, sizeof(head)) || head[0] & 0xc0 || head[1] & 0x80)
		return STOP;
	w->number = be16(head + 2);
	return enter(w, LAYER_ETHERTYPE, sizeof(head) + (head[0] & 0x3f) * 4);
}

/* 3GPP TS 29.281, section 5. */
static __always_inline int gtp_u(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[8], more[4];

	if (peek(s, 0, head, sizeof(head)) || (head[0] & 0xf0) != 0x30 || head[1] != 0xff)
		return STOP;
	w->at += sizeof(head);
	if (limit(w, be16(head + 2)))
		return STOP;
	if (!(head[0] & 0x07))
		return enter(w, LAYER_IP, 0);
	if (peek(s, 0, more, sizeof(more)))
		return STOP;
	w->number = head[0] & 0x04 ? more[3] : 0;
	w->count = 0;
	return next(w, LAYER_GTP_EXTENSION, sizeof(more));
}

static __always_inline int step_gtp_extension(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 units, kind;

	if (w->number == 0)
		return enter(w, LAYER_IP, 0);
	if (w->count >= MAX_EXTENSIONS || peek(s, 0, &units, 1) || units == 0 ||
	    peek(s, units * 4 - 1, &kind, 1))
		return STOP;
	w->count++;
	w->number = kind;
	return next(w, LAYER_GTP_EXTENSION, units * 4);
}

/* RFC 2661, section 3.1. */
static __always_inline int l2tp(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[2], offset[2];
	__u32 bytes;

	if (peek(s, 0, head, sizeof(head)) || head[0] & 0x80 || (head[1] & 0x0f) != 2)
		return STOP;
	bytes = 2 + (head[0] & 0x40 ? 2 : 0) + 4 + (head[0] & 0x08 ? 4 : 0);
	if (head[0] & 0x02) {
		if (peek(s, bytes, offset, sizeof(offset)))
			return STOP;
		bytes += 2 + be16(offset);
	}
	return enter(w, LAYER_PPP, bytes);
}

static __always_inline int step_tunnel(const struct step *s)
{
	switch (s->walk->number) {
	case 4789:
		return vxlan(s);
	case 6081:
		return geneve(s);
	case 2152:
		return gtp_u(s);
	}
	return l2tp(s);
}

/* RFC 2784 and 2890; RFC 2637, section 4.1; ERSPAN and WCCP by their numbers. */
static __always_inline int step_gre(const struct step *s)
{
	struct walk *w = s->walk;
	__u8 head[8], byte;
	__u32 bytes = 4;

	if (peek(s, 0, head, 4))
		return STOP;
	w->number = be16(head + 2);
	if ((head[1] & 0x07) == 1) {
		if (w->number != 0x880b || !(head[0] & 0x20) || peek(s, 0, head, 8))
			return STOP;
		bytes = 8 + (head[0] & 0x10 ? 4 : 0) + (head[1] & 0x80 ? 4 : 0);
		w->at += bytes;
		/* An acknowledgement alone carries nothing. */
		if (w->at > w->end || be16(head + 4) == 0 || limit(w, be16(head + 4)))
			return STOP;
		return enter(w, LAYER_PPP, 0);
	}
	if (head[1] & 0x07 || head[0] & 0x40)
		return STOP;
	bytes += (head[0] & 0x80 ? 4 : 0) + (head[0] & 0x20 ? 4 : 0) + (head[0] & 0x10 ? 4 : 0);
	switch (w->number) {
	case 0x88be:
		return enter(w, LAYER_ETHERNET, bytes + (head[0] & 0x10 ? 8 : 0));
	case 0x22eb:
		if (peek(s, bytes + 11, &byte, 1))
			return STOP;
		return enter(w, LAYER_ETHERNET, bytes + 12 + (byte & 1 ? 8 : 0));
	case 0x883e:
		if (peek(s, bytes, &byte, 1))
			return STOP;
		if (byte >> 4 == 4)
			return enter(w, LAYER_IPV4, bytes);
		return enter(w, LAYER_IP, bytes + 4);
	}
	return enter(w, LAYER_ETHERTYPE, bytes);
}

static long step(__u32 index, void *context)
{
	const struct step *s = context;
	struct walk *w = s->walk;

	switch (w->layer) {
	case LAYER_ETHERNET:
		return step_ethernet(s);
	case LAYER_ETHERTYPE:
		return step_ethertype(s);
	case LAYER_LLC:
		return step_llc(s);
	case LAYER_MPLS:
		return step_mpls(s);
	case LAYER_PPPOE:
		return step_pppoe(s);
	case LAYER_PPP:
		return step_ppp(s);
	case LAYER_IP:
		return step_ip(s);
	case LAYER_IPV4:
		return step_ipv4(s);
	case LAYER_IPV6:
		return step_ipv6(s);
	case LAYER_IPV6_EXTENSION:
		return step_ipv6_extension(s);
	case LAYER_TRANSPORT:
		return step_transport(s);
	case LAYER_TUNNEL:
		return step_tunnel(s);
	case LAYER_GRE:
		return step_gre(s);
	case LAYER_GTP_EXTENSION:
		return step_gtp_extension(s);
	}
	return STOP;
}

#endif
