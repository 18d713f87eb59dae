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
  // What there is of the chain is among `found`.
  Snapshots(const Restic& restic, const Chain& chain, const std::vector<Snapshot>& found);

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

  const Restic& restic_;
  std::vector<std::string> ids_;  // of the chain
  std::vector<std::string> now_;  // those that they have; empty: it is not there
  std::vector<std::map<std::string, std::string>> paths_;  // of the files, by name
  SideBySide dumps_;
};

}  // namespace restic
