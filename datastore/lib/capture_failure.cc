// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/capture_failure.h"

#include "common/error.h"
#include "common/one/config.h"

std::string failure_of_capture(const Machine& machine, const std::filesystem::path& directory) {
  try {
    const auto file = (directory / failure_document).string();
    const auto said =
        machine.command({.argv = {"cat", "--", file}, .env = {}, .list = {}, .lines = true}).run();
    return said.ok() ? one_line(said.out) : "";
  } catch (const Cancelled&) {
    throw;
  } catch (const Error&) {
    return "";
  }
}
