# One makefile for the whole tree, so that make sees every dependency.
# `make help` lists what you can ask for.

PREFIX   ?= /usr/local
CXX      ?= g++
CXXFLAGS ?= -O2 -g
# Sanitizers, each combination in a build tree of its own: SAN=address,undefined
SAN      ?=
comma    := ,
BUILD    ?= build$(addprefix -,$(subst $(comma),-,$(SAN)))

PACKAGES     := libxml-2.0 libvirt libvirt-qemu libnbd fmt sqlite3 libcrypto
ALL_CXXFLAGS := -std=c++20 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -I. \
                $(shell pkg-config --cflags $(PACKAGES)) -pthread \
                $(addprefix -fsanitize=,$(SAN)) $(CXXFLAGS)
LIBS         := -Wl,--as-needed $(shell pkg-config --libs $(PACKAGES)) -lSQLiteCpp -lsqlite3 $(shell xmlrpc-c-config client --libs)

# The path of a source is the path of its executable: datastore/restic/monitor.cc is built as
# $(BUILD)/datastore/restic/monitor.  Whatever lies in a lib/ is linked into those of its layer.
LAYERS   := datastore tm vmm drivers
PROGRAMS := $(basename $(filter-out $(LAYERS:%=%/lib/%),$(wildcard $(LAYERS:%=%/*/*.cc))))
SOURCES  := $(wildcard common/*.cc common/*/*.cc $(foreach l,$(LAYERS),$l/lib/*.cc $l/*/lib/*.cc))
TESTS    := $(filter %_test.cc,$(SOURCES))
UNITS    := $(filter-out %_test.cc,$(SOURCES))

object  = $(patsubst %.cc,$(BUILD)/%.o,$1)
archive = $(BUILD)/lib$(subst /,-,$1).a

all: $(PROGRAMS:%=$(BUILD)/%)  ## build everything

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(ALL_CXXFLAGS) -MMD -MP -c -o $@ $<

define archive-rule
$(call archive,$1): $(call object,$2)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(eval $(call archive-rule,common/one,$(filter common/one/%,$(UNITS))))
$(eval $(call archive-rule,common,$(filter-out common/one/%,$(filter common/%,$(UNITS)))))
$(foreach l,$(LAYERS),$(eval $(call archive-rule,$l,$(filter $l/%,$(UNITS)))))

# A program is linked with its own layer, with common/one and common, and with nothing else.
define program-rule
$(filter $(BUILD)/$1/%,$(PROGRAMS:%=$(BUILD)/%)): $(BUILD)/%: $(BUILD)/%.o $(call archive,$1) \
        $(call archive,common/one) $(call archive,common)
	$$(CXX) $$(ALL_CXXFLAGS) -o $$@ $$^ $$(LIBS)
endef
$(foreach l,$(LAYERS),$(eval $(call program-rule,$l)))

$(BUILD)/unit-tests: $(call object,$(TESTS)) $(foreach l,$(LAYERS) common/one common,$(call archive,$l))
	$(CXX) $(ALL_CXXFLAGS) -o $@ $(call object,$(TESTS)) -lgtest_main $(filter %.a,$^) $(LIBS) -lgtest

clean:  ## remove what was built
	rm -rf build build-*

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

.PHONY: all clean help
.DELETE_ON_ERROR:
.SECONDARY:
-include $(patsubst %.cc,$(BUILD)/%.d,$(SOURCES) $(PROGRAMS:%=%.cc))
