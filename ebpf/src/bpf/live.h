/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the loader and the program of live frames share; src/live.rs has the twins. */
#ifndef WEIR_LIVE_H
#define WEIR_LIVE_H

#define LIVE_PATTERN 48  /* frames of a pattern of sizes at most */
#define LIVE_BUCKETS 1024
#define LIVE_FRAME_BYTES 3072 /* of a frame at most */

enum live_order {
	LIVE_LOOP = 0,  /* all steps, again and again */
	LIVE_SYNTH = 1, /* by arithmetic */
};

enum live_pace {
	LIVE_TOP = 0,
	LIVE_TIMETABLE = 1,
	LIVE_EVEN = 2,
};

/* A frame: where its bytes are, which of them change, and when it is due in its round. */
struct live_step {
	__u64 due_ns;
	__u32 at;
	__u16 bytes;
	__u16 address_at;
	__u16 port_at;
	__u16 ip_sum_at;
	__u16 l4_sum_at;
	__u16 sequence_at;
	__u8 address_bits;
	__u8 zero_is_none;
	__u8 pad[6];
};

/* How far it is. The loader writes it before, and reads it after a run. */
struct live_state {
	__u64 start_ns;   /* CLOCK_MONOTONIC; 0: when the first blank frame comes */
	__u64 index;      /* frames handed over so far */
	__u64 step;       /* LIVE_LOOP: the next one */
	__u64 rounds;     /* LIVE_LOOP: those before */
	__u64 due;        /* of the next frame, 16 bits of fraction */
	__u64 bytes;      /* on the wire */
	__u64 last_ns;    /* from the start: when the last frame was handed over */
	__u64 last_due_ns;
	__u64 second_end_ns;
	__u64 second_start; /* frames before this second */
	__u64 seconds;    /* whole ones */
	__u64 slowest;
	__u64 fastest;
	__u64 failed;     /* frames that could not be made */
	__u64 done;       /* nothing more is to be sent */
};

#endif
