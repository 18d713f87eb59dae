// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_base.h"

#include "common/one/action.h"
#include "common/sha256.h"

namespace rsync {

std::optional<KnownBase> BaseFinder::find(Conversation& server, const std::string& disk) try {
  const auto found = server.base_for(disk);
  if (!found) return std::nullopt;
  const auto& base = *found;
  const auto blocks = blocks_name(base.file), signature = signature_name(base.file);
  if (!blocks || !signature || !base.side.contains(*blocks) || !base.side.contains(*signature))
    return std::nullopt;
  const auto side = [&](const std::string& name, std::uint64_t size) {
    return side_file(server, base, name, size);
  };
  return KnownBase{
      .base = base,
      .blocks = Blocks::parse(side(*blocks, Blocks::size_for(base.size)), base.size),
      .signature = Signature::parse(side(*signature, Signature::size_for(base.size)), base.size)};
} catch (const Lost&) {
  throw;
} catch (const Cancelled&) {
  throw;
} catch (const Error& error) {
  log(Level::warn, "'" + disk + "' is sent whole: " + error.what());
  return std::nullopt;
}

std::string BaseFinder::side_file(Conversation& server, const Base& base, const std::string& name,
                                  std::uint64_t size) {
  const auto& sha256 = base.side.at(name);
  {
    const std::lock_guard lock{mutex_};
    found_.insert(sha256);
  }
  if (auto kept = cache_.find(sha256)) return *std::move(kept);
  auto content = server.fetch(name, base.name, size);
  if (sha256_of(content) != sha256)
    throw Error{"'" + name + "' of " + base.name + " is not what the server says"};
  cache_.put(sha256, content);  // until this backup is there: the connection may be lost
  return content;
}

void BaseFinder::keep(const std::string& sha256) {
  const std::lock_guard lock{mutex_};
  kept_.insert(sha256);
}

void BaseFinder::forget_outdated() const {
  for (const auto& sha256 : found_)
    if (!kept_.contains(sha256)) cache_.remove(sha256);
}

}  // namespace rsync
