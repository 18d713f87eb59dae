// SPDX-License-Identifier: Apache-2.0
// A backup image as the core describes it (element IMAGE; contract 2.9 and 4.8).
#pragma once

#include <optional>
#include <string>

#include "common/one/chain.h"
#include "common/one/xml.h"

struct Image {
  int id = -1;  // -1 in the short form that STAT sends
  std::string source;
  std::string format;
  std::string path;  // STAT: the URL of a disk
  std::optional<int> vm_id;
  std::optional<int> job_id;
  // All increments in order of their id; of an image without increments: 0:<SOURCE>.
  // nullopt when it has neither.
  std::optional<Chain> chain;

  static Image parse(const XmlNode& image);  // BadRequest for ids that are no numbers
};
