// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/served.h"

#include <unistd.h>

#include <sstream>

#include "common/base64.h"
#include "common/error.h"
#include "common/one/xml.h"

namespace fs = std::filesystem;

namespace front {
namespace {

bool is_there(const fs::path& executable) { return access(executable.c_str(), X_OK) == 0; }

bool is_name(const std::string& text) {
  return !text.empty() && text.front() != '.' && text.find('/') == text.npos;
}

}  // namespace

bool serves(const std::string& payload, const fs::path& remotes) try {
  const Xml message{base64_decode(payload)};
  std::istringstream words{message.find("TM_COMMAND").value_or("")};
  std::string verb, tm;
  words >> verb >> tm;
  const std::string ds = message.find("DATASTORE/DS_MAD").value_or("");
  const auto interactive = message.find("VM/BACKUPS/BACKUP_CONFIG/INTERACTIVE").value_or("NO");
  return verb == "BACKUP" && is_name(tm) && is_name(ds) && interactive != "YES" &&
         is_there(remotes / "tm" / tm / "recover") &&
         is_there(remotes / "datastore" / ds / "discard") && is_there(remotes / "vmm/kvm/backup");
} catch (const Error&) {
  return false;
}

}  // namespace front
