// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/api.h"

#include <ctime>

#include "common/error.h"
#include "drivers/lib/facts.h"
#include "drivers/vmvaultd/lib/api_methods.h"
#include "drivers/vmvaultd/lib/pools.h"
#include "drivers/vmvaultd/lib/refusals.h"

namespace api {
namespace {

// "[one.vm.info] there is no VM 5", as the core words it.
Failure named(const std::string& method, Code code, const std::string& text, int object = -1) {
  return {code, "[" + method + "] " + text, object};
}

}  // namespace

// A state file of one's own, as long as it lives.
class Api::Lease {
 public:
  explicit Lease(Api& api) : api_{api} {
    const std::lock_guard lock{api_.mutex_};
    if (api_.stores_.empty()) return;
    store_ = std::move(api_.stores_.back());
    api_.stores_.pop_back();
  }
  Lease(const Lease&) = delete;
  ~Lease() {
    if (!store_) return;
    const std::lock_guard lock{api_.mutex_};
    api_.stores_.push_back(std::move(store_));
  }
  state::Store& store() {
    if (!store_) store_ = std::make_unique<state::Store>(api_.world_.home.database());
    return *store_;
  }

 private:
  Api& api_;
  std::unique_ptr<state::Store> store_;
};

Api::Api(World world, vmvaultd::ServerAccount account)
    : world_{std::move(world)}, logins_{std::move(account)} {}

std::string Api::answer(std::string_view body, const std::string& way) {
  try {
    return carry_out(body, way);
  } catch (const WrongArguments& error) {
    return fault(fault_type, one_line(error.what()));
  } catch (const BadRequest& error) {
    return fault(fault_parse, one_line(error.what()));
  } catch (const std::exception& error) {
    world_.log('E', std::string{"the API: "} + error.what());
    return fault(fault_parse, "the service cannot answer");
  }
}

std::string Api::carry_out(std::string_view body, const std::string& way) {
  const auto call = parse_call(body);
  const auto method = all_methods().find(call.method);
  if (method == all_methods().end())
    return fault(fault_no_method, "there is no method '" + one_line(call.method) + "'");
  const auto& session = call.text(0);
  Lease lease{*this};
  try {
    auto users = state::Users{lease.store()};
    const auto caller = logins_.who(users, session, way, std::time(nullptr));
    Request request{call, caller, lease.store(), world_};
    return success(method->second(request));
  } catch (const Failure& error) {
    return failure(named(call.method, error.code, error.what(), error.object));
  } catch (const vmvaultd::NotAuthenticated& error) {
    world_.log('W', "a log-in over " + way + " as '" +
                        one_line(session.substr(0, session.find(':')).substr(0, 64)) +
                        "' was refused");
    return failure(named(call.method, Code::authentication, error.what()));
  } catch (const vmvaultd::NoSuchObject& error) {
    return failure(named(call.method, Code::no_exists, error.what()));
  } catch (const vmvaultd::WrongState& error) {
    return failure(named(call.method, Code::action, error.what()));
  } catch (const WrongArguments&) {
    throw;
  } catch (const BadRequest& error) {
    return failure(named(call.method, Code::api, error.what()));
  } catch (const Error& error) {
    world_.log('E', call.method + ": " + error.what());
    return failure(named(call.method, Code::internal, error.what()));
  }
}

std::optional<std::string> Api::metrics() {
  if (!world_.measure) return std::nullopt;
  auto measured = world_.inbox.call(world_.measure).get();
  Lease lease{*this};
  measured.vms = state::vm_facts(lease.store(), measured.now);
  measured.hosts = vmvaultd::Pools{lease.store()}.hosts();
  for (const auto& one : lease.store().datastores()) {
    vmvaultd::DatastoreSpace space{.id = one.id, .name = one.name};
    if (const auto found = lease.store().space(one.id); found.time != 0) {
      space.used_mb = found.used_mib;
      space.free_mb = found.free_mib;
      space.total_mb = found.total_mib;
    }
    measured.datastores.push_back(std::move(space));
  }
  return vmvaultd::metrics(measured);
}

void Request::need_admin() const {
  if (!caller_.admin)
    throw Failure{Code::authorization, "User [" + std::to_string(caller_.id) +
                                           "] : Not authorized: this is for administrators"};
}

void Request::need_right_to(int priority) const {
  constexpr int most_of_users = 50;
  if (priority > most_of_users) need_admin();
}

void Request::need(state::Owned what, int id) {
  const auto owner = users().owner(what, id);
  if (!owner) throw no_such(kind_of(what), id);
  if (!caller_.owns(*owner))
    throw Failure{Code::authorization,
                  "User [" + std::to_string(caller_.id) + "] : Not authorized to use " +
                      kind_of(what) + " [" + std::to_string(id) + "]",
                  id};
}

void Request::need_image(int id) {
  const bool is_disk = users().owner(state::Owned::disk_image, id).has_value();
  need(is_disk ? state::Owned::disk_image : state::Owned::image, id);
}

const Methods& all_methods() {
  static const auto& all = *[] {
    auto* made = new Methods;
    add_system_methods(*made);
    add_user_methods(*made);
    add_vm_methods(*made);
    add_image_methods(*made);
    add_restore_methods(*made);
    add_job_methods(*made);
    add_place_methods(*made);
    return made;
  }();
  return all;
}

const char* kind_of(state::Owned what) {
  constexpr const char* names[] = {"VM", "IMAGE", "BACKUPJOB", "IMAGE", "TEMPLATE"};
  return names[static_cast<int>(what)];
}

Failure no_such(const std::string& kind, int id) {
  return {Code::no_exists, "Error getting " + kind + " [" + std::to_string(id) + "].", id};
}

}  // namespace api
