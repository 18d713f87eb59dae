// SPDX-License-Identifier: Apache-2.0
// Files of our own on a host, which somebody else may have touched.

#include "common/process.h"
#include "tests/fuzz/fuzz.h"
#include "tm/host/lib/exchange.h"
#include "tm/host/lib/journal.h"

namespace {

void journal(std::string_view input) {
  const auto read = host::Journal::parse(std::string{input});
  fuzz::insist(host::Journal::parse(read.to_text()).to_text() == read.to_text(),
               "a journal is read as written");
}
const fuzz::Register r1{"journal", journal};

void exchange(std::string_view input) {
  const auto read = host::Exchange::parse(std::string{input});
  fuzz::insist(host::Exchange::parse(read.to_text()).to_text() == read.to_text(),
               "a journal is read as written");
}
const fuzz::Register r2{"exchange", exchange};

void process(std::string_view input) { Process::parse(std::string{input}); }
const fuzz::Register r3{"process", process};

}  // namespace
