// SPDX-License-Identifier: Apache-2.0
// Makes one increment of the oldest ones of a chain, on a server that allows only SFTP: they are
// read from there, and what becomes of them is written there.  Names and order of the steps are
// those of server_flatten.h; the directories change places by two renames.
#pragma once

#include <memory>
#include <string>

#include "datastore/rsync/lib/sftp_chain.h"

namespace rsync {

// The reply of increment_flatten; `known` as in server_flatten.h.  Throws Error, Cancelled; a rerun
// goes on to the same end.
std::string sftp_flatten(std::shared_ptr<Sftp> sftp, const std::string& directory,
                         const Chain& chain, int keep, const Texts& known);

}  // namespace rsync
