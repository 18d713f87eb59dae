// SPDX-License-Identifier: Apache-2.0
// Where a restic repository is, and how restic is told so (contract 3.8.1 and 3.8.2).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/one/chain.h"
#include "common/one/datastore.h"

namespace restic {

enum class Backend {
  local,  // a directory of this machine
  sftp,   // a directory of a server, reached by ssh
  s3,     // below the name of the repository in a bucket
};

// "job_4" for a backup job's, else the VM's own id.
std::string repository_id(int vm_id, std::optional<int> job_id);

class Repository {
 public:
  // BadRequest, naming the attribute, for a configuration that cannot work.
  Repository(const Datastore& datastore, const std::string& id);

  Backend backend() const { return backend_; }
  int datastore_id() const { return datastore_id_; }
  const std::string& id() const { return id_; }
  const std::string& location() const { return location_; }  // as restic's --repo
  // The same for people: "repository '12' of datastore 100".
  std::string display() const;
  // A local one that is not there, while BASE_PATH is.
  bool was_never_made() const;

  // The options of every command, --repo among them, and those of commands that move data.
  std::vector<std::string> options() const { return options_; }
  std::vector<std::string> transfer_options() const { return transfer_options_; }
  // The most that lies in restic's temporary files while it stores something.
  std::uint64_t pack_files_mb() const;
  // The secrets and the limits of the process; also closes restic's other sources of both.
  std::map<std::string, std::string> environment() const;

  // `text` without the secrets, should a program ever quote them: as they are, on one line, or
  // escaped.
  std::string without_secrets(std::string text) const;

 private:
  void use_sftp(const Datastore& datastore);
  void use_s3(const Datastore& datastore);

  Backend backend_;
  int datastore_id_;
  std::string id_;
  std::string location_;
  std::string password_;
  std::map<std::string, std::string> s3_environment_;
  std::int64_t max_processes_;
  std::int64_t connections_ = 2;  // restic's own number for a local repository
  std::vector<std::string> options_, transfer_options_;
};

// The repository of a disk's URL: its job's, or that of the VM in its path.  Where the path names
// no VM (a machine without a core's directory layout), the local repository that has the snapshot.
std::string repository_id(const Datastore& datastore, const DiskUrl& url);

// The server's login "user@server" of an SFTP datastore, each part checked.
std::string sftp_login(const Datastore& datastore);

// RESTIC_BACKEND, in any case; BadRequest for a word that is none.
Backend parse_backend(const Datastore& datastore);

// BASE_PATH; BadRequest when it is empty.
std::filesystem::path base_path(const Datastore& datastore);

}  // namespace restic
