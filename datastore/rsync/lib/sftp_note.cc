// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_note.h"

#include <algorithm>

#include "common/error.h"
#include "common/sha256.h"
#include "datastore/rsync/lib/json_fields.h"
#include "datastore/rsync/lib/protocol.h"

using nlohmann::json;

namespace rsync {

PrefixSum::PrefixSum(std::uint64_t size, const std::string& sum) : size_{size} {
  hash_.add(std::as_bytes(std::span{sum}));
}

void PrefixSum::add(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (begun_ == step) {
      const auto before = sum();
      hash_ = {};
      hash_.add(std::as_bytes(std::span{before}));
      begun_ = 0;
    }
    const auto part = bytes.first(std::min<std::uint64_t>(bytes.size(), step - begun_));
    hash_.add(part);
    begun_ += part.size();
    size_ += part.size();
    bytes = bytes.subspan(part.size());
  }
}

// As in the middle of a step, so at its end: who goes on from there begins with this.
std::string PrefixSum::sum() const { return hex(hash_.so_far()); }

std::string SftpNote::encode() const {
  json document{{"key", key}, {"serial", serial}, {"files", json::object()}};
  for (const auto& [name, file] : files)
    document["files"][name] = {{"size", file.size}, {"sum", file.sum}};
  return to_text(document);
}

std::optional<SftpNote> SftpNote::decode(std::string_view text) try {
  const auto document = json::parse(text);
  SftpNote note{.key = sha256_field(document, "key"), .serial = size_field(document, "serial")};
  for (const auto& [name, file] : object_field(document, "files").items())
    note.files[name] = {.size = size_field(file, "size"), .sum = sha256_field(file, "sum")};
  return note;
} catch (const json::exception&) {
  return std::nullopt;
} catch (const Error&) {
  return std::nullopt;
}

}  // namespace rsync
