// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/hypervisor.h"

#include <libvirt/virterror.h>

#include <cerrno>
#include <cstdlib>

#include "common/error.h"
#include "drivers/lib/document.h"
#include "drivers/lib/guest.h"
#include "drivers/lib/host_uri.h"

namespace guest {
namespace {

void quiet(void*, virErrorPtr) {}

std::string libvirts_words() {
  const auto* error = virGetLastError();
  return one_line(error && error->message ? error->message : "no reason given");
}

std::string remedy() {
  const auto* error = virGetLastError();
  const int code = error ? error->code : 0;
  const int cause = code == VIR_ERR_SYSTEM_ERROR ? error->int1 : 0;
  if (code == VIR_ERR_AUTH_FAILED || code == VIR_ERR_AUTH_CANCELLED ||
      code == VIR_ERR_AUTH_UNAVAILABLE || code == VIR_ERR_ACCESS_DENIED || cause == EACCES)
    return " (run it as root; your own session's domains: --connect qemu:///session)";
  if (cause == ENOENT || cause == ECONNREFUSED)
    return " (is libvirtd running? systemctl start libvirtd; --connect names another URI)";
  return "";
}

std::string description_of(virDomain* domain, const std::string& name) {
  struct Freed {
    char* text;
    ~Freed() { std::free(text); }
  } const description{virDomainGetXMLDesc(domain, 0)};
  if (!description.text)
    throw Error{"cannot read the description of domain '" + name + "': " + libvirts_words()};
  return description.text;
}

}  // namespace

Hypervisor::Hypervisor(const std::string& uri, Where where) : uri_{uri} {
  const auto place = parse_host_uri(uri);
  if (!place.is_here() && where == Where::here)
    throw BadRequest{"'" + uri + "' is another machine: run vmvault there, where the disks are"};
  // Its own handler prints to stderr; and it must be initialised before anything else.
  virInitialize();
  virSetErrorFunc(nullptr, quiet);
  connection_.reset(virConnectOpen(place.to_ask.c_str()));
  if (!connection_)
    throw Error{"cannot reach libvirt at '" + uri + "': " + libvirts_words() +
                (place.is_here() ? remedy() : "")};
}

Hypervisor::Domain Hypervisor::look_up(const std::string& domain) const {
  Domain found{virDomainLookupByName(connection_.get(), domain.c_str())};
  const auto gone = [&] {
    const auto* error = virGetLastError();
    return !found && error && error->code == VIR_ERR_NO_DOMAIN;
  };
  if (gone() && domain.size() == 36)
    if (Domain other{virDomainLookupByUUIDString(connection_.get(), domain.c_str())}) return other;
  if (!domain.empty() && domain.size() < 10 &&
      domain.find_first_not_of("0123456789") == domain.npos && !found)
    if (Domain other{virDomainLookupByID(connection_.get(), std::atoi(domain.c_str()))})
      return other;
  if (found) return found;
  throw Error{"there is no domain '" + domain + "' at '" + uri_ + "': " + libvirts_words() +
              " ('virsh --connect " + uri_ + " list --all' shows what there is)"};
}

FoundDomain Hypervisor::find(const std::string& domain) const {
  const Domain found = look_up(domain);
  return {.xml = description_of(found.get(), domain),
          .active = virDomainIsActive(found.get()) == 1,
          .persistent = virDomainIsPersistent(found.get()) != 0};
}

std::vector<NamedDomain> Hypervisor::all() const {
  virDomainPtr* list = nullptr;
  const int count =
      virConnectListAllDomains(connection_.get(), &list, VIR_CONNECT_LIST_DOMAINS_PERSISTENT);
  if (count < 0) throw Error{"cannot list the domains at '" + uri_ + "': " + libvirts_words()};
  std::vector<Domain> domains;
  for (int i = 0; i < count; ++i) domains.emplace_back(list[i]);
  std::free(list);
  std::vector<NamedDomain> all;
  for (const auto& domain : domains) {
    char uuid[VIR_UUID_STRING_BUFLEN];
    const char* name = virDomainGetName(domain.get());
    if (!name || virDomainGetUUIDString(domain.get(), uuid) != 0) continue;
    try {
      const auto description = description_of(domain.get(), name);
      if (!parse(read_document(description, name).root()).opennebulas)
        all.push_back({.uuid = uuid, .name = name, .active = virDomainIsActive(domain.get()) == 1});
    } catch (const Error&) {  // it is undefined at this moment
    }
  }
  // Unless it is libvirt that is gone: then none of them is.
  if (virConnectIsAlive(connection_.get()) != 1)
    throw Error{"cannot list the domains at '" + uri_ + "': the connection was lost"};
  return all;
}

}  // namespace guest
