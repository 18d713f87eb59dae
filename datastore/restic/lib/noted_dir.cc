// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/noted_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/random.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

constexpr std::string_view prefix = "vmvault-";

void remove(const fs::path& directory, const fs::path& note) {
  remove_tree(directory);
  if (unlink(note.c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + note.string() + "'", errno);
}

}  // namespace

void remove_noted_dir(const fs::path& note) {
  const auto text = read_file_if_any(note);
  if (!text) return;
  const fs::path directory{one_line(*text)};
  if (directory.is_absolute() && directory.filename().string().starts_with(prefix))
    remove(directory, note);
}

NotedDir::NotedDir(const fs::path& parent, const fs::path& note)
    : path_{parent / (std::string{prefix} + random_hex(16))}, note_{note} {
  remove_noted_dir(note);
  write_file(note_, path_.string() + "\n");
  if (mkdir(path_.c_str(), 0700) != 0)
    throw system_error("make a directory in '" + parent.string() + "' (RESTIC_TMP_DIR)", errno);
}

NotedDir::~NotedDir() {
  try {
    remove(path_, note_);
  } catch (const std::exception& error) {
    log(Level::warn, error.what());
  }
}

}  // namespace restic
