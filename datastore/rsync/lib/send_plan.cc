// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/sha256.h"
#include "datastore/rsync/lib/cache.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr std::uint64_t longest_document = std::uint64_t{16} << 20;

}  // namespace

const UploadFile& Plan::at(const std::string& name) const {
  return *std::find_if(files.begin(), files.end(),
                       [&](const auto& file) { return file.name == name; });
}

bool is_full(std::string_view name) {
  if (!name.starts_with("disk.") || !name.ends_with(".0")) return false;
  name.remove_prefix(5);
  return name.size() > 2 && parse_int(name.substr(0, name.size() - 2));
}

UploadFile look_at(const std::filesystem::path& directory, const std::string& name) {
  const auto path = directory / name;
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0)
    throw system_error("look at '" + path.string() + "'", errno);
  if (!S_ISREG(there.st_mode)) throw Error{"'" + path.string() + "' is not a plain file"};
  // A view is read only; but who flattens a chain over there must write into its files.
  return {.name = name,
          .size = static_cast<std::uint64_t>(there.st_size),
          .mtime_ns = there.st_mtim.tv_sec * 1'000'000'000LL + there.st_mtim.tv_nsec,
          .mode = (there.st_mode & 0777U) | 0600U};
}

std::string upload_key(int vm, bool sparse, const std::filesystem::path& directory,
                       const std::vector<UploadFile>& files) {
  json all{vm, sparse};
  for (const auto& file : files) {
    all.push_back({file.name, file.size, file.mtime_ns});
    if (file.name == "vm.xml" && file.size <= longest_document)
      all.push_back(sha256_of(read_file(directory / file.name)));
  }
  return sha256_of(all.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace rsync
