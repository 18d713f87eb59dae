// SPDX-License-Identifier: Apache-2.0
#include "common/one/chain.h"

#include <algorithm>

#include "common/error.h"
#include "common/number.h"
#include "common/one/location.h"

namespace fs = std::filesystem;

namespace {

// What is before `separator`; `text` goes on after it.
std::string_view take(std::string_view& text, std::string_view separator) {
  const auto end = text.find(separator);
  const auto part = text.substr(0, end);
  text = end == text.npos ? std::string_view{} : text.substr(end + separator.size());
  return part;
}

void check_source(std::string_view source) {
  constexpr std::string_view digits = "0123456789abcdefABCDEF";
  if (source.empty() || source.size() > 64 || source.find_first_not_of(digits) != source.npos)
    throw BadRequest{"the source of an increment is not a hexadecimal number"};
}

bool is_protocol(std::string_view text) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789+";
  return !text.empty() && text.find_first_not_of(letters) == text.npos;
}

std::optional<int> disk_of(const fs::path& path) {
  const std::string name = path.filename().string();
  std::string_view rest{name};
  if (take(rest, ".") != "disk") return std::nullopt;
  return parse_int(take(rest, "."));
}

}  // namespace

Chain::Chain(std::vector<Increment> increments) : increments_{std::move(increments)} {
  if (increments_.empty()) throw BadRequest{"the chain of increments is empty"};
  int last = -1;
  for (const auto& increment : increments_) {
    check_source(increment.source);
    if (increment.id <= last) throw BadRequest{"the ids of a chain of increments do not ascend"};
    last = increment.id;
  }
}

Chain Chain::parse(std::string_view text) {
  std::vector<Increment> increments;
  if (text.ends_with(',')) throw BadRequest{"not a chain of increments"};
  while (!text.empty()) {
    auto source = take(text, ",");
    const auto id = parse_int(take(source, ":"));
    if (!id) throw BadRequest{"not a chain of increments"};
    increments.push_back({*id, std::string{source}});
  }
  return Chain{std::move(increments)};
}

std::string Chain::text() const {
  std::string out;
  for (const auto& increment : increments_)
    out += (out.empty() ? "" : ",") + std::to_string(increment.id) + ":" + increment.source;
  return out;
}

Chain Chain::up_to(int id) const {
  if (id == -1) return *this;
  const auto found = std::find_if(increments_.begin(), increments_.end(),
                                  [&](const Increment& i) { return i.id == id; });
  if (found == increments_.end())
    throw BadRequest{"the image has no increment " + std::to_string(id)};
  return Chain{{increments_.begin(), found + 1}};
}

DiskUrl DiskUrl::parse(std::string_view text) {
  DiskUrl url;
  url.protocol = take(text, "://");
  const auto datastore = parse_int(take(text, "/"));
  if (!is_protocol(url.protocol) || !datastore)
    throw BadRequest{"not the URL of a disk: expected PROTOCOL://DATASTORE_ID/JOB/CHAIN/PATH"};
  url.datastore_id = *datastore;
  auto part = take(text, "/");
  // OpenNebula 6.6 has no place for the job (contract, chapter 8).
  if (part.find(':') == part.npos) {
    url.job_id = parse_int(part);
    if (!part.empty() && !url.job_id)
      throw BadRequest{"the backup job in the URL of a disk is not a number"};
    part = take(text, "/");
  }
  url.chain = Chain::parse(part);
  url.path = normal_path("/" + std::string{text});
  if (!url.path.has_filename()) throw BadRequest{"the URL of a disk names no file"};
  return url;
}

std::string DiskUrl::text() const {
  return protocol + "://" + std::to_string(datastore_id) + "/" +
         (job_id ? std::to_string(*job_id) : "") + "/" + chain.text() + path.string();
}

bool DiskUrl::is_disk() const { return disk_of(path).has_value(); }

int DiskUrl::disk_id() const {
  if (const auto id = disk_of(path)) return *id;
  throw BadRequest{"the URL names no file of a disk"};
}

int DiskUrl::vm_id() const {
  const auto backup = path.parent_path();
  const auto id = parse_int(backup.parent_path().filename().string());
  if (backup.filename() != "backup" || !id)
    throw BadRequest{"the URL of a disk does not name its VM"};
  return *id;
}

fs::path DiskUrl::file(int increment_id) const {
  return path.parent_path() /
         ("disk." + std::to_string(disk_id()) + "." + std::to_string(increment_id));
}
