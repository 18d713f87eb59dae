// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/known_sums.h"

#include <cstdlib>
#include <memory>
#include <optional>

#include "common/error.h"
#include "common/file.h"
#include "common/one/sums_file.h"
#include "common/sums.h"

namespace {

void insist(const sums::Check& check, const std::string& disk_file) {
  if (!check.wrong().empty())
    throw Error{"the backup is corrupt: " + disk_file + " is not what was backed up from offset " +
                std::to_string(check.wrong().front() * sums::piece_size) + " on"};
}

}  // namespace

KnownSums KnownSums::in_environment() {
  const char* directory = std::getenv("VMVAULT_SUMS");
  return KnownSums{directory ? directory : ""};
}

std::optional<std::string> KnownSums::of(const std::string& disk_file) const {
  if (directory_.empty() || !disk_file.starts_with("disk.")) return std::nullopt;
  return read_file_if_any(directory_ / sums_file(disk_file));
}

qcow2::Source KnownSums::check(const std::string& disk_file, qcow2::Source source) const {
  auto sums = of(disk_file);
  if (!sums) return source;
  const auto check = std::make_shared<sums::Check>(*std::move(sums));
  return [disk_file, check, source = std::move(source)](std::span<std::byte> out) {
    const auto size = source(out);
    check->add(out.first(size));
    if (size == 0) check->finish();
    insist(*check, disk_file);
    return size;
  };
}
