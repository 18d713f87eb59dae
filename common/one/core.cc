// SPDX-License-Identifier: Apache-2.0
#include "common/one/core.h"

#include <cstdlib>

#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "common/one/rpc.h"

namespace {

std::chrono::seconds time_limit() {
  const auto text = setting("CORE_TIMEOUT");
  if (!text) return std::chrono::seconds{90};
  if (const auto seconds = parse_int(*text, 1, 3600)) return std::chrono::seconds{*seconds};
  throw Error{"the setting CORE_TIMEOUT is not a number of seconds from 1 to 3600"};
}

Xml parse(const std::string& text, int id) {
  Xml document{text};
  const Datastore datastore{document.root()};
  if (datastore.id() != id)
    throw Error{"the answer describes datastore " + std::to_string(datastore.id())};
  return document;
}

}  // namespace

Datastore datastore_from_core(int id) { return Datastore{datastore_document_from_core(id).root()}; }

Xml datastore_document_from_core(int id) {
  const char* directory = getenv("VMVAULT_CORE_DIR");
  const bool service = !directory || !*directory;
  std::string where;
  try {
    if (!service) {
      const auto path = normal_path(directory) / "datastores" / (std::to_string(id) + ".xml");
      where = path;
      return parse(read_file(path), id);
    }
    const Core core = Core::from_environment();
    where = core.name();
    return parse(core.info("one.datastore.info", id, time_limit()), id);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    throw Error{"cannot read datastore " + std::to_string(id) +
                (where.empty() ? "" : " from '" + where + "'") + ": " + e.what()};
  }
}
