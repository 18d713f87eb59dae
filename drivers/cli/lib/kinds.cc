// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/kinds.h"

#include <array>

#include "common/one/config.h"
#include "drivers/cli/lib/display.h"
#include "drivers/lib/home.h"

namespace cli {
namespace {

Column leaf(const char* name, const char* about, const char* element, bool usual = true) {
  return {.name = name,
          .about = about,
          .value = [element](const Element& of) { return of.text(element); },
          .usual = usual};
}

std::string time_or_dash(std::int64_t time) { return time <= 0 ? "-" : local_time(time); }

std::string mib_text(const char* mib, const Element& of) {
  const auto number = of.number(mib, 0);
  return number < 0 ? "-" : size_text(static_cast<std::uint64_t>(number) << 20);
}

std::string joined(const Element& ids) {
  std::string text;
  for (const auto& one : ids.children("ID")) text += (text.empty() ? "" : ",") + one.text();
  return text.empty() ? "-" : text;
}

std::string count(const Element& list, const char* name = "ID") {
  return std::to_string(list.children(name).size());
}

// The core's short words for its numbers (contract 1.2).
std::string image_state(const Element& image) {
  constexpr std::array words{"init", "rdy",  "used", "disa", "lock", "err",
                             "clon", "dele", "used", "lock", "lock"};
  const auto state = image.number("STATE");
  return state < 0 || state >= static_cast<int>(words.size())
             ? "?"
             : words[static_cast<std::size_t>(state)];
}

std::string image_type(const Element& image) {
  const auto type = image.number("TYPE");
  return type == 6 ? "BK" : type == 0 ? "OS" : "DB";
}

std::string vm_state(const Element& vm) {
  constexpr int active = 3, unknown = 16, backup = 69, backup_poweroff = 70, restore = 71;
  constexpr std::array words{"init", "pend", "hold", "runn", "stop", "susp",
                             "done", "fail", "poff", "unde", "clon", "clon"};
  const auto state = vm.number("STATE"), detail = vm.number("LCM_STATE");
  if (state == active && (detail == backup || detail == backup_poweroff)) return "back";
  if (state == active && detail == unknown) return "unkn";
  if (state == active && detail == restore) return "rest";
  return state < 0 || state >= static_cast<int>(words.size())
             ? "?"
             : words[static_cast<std::size_t>(state)];
}

std::string host_state(const Element& host) {
  constexpr std::array words{"init", "update", "on", "err", "dsbl", "err", "init", "init", "off"};
  const auto state = host.number("STATE");
  return state < 0 || state >= static_cast<int>(words.size())
             ? "?"
             : words[static_cast<std::size_t>(state)];
}

const Column id = leaf("ID", "its number", "ID");
const Column user = leaf("USER", "whose it is", "UNAME");
const Column group = leaf("GROUP", "its owner's group", "GNAME");
const Column name = leaf("NAME", "its name", "NAME");

std::vector<Column> image_columns() {
  const auto increments = [](const Element& of) {
    const auto all = of.child("BACKUP_INCREMENTS").children("INCREMENT").size();
    return std::to_string(all == 0 ? 1 : all);
  };
  return {
      id,
      user,
      group,
      name,
      leaf("DATASTORE", "where it is", "DATASTORE"),
      {"SIZE", "of its files", [](auto& of) { return mib_text("SIZE", of); }},
      {"TYPE", "BK: a backup; OS, DB: a restored disk", image_type},
      {"PER", "is it persistent",
       [](auto& of) { return of.text("PERSISTENT") == "1" ? "Yes" : "No"; }},
      {"STAT", "rdy, lock, dele or err", image_state},
      leaf("RVMS", "how many VMs it belongs to", "RUNNING_VMS"),
      {"VM", "whose backup it is", [](auto& of) { return joined(of.child("VMS")); }, false},
      {"VM_NAME", "that one's name", [](auto& of) { return of.child("TEMPLATE").text("VM_NAME"); },
       false},
      {"POINTS", "how many restore points it has", increments, false},
      {"REGTIME", "when it was made", [](auto& of) { return time_or_dash(of.number("REGTIME")); },
       false},
      {"MODTIME", "when its newest increment was",
       [](auto& of) { return time_or_dash(of.number("MODTIME")); }, false},
      leaf("DATASTORE_ID", "the number of where it is", "DATASTORE_ID", false),
      {"SIZE_MB", "its size as a number", [](auto& of) { return of.text("SIZE"); }, false},
  };
}

std::vector<Column> vm_columns() {
  return {
      id,
      user,
      group,
      name,
      {"STAT", "runn, poff, back (up), rest (ored), done (gone)", vm_state},
      {"HOST", "where it runs",
       [](auto& of) { return of.child("HISTORY_RECORDS").child("HISTORY").text("HOSTNAME"); }},
      {"BACKUPS", "how many images there are of it",
       [](auto& of) { return count(of.child("BACKUPS").child("BACKUP_IDS")); }},
      {"JOB", "that backs it up",
       [](auto& of) { return of.child("BACKUPS").child("BACKUP_CONFIG").text("BACKUP_JOB_ID"); }},
      {"IMAGES", "their numbers",
       [](auto& of) { return joined(of.child("BACKUPS").child("BACKUP_IDS")); }, false},
      leaf("UUID", "libvirt's name for it", "DEPLOY_ID", false),
  };
}

bool is_default_datastore(const std::string& number) {
  return number == setting("DATASTORE").value_or(std::to_string(state::default_datastore));
}

// 0 until its monitor was heard of.
std::string room_text(const char* mib, const Element& of) {
  return of.number("TOTAL_MB", 0) > 0 ? mib_text(mib, of) : "-";
}

std::vector<Column> datastore_columns() {
  return {
      id,
      name,
      {"SIZE", "what there is", [](auto& of) { return room_text("TOTAL_MB", of); }},
      {"FREE", "what is left", [](auto& of) { return room_text("FREE_MB", of); }},
      {"IMAGES", "how many", [](auto& of) { return count(of.child("IMAGES")); }},
      {"TYPE", "bck: of backups, img: of restored disks",
       [](auto& of) { return of.text("TYPE") == "3" ? "bck" : "img"; }},
      leaf("DS", "its driver", "DS_MAD"),
      leaf("TM", "its transfer driver", "TM_MAD"),
      {"STAT", "on, or err: it cannot be used",
       [](auto& of) { return of.child("TEMPLATE").text("ERROR").empty() ? "on" : "err"; }},
      {"ERROR", "why not", [](auto& of) { return of.child("TEMPLATE").text("ERROR"); }, false},
      {"DEFAULT", "do backups of the command go there that name no other",
       [](auto& of) { return is_default_datastore(of.text("ID")) ? "yes" : "no"; }, false},
  };
}

std::vector<Column> host_columns() {
  return {
      id,
      name,
      {"RVM", "VMs on it", [](auto& of) { return count(of.child("VMS")); }},
      {"URI", "of its libvirt", [](auto& of) { return of.child("TEMPLATE").text("URI"); }},
      {"MAX_BACKUPS", "at a time; empty: MAX_BACKUPS_HOST",
       [](auto& of) { return of.child("TEMPLATE").text("MAX_BACKUPS"); }},
      {"STAT", "on, err, dsbl (disabled) or off (offline)", host_state},
  };
}

std::vector<Column> job_columns() {
  return {
      id,
      leaf("PRIO", "its priority", "PRIORITY"),
      user,
      group,
      name,
      {"LAST", "when it last began",
       [](auto& of) { return time_or_dash(of.number("LAST_BACKUP_TIME")); }},
      {"VMS", "what it backs up", [](auto& of) { return of.child("TEMPLATE").text("BACKUP_VMS"); }},
      {"OUTDATED", "VMs that wait", [](auto& of) { return joined(of.child("OUTDATED_VMS")); }},
      {"RUNNING", "that are backed up now",
       [](auto& of) { return joined(of.child("BACKING_UP_VMS")); }},
      {"FAILED", "whose backup failed", [](auto& of) { return joined(of.child("ERROR_VMS")); }},
  };
}

std::vector<Column> user_columns() {
  return {
      id,
      name,
      {"ENABLED", "may they log in",
       [](auto& of) { return of.text("ENABLED") == "1" ? "yes" : "no"; }},
      leaf("GROUP", "oneadmin: may everything", "GNAME"),
      leaf("AUTH", "how they log in", "AUTH_DRIVER"),
  };
}

}  // namespace

const KindInfo& info(Kind kind) {
  constexpr int of_all = -2, every = -1, any_state = -2;
  static const auto& all = *new std::vector<KindInfo>{
      {"vm",
       "VM",
       "VM_POOL",
       "one.vm.info",
       "one.vmpool.info",
       {of_all, every, every, any_state},
       vm_columns()},
      {"image",
       "IMAGE",
       "IMAGE_POOL",
       "one.image.info",
       "one.imagepool.info",
       {of_all, every, every},
       image_columns()},
      {"datastore",
       "DATASTORE",
       "DATASTORE_POOL",
       "one.datastore.info",
       "one.datastorepool.info",
       {},
       datastore_columns()},
      {"host", "HOST", "HOST_POOL", "one.host.info", "one.hostpool.info", {}, host_columns()},
      {"job",
       "BACKUPJOB",
       "BACKUPJOB_POOL",
       "one.backupjob.info",
       "one.backupjobpool.info",
       {of_all, every, every},
       job_columns()},
      {"user", "USER", "USER_POOL", "one.user.info", "one.userpool.info", {}, user_columns()},
  };
  return all[static_cast<std::size_t>(kind)];
}

}  // namespace cli
