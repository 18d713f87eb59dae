// SPDX-License-Identifier: Apache-2.0
// The methods by their names, and what each of them works with.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "common/one/template.h"
#include "drivers/lib/answers.h"
#include "drivers/vmvaultd/lib/api.h"
#include "drivers/vmvaultd/lib/api_call.h"

namespace api {

// One call of somebody who is known.  Arguments count from 1: the session is 0.
class Request {
 public:
  Request(const Call& call, const vmvaultd::Caller& caller, state::Store& store, const World& world)
      : call_{call}, caller_{caller}, store_{store}, world_{world} {}

  const vmvaultd::Caller& caller() const { return caller_; }
  state::Store& store() { return store_; }
  state::Users users() { return state::Users{store_}; }
  state::Views views() { return state::Views{store_}; }
  state::Answers answers() { return {store_, world_.home}; }
  const World& world() const { return world_; }

  const std::string& text(std::size_t at) const { return call_.text(at); }
  int number(std::size_t at) const { return call_.number(at); }
  const Call& call() const { return call_; }

  // Throw a Failure.
  void need_admin() const;
  void need(state::Owned what, int id);
  void need_vm(int id) { need(state::Owned::vm, id); }
  void need_image(int id);  // a backup, or a disk that was made of one
  void need_job(int id) { need(state::Owned::job, id); }
  // A PRIORITY before those of others is for admins.
  void need_right_to(int priority) const;

  // In the service's loop; throws what it throws.
  template <class Work>
  auto order(Work work) {
    return world_.inbox.call([this, &work] { return work(world_.orders); }).get();
  }

 private:
  const Call& call_;
  const vmvaultd::Caller& caller_;
  state::Store& store_;
  const World& world_;
};

using Method = std::function<Argument(Request&)>;
using Methods = std::map<std::string, Method, std::less<>>;

void add_system_methods(Methods& methods);
void add_user_methods(Methods& methods);
void add_vm_methods(Methods& methods);
void add_image_methods(Methods& methods);
void add_restore_methods(Methods& methods);
void add_job_methods(Methods& methods);
void add_place_methods(Methods& methods);  // datastores and hosts

const Methods& all_methods();

// What an object's kind is called in messages.
const char* kind_of(state::Owned what);
Failure no_such(const std::string& kind, int id);

// Arguments filter, start, end from `at` on, as every pool has them.
state::Page page_of(const Request& request, std::size_t at);

// Template text as attributes; Failure for text that is none, or has vectors.
vmvaultd::Attributes flat(const one::Template& parsed);
one::Template parse(const std::string& text);
// SCHED_ACTION=[...] over what the action was before.
vmvaultd::Action action_of(const std::string& text, vmvaultd::Action before);
vmvaultd::Action action_of(const state::ActionView& view);

}  // namespace api
