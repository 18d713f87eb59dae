// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/cancel.h"

#include "common/one/running.h"
#include "common/one/vm.h"
#include "datastore/lib/stock_steps.h"

namespace datastore {

void cancel_backup(const Request& request) {
  const Deployed vm{.location = Location::parse(request["HOST:DIR"]),
                    .deploy_id = request["DEPLOY_ID"],
                    .vm_id = Vm::parse(request.xml().root()).id};
  stop_workers(vm.vm_id, {"prebackup", "backup"});
  if (stop_stock_steps(vm) > 0)
    log(Level::info, "asked a backup of OpenNebula's own drivers of VM " +
                         std::to_string(vm.vm_id) + " to stop");
}

}  // namespace datastore
