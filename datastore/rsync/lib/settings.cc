// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/settings.h"

#include <algorithm>
#include <cctype>

#include "common/error.h"
#include "common/number.h"
#include "common/one/limits.h"
#include "common/one/location.h"
#include "datastore/rsync/lib/args.h"
#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/send_request.h"

namespace fs = std::filesystem;

namespace rsync {
namespace {

constexpr const char* usual_args = "-aS";

fs::path base_path(const Datastore& datastore) {
  if (datastore.base_path().empty())
    throw BadRequest{"the datastore " + std::to_string(datastore.id()) + " has no BASE_PATH"};
  return normal_path(datastore.base_path().string());
}

std::string transport_of(const Datastore& datastore) {
  auto word = datastore.attribute("RSYNC_TRANSPORT", "auto");
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* known : {"auto", "libssh2", "ssh"})
    if (word == known) return word;
  throw BadRequest{"RSYNC_TRANSPORT is neither auto, libssh2 nor ssh: '" + one_line(word) + "'"};
}

std::size_t channels_of(const Datastore& datastore) {
  const auto text = datastore.attribute("RSYNC_CHANNELS", "4");
  const auto number = parse_int(text, 1, static_cast<int>(most_channels));
  if (number) return static_cast<std::size_t>(*number);
  throw BadRequest{"RSYNC_CHANNELS must be a number from 1 to " + std::to_string(most_channels) +
                   ", not '" + one_line(text) + "'"};
}

}  // namespace

Settings::Settings(const Datastore& datastore)
    : datastore_id{datastore.id()},
      target{.host = datastore.required("RSYNC_HOST"),
             .user = datastore.attribute("RSYNC_USER", ""),
             .ssh = parse_args(datastore.attribute("RSYNC_ARGS", usual_args)).ssh},
      base{base_path(datastore)},
      args{datastore.attribute("RSYNC_ARGS", usual_args)},
      transport{transport_of(datastore)},
      channels{channels_of(datastore)},
      tmp_dir{normal_path(datastore.attribute("RSYNC_TMP_DIR", "/var/tmp"))},
      limits{limits_of(datastore, attribute_prefix(datastore))} {
  target.login();  // both are names
}

std::string Settings::place(int vm) const {
  return "'" + (base / std::to_string(vm)).string() + "' on " + target.name();
}

int vm_of(const DiskUrl& url, const Settings& settings) {
  const auto below = url.path.lexically_relative(settings.base);
  if (!below.empty() && *below.begin() != "..")
    if (const auto vm = parse_int(below.begin()->string(), 0)) return *vm;
  return url.vm_id();
}

std::string disk_file(int disk, const Increment& increment) {
  return "disk." + std::to_string(disk) + "." + std::to_string(increment.id);
}

const std::string& name_of(const Increment& increment) {
  if (is_backup_name(increment.source)) return increment.source;
  throw Error{"there is no backup '" + one_line(increment.source) +
              "': a name is 6 hexadecimal digits"};
}

}  // namespace rsync
