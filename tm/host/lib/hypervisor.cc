// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/hypervisor.h"

#include <libvirt/virterror.h>

#include <cstdlib>

namespace host {
namespace {

std::string words() {
  const virError* error = virGetLastError();
  return error && error->message ? one_line(error->message) : "libvirt does not say why";
}

int last_code() {
  const virError* error = virGetLastError();
  return error ? error->code : VIR_ERR_OK;
}

}  // namespace

VirtError::VirtError(const std::string& doing)
    : Error{"cannot " + doing + ": " + words()}, code_{last_code()} {}

Hypervisor::Hypervisor(std::string uri) : uri_{std::move(uri)} {
  virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});  // libvirt would print to stderr
  connection();
}

virConnect* Hypervisor::connection() {
  if (!connection_ || virConnectIsAlive(connection_.get()) != 1) {
    connection_.reset(virConnectOpen(uri_.c_str()));
    if (!connection_) throw VirtError{"connect to libvirt at " + uri_};
  }
  return connection_.get();
}

void Hypervisor::after_fork() {
  static_cast<void>(connection_.release());  // closing it would end the parent's session
  connection();
}

// A dead connection shows only when it is used (nothing here runs libvirt's event loop), so a
// failed look-up is tried once more on a new one.
std::optional<Domain> Hypervisor::find(const std::string& name_or_uuid) {
  try {
    return look_up(name_or_uuid);
  } catch (const VirtError&) {
    connection_.reset();
  }
  return look_up(name_or_uuid);
}

std::optional<Domain> Hypervisor::look_up(const std::string& name_or_uuid) {
  virConnect* to = connection();
  Domain domain;
  if (name_or_uuid.size() == VIR_UUID_STRING_BUFLEN - 1)
    domain.reset(virDomainLookupByUUIDString(to, name_or_uuid.c_str()));
  if (!domain) domain.reset(virDomainLookupByName(to, name_or_uuid.c_str()));
  // The look-up may be answered from the client's memory; the state is not.
  int state = 0;
  if (domain && virDomainGetState(domain.get(), &state, nullptr, 0) == 0) return domain;
  if (last_code() == VIR_ERR_NO_DOMAIN) return std::nullopt;
  throw VirtError{"look up the domain '" + name_or_uuid + "'"};
}

Domain Hypervisor::get(const std::string& name_or_uuid) {
  if (auto domain = find(name_or_uuid)) return *std::move(domain);
  throw Error{"libvirt at " + uri_ + " knows no domain '" + name_or_uuid + "'"};
}

std::string Hypervisor::host_uuid() {
  const std::string xml = take(virConnectGetCapabilities(connection()), "ask libvirt for its host");
  const auto begin = xml.find("<uuid>");
  const auto end = xml.find("</uuid>");
  if (begin == xml.npos || end == xml.npos) return "";
  return xml.substr(begin + 6, end - begin - 6);
}

std::string uuid_of(const Domain& domain) {
  char text[VIR_UUID_STRING_BUFLEN];
  if (virDomainGetUUIDString(domain.get(), text) != 0) throw VirtError{"ask for a domain's UUID"};
  return text;
}

bool is_active(const Domain& domain) {
  const int active = virDomainIsActive(domain.get());
  if (active < 0) throw VirtError{"ask whether a domain runs"};
  return active == 1;
}

State state_of(const Domain& domain) {
  State state;
  if (virDomainGetState(domain.get(), &state.state, &state.reason, 0) != 0)
    throw VirtError{"ask for a domain's state"};
  return state;
}

std::string take(char* text, const std::string& doing) {
  if (!text) throw VirtError{doing};
  std::string out{text};
  std::free(text);
  return out;
}

}  // namespace host
