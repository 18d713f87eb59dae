// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/remove.h"

#include <unistd.h>

#include <cstdio>

#include "common/base64.h"
#include "common/error.h"
#include "common/one/location.h"
#include "common/one/running.h"
#include "drivers/cli/lib/capture.h"
#include "drivers/cli/lib/display.h"
#include "drivers/lib/merge_sums.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/restores.h"

namespace cli {
namespace {

Command action_on(const App& app, const state::ImageRecord& image, const std::string& name,
                  int of) {
  const auto request =
      messages::datastore_action(messages::image(image), app.home().datastore(image.datastore));
  auto command = app.datastore_action(image.datastore, name);
  command.arg(std::to_string(of)).input(base64_encode(request.dump()) + "\n");
  return command;
}

void remove_from_store(const App& app, const state::ImageRecord& image) {
  insist(action_on(app, image, "rm", image.id).err_lines(note_warning).run(),
         "cannot delete image " + std::to_string(image.id) + " (the same command again continues)");
}

// A store that cannot even be looked into, as with a wrong password, loses nothing: the image is
// not half deleted then.
void insist_on_store(const App& app, const state::ImageRecord& image) {
  const auto known = app.store().datastore(image.datastore);
  if (!known) return;
  const auto look = action_on(app, image, "inventory", image.vm);
  if (access((remotes_root() / "datastore" / known->ds_mad / "inventory").c_str(), X_OK) != 0)
    return;
  insist(look.run(), "cannot delete image " + std::to_string(image.id) + ", which is as it was");
}

}  // namespace

state::Reading insist_unneeded(App& app, const state::ImageRecord& image) {
  const auto name = "image " + std::to_string(image.id);
  if (image.is_protected) throw Error{name + " is protected ('vmvault image unprotect' ends that)"};
  if (state::Restores{app.store()}.origins().contains(image.id))
    throw Error{"vmvaultd restores something from " + name + ", or does so when it is started"};
  if (auto nobodys = state::Reading::nobodys(app.home(), image.id)) return *std::move(nobodys);
  throw Error{state::is_being_read(image.id) + ": try again when that has ended"};
}

void mark_unneeded(App& app, int image, const std::function<void()>& mark) {
  std::optional<state::Reading> nobodys;  // until it is on record
  app.store().together([&] {
    nobodys.emplace(insist_unneeded(app, app.image(image)));
    mark();
  });
}

void remove(App& app, int id, bool force) {
  const auto vm = app.store().vm(app.image(id).vm).value();
  const auto lock = app.lock(vm);
  for (const auto& worker : workers(vm.id))
    throw Error{"a backup of '" + vm.name + "' runs (process " + std::to_string(worker.pid) +
                "): nothing is deleted meanwhile"};
  settle(app, vm);                   // what belongs to the image goes with it
  const auto image = app.image(id);  // again, now that nobody else can change it
  insist_unneeded(app, image);
  if (!force && !image.half_deleted()) insist_on_store(app, image);
  const bool active = app.store().vm(vm.id).value().active_image == id;
  mark_unneeded(app, id, [&] { app.store().mark_deleting(id, force); });
  try {
    remove_from_store(app, image);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& error) {
    if (!force) throw;
    note("its datastore may still have it: " + std::string{error.what()});
  }
  app.store().remove_image(id);
  state::MergeSums{app.home(), id}.forget();
  std::printf("image %d of '%s' deleted, with %s%s\n", id, printable(vm.name).c_str(),
              count_text(image.increments.size(), "restore point").c_str(),
              active ? "; the next backup is a full one" : "");
}

}  // namespace cli
