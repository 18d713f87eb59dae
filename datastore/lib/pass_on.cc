// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/pass_on.h"

#include <vector>

#include "common/qcow2/header.h"

void CountedOutput::operator()(std::span<const std::byte> bytes) {
  out_.write(bytes);
  done_ += bytes.size();
  progress_.at(done_);
}

void pass_on(const qcow2::Source& source, const std::string& name, Content content) {
  CountedOutput sink{0};
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  std::size_t held = 0;
  while (content == Content::image && held < header_size) {
    const auto n = source(std::span{buffer}.subspan(held));
    held += n;
    if (n == 0) break;
  }
  const auto start = std::span<const std::byte>{buffer}.first(held);
  if (content == Content::image)
    check_header(start, "'" + name + "' of the backup", Backing::refused);
  if (held > 0) sink(start);
  while (const auto n = source(buffer)) sink({buffer.data(), n});
}
