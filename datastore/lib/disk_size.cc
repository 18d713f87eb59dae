// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/disk_size.h"

#include <string>

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/xml.h"

std::int64_t disk_size_mb(std::string_view vm_xml, int disk_id) {
  const Xml vm{base64_decode(vm_xml)};
  for (const auto& disk : vm.root().find_all("TEMPLATE/DISK"))
    if (parse_int(disk.find("DISK_ID").value_or("")) == disk_id) return disk.number_at("SIZE");
  throw Error{"the VM of the backup has no disk " + std::to_string(disk_id)};
}
