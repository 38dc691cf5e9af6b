/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The keyed symmetric hash. src/hash.rs is its twin in Rust and describes it. */
#ifndef WEIR_HASH_H
#define WEIR_HASH_H

#define WEIR_M1 0x9e3779b97f4a7c15ull
#define WEIR_M2 0xd6e8feb86659fd93ull
#define WEIR_M3 0xc2b2ae3d27d4eb4full

struct weir_end {
	__u64 high; /* the address's first 8 bytes as they lie in memory; 0 for IPv4 */
	__u64 low;  /* its last 8 bytes; IPv4 in its mapped form, ::ffff:a.b.c.d */
	__u16 port; /* host order */
};

static __always_inline __u64 weir_end_ipv4(__u32 address)
{
	struct {
		__u16 zero, ones;
		__u32 address;
	} mapped = { 0, 0xffff, address };
	__u64 low;

	__builtin_memcpy(&low, &mapped, sizeof(low));
	return low;
}

static __always_inline __u64 weir_hash_end(__u64 k0, __u64 k1, const struct weir_end *end)
{
	__u64 x = (end->high ^ k0) * WEIR_M1;

	x ^= x >> 32;
	x = (x + (end->low ^ k1)) * WEIR_M2;
	x ^= x >> 29;
	x = (x + end->port) * WEIR_M3;
	return x ^ x >> 32;
}

/* Never 0, which means "no hash". */
static __always_inline __u32 weir_hash(__u64 k0, __u64 k1, const struct weir_end *a,
				       const struct weir_end *b, __u8 protocol)
{
	__u64 x = weir_hash_end(k0, k1, a) + weir_hash_end(k0, k1, b);
	__u32 hash;

	x = (x ^ protocol) * WEIR_M1;
	x ^= x >> 32;
	x = (x ^ k0) * WEIR_M2;
	hash = x >> 32;
	return hash ? hash : 1;
}

#endif
