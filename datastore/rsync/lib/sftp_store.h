// SPDX-License-Identifier: Apache-2.0
// The store of a server that allows only SFTP.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datastore/rsync/lib/session_pool.h"
#include "datastore/rsync/lib/sftp_chain.h"
#include "datastore/rsync/lib/store.h"

namespace rsync {

class SftpStore : public Store {
 public:
  explicit SftpStore(const Settings& settings)
      : Store{settings}, sessions_{settings.target, Terms{}} {}

  Space space() override;
  Listing list(int vm, const std::vector<std::string>& names, Care care) override;
  qcow2::Source open(int vm, const std::string& name, const std::string& file) override;
  std::size_t most_open() const override { return 8; }  // a channel each
  void remove(int vm, const std::vector<std::string>& names, Care care) override;
  std::string flatten(int vm, const Chain& chain, int keep, const Texts& known) override;
  std::string verify(int vm, const Chain& chain, const std::string& depth,
                     const Texts& known) override;
  std::optional<std::filesystem::path> directory(int) const override { return std::nullopt; }
  std::vector<std::string> server() const override { return {}; }

 private:
  qcow2::Source open_merged(int vm, const Chain& chain, int disk) override;
  std::shared_ptr<Sftp> connect(Care care = Care::cancellable);
  Sftp& sftp(Care care);
  std::string path(int vm) const;

  SessionPool sessions_;
  std::shared_ptr<Sftp> sftp_;
};

}  // namespace rsync
