// SPDX-License-Identifier: Apache-2.0
// Documents of the core, of libvirt, and of whoever owns a VM.

#include "common/one/xml.h"

#include "common/base64.h"
#include "common/error.h"
#include "common/one/datastore.h"
#include "common/one/image.h"
#include "common/one/template.h"
#include "common/one/vm.h"
#include "datastore/lib/restored_vm.h"
#include "drivers/lib/guest.h"
#include "tests/fuzz/fuzz.h"
#include "tm/lib/host_request.h"
#include "tm/lib/restore_request.h"

namespace {

void request(std::string_view input) {
  const Xml xml{input};
  const auto root = xml.root();
  fuzz::attempt([&] { Vm::parse(root.first("VM").value_or(root)); });
  fuzz::attempt([&] { Image::parse(root.first("IMAGE").value_or(root)); });
  fuzz::attempt([&] {
    const Datastore datastore{root.first("DATASTORE").value_or(root)};
    datastore.attribute("RESTIC_PASSWORD");
    datastore.number("RESTIC_LOCK_WAIT", 1);
  });
  fuzz::insist(Xml{xml.dump()}.dump() == xml.dump(), "what was written is read as it was");
}
const fuzz::Register r1{"request", request};

void host_request(std::string_view input) { HostRequest::parse(input).to_xml(); }
const fuzz::Register r2{"host-request", host_request};

void restore_request(std::string_view input) {
  RestoreRequest::decode(base64_encode(input)).encode();
}
const fuzz::Register r3{"restore-request", restore_request};

void domain(std::string_view input) {
  const Xml xml{input};
  fuzz::attempt([&] { guest::backup_disks(guest::parse(xml.root())); });
  fuzz::attempt([&] { guest::keeps(xml.root()); });
}
const fuzz::Register r4{"domain", domain};

// A restored machine: its template is made of what its owner once wrote.
void restored_vm(std::string_view input) {
  const Xml xml{input};
  const auto made = vm_template(
      xml.root(),
      {.name = "new", .images = {{0, 7}, {2, 8}}, .no_ip = true, .no_nic = false, .tpm = {}});
  to_client_text(made);
}
const fuzz::Register r5{"restored", restored_vm};

void text_template(std::string_view input) {
  const auto read = one::parse_template(input);
  const auto text = one::to_text(read);
  fuzz::insist(one::to_text(one::parse_template(text)) == text, "a template is read as written");
}
const fuzz::Register r6{"template", text_template};

}  // namespace
