// SPDX-License-Identifier: Apache-2.0
// Everything of an in-place restore that happens on the hypervisor.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/action.h"
#include "tm/host/lib/register.h"
#include "tm/host/lib/restored_disk.h"

namespace fs = std::filesystem;

namespace {

constexpr Contract contract{
    .name = "tm/host/restore_host",
    .summary = "put restored disks in the place of a VM's",
    .args = "VERB [WHAT]",
    .input = Input::none,
    .reply = "C<end>: C<restored> or C<undone>.  Other verbs: nothing.",
    .description =
        "C<begin> looks whether the VM is at rest, C<receive> makes the new file of disk WHAT, or "
        "of the state of the TPM (C<tpm>), from the bytes on stdin, C<swap> puts all of them in "
        "their places, or none, and C<end> undoes what is not done, or removes the old disks, "
        "which may take hours in Ceph.\n\n"
        "The request is the first line of stdin: a RESTORE_HOST document, encoded in base64.  "
        "C<E<lt>vm dirE<gt>/restore.journal> says what is under way; F<backup_host> knows it, "
        "too."};

// Byte by byte: what follows the line is a disk.
std::string read_line() {
  constexpr std::size_t longest = std::size_t{1} << 20;
  std::string text;
  for (char c = 0; text.size() < longest;) {
    const ssize_t n = read(STDIN_FILENO, &c, 1);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read the request", errno);
    if (n == 0 || c == '\n') return text;
    text += c;
  }
  throw BadRequest{"the request is too long"};
}

// Programs that we start hold it, too: rbd ends what it has begun, also when we are killed.
FileLock lock(const RestoreRequest& request) {
  if (!fs::is_directory(request.vm_dir))
    throw Error{"the directory of VM " + std::to_string(request.vm_id) + ", '" +
                request.vm_dir.string() + "', does not exist on this host"};
  auto held = FileLock::lock(request.vm_dir / "backup.lock", std::chrono::seconds{60},
                             "a backup of VM " + std::to_string(request.vm_id));
  fcntl(held.fd(), F_SETFD, 0);
  return held;
}

void begin(const RestoreRequest& request) {
  const auto held = lock(request);
  host::insist_on_rest(request);
  host::prepare_exchange(request.vm_dir,
                         {.vm_id = request.vm_id, .places = host::places_of(request)});
}

void receive(const RestoreRequest& request, const std::string& what) {
  if (what == "tpm") return host::receive_tpm(request, STDIN_FILENO);
  const auto id = parse_int(what);
  const auto* disk = id ? request.find(*id) : nullptr;
  if (!disk) throw BadRequest{"the request has no disk '" + one_line(what) + "'"};
  host::receive_disk(request, *disk, STDIN_FILENO);
}

void swap(const RestoreRequest& request) {
  const auto held = lock(request);
  host::complete(request);
  host::enter(request.vm_dir);  // from here on a VM that is started waits for us (libvirt_hook)
  host::insist_on_rest(request);
  host::swap_places(request.vm_dir);
}

std::string end(const RestoreRequest& request) {
  const auto held = lock(request);
  const auto outcome = host::end_exchange(request.vm_dir);
  // A backup that died may be found by the same note.
  std::error_code none;
  if (!fs::exists(request.vm_dir / "backup.journal", none)) host::strike_out(request.vm_dir);
  return outcome == host::Outcome::restored ? "restored" : "undone";
}

std::string act(const Request& arguments) {
  const auto& verb = arguments["VERB"];
  const auto request = RestoreRequest::decode(read_line());
  if (verb == "end") return end(request);
  if (verb == "begin")
    begin(request);
  else if (verb == "receive")
    receive(request, arguments["WHAT"]);
  else if (verb == "swap")
    swap(request);
  else
    throw BadRequest{"unknown verb '" + one_line(verb) + "'"};
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, act); }
