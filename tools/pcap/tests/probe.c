/* A program that knows libpcap and nothing of Weir. `probe WHAT DEVICE [ARGUMENT…]` does one thing
 * and prints what came of it. The declarations are those of libpcap's header, so that none is
 * needed to build this. */

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>

typedef struct pcap pcap_t;
struct pcap_pkthdr {
	struct timeval ts;
	uint32_t caplen;
	uint32_t len;
};
struct pcap_stat {
	unsigned ps_recv, ps_drop, ps_ifdrop;
};
struct bpf_program {
	unsigned bf_len;
	void *bf_insns;
};
typedef struct pcap_if {
	struct pcap_if *next;
	char *name, *description;
	void *addresses;
	uint32_t flags;
} pcap_if_t;
typedef void (*pcap_handler)(unsigned char *, const struct pcap_pkthdr *, const unsigned char *);

pcap_t *pcap_create(const char *, char *);
pcap_t *pcap_open_live(const char *, int, int, int, char *);
pcap_t *pcap_open_offline(const char *, char *);
int pcap_set_snaplen(pcap_t *, int);
int pcap_set_promisc(pcap_t *, int);
int pcap_set_timeout(pcap_t *, int);
int pcap_set_rfmon(pcap_t *, int);
int pcap_set_buffer_size(pcap_t *, int);
int pcap_set_immediate_mode(pcap_t *, int);
int pcap_set_tstamp_type(pcap_t *, int);
int pcap_set_tstamp_precision(pcap_t *, int);
int pcap_get_tstamp_precision(pcap_t *);
int pcap_can_set_rfmon(pcap_t *);
int pcap_activate(pcap_t *);
void pcap_close(pcap_t *);
int pcap_loop(pcap_t *, int, pcap_handler, unsigned char *);
int pcap_dispatch(pcap_t *, int, pcap_handler, unsigned char *);
const unsigned char *pcap_next(pcap_t *, struct pcap_pkthdr *);
int pcap_next_ex(pcap_t *, struct pcap_pkthdr **, const unsigned char **);
void pcap_breakloop(pcap_t *);
int pcap_stats(pcap_t *, struct pcap_stat *);
int pcap_compile(pcap_t *, struct bpf_program *, const char *, int, uint32_t);
void pcap_freecode(struct bpf_program *);
int pcap_setfilter(pcap_t *, struct bpf_program *);
int pcap_setdirection(pcap_t *, int);
int pcap_setnonblock(pcap_t *, int, char *);
int pcap_getnonblock(pcap_t *, char *);
int pcap_inject(pcap_t *, const void *, size_t);
int pcap_sendpacket(pcap_t *, const unsigned char *, int);
char *pcap_geterr(pcap_t *);
void pcap_perror(pcap_t *, const char *);
int pcap_datalink(pcap_t *);
int pcap_set_datalink(pcap_t *, int);
int pcap_list_datalinks(pcap_t *, int **);
void pcap_free_datalinks(int *);
int pcap_list_tstamp_types(pcap_t *, int **);
void pcap_free_tstamp_types(int *);
int pcap_snapshot(pcap_t *);
int pcap_is_swapped(pcap_t *);
void *pcap_file(pcap_t *);
int pcap_fileno(pcap_t *);
int pcap_get_selectable_fd(pcap_t *);
const struct timeval *pcap_get_required_select_timeout(pcap_t *);
void *pcap_dump_open(pcap_t *, const char *);
void pcap_dump(unsigned char *, const struct pcap_pkthdr *, const unsigned char *);
void pcap_dump_close(void *);
int pcap_findalldevs(pcap_if_t **, char *);
void pcap_freealldevs(pcap_if_t *);
int pcap_lookupnet(const char *, uint32_t *, uint32_t *, char *);

static pcap_t *handle;
static char errbuf[256];
static long packets, bytes, wire, sum;
static struct timeval first, last;

static void count(unsigned char *user, const struct pcap_pkthdr *h, const unsigned char *data)
{
	(void)user;
	if (!packets++)
		first = h->ts;
	last = h->ts;
	bytes += h->caplen;
	wire += h->len;
	for (uint32_t i = 0; i < h->caplen; i++)
		sum += data[i];
}

static void report(int returned)
{
	printf("packets %ld bytes %ld wire %ld sum %ld first %ld.%06ld returned %d\n", packets, bytes,
	       wire, sum, (long)first.tv_sec, (long)first.tv_usec, returned);
	if (returned == -1)
		printf("error %s\n", pcap_geterr(handle));
	fflush(stdout);
}

static void said(const char *what, int number)
{
	printf("%s %d\n", what, number);
	fflush(stdout);
}

static void expect(int status, const char *what)
{
	if (status == 0)
		return;
	printf("%s %d: %s\n", what, status, pcap_geterr(handle));
	exit(3);
}

static void open_device(const char *device, int timeout_ms)
{
	handle = pcap_create(device, errbuf);
	if (!handle) {
		printf("create: %s\n", errbuf);
		exit(3);
	}
	expect(pcap_set_timeout(handle, timeout_ms), "timeout");
	expect(pcap_set_promisc(handle, 1), "promisc");
	if (getenv("SNAPLEN"))
		expect(pcap_set_snaplen(handle, atoi(getenv("SNAPLEN"))), "snaplen");
	if (getenv("NANO"))
		expect(pcap_set_tstamp_precision(handle, 1), "precision");
	expect(pcap_activate(handle), "activate");
	if (getenv("FILTER")) {
		struct bpf_program program;
		expect(pcap_compile(handle, &program, getenv("FILTER"), 1, 0xffffffff), "compile");
		expect(pcap_setfilter(handle, &program), "setfilter");
		pcap_freecode(&program);
	}
	printf("ready\n");
	fflush(stdout);
}

static void on_alarm(int number)
{
	(void)number;
	pcap_breakloop(handle);
}

static void *break_soon(void *nothing)
{
	(void)nothing;
	usleep(200000);
	pcap_breakloop(handle);
	return NULL;
}

static double now(void)
{
	struct timeval t;
	gettimeofday(&t, NULL);
	return t.tv_sec + t.tv_usec / 1e6;
}

static void settings(const char *device)
{
	int *list = NULL;
	uint32_t net = 1, mask = 1;
	struct bpf_program program = { 0, NULL };
	struct pcap_stat stat;

	handle = pcap_create(device, errbuf);
	said("datalink before", pcap_datalink(handle));
	said("dispatch before", pcap_dispatch(handle, 1, count, NULL));
	said("stats before", pcap_stats(handle, &stat));
	said("compile before", pcap_compile(handle, &program, "tcp", 1, 0));
	said("can rfmon", pcap_can_set_rfmon(handle));
	said("rfmon", pcap_set_rfmon(handle, 1));
	said("activate with rfmon", pcap_activate(handle));
	said("no rfmon", pcap_set_rfmon(handle, 0));
	said("buffer", pcap_set_buffer_size(handle, 1 << 20));
	said("immediate", pcap_set_immediate_mode(handle, 1));
	said("tstamp host", pcap_set_tstamp_type(handle, 0));
	said("tstamp adapter", pcap_set_tstamp_type(handle, 3));
	said("precision 2", pcap_set_tstamp_precision(handle, 2));
	said("precision 1", pcap_set_tstamp_precision(handle, 1));
	said("snaplen", pcap_set_snaplen(handle, 96));
	said("activate", pcap_activate(handle));
	said("activate again", pcap_activate(handle));
	said("snaplen after", pcap_set_snaplen(handle, 40));
	said("snapshot", pcap_snapshot(handle));
	said("precision", pcap_get_tstamp_precision(handle));
	said("datalink", pcap_datalink(handle));
	said("datalinks", pcap_list_datalinks(handle, &list));
	said("first datalink", list ? *list : -9);
	pcap_free_datalinks(list);
	said("set datalink", pcap_set_datalink(handle, pcap_datalink(handle)));
	said("set other datalink", pcap_set_datalink(handle, 113));
	said("tstamp types", pcap_list_tstamp_types(handle, &list));
	pcap_free_tstamp_types(list);
	said("both directions", pcap_setdirection(handle, 0));
	said("one direction", pcap_setdirection(handle, 1));
	said("nonblock", pcap_getnonblock(handle, errbuf));
	said("set nonblock", pcap_setnonblock(handle, 1, errbuf));
	said("nonblock now", pcap_getnonblock(handle, errbuf));
	said("dispatch nothing", pcap_dispatch(handle, 1, count, NULL));
	said("swapped", pcap_is_swapped(handle));
	said("file", pcap_file(handle) != NULL);
	said("fd", pcap_fileno(handle) > 2 && pcap_fileno(handle) == pcap_get_selectable_fd(handle));
	said("select timeout", pcap_get_required_select_timeout(handle) != NULL);
	said("inject", pcap_inject(handle, "x", 1));
	said("send", pcap_sendpacket(handle, (const unsigned char *)"x", 1));
	said("compile wrong", pcap_compile(handle, &program, "no such filter", 1, 0));
	printf("says %s\n", pcap_geterr(handle));
	said("no filter", pcap_setfilter(handle, &program));
	printf("says %s\n", pcap_geterr(handle));
	said("lookupnet", pcap_lookupnet(device, &net, &mask, errbuf));
	said("net", (int)net);
	said("mask", (int)mask);
	pcap_close(handle);
}

static int by_select(void)
{
	int returned = 0, ready = 0;
	int fd = pcap_get_selectable_fd(handle);

	pcap_setnonblock(handle, 1, errbuf);
	while (returned >= 0) {
		fd_set set;
		struct timeval patience = { 5, 0 };
		FD_ZERO(&set);
		FD_SET(fd, &set);
		if (select(fd + 1, &set, NULL, NULL, &patience) <= 0) {
			printf("select: nothing in 5 s\n");
			return -9;
		}
		ready++;
		if (getenv("ONE")) {
			struct pcap_pkthdr *h;
			const unsigned char *data;
			returned = pcap_next_ex(handle, &h, &data);
			if (returned == 1)
				count(NULL, h, data);
		} else {
			returned = pcap_dispatch(handle, 64, count, NULL);
		}
	}
	printf("select %s\n", ready > 0 ? "told" : "never told");
	return returned;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "", *device = argc > 2 ? argv[2] : "";
	int returned = 0;
	double begin;

	if (!strcmp(what, "loop")) {
		open_device(device, 100);
		report(pcap_loop(handle, argc > 3 ? atoi(argv[3]) : -1, count, NULL));
	} else if (!strcmp(what, "dispatch")) {
		open_device(device, 100);
		while ((returned = pcap_dispatch(handle, argc > 3 ? atoi(argv[3]) : -1, count, NULL)) >= 0)
			;
		report(returned);
		/* Once it is over it stays over. */
		said("again", pcap_dispatch(handle, 1, count, NULL));
	} else if (!strcmp(what, "next_ex")) {
		struct pcap_pkthdr *h;
		const unsigned char *data;
		open_device(device, 100);
		while ((returned = pcap_next_ex(handle, &h, &data)) >= 0)
			if (returned == 1)
				count(NULL, h, data);
		report(returned);
	} else if (!strcmp(what, "next")) {
		struct pcap_pkthdr h;
		const unsigned char *data;
		int idle = 0;
		open_device(device, 100);
		while (idle < 10)
			if ((data = pcap_next(handle, &h)))
				count(NULL, &h, data);
			else
				idle++;
		report(0);
	} else if (!strcmp(what, "select")) {
		open_device(device, 100);
		report(by_select());
	} else if (!strcmp(what, "timeout")) {
		open_device(device, 150);
		begin = now();
		returned = pcap_dispatch(handle, -1, count, NULL);
		begin = now() - begin;
		printf("waited %s\n", begin > 0.1 && begin < 2 ? "as told" : "otherwise");
		report(returned);
	} else if (!strcmp(what, "alarm")) {
		struct itimerval soon = { { 0, 0 }, { 0, 200000 } };
		signal(SIGALRM, on_alarm);
		open_device(device, 0);
		setitimer(ITIMER_REAL, &soon, NULL);
		report(pcap_loop(handle, -1, count, NULL));
	} else if (!strcmp(what, "thread")) {
		pthread_t thread;
		open_device(device, 0);
		pthread_create(&thread, NULL, break_soon, NULL);
		report(pcap_dispatch(handle, -1, count, NULL));
		pthread_join(thread, NULL);
	} else if (!strcmp(what, "reopen")) {
		int status = -5;
		open_device(device, 100);
		report(pcap_loop(handle, -1, count, NULL));
		said("activate", pcap_activate(handle));
		for (int i = 0; status == -5 && i < 200; i++) {
			usleep(50000);
			status = pcap_activate(handle);
		}
		said("activate later", status);
		report(pcap_loop(handle, -1, count, NULL));
	} else if (!strcmp(what, "dump")) {
		void *file;
		open_device(device, 100);
		file = pcap_dump_open(handle, argv[3]);
		if (!file) {
			printf("dump: %s\n", pcap_geterr(handle));
			return 3;
		}
		returned = pcap_loop(handle, -1, pcap_dump, file);
		pcap_dump_close(file);
		report(returned);
	} else if (!strcmp(what, "stats")) {
		struct pcap_stat stat;
		open_device(device, 100);
		returned = pcap_loop(handle, -1, count, NULL);
		expect(pcap_stats(handle, &stat), "stats");
		printf("received %u dropped %u by interface %u\n", stat.ps_recv, stat.ps_drop,
		       stat.ps_ifdrop);
		report(returned);
	} else if (!strcmp(what, "open_live")) {
		handle = pcap_open_live(device, 96, 1, 100, errbuf);
		if (!handle) {
			printf("open_live: %s\n", errbuf);
			return 3;
		}
		printf("ready\n");
		fflush(stdout);
		report(pcap_loop(handle, -1, count, NULL));
	} else if (!strcmp(what, "open")) {
		handle = pcap_create(device, errbuf);
		if (!handle) {
			printf("create: %s\n", errbuf);
			return 3;
		}
		said("activate", pcap_activate(handle));
		printf("says %s\n", pcap_geterr(handle));
		fflush(stdout);
		dup2(1, 2);
		pcap_perror(handle, "perror");
	} else if (!strcmp(what, "settings")) {
		settings(device);
		return 0;
	} else if (!strcmp(what, "devices")) {
		pcap_if_t *all = NULL;
		said("findalldevs", pcap_findalldevs(&all, errbuf));
		for (pcap_if_t *one = all; one; one = one->next)
			printf("device %s: %s\n", one->name, one->description ? one->description : "");
		pcap_freealldevs(all);
		return 0;
	} else if (!strcmp(what, "offline")) {
		handle = pcap_open_offline(device, errbuf);
		if (!handle) {
			printf("open_offline: %s\n", errbuf);
			return 3;
		}
		report(pcap_loop(handle, -1, count, NULL));
	} else {
		fprintf(stderr, "probe WHAT DEVICE [ARGUMENT...]\n");
		return 2;
	}
	if (handle)
		pcap_close(handle);
	return 0;
}
