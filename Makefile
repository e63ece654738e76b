# shoal's build. Files are found by wildcard: adding a tool or a test adds no line here.
# `make help` lists the targets; HACKING.md has the variants and the checklists.

VERSION := $(file <VERSION)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

# One build tree per variant, so that a sanitizer build leaves no stale object in the plain one.
comma := ,
variant := $(SAN) $(if $(COV),cov) $(if $(DEV),dev) $(if $(FUZZ),fuzz)
B := build$(subst $(comma),-,$(subst $() ,,$(addprefix -,$(variant))))

CFLAGS ?= $(if $(COV),-O0,-O2) -g
LDFLAGS ?= -Wl,-z,relro,-z,now
LDLIBS := -lsodium
LDLIBS_raftd := -luv -lhttp_parser
LDLIBS_evlog-sqlite := -lsqlite3
TEST_LDLIBS := -lcmocka -ljansson -luv -lhttp_parser
BENCH_LDLIBS := -lsqlite3 -luv -lhttp_parser

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wformat=2 \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wwrite-strings \
	-Wcast-align -Wcast-qual -Wundef -Wvla -Wimplicit-fallthrough -Wnull-dereference \
	$(if $(DEV),-Werror)
HARD := -fstack-protector-strong -fstack-clash-protection -fno-strict-aliasing -fPIE \
	$(if $(SAN)$(COV),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
INSTRUMENT := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) \
	$(if $(COV),--coverage) $(if $(FUZZ),-fsanitize=fuzzer-no-link)

override CPPFLAGS += -D_GNU_SOURCE -DSHOAL_VERSION='"$(VERSION)"' -Ilib
override CFLAGS += -std=c11 $(WARN) $(HARD) -fvisibility=hidden $(INSTRUMENT)
override LDFLAGS += -pie -Wl,--as-needed $(INSTRUMENT)

# What there is.
LIB_SRCS := $(sort $(wildcard lib/*.c lib/*/*.c))
TOOLS := $(sort $(patsubst cmd/%.c,%,$(wildcard cmd/*.c)) \
	$(patsubst cmd/%/main.c,%,$(wildcard cmd/*/main.c)))
HELPERS := $(sort $(patsubst cmd/libexec/%.c,%,$(wildcard cmd/libexec/*.c)) \
	$(patsubst cmd/libexec/%/main.c,%,$(wildcard cmd/libexec/*/main.c)))
SIM := $(patsubst %.c,$(B)/%,$(wildcard tests/sim/sim.c))
TESTLIB_SRCS := $(filter-out tests/sim/sim.c,$(sort $(wildcard tests/lib/*.c tests/sim/*.c)))
UNITS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/unit/t_*.c)))
FUZZERS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/fuzz/f_*.c)))
CRASHERS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/crash/*.c)))
BENCHES := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/bench/*.c)))
SHELLS := bash zsh fish

tool_srcs = $(sort $(or $(wildcard cmd/$1/*.c),cmd/$1.c))
helper_srcs = $(call tool_srcs,libexec/$1)
obj = $(patsubst %.c,$(B)/%.o,$1)
BINS := $(TOOLS:%=$(B)/bin/%) $(HELPERS:%=$(B)/libexec/%)
COMPLETIONS := $(foreach s,$(SHELLS),$(TOOLS:%=$(B)/completions/$s/%))
LIB := $(B)/libshoal.a
TESTLIB := $(B)/libtest.a
TESTS := $(UNITS) $(FUZZERS) $(CRASHERS) $(SIM)

OBJS := $(call obj,$(LIB_SRCS) $(foreach t,$(TOOLS),$(call tool_srcs,$t)) \
	$(foreach h,$(HELPERS),$(call helper_srcs,$h)) $(TESTLIB_SRCS) \
	$(wildcard tests/fuzz/replay.c)) \
	$(TESTS:%=%.o) $(BENCHES:%=%.o)

say = $(if $(V),,@printf '  %-5s %s\n' $1 '$@';)
link = $(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@
# Several processes for the inner make when the caller has not said how many.
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(or $(shell nproc 2>/dev/null),2))

all: $(LIB) $(BINS) $(COMPLETIONS)	## build every tool (the default); V=1 shows the commands

# A stamp changes when what it stands for does: .flags compiles anew, .files archives and links.
FLAGS := $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS) $(TEST_LDLIBS) $(BENCH_LDLIBS) \
	$(foreach h,$(HELPERS) $(TOOLS),$(LDLIBS_$h))
ifneq ($(strip $(file <$(B)/.flags)),$(strip $(FLAGS)))
$(B)/.flags: FORCE
endif
ifneq ($(strip $(file <$(B)/.files)),$(strip $(OBJS)))
$(B)/.files: FORCE
endif
stamp = @mkdir -p $(@D) && printf '%s\n' '$(subst ','\'',$(strip $1))' >$@

$(B)/.flags:
	@printf '#include <%s>\n' sodium.h sqlite3.h uv.h http_parser.h | \
	    $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 || { \
	    echo "make: $(CC) or a library's header is missing" >&2; \
	    NO_INSTALL=1 scripts/deps compile; exit 69; }
	$(call stamp,$(FLAGS))

$(B)/.files:
	$(call stamp,$(OBJS))

# The rules.
$(B)/tests/%: private override CFLAGS += -Wno-conversion
$(B)/tests/%: private override CPPFLAGS += -Itests/lib -Itests

$(OBJS): $(B)/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(call obj,$(LIB_SRCS)) $(B)/.files
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $(filter %.o,$^)

$(TESTLIB): $(call obj,$(TESTLIB_SRCS)) $(B)/.files
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $(filter %.o,$^)

define tool_rule
$(B)/bin/$1: $(call obj,$(call tool_srcs,$1)) $(LIB) $(B)/.files
	@mkdir -p $$(@D)
	$$(link) $$(filter %.o,$$^) $(LIB) $$(LDLIBS_$1) $$(LDLIBS)

$(SHELLS:%=$(B)/completions/%/$1): $(B)/completions/%/$1: $(B)/bin/$1
	@mkdir -p $$(@D)
	$$(call say,GEN)$(B)/bin/$1 --completion $$* >$$@
endef
$(foreach t,$(TOOLS),$(eval $(call tool_rule,$t)))

define helper_rule
$(B)/libexec/$1: $(call obj,$(call helper_srcs,$1)) $(LIB) $(B)/.files
	@mkdir -p $$(@D)
	$$(link) $$(filter %.o,$$^) $(LIB) $$(LDLIBS_$1) $$(LDLIBS)
endef
$(foreach h,$(HELPERS),$(eval $(call helper_rule,$h)))

# Memory that runs out where a test wants it: tests/lib/fail_alloc.h.
alloc := $(B)/tests/lib/fail_alloc.o
$(UNITS) $(CRASHERS) $(SIM): private override LDFLAGS += \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=aligned_alloc

$(UNITS) $(CRASHERS) $(SIM): %: %.o $(alloc) $(TESTLIB) $(LIB) $(B)/.files
	$(link) $< $(alloc) $(TESTLIB) $(LIB) $(TEST_LDLIBS) $(LDLIBS)

$(BENCHES): %: %.o $(TESTLIB) $(LIB) $(B)/.files
	$(link) $< $(TESTLIB) $(LIB) $(BENCH_LDLIBS) $(LDLIBS)

# A fuzz target is linked with libFuzzer (FUZZ=1) or with a main that replays its corpus.
fuzz_main := $(if $(FUZZ),,$(B)/tests/fuzz/replay.o)
$(FUZZERS): %: %.o $(fuzz_main) $(LIB) $(B)/.files
	$(link) $(if $(FUZZ),-fsanitize=fuzzer) $< $(fuzz_main) $(LIB) $(TEST_LDLIBS) $(LDLIBS)

# What a person calls. The first stage installs what is missing; the second one builds and runs.
deps:	## install what building and `make check` need (NO_INSTALL=1: only say what)
	@scripts/deps build

deps-servers:	## install the servers that check-servers needs
	@scripts/deps servers

check: deps	## all tests; TEST=PATTERN for some, SAN=address,undefined for sanitizers
	@$(MAKE) --no-print-directory $(jobs) run-check

check-servers: deps deps-servers	## the tests that need real servers
	@echo "no servers are needed yet"

soak: deps	## the kill and power-loss loops and the simulator at full length
	@$(MAKE) --no-print-directory $(jobs) run-check SOAK=1 TEST='$(or $(TEST),^(crash|sim)/)'

demo: deps	## the main jobs on real input, as a readable transcript; demo-NAME runs one
	@$(MAKE) --no-print-directory $(jobs) run-demo

demo-%: deps
	@$(MAKE) --no-print-directory $(jobs) run-demo DEMO='$*'

bench: deps	## measure against the peers, printed as ratios; BENCH=PATTERN for some
	@$(MAKE) --no-print-directory $(jobs) run-bench

fuzz: deps	## fuzz every parser for FUZZ_SECONDS each (60); FUZZ_TARGET=f_NAME for one
	@scripts/deps lint
	@$(MAKE) --no-print-directory $(jobs) run-fuzz FUZZ=1 CC=clang SAN=address,undefined

sim: deps	## simulated clusters: SEED= SEEDS=
	@$(MAKE) --no-print-directory $(jobs) run-sim

bugs: deps	## plant each bug and demand that the tests catch it; ONLY=NN, CHANGED=1 or PICK=N
	@B='$(B)' ONLY='$(ONLY)' CHANGED='$(CHANGED)' PICK='$(PICK)' MAKE='$(MAKE)' scripts/bugs

lint: deps	## check the changed files; ALL=1 checks everything
	@scripts/deps lint
	@B='$(B)' scripts/lint $(if $(ALL),--all)

coverage: deps	## the lines and branches that the tests reach; TEST=PATTERN, DIR=lib/raft for some
	-@$(MAKE) --no-print-directory $(jobs) run-check COV=1
	@$(MAKE) --no-print-directory run-coverage COV=1

# A bats file needs no test program.
run-check: all $(if $(filter tests/%.bats,$(wildcard tests/$(TEST))),,tests)
	$(if $(COV),@find $(B) -name '*.gcda' -delete)
	@B='$(B)' SHOAL_SAN='$(SAN)' SOAK='$(SOAK)' TEST='$(TEST)' scripts/with-build tests/run

run-sim: $(SIM)
	@$(SIM) $(or $(SEED),$$(date +%s)) $(or $(SEEDS),100)

run-coverage:
	@scripts/coverage $(B) $(DIR)

run-demo: all
	@B='$(B)' DEMO='$(DEMO)' scripts/with-build scripts/demo

run-bench: all benches
	@B='$(B)' BENCH='$(BENCH)' scripts/with-build scripts/bench

run-fuzz: $(FUZZERS)
	@B='$(B)' FUZZ_SECONDS='$(FUZZ_SECONDS)' FUZZ_TARGET='$(FUZZ_TARGET)' \
	    scripts/with-build scripts/fuzz

tests: $(TESTS)	## build the test programs only

benches: $(BENCHES)

MAN := $(wildcard man/*.[1-8])
INSTALLED = $(TOOLS:%=bin/%) $(HELPERS:%=libexec/shoal/%) \
	$(foreach m,$(MAN),share/man/man$(subst .,,$(suffix $m))/$(notdir $m)) \
	$(TOOLS:%=share/bash-completion/completions/%) $(TOOLS:%=share/zsh/site-functions/_%) \
	$(TOOLS:%=share/fish/vendor_completions.d/%.fish)
root = $(DESTDIR)$(PREFIX)

install: all	## install under $(DESTDIR)$(PREFIX), /usr/local by default
	@set -e; put() { install -D -m "$$1" "$$2" '$(root)'/"$$3"; }; \
	for t in $(TOOLS); do \
	    put 755 $(B)/bin/$$t bin/$$t; \
	    put 644 $(B)/completions/bash/$$t share/bash-completion/completions/$$t; \
	    put 644 $(B)/completions/zsh/$$t share/zsh/site-functions/_$$t; \
	    put 644 $(B)/completions/fish/$$t share/fish/vendor_completions.d/$$t.fish; \
	done; \
	for t in $(HELPERS); do put 755 $(B)/libexec/$$t libexec/shoal/$$t; done; \
	for m in $(MAN); do put 644 $$m share/man/man$${m##*.}/$${m#man/}; done

uninstall:	## remove what install wrote
	rm -f $(addprefix $(root)/,$(INSTALLED))
	@rmdir '$(root)/libexec/shoal' 2>/dev/null || :

clean:	## remove this variant's build tree
	rm -rf $(B)

help:	## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
	    while IFS='	' read -r t d; do printf '%-14s %s\n' "$$t" "$$d"; done

-include $(OBJS:.o=.d)

FORCE:
.PHONY: all FORCE deps deps-servers check check-servers soak demo bench fuzz sim bugs lint \
	coverage run-check run-coverage run-sim run-demo run-bench run-fuzz tests benches install \
	uninstall clean help
.DELETE_ON_ERROR:
