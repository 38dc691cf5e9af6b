/*
 * libweir: the packets of a running Weir engine, for C programs. docs/C_API.md is the manual.
 *
 * Generated from shm/capi/src: change it there.
 *
 * Rules for all functions:
 * - A reader comes from weir_open() and is good until weir_close(). NULL is answered, never
 *   followed; any other pointer must be good.
 * - One thread at a time uses a reader; several readers of one process are independent. Only
 *   weir_wake() may be called from any thread, and from signal handlers, at any time in between.
 * - A function that returns WEIR_ERROR leaves the reason in weir_last_error().
 */


#ifndef WEIR_H
#define WEIR_H

#include <stddef.h>
#include <stdint.h>

// `weir_next()`: there is a packet. `weir_wait()`, `weir_arm()`: `weir_next()` has something to
// say.
#define WEIR_READY 1

// Nothing now; the timeout passed.
#define WEIR_NOTHING 0

// Something failed: see `weir_last_error()`.
#define WEIR_ERROR -1

// The engine ended in order, and everything was read.
#define WEIR_ENDED -2

// The engine is gone without a word, and what it left was read.
#define WEIR_DIED -3

// `weir_wait()`: somebody called `weir_wake()`.
#define WEIR_INTERRUPTED -4

// Packets that a reader can hold at one time.
#define WEIR_HELD_MAX 256

// The packet goes from the server to the client.
#define WEIR_FLAG_TO_CLIENT 1

// It belongs to a flow.
#define WEIR_FLAG_HAS_FLOW 2

// The NIC took its VLAN tag off; `data` has it back in its place.
#define WEIR_FLAG_VLAN_STRIPPED 4

// It is a piece of an IP datagram.
#define WEIR_FLAG_FRAGMENT 8

// Its flow lies inside a tunnel.
#define WEIR_FLAG_TUNNELLED 16

// The engine had more of it than fits into the ring.
#define WEIR_FLAG_TRUNCATED 32

// A reader judged its flow to be blocked.
#define WEIR_FLAG_BLOCKED 64

// A reader judged its flow to be allowed.
#define WEIR_FLAG_ALLOWED 128

// `weir_judge()`: the flow is fine.
#define WEIR_ALLOW 1

// `weir_judge()`: the flow should be blocked.
#define WEIR_BLOCK 2

// A reader of an engine's packets.
struct weir;

// How to read. Begin with all zeros (`= {0}`), which is also what NULL stands for.
struct weir_options {
    // Who reads, as `weir readers` shows it; cut to 31 bytes. NULL: this process's name.
    const char *program;
    // Be a member of this group: its members share the stream, and a flow stays with one. NULL:
    // of none.
    const char *group;
    // 1: the engine holds frames for this reader and `data` points into its memory (lease). A
    // reader that falls far behind is turned into the other kind. 0: frames are copied (window).
    uint32_t lease;
    // Read the part `share_member` (from 0) of `share_of` parts, by flow. `share_of` 0: all.
    uint32_t share_member;
    // See `share_member`.
    uint32_t share_of;
    // Zero.
    uint32_t reserved[5];
};

// A packet, from `weir_next()` to `weir_release()`.
struct weir_packet {
    // The frame from its first byte, good until `weir_release()`. Read-only.
    const uint8_t *data;
    // When it was received, nanoseconds since 1970-01-01 UTC.
    uint64_t timestamp_ns;
    // Identity of its flow; 0: of no flow.
    uint64_t flow_id;
    // Packets missed between the last packet and this one: written over before they were read.
    uint64_t missed_before;
    // For `weir_release()`, `weir_shunt()`, `weir_judge()`. Not to be changed.
    uint64_t handle;
    // Bytes at `data`.
    uint32_t captured;
    // Bytes the frame had on the wire.
    uint32_t wire;
    // Hash of its flow, the same for both directions; 0: of no flow.
    uint32_t hash;
    // `WEIR_FLAG_` bits.
    uint32_t flags;
    // Application, as known at this packet; 0: unknown. `weir_app_name()` has its name.
    uint16_t app;
    // Protocol that the application rides on.
    uint16_t master;
    // Shard of the engine that took it in.
    uint16_t shard;
    // VLAN tag (TCI) that the NIC took off; 0: none.
    uint16_t vlan;
    // What the application was told by: 0 nothing, 1 the port alone, 2 behaviour, 3 other flows,
    // 4 host name, 5 certificate, 6 content.
    uint8_t confidence;
    // Index of the interface within the engine's source.
    uint8_t interface;
    // Why it is of no flow: number of the engine's drop reason, plus 1; 0: it is of one.
    uint8_t drop_reason;
    // Zero.
    uint8_t reserved[5];
};

// What became of the packets so far.
struct weir_counts {
    // Handed out by `weir_next()`.
    uint64_t delivered;
    // Written over before this reader came to them.
    uint64_t missed;
    // Left out by its filters.
    uint64_t filtered;
    // Other members' of the group, or of other shares.
    uint64_t others;
    // Of flows that its group wants no more of.
    uint64_t shunted;
    // Packets in the caller's hands now.
    uint64_t held;
    // Zero.
    uint64_t reserved[2];
};

// A BPF instruction. The same as `struct bpf_insn` of libpcap and `struct sock_filter` of Linux,
// so that a pointer to those can be cast to this.
struct weir_bpf_insn {
    // What to do.
    uint16_t code;
    // Instructions to skip if a test holds.
    uint8_t jt;
    // Instructions to skip if it does not.
    uint8_t jf;
    // The constant.
    uint32_t k;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Attaches to the engine of this name, or at this socket path (anything with a slash). Every
// packet that the engine takes in from then on is this reader's, or counted as missed.
//
// `options` may be NULL. Returns NULL on failure, with the reason in `error` if `error_size` has
// room for it (200 bytes are enough for most); `error` may be NULL if `error_size` is 0.
struct weir *weir_open(const char *name,
                       const struct weir_options *options,
                       char *error,
                       size_t error_size);

// Detaches, and frees the reader with all packets that it holds: their `data` is gone. NULL is
// fine. Nobody may call `weir_wake()` on it any more.
void weir_close(struct weir *reader);

// The next packet, at once: `WEIR_READY` and `packet` filled in, `WEIR_NOTHING`, `WEIR_ENDED`,
// `WEIR_DIED` or `WEIR_ERROR`. In all but the first case `packet` is as before.
//
// The packet is in the caller's hands until `weir_release()`, which may come in any order. At most
// `WEIR_HELD_MAX` can be held; under a lease that is pieces rather than packets, and frames above
// 2 KiB have several.
int weir_next(struct weir *reader,
              struct weir_packet *packet);

// Lets go of a packet: `data` becomes NULL. 0, or `WEIR_ERROR` if it is not held.
int weir_release(struct weir *reader, struct weir_packet *packet);

// Spins a little, then sleeps: `WEIR_READY` if `weir_next()` has something to say (a packet or the
// end), `WEIR_NOTHING` after `timeout_ms` milliseconds (negative: never), `WEIR_INTERRUPTED` after
// `weir_wake()`, or `WEIR_ERROR`.
int weir_wait(struct weir *reader,
              int timeout_ms);

// A descriptor for `poll()`, `select()` or epoll. It belongs to the reader: only wait on it, and
// call `weir_arm()` before each wait. -1 if `reader` is NULL.
int weir_fd(struct weir *reader);

// Has `weir_fd()` become readable as soon as `weir_next()` has something to say. `WEIR_READY` if a
// packet is there already, else `WEIR_NOTHING`, or `WEIR_ERROR`.
int weir_arm(struct weir *reader);

// Ends the present `weir_wait()`, or the next one, and makes `weir_fd()` readable. May be called
// from any thread and from signal handlers.
void weir_wake(const struct weir *reader);

// What became of the packets so far. 0, or `WEIR_ERROR`.
int weir_counts(struct weir *reader, struct weir_counts *counts);

// From now on, hand out only packets that this classic BPF program accepts, for instance one of
// `pcap_compile()` for the link type of `weir_link_type()`. `count` 0: all again. 0, or
// `WEIR_ERROR` for a program that is not taken; then the one before stays.
int weir_set_bpf(struct weir *reader, const struct weir_bpf_insn *instructions, size_t count);

// From now on, hand out only packets of flows of these applications or master protocols, as known
// at each packet. `count` 0: of all. 0, or `WEIR_ERROR`.
int weir_set_apps(struct weir *reader,
                  const uint16_t *apps,
                  size_t count);

// From now on, hand out only packets of this flow; 0: of all. 0, or `WEIR_ERROR`.
int weir_set_flow(struct weir *reader, uint64_t flow_id);

// Link type of the frames in the numbers of capture files (`LINKTYPE_`, `DLT_`): 1 is Ethernet. 0
// if the engine does not know; `WEIR_ERROR` if `reader` is NULL.
int weir_link_type(struct weir *reader);

// 1 if the engine holds frames for this reader, 0 if not (any more), or `WEIR_ERROR`.
int weir_is_leased(struct weir *reader);

// Says that this reader's group wants no more of a held packet's flow. 0, or `WEIR_ERROR`.
int weir_shunt(struct weir *reader, const struct weir_packet *packet);

// Says what this reader thinks of a held packet's flow, `WEIR_ALLOW` or `WEIR_BLOCK`. The engine
// keeps it with the flow for others to see and stops nothing. 0, or `WEIR_ERROR`.
int weir_judge(struct weir *reader,
               const struct weir_packet *packet,
               int judgement);

// Why the last function that failed on this reader did, in words; "" if none has. Good until the
// next failure or `weir_close()`.
const char *weir_last_error(const struct weir *reader);

// Puts the names of the engines that run and that this user can see into `names`, each with a
// newline after it. Returns the bytes that all of them need with the final NUL; if `size` is less,
// those names are there that fit.
size_t weir_list(char *names,
                 size_t size);

// Puts the name of an application or protocol into `name`, as the engine of this reader has it:
// those that its rules declare included, which `weir_app_name()` does not know; "Unknown" for an
// id that there is not. Returns the bytes that it needs with the final NUL (64 are always enough);
// if `size` is less, as much is there as fits. 0 if `reader` is NULL.
size_t weir_reader_app_name(const struct weir *reader,
                            uint16_t id,
                            char *name,
                            size_t size);

// The id of the application or protocol of this name, in any case, as the engine of this reader
// has it: those that its rules declare included. -1 if there is none.
int weir_reader_app_id(const struct weir *reader, const char *name);

// The name of an application or protocol ("TLS", "YouTube"); "Unknown" for an id that there is
// not, or that rules declare (`weir_reader_app_name()`). Good for ever.
const char *weir_app_name(uint16_t id);

// The id of the application or protocol of this name, in any case; -1 if there is none.
int weir_app_id(const char *name);

// The version of this library, "0.1.0".
const char *weir_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WEIR_H */
