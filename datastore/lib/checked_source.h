// SPDX-License-Identifier: Apache-2.0
// Restores that notice on the way what is not what was backed up.
#pragma once

#include <string>

#include "common/qcow2/stream.h"

// The same bytes, but an Error instead of the end of the first piece that differs from the
// checksums of its capture.  Where our caller knows them: in sums.<disk>.<increment> in the
// directory that VMVAULT_SUMS names.  Otherwise `source` itself.
qcow2::Source checked(const std::string& disk_file, qcow2::Source source);
