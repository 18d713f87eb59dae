# SPDX-License-Identifier: Apache-2.0
# One makefile for the whole tree, so that make sees every dependency.
# `make help` lists what you can ask for.

PREFIX   ?= /usr/local
# The tree of actions.  On an OpenNebula front-end: make install REMOTES=/var/lib/one/remotes
REMOTES  ?= $(PREFIX)/libexec/vmvault
# Of its drivers: MADS=/usr/lib/one/mads
MADS     ?= $(PREFIX)/libexec/vmvault/mads
MANDIR   ?= $(PREFIX)/share/man
UNITDIR  ?= $(PREFIX)/lib/systemd/system
DESTDIR  ?=
CXX      ?= g++
CXXFLAGS ?= -O2 -g
# Sanitizers, each combination in a build tree of its own: SAN=address,undefined
SAN      ?=
comma    := ,
BUILD    ?= build$(addprefix -,$(subst $(comma),-,$(SAN)))
# The lists of headers that a compilation leaves name the objects as they were called then.
override BUILD := $(BUILD:$(CURDIR)/%=%)

# As many jobs as there are processors, unless -j says otherwise.
ifeq ($(filter clean uninstall,$(MAKECMDGOALS)),)
MAKEFLAGS += -j$(shell nproc)
endif

# Asked for at the first compilation, not when this file is read: `make deps` and `make help`
# must work before anything is installed.
PKG_CONFIG    := fuse3 libxml-2.0 libvirt libvirt-qemu libnbd fmt sqlite3 libcrypto libssh2 zlib
LIBRARY_FLAGS  = $(eval LIBRARY_FLAGS := $$(shell pkg-config --cflags $(PKG_CONFIG)))$(LIBRARY_FLAGS)
LIBRARIES      = $(eval LIBRARIES := $$(shell pkg-config --libs $(PKG_CONFIG)))$(LIBRARIES)

SANITIZE      := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CXXFLAGS   = -std=c++20 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -I. $(LIBRARY_FLAGS) \
                 -pthread $(SANITIZE) $(CXXFLAGS)
# xmlrpc-c-config would ask for -lcurl, which only a static link needs.
LIBS           = -Wl,--as-needed -lrsync -lSQLiteCpp $(LIBRARIES) -lxmlrpc_server_abyss -lxmlrpc_abyss -lxmlrpc_client \
                 -lxmlrpc -lxmlrpc_util

# The path of a source is the path of its executable: datastore/restic/monitor.cc is built as
# $(BUILD)/datastore/restic/monitor.  Whatever lies in a lib/ is linked into those of its layer.
LAYERS   := datastore tm vmm drivers
PROGRAMS := $(basename $(filter-out $(LAYERS:%=%/lib/%),$(wildcard $(LAYERS:%=%/*/*.cc))))
SOURCES  := $(wildcard common/*.cc common/*/*.cc $(foreach l,$(LAYERS),$l/lib/*.cc $l/*/lib/*.cc))
TESTS    := $(filter %_test.cc,$(SOURCES))
UNITS    := $(filter-out %_test.cc,$(SOURCES))

# What a front-end calls, what it starts once and talks to by lines, and what a person or init calls.
ACTIONS  := $(filter-out drivers/%,$(PROGRAMS))
DRIVERS  := $(filter drivers/datastore/% drivers/tm/% drivers/vmm/%,$(PROGRAMS))
COMMANDS := $(filter-out $(ACTIONS) $(DRIVERS),$(PROGRAMS))
# Other names of the same executables: words 1, 3, 5... exist, the word after each is its alias.
ALIAS_ROWS := $(shell sed 's/\#.*//; /^ *$$/d; s/  */:/; s/ *$$//' share/aliases)
ALIASES    := $(foreach r,$(ALIAS_ROWS),$(lastword $(subst :, ,$r)))

# What is done, in a word; V=1 shows the commands themselves.
say      = $(if $(V),,@echo '$1 $@';)
object   = $(patsubst %.cc,$(BUILD)/%.o,$1)
archive  = $(BUILD)/lib$(subst /,-,$1).a
archives = $(foreach a,$1 common/one common,$(call archive,$a))

all: $(PROGRAMS:%=$(BUILD)/%) $(ALIASES:%=$(BUILD)/%)  ## build everything

# What a goal needs besides a compiler.  Those that may do so install what is missing.
SECTIONS := build $(if $(filter check check-all check-one hostile faults calls model demo bench,$(MAKECMDGOALS)),run test) \
            $(if $(filter lint,$(MAKECMDGOALS)),lint) $(if $(filter fuzz,$(MAKECMDGOALS)),fuzz) \
            $(if $(filter deb,$(MAKECMDGOALS)),deb)
packages:
	@scripts/deps $(if $(filter check check-all demo fuzz,$(MAKECMDGOALS)),--install,--check) $(SECTIONS)

# PCH=1: the headers of the standard library are compiled once, which is a quarter of the time of
# building everything; for the unit tests gtest's too, and they are not optimized.  It hides an
# #include that is missing, so it is not how one develops.
ifdef PCH
STD      := $(BUILD)/std.h.gch
TEST_STD := $(BUILD)/std_test.h.gch
$(TEST_STD): ALL_CXXFLAGS += -O0
$(STD) $(TEST_STD): | packages
	@mkdir -p $(@D)
	@printf '#include <%s>\n' algorithm array chrono cstdint deque filesystem functional map memory mutex optional \
	    set span sstream string string_view thread utility vector $(if $(filter $(TEST_STD),$@),gtest/gtest.h) >$(@:.gch=)
	$(call say,compile)$(CXX) $(ALL_CXXFLAGS) -x c++-header -o $@ $(@:.gch=)

$(BUILD)/%_test.o: %_test.cc $(TEST_STD) | packages
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) $(ALL_CXXFLAGS) -O0 -include $(TEST_STD:.gch=) -MMD -MP -c -o $@ $<
endif

$(BUILD)/%.o: %.cc $(STD) | packages
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) $(ALL_CXXFLAGS) $(STD:%.gch=-include %) -MMD -MP -c -o $@ $<

define archive-rule
$(call archive,$1): $(call object,$2)
	@mkdir -p $$(@D) && rm -f $$@
	@ar rcs $$@ $$^
endef
$(eval $(call archive-rule,common/one,$(filter common/one/%,$(UNITS))))
$(eval $(call archive-rule,common,$(filter-out common/one/%,$(filter common/%,$(UNITS)))))
$(foreach l,$(LAYERS),$(eval $(call archive-rule,$l,$(filter $l/%,$(UNITS)))))

# A program is linked with its own layer, with common/one and common, and with nothing else.
define program-rule
$(filter $(BUILD)/$1/%,$(PROGRAMS:%=$(BUILD)/%)): $(BUILD)/%: $(BUILD)/%.o $(call archives,$1)
	$$(call say,link   )$$(CXX) $$(ALL_CXXFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)
endef
$(foreach l,$(LAYERS),$(eval $(call program-rule,$l)))

# It is copied to servers where nothing else of us is.  No sanitizer can be linked statically.  What
# the linker says is shown if it fails: it warns of functions that are never called, and its
# --no-warnings would keep silent about those that are not there at all, too.
ifndef SAN
$(BUILD)/datastore/rsync/server: LIBS = -static -lrsync -lb2 -lcrypto -lz 2>$@.said || { cat $@.said >&2; exit 1; }
endif

define alias-rule
$(BUILD)/$2: $(BUILD)/$1
	@mkdir -p $$(@D) && ln -sfr $$< $$@
endef
$(foreach r,$(ALIAS_ROWS),$(eval $(call alias-rule,$(firstword $(subst :, ,$r)),$(lastword $(subst :, ,$r)))))

$(BUILD)/unit-tests: $(call object,$(TESTS)) $(call archives,$(LAYERS))
	$(call say,link   )$(CXX) $(ALL_CXXFLAGS) $(LDFLAGS) -o $@ $(call object,$(TESTS)) -lgtest_main $(filter %.a,$^) $(LIBS) -lgtest

# Programs that only tests run: what lies in lib/ of a layer, by hand.
TOOLS := $(basename $(wildcard tests/datastore/*/*.cc))
$(TOOLS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/%.o $(call archives,datastore)
	$(call say,link   )$(CXX) $(ALL_CXXFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Parsers that get what others have chosen: `make check` repeats tests/fuzz/corpus, `make fuzz` adds to it.
FUZZ    := $(filter-out tests/fuzz/libfuzzer.cc tests/fuzz/replay.cc,$(wildcard tests/fuzz/*.cc))
REPLAY  := $(BUILD)/tests/fuzz/replay
FUZZER  := $(BUILD)/tests/fuzz/libfuzzer
$(REPLAY) $(FUZZER): %: %.o $(call object,$(FUZZ)) $(call archives,$(LAYERS))
	$(call say,link   )$(CXX) $(ALL_CXXFLAGS) $(LDFLAGS) $(if $(filter $(FUZZER),$@),-fsanitize=fuzzer) -o $@ $^ $(LIBS)

# Preloaded by tests into the programs, and never installed: see there.
SHIM := $(patsubst %,$(BUILD)/tests/faults/%.so,shim calls late)
$(SHIM): $(BUILD)/%.so: %.c | packages
	@mkdir -p $(@D)
	$(call say,compile)$(CC) -std=gnu11 -Wall -Wextra -O2 -fPIC -shared -o $@ $<

check: all $(SHIM) $(TOOLS:%=$(BUILD)/%) $(REPLAY) $(BUILD)/unit-tests | packages  ## build everything, run the unit tests and the bats tests
	@scripts/run-tests $(abspath $(BUILD))

check-all: all $(SHIM) $(TOOLS:%=$(BUILD)/%) $(REPLAY) $(BUILD)/unit-tests | packages  ## the same with the slow tests
	@scripts/run-tests --all $(abspath $(BUILD))

faults: all $(SHIM) | packages  ## every harm at every step of a backup: two hours at most
	@BUILD=$(abspath $(BUILD)) tests/faults/run

calls: all $(SHIM) | packages  ## every call of a program to the system fails once: hours (SAMPLES=20: some of each)
	@BUILD=$(abspath $(BUILD)) tests/faults/calls

hostile: all $(SHIM) $(TOOLS:%=$(BUILD)/%) $(REPLAY) $(BUILD)/unit-tests | packages  ## hostile content of every kind: what share/doc/security.md names
	@tests/hostile $(abspath $(BUILD))

check-one: all | packages  ## OpenNebula's own commands against vmvaultd, where they are installed
	@BUILD=$(abspath $(BUILD)) bats tests/one/commands.bash

model: all $(SHIM) | packages  ## random things are done to a chain and its store (SEED=.. STEPS=..)
	@BUILD=$(abspath $(BUILD)) tests/model/run

# clang's, since g++ has no fuzzer; in a build tree of its own.
FUZZ_MAKE = $(MAKE) CXX=clang++ SAN=fuzzer-no-link,address,undefined BUILD=build-fuzz CXXFLAGS='-O1 -g'
fuzz: | packages  ## ten minutes of chosen input for each parser (one: ONLY=url; shorter: SECONDS_EACH=60)
	+@$(FUZZ_MAKE) build-fuzz/tests/fuzz/libfuzzer
	@tests/fuzz/run build-fuzz/tests/fuzz/libfuzzer

demo: all | packages  ## back up a running guest, destroy it, restore it, prove it
	@BUILD=$(abspath $(BUILD)) tests/e2e/demo

bench: all | packages  ## measure, and write build/bench.json (a part: ONLY=view)
	@BUILD=$(abspath $(BUILD)) tests/bench/run

# The scheduler of vmvaultd in fast motion; never installed.
SIMULATE := $(BUILD)/tests/bench/simulate
$(SIMULATE): $(SIMULATE).o $(call archives,drivers)
	$(call say,link   )$(CXX) $(ALL_CXXFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

simulate: $(SIMULATE) | packages  ## a month of 100,000 VMs by our scheduler, and by the stock algorithm
	@TZ=CET-1CEST,M3.5.0,M10.5.0/3 $(SIMULATE)

lint: man | packages  ## layers, format, shell, manual, licences, sizes
	@scripts/lint $(BUILD)

# Every contract makes a page; prose is written by hand.
CONTRACTS := $(if $(ACTIONS),$(basename $(shell grep -l run_action $(ACTIONS:%=%.cc))))
PROSE     := $(wildcard share/man/*.pod)
page       = $(BUILD)/man/man$(subst .,,$(suffix $1))/$1
PAGES     := $(foreach c,$(CONTRACTS),$(call page,vmvault-$(subst /,-,$c).8)) \
             $(foreach p,$(PROSE),$(call page,$(basename $(notdir $p))))
# Who looks for the page of one of these finds that of vmvault-queue, which tells of all three.
ALSO      := $(foreach c,host datastore,$(call page,vmvault-$c.1))
POD2MAN   := pod2man --center=vmvault --release=vmvault

man: $(PAGES) $(ALSO)  ## the manual: a page per action, and the prose

define contract-page-rule
$(BUILD)/pod/vmvault-$(subst /,-,$1).8.pod: $(BUILD)/$1
	@mkdir -p $$(@D) && $$< --pod > $$@
$(call page,vmvault-$(subst /,-,$1).8): $(BUILD)/pod/vmvault-$(subst /,-,$1).8.pod
endef
define prose-page-rule
$(call page,$(basename $(notdir $1))): $1
endef
$(foreach c,$(CONTRACTS),$(eval $(call contract-page-rule,$c)))
$(foreach p,$(PROSE),$(eval $(call prose-page-rule,$p)))
$(PAGES):
	@mkdir -p $(@D)
	@$(POD2MAN) --section=$(subst .,,$(suffix $@)) --name=$(basename $(@F)) $< > $@

$(ALSO):
	@mkdir -p $(@D) && echo '.so man1/vmvault-queue.1' >$@

TEMPLATES   := $(wildcard share/etc/*.conf)
COMPLETIONS := vmvault
SYSTEMD     := $(wildcard share/systemd/*)
# The dashboard, and the schemas of the API's documents.
DATA        := $(patsubst share/%,%,$(wildcard share/grafana/* share/xsd/*))
DATADIR     := $(DESTDIR)$(PREFIX)/share/vmvault
DOCS        := $(patsubst share/doc/%,%,$(wildcard share/doc/*.md share/doc/adr/*.md))
EXAMPLES    := $(patsubst share/%,%,$(wildcard share/examples/hook share/examples/provider/*))
DOCDIR      := $(DESTDIR)$(PREFIX)/share/doc/vmvault
COMPLETED   := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

# make install HOOKS=/etc/libvirt/hooks: the hook of libvirt, too.  A copy: AppArmor lets libvirtd run
# nothing that lies elsewhere.
HOOKS ?=
HOOK   = $(DESTDIR)$(HOOKS)/qemu.d/vmvault

# Of the words that the program itself reads.
$(COMPLETIONS:%=$(BUILD)/completions/%): $(BUILD)/drivers/cli/vmvault
	@mkdir -p $(@D) && $< completion bash >$@

install: all man $(COMPLETIONS:%=$(BUILD)/completions/%)  ## install below $(DESTDIR)$(PREFIX)
	@scripts/install $(BUILD) $(DESTDIR)$(REMOTES) $(ACTIONS)
	@scripts/install --aliases $(DESTDIR)$(REMOTES) $(ALIAS_ROWS)
	@scripts/install --config $(DESTDIR)$(REMOTES)/etc $(TEMPLATES)
	install -D -s -t $(DESTDIR)$(PREFIX)/bin $(COMMANDS:%=$(BUILD)/%)
	install -D -s -t $(DESTDIR)$(MADS) $(DRIVERS:%=$(BUILD)/%)
	@scripts/install --data $(BUILD)/man $(DESTDIR)$(MANDIR) $(patsubst $(BUILD)/man/%,%,$(PAGES) $(ALSO))
	@scripts/install --data $(BUILD)/completions $(COMPLETED) $(COMPLETIONS)
	@scripts/install --data share $(DATADIR) $(DATA)
	@scripts/install --data share/doc $(DOCDIR) $(DOCS)
	@scripts/install --data share $(DOCDIR) $(EXAMPLES)
	@scripts/install --units $(REMOTES) $(PREFIX)/bin $(DESTDIR)$(UNITDIR) $(SYSTEMD)
	$(if $(HOOKS),install -D -s -m 755 $(BUILD)/tm/host/libvirt_hook $(HOOK))

uninstall:  ## remove what install put there, but no changed configuration
	@scripts/install --remove-config $(DESTDIR)$(REMOTES)/etc $(TEMPLATES)
	@scripts/install --remove $(DESTDIR)$(dir $(MADS)) $(addprefix $(notdir $(MADS))/,$(notdir $(DRIVERS)))
	@scripts/install --remove $(DESTDIR)$(REMOTES) $(ACTIONS) $(ALIASES)
	@scripts/install --remove $(DATADIR) $(DATA)
	@scripts/install --remove $(DOCDIR) $(DOCS) $(EXAMPLES)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(notdir $(COMMANDS))) \
	    $(patsubst $(BUILD)/man/%,$(DESTDIR)$(MANDIR)/%,$(PAGES) $(ALSO)) $(COMPLETIONS:%=$(COMPLETED)/%) \
	    $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(SYSTEMD))) $(if $(HOOKS),$(HOOK))

deb: | packages  ## Debian packages, in build/deb: of a hypervisor, of the service, of an OpenNebula front-end
	@scripts/deb $(BUILD)

deps:  ## install the Debian packages that share/packages lists, but those of `make fuzz` and `make deb`
	@scripts/deps --install build run test lint

clean:  ## remove what was built
	rm -rf build build-*

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

.PHONY: all packages check check-all check-one hostile faults calls model fuzz demo bench simulate lint man install uninstall deb deps clean help
.DELETE_ON_ERROR:
.SECONDARY:
-include $(patsubst %.cc,$(BUILD)/%.d,$(SOURCES) $(PROGRAMS:%=%.cc) $(TOOLS:%=%.cc) $(wildcard tests/fuzz/*.cc)) \
    $(SIMULATE).d
