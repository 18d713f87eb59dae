// SPDX-License-Identifier: Apache-2.0
#include "common/one/core.h"

#include <cstdlib>
#include <filesystem>
#include <optional>

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

std::optional<std::filesystem::path> directory_instead_of_service() {
  const char* directory = getenv("VMVAULT_CORE_DIR");
  if (!directory || !*directory) return std::nullopt;
  return normal_path(directory);
}

// The images of an IMAGE_POOL that hold the backups of a datastore.
class Page {
 public:
  Page(const std::string& text, int datastore_id) {
    constexpr int backup = 6;
    const Xml pool{text};
    for (const auto& image : pool.root().find_all("IMAGE")) {
      ++images_;
      if (image.number_at("DATASTORE_ID") != datastore_id || image.number_at("TYPE") != backup)
        continue;
      mb_ += image.number_at("SIZE");
    }
  }
  int images() const { return images_; }
  std::int64_t mb() const { return mb_; }

 private:
  int images_ = 0;
  std::int64_t mb_ = 0;
};

std::int64_t sum_of_pages(const Core& core, int datastore_id) {
  constexpr int page_size = 500, most_pages = 10'000;  // of a core that knows no pages
  std::int64_t mb = 0;
  for (int n = 0; n < most_pages; ++n) {
    const Page page{core.images(n * page_size, page_size, time_limit()), datastore_id};
    mb += page.mb();
    if (page.images() != page_size) return mb;
  }
  throw Error{"it never ends"};
}

// What is asked for, by the words of messages, files and methods.
struct Kind {
  const char *name, *root, *directory, *method;
  bool open;  // with its secrets
};
constexpr Kind datastores{"datastore", "DATASTORE", "datastores", "one.datastore.info", true};
constexpr Kind vms{"VM", "VM", "vms", "one.vm.info", false};
constexpr Kind images{"image", "IMAGE", "images", "one.image.info", false};

Xml parse(const std::string& text, const Kind& kind, int id) {
  Xml document{text};
  const auto found =
      document.root().name() == kind.root ? document.root().find_number("ID") : std::nullopt;
  if (found != id)
    throw Error{std::string{"the answer describes "} +
                (found ? std::string{kind.name} + " " + std::to_string(*found)
                       : "no " + std::string{kind.name})};
  return document;
}

Xml ask(const Kind& kind, int id) {
  std::string where;
  try {
    if (const auto directory = directory_instead_of_service()) {
      const auto path = *directory / kind.directory / (std::to_string(id) + ".xml");
      where = path;
      return parse(read_file(path), kind, id);
    }
    const Core core = Core::from_environment();
    where = core.name();
    return parse(kind.open ? core.info(kind.method, id, time_limit())
                           : core.closed_info(kind.method, id, time_limit()),
                 kind, id);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    throw Error{"cannot read " + std::string{kind.name} + " " + std::to_string(id) +
                (where.empty() ? "" : " from '" + where + "'") + ": " + e.what()};
  }
}

}  // namespace

Datastore datastore_from_core(int id) { return Datastore{datastore_document_from_core(id).root()}; }

Xml datastore_document_from_core(int id) { return ask(datastores, id); }

Xml vm_from_core(int id) { return ask(vms, id); }

Xml image_from_core(int id) { return ask(images, id); }

std::filesystem::path uri_file(const std::string& host) {
  return std::filesystem::path{"hosts"} / (host + ".uri");
}

std::string libvirt_uri_on(const std::string& host) {
  const auto directory = directory_instead_of_service();
  if (!directory || host.find('/') != host.npos || host.starts_with('.')) return libvirt_uri();
  const auto noted = read_file_if_any(*directory / uri_file(host));
  return noted ? noted->substr(0, noted->find('\n')) : libvirt_uri();
}

std::int64_t backup_mb_from_core(int datastore_id) try {
  if (const auto directory = directory_instead_of_service()) {
    const auto pool = read_file_if_any(*directory / "imagepool.xml");
    return pool ? Page{*pool, datastore_id}.mb() : 0;
  }
  return sum_of_pages(Core::from_environment(), datastore_id);
} catch (const Cancelled&) {
  throw;
} catch (const Error& e) {
  throw Error{"cannot read the images of datastore " + std::to_string(datastore_id) + ": " +
              e.what()};
}
