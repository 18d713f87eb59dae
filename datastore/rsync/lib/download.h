// SPDX-License-Identifier: Apache-2.0
// The bytes of a backed up disk, on stdout.
#pragma once

#include <string>

#include "common/one/chain.h"
#include "datastore/rsync/lib/store.h"

namespace rsync {

// Writes one qcow2 file that holds the disk as it was at the last increment of the URL's chain: as
// it is, if the chain is one file, else merged on the way.  What is captured is compared with its
// checksums where our caller knows them.  Error for an image that names other files.
//
// A file that is no disk's (the state of a TPM) is that of the last backup, as it is.
void stream_disk(Store& store, const DiskUrl& url);

// Writes another file of the same backup ("vm.xml"), of the last increment.  BadRequest for a name
// that is a path.
void write_document(Store& store, const DiskUrl& url, const std::string& name);

}  // namespace rsync
