// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/backup_image.h"

#include "common/error.h"

namespace {

XmlNode element(const Xml& request, const std::string& name) {
  if (const auto node = request.root().first(name)) return *node;
  throw BadRequest{"the request has no " + name};
}

}  // namespace

BackupImage::BackupImage(const Xml& request)
    : datastore_{element(request, "DATASTORE")}, image_{Image::parse(element(request, "IMAGE"))} {}

int BackupImage::vm_id() const {
  if (image_.vm_id) return *image_.vm_id;
  throw BadRequest{display() + " names no VM"};
}

const Chain& BackupImage::chain() const {
  if (image_.chain) return *image_.chain;
  throw BadRequest{display() + " has neither increments nor a SOURCE"};
}

DiskUrl BackupImage::url() const {
  auto url = DiskUrl::parse(image_.path);
  if (!url.job_id) url.job_id = image_.job_id;
  return url;
}
