// SPDX-License-Identifier: Apache-2.0
// The disks of a VM that lie in one kind of storage: captured by its own means, at the point in
// time at which those of other storages are captured, too.
#pragma once

#include <memory>
#include <vector>

#include "tm/host/lib/capture.h"
#include "tm/host/lib/live_disk.h"

namespace host {

// A guest that runs, as libvirt sees it when the capture begins.
struct RunningGuest {
  Domain domain;
  LiveDomain live;
};

// Called in this order.  The destructor undoes, unless commit() was called.
class Storage {
 public:
  virtual ~Storage() = default;

  // The last moment before the guest stands still: nothing should be slow from here on.
  virtual void announce() = 0;
  virtual void take() = 0;   // the point in time
  virtual void serve() = 0;  // the guest goes on: what it does from now on does not matter

  // How many moments the point in time consists of, if the guest does not stand still.
  virtual std::size_t moments() const = 0;

  // As those of Origin.
  virtual const std::vector<Part>& parts() const = 0;
  virtual std::vector<CopyDisk> disks() const = 0;
  virtual void end() = 0;
  virtual void commit(const std::vector<CopyDisk>& disks) = 0;
};

// What a capture has in file-based disks; nullptr: none.
std::unique_ptr<Storage> running_files(Capture& capture, Hypervisor& hypervisor,
                                       std::shared_ptr<const RunningGuest> guest);
std::unique_ptr<Storage> stopped_files(Capture& capture);

// The same in Ceph, of a guest that runs (insist_on_images() says whether on them) or is off.
std::unique_ptr<Storage> rbd_disks(Capture& capture);

// The same in thin pools of LVM, and, of a guest that is off (nullptr), in other volumes, too.
std::unique_ptr<Storage> lvm_disks(Capture& capture, const RunningGuest* guest);

// All of a capture, one storage after the other.
class Storages : public Origin {
 public:
  void add(std::unique_ptr<Storage> storage);  // nothing for nullptr
  void announce();
  void take();
  void serve();
  // Is there one point in time for all disks only if the guest stands still meanwhile?
  bool several_moments() const;

  const std::vector<Part>& parts() const override { return parts_; }
  std::vector<CopyDisk> disks() const override;
  void end() override;
  void commit(const std::vector<CopyDisk>& disks) override;

 private:
  std::vector<std::unique_ptr<Storage>> storages_;
  std::vector<Part> parts_;
};

}  // namespace host
