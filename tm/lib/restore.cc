// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/restore.h"

#include <future>
#include <map>
#include <nlohmann/json.hpp>

#include "common/command.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/core.h"
#include "common/one/location.h"
#include "common/one/log_line.h"
#include "common/one/running.h"
#include "common/one/vm.h"
#include "tm/lib/rbd_image.h"

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::minutes host_limit{10};  // for what moves no data
constexpr std::chrono::hours removal_limit{4};  // Ceph removes an image object by object

struct Job {
  Location location;
  RestoreRequest request;
  std::string ds_mad;
  std::map<std::string, std::string> urls;  // by disk id, and "tpm"
};

int id_argument(const Request& request, const std::string& name) {
  if (const auto id = parse_int(request[name], -1)) return *id;
  throw BadRequest{"the argument " + name + " is not a number"};
}

Command with_log(Command command) { return std::move(command.err_lines(pass_log_line)); }

Error failed(const std::string& what, const Finished& finished) {
  const auto why = last_plain_line(finished.err);
  return Error{what + ": " + (why.empty() ? ended("it", finished.status) : why)};
}

fs::path datastore_action(const std::string& ds_mad, const std::string& name) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  if (ds_mad.empty() || ds_mad.find_first_not_of(letters) != ds_mad.npos)
    throw BadRequest{"the datastore of the image has no usable DS_MAD"};
  return remotes_root() / "datastore" / ds_mad / name;
}

// What `ls` of the datastore's driver says, whoever wrote that.
std::map<std::string, std::string> list(const Xml& vm, const Xml& image, const Xml& datastore,
                                        const std::string& ds_mad, int increment) {
  const Xml request = Xml::create("DS_DRIVER_ACTION_DATA");
  for (const auto* part : {&datastore, &vm, &image}) request.root().add_copy(part->root());
  const auto finished =
      with_log(
          Command{datastore_action(ds_mad, "ls").string(), "-i", std::to_string(increment)}.input(
              request.dump() + "\n"))
          .run();
  if (!finished.ok()) throw failed("cannot list the disks of the backup", finished);
  try {
    return nlohmann::json::parse(finished.out).get<std::map<std::string, std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw Error{"the list of the backup's disks cannot be read"};
  }
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

// As the driver of the disk's own storage has it.
Layout layout_of(const XmlNode& disk) {
  const auto driver = disk.find("TM_MAD").value_or("");
  return driver == "qcow2" || driver == "shared" ? Layout::layers : Layout::plain;
}

RestoredDisk describe_file(const XmlNode& disk, int id, std::optional<Layout> layout) {
  const auto type = upper(disk.find("TYPE").value_or(""));
  if (type == "BLOCK" || type == "RBD_CDROM")
    throw Error{"disk " + std::to_string(id) + " is no file (its TYPE is " + type + ")"};
  // DRIVER is what qemu is told, FORMAT what the driver of the storage has made.
  auto format = upper(disk.find("DRIVER").value_or(""));
  if (format.empty()) format = upper(disk.find("FORMAT").value_or(""));
  RestoredDisk out{.id = id,
                   .layout = layout.value_or(layout_of(disk)),
                   .source = {},
                   .raw = format == "RAW",
                   .size_mb = 0};
  const bool persistent = upper(disk.find("SAVE").value_or("")) == "YES";
  if (out.layout == Layout::layers && persistent) out.source = normal_path(disk.at("SOURCE"));
  return out;
}

std::optional<RestoredDisk> find_disk(const Xml& vm, int id, std::optional<Layout> layout) {
  for (const auto& node : vm.root().find_all("TEMPLATE/DISK")) {
    if (parse_int(node.find("DISK_ID").value_or("")) != id) continue;
    const auto disk = Vm::parse(vm.root()).disk(id);
    RestoredDisk out{.id = id, .source = {}};
    if (disk.is_file())
      out = describe_file(node, id, layout);
    else if (disk.lvm.empty())
      out.image = image_of(disk);
    else
      out.volume = lvm::parse_volume(disk.lvm), out.pool = disk.lvm_pool;
    out.size_mb = disk.size_mb;
    return out;
  }
  return std::nullopt;
}

// Such as one that it got since.  Its data are of another time than those of the others.
void tell_what_stays(const Job& job, const Xml& vm) {
  for (const auto& disk : Vm::parse(vm.root()).disks)
    if (disk.type != "SWAP" && disk.type.find("CDROM") == disk.type.npos &&
        !job.urls.contains(std::to_string(disk.id)))
      log(Level::warn,
          "disk " + std::to_string(disk.id) + " of the VM is not in the backup: it stays as it is");
}

// Which of the backup's disks are to be restored.
void choose(Job& job, const Xml& vm, int only, std::optional<Layout> layout) {
  for (const auto& [key, url] : job.urls) {
    const auto id = parse_int(key);
    if (!id || (only != -1 && *id != only)) continue;
    if (const auto disk = find_disk(vm, *id, layout))
      job.request.disks.push_back(*disk);
    else
      log(Level::warn, "disk " + key + " of the backup is left out: the VM has no such disk now");
  }
  if (job.request.disks.empty())
    throw Error{only == -1 ? "the backup has no disk of this VM"
                           : "the backup has no disk " + std::to_string(only) + " of this VM"};
  if (only == -1) tell_what_stays(job, vm);
  job.request.tpm = job.urls.contains("tpm") && job.request.find(0);
}

Job plan(const Request& request, std::optional<Layout> layout) {
  Job job{
      .location = Location::parse(request["HOST:DIR"]), .request = {}, .ds_mad = {}, .urls = {}};
  job.request.vm_dir = job.location.dir;
  job.request.vm_id = id_argument(request, "VM_ID");
  const auto vm = vm_from_core(job.request.vm_id);
  const auto image = image_from_core(id_argument(request, "IMAGE_ID"));
  const auto datastore =
      datastore_document_from_core(static_cast<int>(image.root().number_at("DATASTORE_ID")));
  job.ds_mad = datastore.at("DS_MAD");
  job.urls = list(vm, image, datastore, job.ds_mad, id_argument(request, "INCREMENT_ID"));
  choose(job, vm, id_argument(request, "DISK_ID"), layout);
  return job;
}

Command restore_host(const Job& job, const std::string& verb, const std::string& what = "") {
  const bool here = is_this_machine(job.location.host);
  Command command{((here ? remotes_root() : remote_root()) / "tm/host/restore_host").string(),
                  verb};
  if (!what.empty()) command.arg(what);
  return with_log(here ? command : command.on(job.location.host));
}

Finished ask_host(const Job& job, const std::string& verb) {
  return restore_host(job, verb).input(job.request.encode()).shielded().deadline(host_limit).run();
}

// What may remove old disks, for hours: whoever cancels does not wait for that.
Finished end_on_host(const Job& job) {
  return restore_host(job, "end").input(job.request.encode()).deadline(removal_limit).run();
}

void insist_on(const Job& job, const std::string& verb) {
  const auto finished = ask_host(job, verb);
  if (!finished.ok()) throw failed("restore_host " + verb + " on " + job.location.host, finished);
}

// Our own downloader, or the core's, which knows every store.
Command downloader(const Job& job, const std::string& url) {
  if (const auto own = datastore_action(job.ds_mad, "downloader"); fs::exists(own))
    return Command{own.string(), "--stream", url};
  return Command{(remotes_root() / "datastore/downloader.sh").string(), "--nodecomp", url, "-"};
}

void download(const Job& job, const std::string& what, const std::string& url) {
  Pipe pipe;
  const auto order = job.request.encode();
  if (order.size() > 65536) throw BadRequest{"the VM has too many disks"};  // what a pipe holds
  write_all(pipe.write.get(), order, "ask for the restore of a disk");
  auto sending = std::async(std::launch::async, [&] {
    const Fd out = std::move(pipe.write);  // its end, however that comes, is the end of the disk
    return with_log(downloader(job, url).write_to(out.get())).run();
  });
  std::exception_ptr error;
  Finished received;
  try {
    received = restore_host(job, "receive", what).read_from(pipe.read.get()).run();
  } catch (...) {
    error = std::current_exception();
  }
  // Of two that fail, the first is the cause; a sender to whom nobody listens fails as well.
  const bool sender_first =
      sending.wait_for(std::chrono::seconds{received.ok() ? 0 : 1}) == std::future_status::ready;
  pipe.read.reset();
  const auto sent = sending.get();
  if (error) std::rethrow_exception(error);
  const auto name = what == "tpm" ? std::string{"the state of the TPM"} : "disk " + what;
  if (sender_first && !sent.ok()) throw failed("cannot download " + name, sent);
  if (!received.ok()) throw failed("cannot write " + name + " on " + job.location.host, received);
  if (!sent.ok()) throw failed("cannot download " + name, sent);
}

// False if all has been restored, whatever went wrong then; that may be so where it is `unclear`.
bool undo(const Job& job, bool unclear) {
  try {
    const auto finished = unclear ? end_on_host(job) : ask_host(job, "end");
    if (finished.ok()) return finished.out != "restored\n";
    log(Level::error, failed("cannot undo on " + job.location.host, finished).what());
  } catch (const Error& e) {
    log(Level::error, std::string{"cannot undo on "} + job.location.host + ": " + e.what());
  }
  return true;
}

// Whoever cancels now, or waits long enough, has a VM that is restored all the same.
void remove_old(const Job& job) try {
  const auto finished = end_on_host(job);
  if (!finished.ok()) throw failed("restore_host end", finished);
} catch (const Error& e) {
  log(Level::warn, "the disks are restored, and the old ones are still there on " +
                       job.location.host +
                       " until the next backup or restore of the VM: " + e.what());
}

void carry_out(const Job& job) {
  insist_on(job, "begin");
  bool lost = false;  // the answer: the disks may be restored
  try {
    for (const auto& disk : job.request.disks) {
      const auto id = std::to_string(disk.id);
      download(job, id, job.urls.at(id));
    }
    if (job.request.tpm) download(job, "tpm", job.urls.at("tpm"));
    lost = true;
    const auto finished = ask_host(job, "swap");
    constexpr int killed = 128;  // or ssh was, or it lost the host
    lost = finished.status > killed;
    if (!finished.ok()) throw failed("restore_host swap on " + job.location.host, finished);
  } catch (const Error&) {
    if (undo(job, lost) || !lost) throw;
    log(Level::warn,
        "the answer of " + job.location.host + " was lost, but the disks are restored");
    return;
  }
  remove_old(job);
}

}  // namespace

std::string restore(const Request& request, std::optional<Layout> layout) try {
  const Job job = plan(request, layout);
  const Running running{job.request.vm_id, "restore"};
  carry_out(job);
  return "";
} catch (const Error& e) {
  throw Error{std::string{"Error restoring VM disks: "} + e.what(), e.exit()};
}
