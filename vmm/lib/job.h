// SPDX-License-Identifier: Apache-2.0
// What a BACKUP or BACKUPCANCEL message asks for (contract 1.4, 1.8 and 2.7), checked at the door.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/one/location.h"
#include "common/one/xml.h"

namespace vmm {

struct Job {
  int vm_id = -1;
  std::string tm_mad;  // names of drivers: they become part of a path
  std::string ds_mad;
  int datastore_id = -1;       // where to; -1: the request does not say
  int last_increment_id = -1;  // of the chain that this backup continues ...
  int chain_id = -1;           // ... and the image that holds it, as far as the core says
  // What the newest backup on record is called in its datastore; empty: there is none.  OpenNebula
  // does not say.
  std::optional<std::string> last_source{};
  bool live = false;               // of a running VM
  Location location;               // where the VM lies
  std::vector<std::string> words;  // of the TM command, as they came: the arguments of every step

  // BadRequest, naming the element, for whatever is missing or not what it should be, also when
  // the request is not about this VM.  TM_COMMAND is split on blanks: an empty field there would
  // shift all that follow, so each word is checked for what it must be.
  static Job backup(const XmlNode& message, std::int64_t vm_id);
  static Job cancel(const XmlNode& message, std::int64_t vm_id);
};

enum class Result { success, failure };

// What the steps get on stdin (contract 2.6).  A failure is told to the step that undoes (1.7).
std::string vm_document(const XmlNode& message, Result result);
std::string datastore_document(const XmlNode& message);
std::string datastore_document(const XmlNode& datastore, const XmlNode& message);

// A driver's name that is no path and no option.
bool is_driver_name(std::string_view name);

}  // namespace vmm
