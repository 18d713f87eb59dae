// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "common/error.h"

namespace fuzz {
namespace {

std::vector<Target>& table() {
  static std::vector<Target> all;
  return all;
}

}  // namespace

Register::Register(const char* name, Run run) { table().push_back({name, run}); }

const std::vector<Target>& targets() { return table(); }

void run(std::string_view name, std::string_view input) {
  for (const auto& target : targets()) {
    if (target.name != name) continue;
    try {
      target.run(input);
    } catch (const Error&) {
    }
    return;
  }
  throw std::out_of_range{"no such target: " + std::string{name}};
}

void insist(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace fuzz
