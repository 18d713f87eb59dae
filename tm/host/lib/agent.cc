// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/agent.h"

#include <libvirt/libvirt-qemu.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "common/one/action.h"

using nlohmann::json;

namespace host {
namespace {

json ask(const Domain& domain, const std::string& command, std::chrono::seconds limit) {
  const json question{{"execute", command}};
  const std::string answer = take(virDomainQemuAgentCommand(domain.get(), question.dump().c_str(),
                                                            static_cast<int>(limit.count()), 0),
                                  "ask the guest agent (" + command + ")");
  const json parsed = json::parse(answer, nullptr, false);
  if (parsed.is_discarded() || !parsed.contains("return"))
    throw Error{"the guest agent's answer to " + command + " is no answer"};
  return parsed.at("return");
}

bool is_free(const Domain& domain, Freeze how) {
  if (!is_active(domain)) return true;
  if (how == Freeze::suspend) return !state_of(domain).paused_by_user();
  return fs_status(domain, std::chrono::seconds{5}) == FsStatus::thawed;
}

// A domain that is not active here any more has ended, or has been migrated as it stood; of one
// that libvirt does not know any more nobody can tell.
void tell_of_gone(const std::optional<Domain>& domain, const std::string& uuid, Freeze how) {
  const State state = domain ? state_of(*domain) : State{};
  if (domain && !state.migrated()) return;
  const bool paused = how == Freeze::suspend;
  log(Level::error, "the guest of domain " + uuid + " was " + (paused ? "paused" : "frozen") +
                        " for its backup, and " +
                        (domain ? "was migrated meanwhile"
                                : "is not here any more: if it was migrated meanwhile") +
                        ", it may stand still where it is now: look there, and set it free with "
                        "'virsh " +
                        (paused ? "resume " : "domfsthaw ") + uuid + "'");
}

void try_once(const Domain& domain, Freeze how) {
  if (how == Freeze::suspend)
    virDomainResume(domain.get());
  else
    virDomainFSThaw(domain.get(), nullptr, 0, 0);
}

}  // namespace

void ping_agent(const Domain& domain, std::chrono::seconds limit) {
  ask(domain, "guest-ping", limit);
}

FsStatus fs_status(const Domain& domain, std::chrono::seconds limit) {
  return ask(domain, "guest-fsfreeze-status", limit) == "frozen" ? FsStatus::frozen
                                                                 : FsStatus::thawed;
}

std::chrono::seconds usual_freeze_deadline(const Domain& domain, Freeze how,
                                           std::chrono::seconds limit) noexcept {
  constexpr std::chrono::seconds usual{30}, windows{8};
  if (how != Freeze::agent) return usual;
  try {
    if (ask(domain, "guest-get-osinfo", limit).value("id", "") != "mswindows") return usual;
    log(Level::info,
        "a Windows guest: it is frozen for at most " + std::to_string(windows.count()) + " s");
    return windows;
  } catch (const std::exception&) {  // whether an agent is there at all is found out next
    return usual;
  }
}

bool set_free(Hypervisor& hypervisor, const std::string& domain_uuid, Freeze how,
              std::chrono::seconds limit) noexcept {
  const auto end = std::chrono::steady_clock::now() + limit;
  std::string why;
  do {
    try {
      const auto domain = hypervisor.find(domain_uuid);
      if (!domain || !is_active(*domain)) {
        tell_of_gone(domain, domain_uuid, how);
        return true;
      }
      if (how == Freeze::agent && state_of(*domain).paused_by_io_error()) {
        why = "qemu has paused it for an I/O error";
        break;
      }
      try_once(*domain, how);
      if (is_free(*domain, how)) return true;
      why = "it is still " + std::string{how == Freeze::suspend ? "paused" : "frozen"};
    } catch (const std::exception& e) {
      why = e.what();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
  } while (std::chrono::steady_clock::now() < end);
  log(Level::error, "the guest could not be set free: " + why);
  return false;
}

}  // namespace host
