// SPDX-License-Identifier: Apache-2.0
// What a machine keeps besides its disks: the state of its TPM, and its NVRAM (UEFI variables).
// Where it lies on a host, and its form in a backup (contract 4.6).
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace machine_state {

// Their names in results and messages, and in a backup.
inline constexpr const char* tpm = "TPM state";
inline constexpr const char* tpm_document = "disk.tpm.0";  // a gzipped tar
inline constexpr const char* nvram = "NVRAM";
inline constexpr const char* nvram_document = "nvram.fd";

// More is neither taken nor given back.
inline constexpr std::size_t largest_tpm = std::size_t{8} << 20;
inline constexpr std::size_t largest_nvram = std::size_t{64} << 20;

// Below <SWTPM_DIR>/<domain's UUID>.
inline constexpr const char* tpm_file = "tpm2/tpm2-00.permall";

// Where libvirt keeps them, unless it is told otherwise: the system's, or a session's.
std::filesystem::path default_swtpm_dir(std::string_view libvirt_uri);
std::filesystem::path default_nvram_dir(std::string_view libvirt_uri);

// The document for a TPM's state: its one member is tpm/tpm2-00.permall.
std::string pack_tpm(std::string_view state);
// The state in such a document, whoever wrote it.  Throws Error when there is none in it.
std::string unpack_tpm(std::string_view document);

}  // namespace machine_state
