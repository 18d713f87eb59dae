// SPDX-License-Identifier: Apache-2.0
// A backup dir whose disks are nowhere copied: a view of planned files and small documents.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/nbd/summed_reader.h"
#include "common/view.h"

namespace host {

struct ViewFiles {
  // By name; the sums of each are a file beside it.
  std::vector<std::pair<std::string, std::unique_ptr<nbd::SummedReader>>> disks;
  std::vector<std::pair<std::string, std::string>> documents;  // by name: their content
};

class View {
 public:
  // Mounts on the empty directory `at`, and serves in threads of its own until the destructor
  // unmounts.  Throws Error.
  View(const std::filesystem::path& at, ViewFiles files);

  // From now on every read of a disk fails with EIO, also one that waits now, and the document
  // failure_document says why.
  void fail(const std::string& why) { view_.fail(why); }
  // By name of their files; those of disks that were read wholly.
  std::vector<std::pair<std::string, std::string>> sums() const;
  // Empty as long as every read could be served.
  std::string failure() const { return view_.failure(); }
  bool is_over() const { return view_.is_over(); }            // taken down by somebody else
  std::chrono::seconds idle() const { return view_.idle(); }  // since the last call from outside

 private:
  ::View::Content content() const;

  ViewFiles files_;
  ::View view_;
};

// Is a view (of a living or a dead process) mounted on exactly this directory?
bool is_view(const std::filesystem::path& at);

// Takes a view off the tree, whoever reads in it and whoever served it.  Nothing if there is none.
// Throws Error when it is still there.
void unmount_view(const std::filesystem::path& at);

}  // namespace host
