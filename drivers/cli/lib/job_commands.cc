// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <ctime>

#include "common/error.h"
#include "common/one/template.h"
#include "drivers/cli/lib/object_commands.h"
#include "drivers/cli/lib/objects.h"
#include "drivers/cli/lib/scheduled.h"
#include "drivers/cli/lib/template_file.h"

namespace cli {
namespace {

constexpr std::chrono::seconds patience{120};

struct NewJob {
  std::string file, name, datastore, execution, mode, freeze;
  std::vector<std::string> vms;
  ScheduleWords schedule;
  int keep = -1, priority = -1;
  bool reset = false;
};

// What the options say; what is not said is left to the service.
std::string job_text(Context& with, const NewJob& words) {
  if (words.name.empty() || words.vms.empty() || words.datastore.empty())
    throw BadRequest{"a job needs a FILE, or --name, --vms and -d"};
  std::string vms;
  for (const auto& one : words.vms)
    vms += (vms.empty() ? "" : ",") + std::to_string(object_id(with, Kind::vm, one));
  one::Template job{
      {"NAME", words.name},
      {"BACKUP_VMS", vms},
      {"DATASTORE_ID", std::to_string(object_id(with, Kind::datastore, words.datastore))}};
  if (!words.execution.empty()) job.push_back({"EXECUTION", words.execution});
  if (!words.mode.empty()) job.push_back({"MODE", words.mode});
  if (!words.freeze.empty()) job.push_back({"FS_FREEZE", words.freeze});
  if (words.keep >= 0) job.push_back({"KEEP_LAST", std::to_string(words.keep)});
  if (words.priority >= 0) job.push_back({"PRIORITY", std::to_string(words.priority)});
  if (words.reset) job.push_back({"RESET", "YES"});
  if (is_scheduled(words.schedule))
    job.push_back(scheduled_action(words.schedule, std::time(nullptr)));
  return one::to_text(job);
}

void create_job(Context& with, const NewJob& words) {
  const auto text = words.file.empty() ? job_text(with, words) : template_text(words.file);
  std::printf("ID: %d\n", with.service().number("one.backupjob.allocate", {text}, patience));
}

struct JobWords {
  std::string job;
  int priority = 0;
};

void order(Context& with, const char* method, const std::string& word) {
  const int job = object_id(with, Kind::job, word);
  with.service().number(method, {job}, patience);
}

void add_create(Tree& tree, CLI::App* command) {
  auto words = std::make_shared<NewJob>();
  auto* verb = command->add_subcommand("create", "A new one, from a template or from options");
  auto* file =
      verb->add_option("FILE", words->file, "Of attributes: NAME, BACKUP_VMS, DATASTORE_ID...")
          ->type_name(type::file);
  verb->add_option("--name", words->name, "What it is called")->type_name(type::text);
  verb->add_option("--vms", words->vms, "What it backs up, in this order")
      ->delimiter(',')
      ->type_name(info(Kind::vm).element);
  verb->add_option("-d,--datastore", words->datastore, "Where to")
      ->type_name(info(Kind::datastore).element);
  verb->add_option("--execution", words->execution, "One after the other, or together")
      ->check(CLI::IsMember({"SEQUENTIAL", "PARALLEL"}));
  verb->add_option("--mode", words->mode, "Of its backups")
      ->check(CLI::IsMember({"FULL", "INCREMENT"}));
  verb->add_option("--fs-freeze", words->freeze, "How the guests are made quiet")
      ->check(CLI::IsMember({"NONE", "AGENT", "SUSPEND"}));
  verb->add_option("--keep-last", words->keep, "So many restore points of each stay")
      ->type_name(type::number);
  verb->add_option("--priority", words->priority, "0 to 99 (default: 50)")
      ->check(CLI::Range(0, 99))
      ->type_name(type::number);
  verb->add_flag("--reset", words->reset, "Begin new chains each time");
  add_schedule_options(verb, words->schedule);
  for (auto* one : verb->get_options())  // nothing that is said is passed over
    if (one != file && one != verb->get_help_ptr()) file->excludes(one);
  tree.does(verb, words, create_job);
}

struct NewAction {
  std::string job;
  ScheduleWords schedule;
};

void add_scheduling(Tree& tree, CLI::App* command) {
  auto words = std::make_shared<NewAction>();
  auto* verb = command->add_subcommand("sched-add", "Begin it at another time, too");
  add_id(verb, Kind::job, words->job);
  add_schedule_options(verb, words->schedule);
  tree.does(verb, words, [](Context& with, auto& one) {
    const auto action = one::to_text({scheduled_action(one.schedule, std::time(nullptr))});
    const int job = object_id(with, Kind::job, one.job);
    std::printf("ID: %d\n",
                with.service().number("one.backupjob.schedadd", {job, action}, patience));
  });
  add_schedule_removal(tree, command, Kind::job);
}

void add_orders(Tree& tree, CLI::App* command) {
  struct Verb {
    const char* name;
    const char* about;
    const char* method;
  };
  auto words = std::make_shared<JobWords>();
  for (const auto& [name, about, method] :
       {Verb{"delete", "Delete it; its backups stay", "one.backupjob.delete"},
        Verb{"backup", "Back up its VMs now", "one.backupjob.backup"},
        Verb{"cancel", "End what it does, and drop what waits", "one.backupjob.cancel"},
        Verb{"retry", "Again those whose backup failed", "one.backupjob.retry"}}) {
    auto* verb = command->add_subcommand(name, about);
    add_id(verb, Kind::job, words->job);
    tree.does(verb, words, [how = method](Context& with, auto& one) { order(with, how, one.job); });
  }
}

void add_priority(Tree& tree, CLI::App* command) {
  auto words = std::make_shared<JobWords>();
  auto* verb = command->add_subcommand("priority", "Change its priority");
  add_id(verb, Kind::job, words->job);
  verb->add_option("PRIORITY", words->priority, "0 to 99; the highest goes first")
      ->check(CLI::Range(0, 99))
      ->type_name(type::number)
      ->required();
  tree.does(verb, words, [](Context& with, auto& one) {
    const int job = object_id(with, Kind::job, one.job);
    with.service().number("one.backupjob.priority", {job, one.priority}, patience);
  });
}

}  // namespace

void add_job_commands(Tree& tree) {
  auto* command = add_object(tree, Kind::job, "Backups of several machines together");
  add_create(tree, command);
  add_orders(tree, command);
  add_scheduling(tree, command);
  add_update(tree, command, Kind::job, "Change its attributes");
  add_priority(tree, command);
  add_chown(tree, command, Kind::job);
}

}  // namespace cli
