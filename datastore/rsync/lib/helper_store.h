// SPDX-License-Identifier: Apache-2.0
// The store of a server on which our executable runs (protocol.h).
#pragma once

#include <string>
#include <vector>

#include "common/error.h"
#include "datastore/rsync/lib/link_wait.h"
#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/store.h"

namespace rsync {

// Nothing of ours can be run there; thrown by the first call, which has changed nothing.
struct NoHelper : Error {
  using Error::Error;
};

class HelperStore : public Store {
 public:
  explicit HelperStore(const Settings& settings);

  Space space() override;
  Listing list(int vm, const std::vector<std::string>& names, Care care) override;
  qcow2::Source open(int vm, const std::string& name, const std::string& file) override;
  std::size_t most_open() const override { return 8; }  // sshd takes ten at once (MaxStartups)
  void remove(int vm, const std::vector<std::string>& names, Care care) override;
  std::string flatten(int vm, const Chain& chain, int keep, const Texts& known) override;
  std::string verify(int vm, const Chain& chain, const std::string& depth,
                     const Texts& known) override;
  std::optional<std::filesystem::path> directory(int vm) const override;
  std::vector<std::string> server() const override;

 private:
  qcow2::Source open_merged(int vm, const Chain& chain, int disk) override;

  struct Answer;
  Request about_vm(const std::string& doing, int vm) const;
  // Error unless it succeeds: what it said on its stdout.
  std::string ask(const Request& request, Terms terms);
  Answer try_once(const Request& request, Terms terms) const;
  void insist_on_helper();
  qcow2::Source stream(const Request& request);
  Error failure(const std::string& said, int status) const;

  std::string path_;
  bool runs_ = false;  // it has answered
};

}  // namespace rsync
