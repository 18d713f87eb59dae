// SPDX-License-Identifier: Apache-2.0
// One file of an upload, from its first frame to its last.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "datastore/rsync/lib/receive_patch.h"
#include "datastore/rsync/lib/receive_sink.h"
#include "datastore/rsync/lib/wire.h"

namespace rsync {

class ReceiveFile {
 public:
  // `base`: the file that copies and patches refer to, or -1.
  ReceiveFile(ReceiveSink& sink, int base);

  // A frame that is no message.  Throws Error, Full.  May take the payload's memory.
  void add(Frame& frame);
  // Nothing more comes.
  void finish();

 private:
  void add_bytes(std::span<const std::byte> bytes);
  void add_copy(CopyRange range);
  void flush();
  void insist_on_base() const;

  ReceiveSink& sink_;
  int base_;
  std::optional<Patch> patch_;
  std::vector<std::byte> pending_;  // small parts, to be passed on together
  std::size_t used_ = 0;            // of it
};

}  // namespace rsync
