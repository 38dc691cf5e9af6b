# Weir. `make run` shows it, `make test` proves it; both need only cargo and a Debian machine.

CARGO ?= cargo
PACKAGES = clang libelf-dev zlib1g-dev libhwloc-dev libudev-dev pkg-config make gcc libc6-dev linux-libc-dev python3
LIVE_PACKAGES = iproute2 ethtool procps
COUNT_PACKAGES = valgrind

.PHONY: run test check bench perf icount icount-save model fanout faults record-faults flood lab asan fuzz conformance build install uninstall packages count-packages programs clean help

help:
	@sed -n 's/^## //p' Makefile

## make run            a generated capture through two namespaces, AF_XDP, two shards, `weir top`
## make run PCAP=FILE  the same from a capture file (also what happens without root)
run: packages build
	@tools/demo.sh $(PCAP)

## make test           every test; live ones need root and are counted as skipped without it
test: packages programs
	@tests/run.sh

## make check          format, lints, docs; docs/PERFORMANCE.md is what perf/results give
check: packages
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet
	perf/render.py --check

## make model         the lock-free protocols of shared memory and rings under loom
model: packages
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-target}/loom \
		$(CARGO) test --locked -p weir-shm -p weir-af-xdp --lib --release model

## make fanout         what packet readers cost the engine, and how fast packets get to them
fanout: packages
	@perf/fanout.sh

## make faults         readers and engines that die, stop or lie: each fault 200 times; needs root
faults: packages
	WEIR_FAULT_LOOPS=200 $(CARGO) test --locked -p weir -p weir-tests --bins \
		--test faults --test faults_engine -- --nocapture --test-threads 1

## make flood          5 million spoofed hosts and 10 million flows of one packet: memory stays what it was
flood: packages
	WEIR_FLOOD=1 $(CARGO) test --release --locked -p weir-tests --test flood

## make record-faults a recorder that is killed at 100 random moments, and what it left
record-faults: packages programs
	WEIR_FAULT_LOOPS=100 $(CARGO) test --release --locked -p weir --test packets -- a_recorder --nocapture

## make lab            true zero-copy, queues, NUMA nodes, cards that go: in a guest; LAB=../shared/lab
lab: packages build
	@LAB=$(or $(LAB),../shared/lab) tests/lab/run.sh

## make asan           shared memory, its readers and the libraries under AddressSanitizer
asan: packages
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=0 \
		CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-target}/asan \
		$(CARGO) test --locked --target x86_64-unknown-linux-gnu -p weir-shm -p weir-af-xdp

## make fuzz           inspection under libFuzzer and AddressSanitizer, FUZZ_SECONDS=60 a target
fuzz: packages
	@tests/fuzz/run.sh

## make conformance    recognition held against labelled captures; CORPUS=DIR for others than ours
conformance: packages
	$(CARGO) run --release --locked -p weir-tests --bin conformance -- $(CORPUS)

## make bench          micro-benchmarks, then the pipeline beside ndpiReader (perf/offline.sh)
bench: packages build
	$(CARGO) bench --locked -p weir-benches
	perf/offline.sh

## make perf           every table of docs/PERFORMANCE.md measured anew; CORPUS=DIR of captures
perf: packages count-packages build
	perf/offline.sh --save $(CORPUS)
	perf/stages.sh --save $(CORPUS)
	CAPTURES=$(CORPUS) perf/scaling.sh --save
	perf/flowtable.sh --save
	perf/fanout.sh $(CORPUS) >perf/results/fanout-$$(date -u +%F).md
	perf/record.sh 4 20 >perf/results/record-$$(date -u +%F).md
	perf/render.py

## make icount         instructions that each piece takes, under callgrind; fails where one rose by
##                     more than 1 % above benches/icount.tsv, which make icount-save writes anew
icount: packages count-packages
	$(CARGO) run --release --locked -p weir-benches --bin icount

icount-save: packages count-packages
	$(CARGO) run --release --locked -p weir-benches --bin icount -- --save

build:
	$(CARGO) build --release --locked -p weir -p weir-tests --bin weir --bin weir-lab

## make install        weir, libweir.so with weir.h, libpcap-weir.so, the DAQ module, Wireshark's link;
##                     PREFIX=/usr/local, DESTDIR= for packagers; make uninstall takes them away
install: packages build
	$(CARGO) build --release --locked -p weir-capi -p weir-pcap -p weir-daq
	@tools/install.sh

uninstall:
	@tools/install.sh --remove

# Installs what is missing, by name, where this is Debian and we are root; else says what is.
packages:
	@tools/packages.sh $(PACKAGES) $(LIVE_PACKAGES)

# What counting needs; where it is missing and cannot be installed, `icount` says that it skips.
count-packages:
	@tools/packages.sh $(COUNT_PACKAGES) || true

# The programs of others that the tests run Weir with; without one, its tests are skipped.
programs:
	@tools/programs.sh

clean:
	$(CARGO) clean
