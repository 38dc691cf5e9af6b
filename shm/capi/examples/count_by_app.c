/*
 * Counts packets and bytes by application, until the engine ends or Ctrl-C.
 *
 *     cc count_by_app.c -o count_by_app $(pkg-config --cflags --libs weir)
 *     ./count_by_app [--lease] [NAME]
 *
 * Public domain: take from it what you want.
 */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir.h>

struct row {
    uint64_t packets;
    uint64_t bytes;
    uint16_t app;
};

static struct row rows[65536];
static struct weir *reader;
static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
    weir_wake(reader);
}

static int by_bytes(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    return (a->bytes < b->bytes) - (a->bytes > b->bytes);
}

/* Takes all packets that there are now: WEIR_NOTHING, or why there will be no more. */
static int take_all(void)
{
    struct weir_packet packet;
    int found;

    while ((found = weir_next(reader, &packet)) == WEIR_READY) {
        struct row *row = &rows[packet.app];
        row->packets += 1;
        row->bytes += packet.wire;
        /* packet.data[0] to packet.data[packet.captured - 1] is the frame. */
        weir_release(reader, &packet);
        if (interrupted)
            break;
    }
    return found == WEIR_READY ? WEIR_NOTHING : found;
}

static void print(void)
{
    struct weir_counts counts;
    char name[64];

    for (unsigned app = 0; app < 65536; app++)
        rows[app].app = (uint16_t)app;
    qsort(rows, 65536, sizeof rows[0], by_bytes);
    printf("%12s %14s  application\n", "packets", "bytes");
    for (const struct row *row = rows; row < rows + 65536 && row->packets; row++) {
        weir_reader_app_name(reader, row->app, name, sizeof name);
        printf("%12" PRIu64 " %14" PRIu64 "  %s\n", row->packets, row->bytes, name);
    }
    if (weir_counts(reader, &counts) == 0)
        printf("%" PRIu64 " packets read, %" PRIu64 " missed\n", counts.delivered,
               counts.missed);
}

int main(int count, char **arguments)
{
    struct weir_options options = {0};
    const char *name = "weir";
    char error[256];
    int found = WEIR_NOTHING;

    for (int at = 1; at < count; at++) {
        if (strcmp(arguments[at], "--lease") == 0)
            options.lease = 1;
        else
            name = arguments[at];
    }
    options.program = "count_by_app";
    reader = weir_open(name, &options, error, sizeof error);
    if (reader == NULL) {
        fprintf(stderr, "count_by_app: %s\n", error);
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);

    while (!interrupted && found >= 0) {
        found = take_all();
        if (found == WEIR_NOTHING && weir_wait(reader, -1) == WEIR_ERROR)
            found = WEIR_ERROR;
    }
    if (found == WEIR_ERROR)
        fprintf(stderr, "count_by_app: %s\n", weir_last_error(reader));
    if (found == WEIR_DIED)
        fprintf(stderr, "count_by_app: the engine is gone\n");
    print();
    /* weir_wake() must not be called any more. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    weir_close(reader);
    return found == WEIR_ERROR || found == WEIR_DIED;
}
