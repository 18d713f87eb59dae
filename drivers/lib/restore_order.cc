// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/restore_order.h"

#include <unistd.h>

#include <cerrno>

#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace state {
namespace {

std::string text_of(const RestoreRecord& restore) {
  std::string text;
  for (const std::int64_t part :
       {std::int64_t{restore.origin.image}, std::int64_t{restore.origin.increment},
        std::int64_t{restore.origin.disk}, restore.started})
    text += std::to_string(part) + " ";
  return text;
}

}  // namespace

void note_order(const Home& home, const RestoreRecord& restore) {
  const auto file = home.restore_order(restore.vm);
  fs::create_directories(file.parent_path());
  write_file(file, [&](const std::string& place) { return text_of(restore) + place + "\n"; });
}

bool is_ordered(const Home& home, const RestoreRecord& restore) {
  const auto file = home.restore_order(restore.vm);
  const auto text = read_file_if_any(file).value_or("");
  const auto wanted = text_of(restore);
  if (!text.starts_with(wanted) || !text.ends_with('\n')) return false;
  return !is_elsewhere(file, text.substr(wanted.size(), text.size() - wanted.size() - 1));
}

void forget_order(const Home& home, int vm) {
  const auto file = home.restore_order(vm);
  if (unlink(file.c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + file.string() + "'", errno);
  sync_directory(file.parent_path());
}

}  // namespace state
