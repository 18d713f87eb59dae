// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/part_sums.h"

#include "common/error.h"
#include "common/one/capture_result.h"
#include "common/one/flat_result.h"
#include "common/one/sums_file.h"
#include "common/sums.h"

namespace rsync {
namespace {

constexpr std::size_t longest_document = std::size_t{16} << 20;

// By OpenNebula's driver, which leaves beside the merged file what spoke of the newest one of those
// that it merged: the document says that it was an increment, and it is the first one all the same.
// nullopt: there is no document.
std::optional<bool> merged_by_stock(const PartFile& part) try {
  if (!part.first || part.flat) return false;
  if (!part.size_of(result_document)) return std::nullopt;
  return parse_result(part.read(result_document, longest_document)).parent != -1;
} catch (const BadRequest&) {
  return false;
}

}  // namespace

std::optional<std::string> sums_of(const PartFile& part, const Texts& known) {
  const auto name = sums_file(part.file);
  const auto right = sums::size(part.size);
  const auto merged = merged_by_stock(part);
  if (merged.value_or(false)) return std::nullopt;
  if (const auto it = known.find(name); it != known.end() && !part.flat) {
    if (it->second.size() != right)
      throw Error{"the backup is corrupt: '" + part.path + "' has not the size that was backed up"};
    return it->second;
  }
  const auto size = part.size_of(name);
  if (!size) return std::nullopt;
  if (*size == right) return part.read(name, right);
  if (!merged) return std::nullopt;
  throw Error{"the checksums of '" + part.path +
              "' have the wrong size: whether it is what was backed up is not known"};
}

}  // namespace rsync
