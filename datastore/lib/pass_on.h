// SPDX-License-Identifier: Apache-2.0
// A stored file on its way to our stdout.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/one/progress.h"
#include "common/qcow2/stream.h"
#include "datastore/lib/output.h"

// Counts what goes to stdout, for whoever watches a restore.
class CountedOutput {
 public:
  explicit CountedOutput(std::uint64_t total) : progress_{"restore", total} {}
  void operator()(std::span<const std::byte> bytes);

 private:
  Output out_;
  Progress progress_;
  std::uint64_t done_ = 0;
};

enum class Content { image, document };

// As it is.  Nothing of an image goes out before its header is known to name no other file.  `name`
// is for messages.  Throws Error, Cancelled.
void pass_on(const qcow2::Source& source, const std::string& name, Content content);
