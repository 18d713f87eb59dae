// SPDX-License-Identifier: Apache-2.0
// For tests: what a librsync delta makes of a file.
#pragma once

#include <gtest/gtest.h>
#include <librsync.h>

#include <algorithm>
#include <string>

#include "common/handle.h"

namespace rsync {

inline rs_result copy_from_text(void* base, rs_long_t position, size_t* length, void** out) {
  auto& text = *static_cast<std::string*>(base);
  if (position < 0 || static_cast<size_t>(position) > text.size()) return RS_CORRUPT;
  *length = std::min(*length, text.size() - static_cast<size_t>(position));
  *out = text.data() + position;
  return RS_DONE;
}

inline std::string patched(std::string base, std::string delta) {
  std::string out(base.size() + delta.size() + (8U << 20), '\0');
  const Owned<rs_job_t, rs_job_free> job{rs_patch_begin(copy_from_text, &base)};
  rs_buffers_t buffers{delta.data(), delta.size(), 1, out.data(), out.size()};
  EXPECT_EQ(rs_job_iter(job.get(), &buffers), RS_DONE);
  out.resize(out.size() - buffers.avail_out);
  return out;
}

}  // namespace rsync
