// SPDX-License-Identifier: Apache-2.0
// librsync deltas against a file, as they come in.
#pragma once

#include <librsync.h>

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "common/handle.h"

namespace rsync {

class Patch {
 public:
  using OnResult = std::function<void(std::span<const std::byte>)>;
  // `base` is only read, and must stay open.
  Patch(int base, OnResult on_result) : base_{base}, on_result_{std::move(on_result)} {}

  // The next part of a delta; after the end of one the next begins.  Throws Error.
  void add(std::span<const std::byte> part);
  // Error in the middle of a delta.
  void insist_on_end() const;

 private:
  using Job = Owned<rs_job_t, rs_job_free>;

  static rs_result read_base(void* self, rs_long_t offset, size_t* length, void** out);
  void begin();

  int base_;
  OnResult on_result_;
  Job job_;
  std::vector<std::byte> out_;
  std::vector<std::byte> left_;  // of the last part: the job wants more before it takes it
};

}  // namespace rsync
