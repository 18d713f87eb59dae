// SPDX-License-Identifier: Apache-2.0
// What gets bytes that somebody else has chosen, for `make fuzz`; and, for `make check`, what was
// found interesting before, in corpus/<name>/.
#pragma once

#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"

namespace fuzz {

// It may throw an Error, which is our own way to refuse; anything else that is thrown, and whatever
// a sanitizer says, is a finding.
using Run = void (*)(std::string_view input);

struct Target {
  const char* name;
  Run run;
};

// By the objects of this type in the files beside this one.
struct Register {
  Register(const char* name, Run run);
};

const std::vector<Target>& targets();

// Throws std::out_of_range for a name that there is not.
void run(std::string_view name, std::string_view input);

inline std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span{text});
}

// One part of what is tried, which may refuse the input; the others are tried all the same.
template <class Part>
void attempt(const Part& part) {
  try {
    part();
  } catch (const Error&) {
  }
}

// Something that must hold; the process aborts if it does not.
void insist(bool holds, const char* what);

}  // namespace fuzz
