// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/image_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"

void check_header_of(const std::filesystem::path& file, const std::string& what, Backing backing) {
  std::array<std::byte, header_size> start{};
  const auto fd = open_file(file, O_RDONLY);
  const auto n = pread(fd.get(), start.data(), start.size(), 0);
  if (n == -1) throw system_error("read '" + file.string() + "'", errno);
  check_header(std::span{start}.first(static_cast<std::size_t>(n)), what, backing);
}

void check_whole(const std::filesystem::path& file, const std::string& what) {
  constexpr int only_leaks = 3;
  const auto checked = Command{"qemu-img", "check", "-q", "-f", "qcow2", "--", file.string()}.run();
  if (!checked.ok() && checked.status != only_leaks)
    throw Error{what + " is damaged: " + one_line(last_line(checked.err))};
}
