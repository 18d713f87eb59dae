// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/verify_chain.h"

#include "common/base64.h"
#include "common/error.h"
#include "datastore/rsync/lib/merged_part.h"
#include "datastore/rsync/lib/server_chain.h"

namespace rsync {
namespace {

constexpr std::size_t longest_document = std::size_t{64} << 20;

class Directories : public StoredChain {
 public:
  Directories(const Chain& chain, const Backups& backups) : backups_{backups} {
    for (const auto& one : chain.increments()) names_.push_back(one.source);
  }

  std::string check() override {
    if (!backups_.any())
      throw Error{"no backup of the VM is there, not even " + names_.back() +
                  ", which was stored there: is its file system mounted?"};
    return "";
  }
  void insist() override {}
  std::string name(std::size_t i) const override { return "the backup " + names_[i]; }

  std::optional<Sizes> files(std::size_t i, std::string& problem) override {
    auto found = backups_.files(names_[i]);
    if (!found) add_problem(problem, name(i) + " is not there");
    // What is kept for later uploads is no part of the backup.
    if (found)
      std::erase_if(*found, [](const auto& file) {
        return file.first.starts_with("rsig.") || file.first.starts_with("blocks.");
      });
    return found;
  }

  std::optional<std::string> document(std::size_t i, const std::string& file,
                                      std::string& problem) override {
    try {
      const auto source = open(i, file);
      std::string text;
      std::vector<std::byte> buffer(std::size_t{1} << 16);
      while (const auto n = source(buffer)) {
        text.append(reinterpret_cast<const char*>(buffer.data()), n);
        if (text.size() > longest_document) throw Error{"it is too large"};
      }
      return text;
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& error) {
      add_problem(problem, file + " cannot be read: " + error.what());
      return std::nullopt;
    }
  }

  // By its ends: on the server there is nobody to parse it.
  bool is_vm(const std::string& text) const override try {
    const auto xml = one_line(base64_decode(text));
    return xml.find("<VM>") != xml.npos && xml.ends_with("</VM>");
  } catch (const BadRequest&) {
    return false;
  }

  qcow2::Source open(std::size_t i, const std::string& file) override {
    return backups_.open(names_[i], file);
  }

 private:
  const Backups& backups_;
  std::vector<std::string> names_;
};

}  // namespace

std::string verify_chain(const Chain& chain, const std::string& depth, const Texts& known,
                         const Backups& backups) {
  const auto is_merged = [&](const Increment& one) {
    const auto files = backups.files(one.source);
    return files && files->contains(flat_document);
  };
  const auto read = from_last_merged(chain, is_merged);
  Directories directories{read, backups};
  Verification verification{directories, read, known};
  verification.check_structure();
  if (depth == "data") verification.read_data();
  return verification.report().to_json();
}

}  // namespace rsync
