// SPDX-License-Identifier: Apache-2.0
// A directory of the repository, held open.  What is in it is reached by its name there, and no
// link is followed: whoever else may write there leads us nowhere.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/handle.h"

namespace rsync {

// There is no room for what was to be written.
struct Full : Error {
  using Error::Error;
};
// As system_error(), or Full.
[[noreturn]] void throw_write_error(const std::string& doing, int error_number);

class Dir {
 public:
  // Links in `path` are followed: it is what the administrator named.
  static Dir open(const std::string& path);
  static Dir make_all(const std::string& path);  // durable, with what leads there

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  std::string in(const std::string& name) const { return path_ + "/" + name; }

  std::optional<Dir> find(
      const std::string& name) const;        // nullopt: not there.  Error: no directory
  Dir at(const std::string& name) const;     // Error: not there
  bool make(const std::string& name) const;  // false: the name is taken

  std::optional<Fd> find_file(const std::string& name) const;  // to read.  Error: no regular file
  Fd file(const std::string& name) const;
  Fd create(const std::string& name) const;  // must be new; to read and write
  Fd reopen(const std::string& name) const;  // the same of one that is there
  std::string text(const std::string& name, std::size_t most) const;  // all of it, or an Error
  void write(const std::string& name, std::string_view text) const;   // durable, as write_file()

  struct Entry {
    std::string name;
    struct stat info;
    bool is_dir() const { return S_ISDIR(info.st_mode); }
    bool is_file() const { return S_ISREG(info.st_mode); }
    std::uint64_t size() const { return static_cast<std::uint64_t>(info.st_size); }
  };
  std::vector<Entry> entries() const;  // by name
  std::optional<struct stat> status(const std::string& name) const;
  bool is(const std::string& name) const;  // is this directory the one of that name in its parent?

  bool rename(const std::string& from, const std::string& to) const;  // false: `to` is taken
  bool exchange(const std::string& a, const std::string& b) const;    // false: not on this system
  void remove_file(const std::string& name) const;  // no matter if it is not there
  // rm -rf.  Throws Cancelled in between.
  void remove_tree(const std::string& name) const;
  void sync() const;

 private:
  Dir(Fd fd, std::string path) : fd_{std::move(fd)}, path_{std::move(path)} {}
  Error error(const char* doing, const std::string& name) const;

  Fd fd_;
  std::string path_;
};

}  // namespace rsync
