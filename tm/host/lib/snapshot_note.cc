// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/snapshot_note.h"

namespace host {
namespace {

std::string common_part(const Capture& capture, int disk, const std::string& itself) {
  return std::to_string(capture.request.vm.id) + "/" + std::to_string(disk) + "/" + itself + "/";
}

}  // namespace

std::string snapshot_note(const Capture& capture, int disk, const std::string& itself) {
  return common_part(capture, disk, itself) + capture.request.vm.backup.capture;
}

bool is_of_parent(const Capture& capture, int disk, const std::string& itself,
                  const std::string& note) {
  const auto expected = common_part(capture, disk, itself);
  const auto& last = capture.request.vm.backup.last_capture;
  return last ? note == expected + *last : note.starts_with(expected);
}

}  // namespace host
