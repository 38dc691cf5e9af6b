/*
 * Goes through what weir.h promises. Prints `push N` or `end` for what the engine shall do, and
 * goes on when it reads a line; at last `all kept`. See ../programs.rs and ../engine for what the
 * packets hold.
 */

#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir.h>

#define CHECK(what)                                                                               \
    do {                                                                                          \
        if (!(what)) {                                                                            \
            fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", __FILE__, __LINE__, #what,    \
                    weir_last_error(reader));                                                     \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

static struct weir *reader;
/* Number of the next packet that the engine writes. */
static uint64_t written;

static void engine(const char *what, unsigned packets)
{
    char line[16];

    if (packets)
        printf("%s %u\n", what, packets);
    else
        printf("%s\n", what);
    fflush(stdout);
    CHECK(fgets(line, sizeof line, stdin) != NULL);
    written += packets;
}

static uint64_t number_of(const struct weir_packet *packet)
{
    uint64_t number = 0;

    for (int at = 7; at >= 0; at--)
        number = number << 8 | packet->data[at];
    return number;
}

/* Everything about a packet follows from its number. */
static void check_packet(const struct weir_packet *packet)
{
    const uint16_t apps[] = {22, 40, 0};
    uint64_t number = number_of(packet);
    int tagged = number % 50 == 7;

    CHECK(number < written);
    CHECK(packet->timestamp_ns == number * 1000);
    CHECK(packet->flow_id == number % 10 + 1);
    CHECK(packet->app == apps[number % 3] && packet->master == packet->app);
    CHECK(packet->hash == 77 && packet->confidence == 6 && packet->interface == 2);
    CHECK(packet->shard == 0 && packet->drop_reason == 0);
    CHECK(packet->captured == (tagged ? 64u : 60u));
    CHECK(packet->wire == (tagged ? 104u : 100u));
    CHECK(packet->vlan == (tagged ? 5 : 0));
    CHECK(packet->flags ==
          (tagged ? WEIR_FLAG_HAS_FLOW | WEIR_FLAG_VLAN_STRIPPED : WEIR_FLAG_HAS_FLOW));
    if (tagged)
        CHECK(memcmp(packet->data + 12, "\x81\x00\x00\x05", 4) == 0);
    CHECK(packet->data[packet->captured - 1] == 0xaa);
}

/* Reads and releases what there is; how many packets that were. */
static unsigned drain(uint64_t *missed)
{
    struct weir_packet packet;
    unsigned packets = 0;
    int found;

    while ((found = weir_next(reader, &packet)) == WEIR_READY) {
        check_packet(&packet);
        if (missed)
            *missed += packet.missed_before;
        packets++;
        CHECK(weir_release(reader, &packet) == 0);
        CHECK(packet.data == NULL && packet.handle == 0);
    }
    CHECK(found == WEIR_NOTHING);
    return packets;
}

static int readable(int timeout_ms)
{
    struct pollfd fd = {.fd = weir_fd(reader), .events = POLLIN};

    return poll(&fd, 1, timeout_ms);
}

static void without_a_reader(void)
{
    struct weir_packet packet = {0};
    struct weir_counts counts;
    char error[256] = "", short_error[8];
    struct weir_options options = {0};

    CHECK(weir_open(NULL, NULL, error, sizeof error) == NULL && strstr(error, "NULL"));
    CHECK(weir_open("no-such-engine", &options, error, sizeof error) == NULL);
    CHECK(strstr(error, "no-such-engine"));
    CHECK(weir_open("no-such-engine", NULL, short_error, sizeof short_error) == NULL);
    CHECK(memchr(short_error, 0, sizeof short_error) == short_error + 7);
    CHECK(weir_open("no-such-engine", NULL, NULL, 0) == NULL);
    CHECK(weir_open("\xff\xfe", NULL, error, sizeof error) == NULL && strstr(error, "UTF-8"));
    options.share_of = 2;
    options.share_member = 2;
    CHECK(weir_open("x", &options, error, sizeof error) == NULL && strstr(error, "share_of"));
    CHECK(weir_next(NULL, &packet) == WEIR_ERROR);
    CHECK(weir_release(NULL, &packet) == WEIR_ERROR);
    CHECK(weir_wait(NULL, 0) == WEIR_ERROR && weir_arm(NULL) == WEIR_ERROR);
    CHECK(weir_fd(NULL) == -1 && weir_counts(NULL, &counts) == WEIR_ERROR);
    CHECK(weir_last_error(NULL)[0] != 0);
    weir_wake(NULL);
    weir_close(NULL);
    CHECK(strcmp(weir_app_name(22), "TLS") == 0 && strcmp(weir_app_name(65535), "Unknown") == 0);
    CHECK(weir_app_id("tls") == 22 && weir_app_id("no such thing") == -1);
    CHECK(weir_app_id(NULL) == -1);
    CHECK(weir_reader_app_name(NULL, 22, error, sizeof error) == 0);
    CHECK(weir_reader_app_id(NULL, "TLS") == WEIR_ERROR);
    CHECK(strchr(weir_version(), '.') != NULL);
    /* Engines may run here or not; the sizes must agree. */
    error[0] = 'x';
    CHECK(weir_list(NULL, 0) >= 1 && weir_list(error, 1) >= 1 && error[0] == 0);
}

static void *wake_soon(void *unused)
{
    struct timespec soon = {.tv_nsec = 50000000};

    (void)unused;
    nanosleep(&soon, NULL);
    weir_wake(reader);
    return NULL;
}

static void waiting(void)
{
    struct weir_packet packet;
    pthread_t thread;

    CHECK(weir_next(reader, &packet) == WEIR_NOTHING);
    CHECK(weir_wait(reader, 0) == WEIR_NOTHING);
    CHECK(weir_wait(reader, 20) == WEIR_NOTHING);
    weir_wake(reader);
    CHECK(weir_wait(reader, -1) == WEIR_INTERRUPTED);
    CHECK(pthread_create(&thread, NULL, wake_soon, NULL) == 0);
    CHECK(weir_wait(reader, -1) == WEIR_INTERRUPTED);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(weir_arm(reader) == WEIR_NOTHING && readable(0) == 0);
    engine("push", 1);
    CHECK(readable(5000) == 1);
    CHECK(weir_arm(reader) == WEIR_READY && readable(0) == 1);
    CHECK(weir_wait(reader, -1) == WEIR_READY);
    CHECK(drain(NULL) == 1);
    CHECK(weir_arm(reader) == WEIR_NOTHING && readable(0) == 0);
}

static void holding(void)
{
    static struct weir_packet held[WEIR_HELD_MAX];
    struct weir_packet one, copy;
    struct weir_counts counts;

    engine("push", 300);
    for (unsigned at = 0; at < WEIR_HELD_MAX; at++)
        CHECK(weir_next(reader, &held[at]) == WEIR_READY);
    CHECK(weir_next(reader, &one) == WEIR_ERROR && strstr(weir_last_error(reader), "release"));
    CHECK(weir_counts(reader, &counts) == 0 && counts.held == WEIR_HELD_MAX);
    engine("push", 100);
    for (unsigned at = 0; at < WEIR_HELD_MAX; at++) {
        check_packet(&held[at]);
        CHECK(number_of(&held[at]) == number_of(&held[0]) + at);
    }
    /* Every other one first, so that places are used again out of order. */
    for (unsigned at = 0; at < WEIR_HELD_MAX; at += 2) {
        copy = held[at];
        CHECK(weir_release(reader, &held[at]) == 0);
        CHECK(weir_release(reader, &held[at]) == WEIR_ERROR);
        CHECK(weir_release(reader, &copy) == WEIR_ERROR && strstr(weir_last_error(reader), "held"));
    }
    CHECK(weir_next(reader, &one) == WEIR_READY);
    CHECK(weir_release(reader, &copy) == WEIR_ERROR);
    check_packet(&one);
    CHECK(weir_release(reader, &one) == 0);
    for (unsigned at = 1; at < WEIR_HELD_MAX; at += 2) {
        check_packet(&held[at]);
        CHECK(weir_release(reader, &held[at]) == 0);
    }
    CHECK(weir_release(reader, NULL) == WEIR_ERROR);
    CHECK(weir_next(reader, NULL) == WEIR_ERROR && weir_counts(reader, NULL) == WEIR_ERROR);
    CHECK(drain(NULL) == 400 - WEIR_HELD_MAX - 1);
    CHECK(weir_counts(reader, &counts) == 0 && counts.held == 0);
    CHECK(counts.delivered == written && counts.missed == 0);
}

/* Names that the fake engine's rules declare are known to its reader alone. */
static void naming(void)
{
    char name[64], cut[4];

    CHECK(weir_reader_app_name(reader, 4000, name, sizeof name) == 8);
    CHECK(strcmp(name, "Payroll") == 0 && strcmp(weir_app_name(4000), "Unknown") == 0);
    CHECK(weir_reader_app_name(reader, 4000, cut, sizeof cut) == 8 && strcmp(cut, "Pay") == 0);
    CHECK(weir_reader_app_name(reader, 22, name, sizeof name) == 4 && strcmp(name, "TLS") == 0);
    CHECK(weir_reader_app_name(reader, 4001, NULL, 0) == 8);
    CHECK(weir_reader_app_id(reader, "payroll") == 4000 && weir_app_id("payroll") == -1);
    CHECK(weir_reader_app_id(reader, "tls") == 22 && weir_reader_app_id(reader, "no") == -1);
    CHECK(weir_reader_app_id(reader, NULL) == WEIR_ERROR);
}

static void filtering(void)
{
    /* The lowest byte of the packet's number is 4 or more. */
    const struct weir_bpf_insn program[] = {
        {0x30, 0, 0, 0}, {0x35, 0, 1, 4}, {0x06, 0, 0, 65535}, {0x06, 0, 0, 0}};
    const struct weir_bpf_insn broken[] = {{0x05, 0, 0, 9}, {0x06, 0, 0, 0}};
    const uint16_t apps[] = {40, 41};
    struct weir_packet packet;
    struct weir_counts before, after;

    CHECK(weir_set_bpf(reader, program, 4) == 0);
    CHECK(weir_set_bpf(reader, broken, 2) == WEIR_ERROR);
    CHECK(strstr(weir_last_error(reader), "jumps"));
    CHECK(weir_set_bpf(reader, program, 5000) == WEIR_ERROR);
    CHECK(weir_set_bpf(reader, NULL, 4) == WEIR_ERROR);
    CHECK(weir_counts(reader, &before) == 0);
    engine("push", 256);
    CHECK(drain(NULL) == 252);
    CHECK(weir_counts(reader, &after) == 0 && after.filtered - before.filtered == 4);
    CHECK(weir_set_bpf(reader, NULL, 0) == 0);

    CHECK(weir_set_apps(reader, apps, 2) == 0);
    engine("push", 30);
    CHECK(drain(NULL) == 10);
    CHECK(weir_set_apps(reader, NULL, 0) == 0);
    CHECK(weir_set_apps(reader, NULL, 1) == WEIR_ERROR);

    CHECK(weir_set_flow(reader, 4) == 0);
    engine("push", 50);
    CHECK(drain(NULL) == 5);
    CHECK(weir_set_flow(reader, 0) == 0);

    engine("push", 1);
    CHECK(weir_next(reader, &packet) == WEIR_READY);
    CHECK(weir_judge(reader, &packet, WEIR_BLOCK) == 0);
    CHECK(weir_judge(reader, &packet, 7) == WEIR_ERROR);
    CHECK(weir_shunt(reader, &packet) == WEIR_ERROR && strstr(weir_last_error(reader), "group"));
    CHECK(weir_judge(reader, NULL, WEIR_ALLOW) == WEIR_ERROR);
    CHECK(weir_release(reader, &packet) == 0);
    CHECK(weir_judge(reader, &packet, WEIR_ALLOW) == WEIR_ERROR);
}

/* More packets than the ring holds. */
static void missing(int lease)
{
    struct weir_packet kept;
    struct weir_counts before, after;
    uint64_t missed = 0, number;

    engine("push", 1);
    CHECK(weir_next(reader, &kept) == WEIR_READY);
    number = number_of(&kept);
    CHECK(weir_is_leased(reader) == lease);
    CHECK(weir_counts(reader, &before) == 0);
    engine("push", 5000);
    unsigned packets = drain(&missed);
    CHECK(packets > 100 && missed > 100 && packets + missed == 5000);
    CHECK(weir_counts(reader, &after) == 0 && after.missed - before.missed == missed);
    CHECK(weir_is_leased(reader) == 0);
    /* What was held before stays whole. */
    CHECK(number_of(&kept) == number);
    check_packet(&kept);
    CHECK(weir_release(reader, &kept) == 0);
}

int main(int count, char **arguments)
{
    int lease = count > 2;
    struct weir_options options = {.program = "check", .lease = (uint32_t)lease};
    struct weir_packet packet;
    char error[256] = "";

    without_a_reader();
    reader = weir_open(arguments[1], &options, error, sizeof error);
    if (reader == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    CHECK(weir_last_error(reader)[0] == 0);
    CHECK(weir_link_type(reader) == 1);
    waiting();
    holding();
    naming();
    filtering();
    missing(lease);
    engine("push", 2);
    engine("end", 0);
    CHECK(weir_wait(reader, -1) == WEIR_READY);
    CHECK(weir_next(reader, &packet) == WEIR_READY);
    CHECK(weir_release(reader, &packet) == 0);
    /* Held until the reader is closed. */
    CHECK(weir_next(reader, &packet) == WEIR_READY);
    check_packet(&packet);
    CHECK(weir_next(reader, &packet) == WEIR_ENDED && weir_next(reader, &packet) == WEIR_ENDED);
    CHECK(weir_wait(reader, -1) == WEIR_READY);
    CHECK(weir_arm(reader) == WEIR_NOTHING && readable(-1) == 1);
    weir_close(reader);
    printf("all kept\n");
    return 0;
}
