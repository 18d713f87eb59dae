// SPDX-License-Identifier: Apache-2.0
// The action `restore` of every backup datastore: a backup becomes images, and a template of a VM
// that uses them (contract 3.8.6 and 5.6).
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/one/action.h"
#include "common/one/chain.h"
#include "common/one/xml.h"

namespace restored {

// What a store holds of the increment that is restored.
struct Increment {
  std::string protocol;                      // of its URLs: "restic"
  std::vector<std::filesystem::path> files;  // disk.* and others, as URLs name them
  std::function<std::string(const std::filesystem::path&)> read;  // one of the documents in `files`
};

// The store's part: the last increment of this chain, of the image in the request.
using Open = std::function<Increment(const Xml& request, const Chain& chain)>;

inline constexpr std::string_view description =
    "The objects are made as the user of C<TEMPLATE/USERNAME>, with his rights and quotas.  "
    "C<INCREMENT_ID> ends the chain there, C<DISK_ID> restores that disk alone and no template, "
    "C<NAME> begins the names, C<NO_IP> and C<NO_NIC> take addresses or interfaces out.\n\n"
    "When an object cannot be made, those before it are removed again; what could not be removed "
    "is named.";

// "<template id or -1> <image id>...", once all of them are made.  When one fails, or a
// cancellation comes, or the core has stopped waiting (the setting RESTORE_LIMIT), those that were
// made are deleted; the Error names what could not be.
std::string restore(const Request& request, const Open& open);

}  // namespace restored
