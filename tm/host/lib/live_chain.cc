// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/live_chain.h"

#include <poll.h>

#include <functional>
#include <iterator>

#include "common/cancel.h"
#include "common/command.h"
#include "common/one/action.h"
#include "common/one/xml.h"

namespace fs = std::filesystem;

namespace host {
namespace {

Xml live_xml(const Domain& domain) {
  return Xml::from_libvirt(take(virDomainGetXMLDesc(domain.get(), 0), "read a domain's XML"));
}

LiveLayer layer_at(const XmlNode& node, const XmlNode& source, const std::string& target) {
  LiveLayer out{.name = source.attribute("file").value_or(""), .index = ""};
  const auto index = node.name() == "disk" ? source.attribute("index") : node.attribute("index");
  if (index) out.index = target + "[" + *index + "]";
  return out;
}

std::vector<LiveLayer> layers_of(const XmlNode& disk, const std::string& target) {
  std::vector<LiveLayer> out;
  for (std::optional<XmlNode> at = disk; at; at = at->first("backingStore")) {
    const auto source = at->first("source");
    if (!source) break;
    out.push_back(layer_at(*at, *source, target));
  }
  return out;
}

std::optional<XmlNode> disk_of(const Xml& domain, const std::string& target) {
  for (const auto& disk : domain.root().find_all("devices/disk")) {
    const auto node = disk.first("target");
    if (node && node->attribute("dev") == target) return disk;
  }
  return std::nullopt;
}

bool is_ready(const Domain& domain, const std::string& target) {
  const Xml xml = live_xml(domain);
  const auto disk = disk_of(xml, target);
  const auto mirror = disk ? disk->first("mirror") : std::nullopt;
  return mirror && mirror->attribute("ready") == "yes";
}

void pause_for(std::chrono::milliseconds limit) {
  pollfd fds[] = {{cancel::fd(), POLLIN, 0}, {cancel::watched(), POLLRDHUP, 0}};
  poll(fds, std::size(fds), static_cast<int>(limit.count()));
}

constexpr std::chrono::milliseconds longest_step{500};

// Until done(): true; or there is no job any more: false.
bool wait_for_job(const Domain& domain, const std::string& target, int type,
                  const std::string& doing, const std::function<bool()>& done) {
  auto last = std::chrono::steady_clock::now();
  for (std::chrono::milliseconds step{10};; step = std::min(step * 2, longest_step)) {
    virDomainBlockJobInfo info{};
    const int found = virDomainGetBlockJobInfo(domain.get(), target.c_str(), &info, 0);
    if (found < 0) throw VirtError{"watch how to " + doing};
    if (found == 0 || info.type != type) return false;
    if (done()) return true;
    if (cancel::requested()) {
      virDomainBlockJobAbort(domain.get(), target.c_str(), 0);
      throw Cancelled{};
    }
    if (const auto now = std::chrono::steady_clock::now(); now - last > std::chrono::seconds{30}) {
      last = now;
      log(Level::info, doing + ": " + std::to_string(info.cur >> 20) + " of " +
                           std::to_string(info.end >> 20) + " MiB");
    }
    pause_for(step);
  }
}

}  // namespace

std::vector<LiveLayer> live_chain(const Domain& domain, const std::string& target) {
  const Xml xml = live_xml(domain);
  const auto disk = disk_of(xml, target);
  if (!disk) throw Error{"the domain has no disk '" + target + "'"};
  return layers_of(*disk, target);
}

bool uses(const Domain& domain, const fs::path& file) {
  const Xml xml = live_xml(domain);
  for (const auto& source : xml.root().find_all("devices/disk//source"))
    if (same_file(source.attribute("file").value_or(""), file)) return true;
  return false;
}

bool may_be_reopened(const LiveLayer& live, const fs::path& file) {
  return !live.index.empty() && same_file(live.name, file);
}

void wait_for_end(const Domain& domain, const std::string& target, int type,
                  const std::string& doing) {
  wait_for_job(domain, target, type, doing, [] { return false; });
}

void wait_until_ready(const Domain& domain, const std::string& target, int type,
                      const std::string& doing) {
  if (!wait_for_job(domain, target, type, doing, [&] { return is_ready(domain, target); }))
    throw Error{"cannot " + doing + ": qemu gave it up"};
}

void abort_copy_to(const Domain& domain, const std::string& target, const fs::path& dir) {
  const Xml xml = live_xml(domain);
  const auto disk = disk_of(xml, target);
  const auto mirror = disk ? disk->first("mirror[@job='copy']/source") : std::nullopt;
  if (!mirror) return;
  if (fs::path{mirror->attribute("file").value_or("")}.parent_path() != dir) return;
  if (virDomainBlockJobAbort(domain.get(), target.c_str(), 0) != 0)
    throw VirtError{"end the copy of disk '" + target + "' that a dead process began"};
}

void commit_running(const Domain& domain, const std::string& target, const DiskLayers& disk,
                    std::size_t top, std::size_t base) {
  const auto chain = live_chain(domain, target);
  const std::string doing = "merge layer " + disk.files[top].filename().string() + " of disk " +
                            std::to_string(disk.id) + " into layer " +
                            disk.files[base].filename().string();
  if (chain.size() != disk.files.size())
    throw Error{"cannot " + doing + ": libvirt sees other layers than the files tell of"};
  // qemu opens the base for writing, and the one above `top`, since it is to say what is below it.
  for (const std::size_t one : {base, top - 1})
    if ((one != 0 || top > 1) && !may_be_reopened(chain[one], disk.files[one]))
      throw Error{"cannot " + doing + ": qemu knows '" + disk.files[one].string() + "' as '" +
                  chain[one].name.string() + "', which is another file now"};
  if (virDomainBlockCommit(domain.get(), target.c_str(), chain[base].index.c_str(),
                           chain[top].index.c_str(), 0, 0) != 0)
    throw VirtError{doing};
  wait_for_end(domain, target, VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT, doing);
  if (live_chain(domain, target).size() != disk.files.size() - (base - top))
    throw Error{"cannot " + doing + ": qemu gave it up"};
}

void commit_stopped(const DiskLayers& disk, std::size_t top, std::size_t base) {
  const std::string below = (disk.dir / disk.files[base].filename()).string();
  Command{"qemu-img", "commit", "-q",  "-d", "-f",
          "qcow2",    "-b",     below, "--", disk.files[top].string()}
      .output();
  // Now the layer above may as well be based upon it: what it sees is the same.
  Command{"qemu-img", "rebase", "-q", "-u",  "-f", "qcow2",
          "-F",       "qcow2",  "-b", below, "--", disk.files[top - 1].string()}
      .shielded()
      .output();
}

}  // namespace host
