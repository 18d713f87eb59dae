// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/image.h"

#include "common/error.h"

namespace restic {
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
  throw BadRequest{"image " + std::to_string(image_.id) + " names no VM"};
}

const Chain& BackupImage::chain() const {
  if (image_.chain) return *image_.chain;
  throw BadRequest{"image " + std::to_string(image_.id) + " has neither increments nor a SOURCE"};
}

Restic BackupImage::open() const {
  if (!image_.job_id && !image_.vm_id)
    throw BadRequest{"image " + std::to_string(image_.id) + " names neither a VM nor a backup job"};
  return {datastore_, repository_id(image_.vm_id.value_or(-1), image_.job_id), Machine{}};
}

DiskUrl BackupImage::url() const {
  auto url = DiskUrl::parse(image_.path);
  if (!url.job_id) url.job_id = image_.job_id;
  return url;
}

}  // namespace restic
