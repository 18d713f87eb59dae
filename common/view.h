// SPDX-License-Identifier: Apache-2.0
// A read-only directory of files that are nowhere: their bytes are made when somebody reads them.
// Served through FUSE, by threads of this process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/handle.h"

class View {
 public:
  struct File {
    std::string name;
    std::uint64_t size = 0;
    // The bytes from `offset` on, as many as `out` holds and the file has; returns how many.  For
    // several threads at a time.  What it throws fails the whole view.
    std::function<std::size_t(std::uint64_t offset, std::span<std::byte> out)> read;
    // Its pages stay in the kernel's cache.  Otherwise each read comes here, as it was asked for.
    bool cached = false;

    static File document(std::string name, std::string content);
  };

  struct Content {
    std::vector<File> files;
    // In the directory from the first failure on: a document that says why.  Empty: none.
    std::string failure_document = {};
    // Called at the first failure: whoever waits in a read() must be made to throw.
    std::function<void(const std::string& why)> on_failure = {};
  };

  static constexpr const char* type = "fuse.vmvault";  // of the mount

  // Mounts on the empty directory `at`, and serves until the destructor unmounts.  Throws Error.
  View(const std::filesystem::path& at, Content content);
  // Serves what is mounted already: the file system of this open /dev/fuse.  It ends with us.
  View(Fd fuse, Content content);
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View();

  // From now on every read fails with EIO, also one that waits now: a file that was half read must
  // not end beside whole ones.
  void fail(const std::string& why);
  // Empty as long as every read could be served.
  std::string failure() const;
  // Somebody else has taken it down: nobody can read it any more.
  bool is_over() const;
  std::chrono::seconds idle() const;  // since the last call from outside

 private:
  class State;
  std::unique_ptr<State> state_;
};
