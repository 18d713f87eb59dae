// SPDX-License-Identifier: Apache-2.0
// The backup image of a request, and its datastore.
#pragma once

#include <optional>
#include <string>

#include "common/one/datastore.h"
#include "common/one/image.h"

// From a DS_DRIVER_ACTION_DATA with IMAGE and DATASTORE.  BadRequest when one of them is missing.
class BackupImage {
 public:
  explicit BackupImage(const Xml& request);

  const Datastore& datastore() const { return datastore_; }
  const std::string& format() const { return image_.format; }
  std::optional<int> job_id() const { return image_.job_id; }
  bool has_vm() const { return image_.vm_id.has_value(); }
  int vm_id() const;  // BadRequest when the image names none
  bool has_chain() const { return image_.chain.has_value(); }
  const Chain& chain() const;  // BadRequest when the image names no snapshot

  // "image 57"
  std::string display() const { return "image " + std::to_string(image_.id); }

  // PATH of the short form that STAT sends.
  DiskUrl url() const;

 private:
  Datastore datastore_;
  Image image_;
};
