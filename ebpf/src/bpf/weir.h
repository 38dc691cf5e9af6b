/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the XDP program and its loader agree on. src/table.rs and src/metadata.rs say the same in
 * Rust, and a test compares them with this file. */
#ifndef WEIR_H
#define WEIR_H

/* Counters, a row of them for each receive queue. Every frame counts once as SEEN and once as one
 * of the verdicts REDIRECTED, PASSED_NO_SOCKET and ABORTED; the others are for information. */
enum weir_counter {
	WEIR_SEEN,
	WEIR_SEEN_BYTES,
	WEIR_REDIRECTED,
	WEIR_PASSED_NO_SOCKET,
	WEIR_ABORTED,
	WEIR_NOT_IP,
	WEIR_TOO_SHORT,
	WEIR_STOPPED_SHALLOW,
	WEIR_FRAGMENT,
	WEIR_TUNNEL,
	WEIR_SLOW_PATH,
	WEIR_MULTI_BUFFER,
	WEIR_VLAN_FROM_NIC,
	WEIR_METADATA_FAILED,
	WEIR_COUNTERS
};

/* How a frame finds its shard. */
enum weir_split {
	WEIR_SPLIT_NIC, /* one socket a queue: the NIC has chosen */
	WEIR_SPLIT_XDP, /* a socket a shard on every queue: the hash chooses */
};

/* Flags in the metadata. */
enum weir_flag {
	WEIR_FLAG_FRAGMENT = 1, /* a piece of a datagram: hashed over the addresses alone */
	WEIR_FLAG_TUNNEL = 2,   /* the hash is of a tuple within a tunnel */
	WEIR_FLAG_NOT_IP = 4,   /* no tuple was found, the hash is 0 */
	WEIR_FLAG_SHALLOW = 8,  /* the hash is of an outer tuple: the limit of tunnels was reached */
	WEIR_FLAG_VLAN = 16,    /* the NIC took a tag off the frame; it is in vlan */
	WEIR_FLAG_VLAN_SERVICE = 32, /* that tag was 802.1ad's */
};

#define WEIR_MAGIC 0x57454952u /* "WEIR" */

/* Lies right before the frame's first byte. */
struct weir_metadata {
	__u64 monotonic_ns; /* CLOCK_MONOTONIC when the program saw the frame */
	__u32 hash;         /* symmetric hash of the innermost tuple; 0 when there is none */
	__u16 vlan;         /* tag (TCI) that the NIC took off the frame */
	__u16 shard;
	__u32 flags;        /* of enum weir_flag */
	__u32 magic;        /* WEIR_MAGIC */
};

#endif
