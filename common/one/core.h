// SPDX-License-Identifier: Apache-2.0
// What a program without a request on its stdin asks the core for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/one/datastore.h"

// The datastore with this id, with its secrets in clear.
//
// Where VMVAULT_CORE_DIR is set, there is no service: <that directory>/datastores/<id>.xml is
// read. Else the core is asked, by XML-RPC as the user of ONE_AUTH (one.datastore.info; contract
// 2.10, 2.12), and has the setting CORE_TIMEOUT (90) in seconds to answer.
// Throws Error, naming the datastore and the core, or Cancelled.
Datastore datastore_from_core(int id);
Xml datastore_document_from_core(int id);  // the same as it came

// The VM and the image with this id, as they come: of <that directory>/vms/<id>.xml and
// images/<id>.xml, or of one.vm.info and one.image.info.
Xml vm_from_core(int id);
Xml image_from_core(int id);

// The URI of libvirt on that host: where VMVAULT_CORE_DIR is set, that of <that
// directory>/<uri_file(host)> if there is one; else libvirt_uri().
std::string libvirt_uri_on(const std::string& host);
// "hosts/<host>.uri": beside it are files of machines, by their numbers (left_hosts.h).
std::filesystem::path uri_file(const std::string& host);

// MiB of all backup images in the datastore, as the core accounts them.  Where VMVAULT_CORE_DIR is
// set, those of <that directory>/imagepool.xml, if there is one.  Throws as above.
std::int64_t backup_mb_from_core(int datastore_id);
