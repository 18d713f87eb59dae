// SPDX-License-Identifier: Apache-2.0
// What `restore` makes of a backed up VM: texts for the core, which allocates the objects (contract
// 5.6 and 7.5).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/one/chain.h"
#include "common/one/template.h"
#include "common/one/xml.h"

// The template of the image of one disk.  `base` begins its name.
std::string image_template(const std::string& base, const DiskUrl& url);

struct RestoredVm {
  std::string name;
  std::map<int, int> images;  // of the restored disks: image id by disk id
  bool no_ip = false, no_nic = false;
  std::string tpm;  // the archive with the state of a TPM; empty: there is none
};

// The template of a VM like `vm` (element VM, as in the backup).  A disk that is not in the backup
// is an empty one again if it was volatile, keeps its image if that was shared or a CD, and else is
// left out, which the log says.
one::Template vm_template(const XmlNode& vm, const RestoredVm& restored);

// Template text as the core's API clients write it; XML where a value ends in a backslash, which
// the text cannot hold.  BadRequest for an attribute whose name is none.
std::string to_client_text(const one::Template& attributes);
