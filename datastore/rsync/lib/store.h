// SPDX-License-Identifier: Apache-2.0
// The backups on the server, whichever way it lets us in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/one/chain.h"
#include "common/qcow2/stream.h"
#include "datastore/lib/space.h"
#include "datastore/lib/verification.h"
#include "datastore/rsync/lib/settings.h"

namespace rsync {

// Whether a call may be cancelled, or is part of undoing something: then it must end soon.
enum class Care { cancellable, undo };

// Every call throws Error, naming the server, and Cancelled.
class Store {
 public:
  using Sizes = std::map<std::string, std::uint64_t>;  // of files, by name
  using Listing = std::map<std::string, Sizes>;        // of backups, by name

  explicit Store(Settings settings) : settings_{std::move(settings)} {}
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  const Settings& settings() const { return settings_; }

  virtual Space space() = 0;  // makes BASE_PATH if need be

  // Those of the names that are there; without names: all of the VM.
  virtual Listing list(int vm, const std::vector<std::string>& names,
                       Care care = Care::cancellable) = 0;
  // The same for a chain, of which everything must be there that is read (from_last_merged()): what
  // is read, and its listing.
  struct Found {
    Chain chain;
    Listing files;
    bool is_merged(const Increment& increment) const;
  };
  Found find(int vm, const Chain& chain);

  // The bytes of a file.
  virtual qcow2::Source open(int vm, const std::string& name, const std::string& file) = 0;
  // So many may be open at a time: each may cost a connection.
  virtual std::size_t most_open() const = 0;
  std::string read(int vm, const std::string& name, const std::string& file);  // a small one

  // What is gone already is no error.  Leftovers of dead uploads of the VM go, too.
  virtual void remove(int vm, const std::vector<std::string>& names,
                      Care care = Care::cancellable) = 0;

  // One qcow2 file with the disk as it was at the end of the chain: of sequential layout, or, if
  // the chain is one qcow2 file, as it is.
  qcow2::Source open_disk(int vm, const Found& found, int disk);

  // The first increments of the chain become the last of them, so that `keep` are left.  `known`:
  // checksums of the captures, which count more than those on the server.  Returns the reply of
  // increment_flatten.
  virtual std::string flatten(int vm, const Chain& chain, int keep, const Texts& known) = 0;

  // The reply of verify.  `known`: see Verification.
  virtual std::string verify(int vm, const Chain& chain, const std::string& depth,
                             const Texts& known) = 0;

  // Where the files lie, if that is on this machine and we may read them.
  virtual std::optional<std::filesystem::path> directory(int vm) const = 0;

  // What an upload starts on the server; empty: it has to do with SFTP.
  virtual std::vector<std::string> server() const = 0;

 private:
  // Of sequential layout.
  virtual qcow2::Source open_merged(int vm, const Chain& chain, int disk) = 0;

  Settings settings_;
};

// The file of a disk; an Error that names the increment if it has none.
std::string disk_file_of(const Store::Sizes& files, int disk, const Increment& increment);

// Calls `use` with the store of the datastore: through our server executable, which is brought to
// the server if need be, or through SFTP where that cannot run.
void with_store(const Settings& settings, const std::function<void(Store&)>& use);

}  // namespace rsync
