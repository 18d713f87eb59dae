// SPDX-License-Identifier: Apache-2.0
// What the host of a guest tells of it to the bridge that has taken its disks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tm/host/lib/documents.h"
#include "tm/host/lib/result.h"

namespace host {

struct GuestReport {
  bool live = false;
  // As in the result of a backup.
  bool consistent = false;
  std::string inconsistent_why;
  double freeze_seconds = 0;
  std::string domain_xml;  // empty: libvirt knows no domain
  std::vector<Kept> kept;

  std::string to_line() const;
  // Error for anything but a report: a document is one of those that a machine has.
  static GuestReport parse(const std::string& line);
};

}  // namespace host
