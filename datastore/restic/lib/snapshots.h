// SPDX-License-Identifier: Apache-2.0
// The snapshots of a chain, for one who verifies them.
#pragma once

#include <vector>

#include "datastore/lib/verification.h"
#include "datastore/restic/lib/restic.h"
#include "datastore/restic/lib/side_by_side.h"

namespace restic {

class Snapshots : public StoredChain {
 public:
  Snapshots(const Restic& restic, const Chain& chain);

  std::string check() override;
  std::string name(std::size_t i) const override { return "the snapshot " + ids_[i]; }
  std::optional<Sizes> files(std::size_t i, std::string& problem) override;
  std::optional<std::string> document(std::size_t i, const std::string& file,
                                      std::string& problem) override;
  qcow2::Source open(std::size_t i, const std::string& file) override;
  bool is_vm(const std::string& text) const override;
  void insist() override { restic_.insist(); }

 private:
  std::optional<std::string> ask(const std::vector<std::string>& args, const std::string& what,
                                 std::string& problem) const;
  bool is_there(std::size_t i);

  const Restic& restic_;
  std::vector<std::string> ids_;
  std::optional<std::vector<Snapshot>> found_;
  std::vector<std::map<std::string, std::string>> paths_;  // of the files, by name
  SideBySide dumps_;
};

}  // namespace restic
