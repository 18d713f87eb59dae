// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 312
#include "tm/host/lib/view.h"

#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <mutex>
#include <thread>

#include "common/error.h"
#include "common/one/action.h"
#include "common/one/config.h"
#include "common/one/sums_file.h"

namespace fs = std::filesystem;

namespace host {
namespace {

using Clock = std::chrono::steady_clock;

struct Entry {
  std::string name;
  nbd::SummedReader* disk = nullptr;  // its file, or
  bool sums = false;                  // its sums
  const std::string* document = nullptr;
  std::uint64_t size() const {
    if (!disk) return document->size();
    return sums ? disk->sums_size() : disk->plan().file_size();
  }
};

// What the callbacks see.
struct Tree {
  explicit Tree(ViewFiles given) : files{std::move(given)} {
    for (const auto& [name, disk] : files.disks) {
      entries.push_back({.name = name, .disk = disk.get()});
      entries.push_back({.name = sums_file(name), .disk = disk.get(), .sums = true});
    }
    for (const auto& [name, text] : files.documents)
      entries.push_back({.name = name, .document = &text});
    for (auto& [name, disk] : files.disks) readers.push_back(disk.get());
    why = {.name = failure_document, .document = &failure};
  }

  const Entry* find(const char* path) const {
    for (const auto& entry : entries)
      if (path[0] == '/' && entry.name == path + 1) return &entry;
    if (failed && path[0] == '/' && why.name == path + 1) return &why;
    return nullptr;
  }

  void touch() { last = Clock::now().time_since_epoch().count(); }

  void fail(const std::string& text) {
    {
      const std::lock_guard lock{mutex};
      if (failure.empty()) failure = text;
      failed = true;
    }
    for (auto* reader : readers) reader->fail(text);
  }

  ViewFiles files;
  std::vector<Entry> entries;
  std::vector<nbd::SummedReader*> readers;
  const std::time_t made = std::time(nullptr);
  std::atomic<Clock::rep> last = Clock::now().time_since_epoch().count();
  mutable std::mutex mutex;
  std::string failure;  // does not change any more once it says something
  Entry why;
  std::atomic<bool> failed = false;
};

Tree& tree() { return *static_cast<Tree*>(fuse_get_context()->private_data); }

void describe(const Tree& tree, const Entry* entry, struct stat& out) {
  out = {};
  out.st_uid = geteuid();
  out.st_gid = getegid();
  out.st_atime = out.st_mtime = out.st_ctime = tree.made;
  out.st_mode = entry ? S_IFREG | 0400 : S_IFDIR | 0500;
  out.st_nlink = entry ? 1 : 2;
  if (!entry) return;
  out.st_size = static_cast<off_t>(entry->size());
  out.st_blocks = (out.st_size + 511) / 512;
  out.st_blksize = 1 << 20;
}

int get_attributes(const char* path, struct stat* out, fuse_file_info*) {
  Tree& all = tree();
  all.touch();
  const Entry* entry = all.find(path);
  if (!entry && std::strcmp(path, "/") != 0) return -ENOENT;
  describe(all, entry, *out);
  return 0;
}

int read_directory(const char* path, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*,
                   fuse_readdir_flags) {
  Tree& all = tree();
  all.touch();
  if (std::strcmp(path, "/") != 0) return -ENOENT;
  for (const char* name : {".", ".."}) fill(buffer, name, nullptr, 0, fuse_fill_dir_flags{});
  for (const auto& entry : all.entries)
    fill(buffer, entry.name.c_str(), nullptr, 0, fuse_fill_dir_flags{});
  if (all.failed) fill(buffer, failure_document, nullptr, 0, fuse_fill_dir_flags{});
  return 0;
}

int open_one(const char* path, fuse_file_info* info) {
  Tree& all = tree();
  all.touch();
  const Entry* entry = all.find(path);
  if (!entry) return -ENOENT;
  if ((info->flags & O_ACCMODE) != O_RDONLY) return -EROFS;
  // Each byte is read once, mostly: what the page cache would hold, the guest needs more.
  info->direct_io = entry->disk != nullptr;
  return 0;
}

int read_disk(Tree& all, const Entry& entry, std::span<std::byte> out, std::uint64_t offset) {
  try {
    return static_cast<int>(entry.sums ? entry.disk->read_sums(offset, out)
                                       : entry.disk->read(offset, out));
  } catch (const std::exception& e) {
    all.fail(e.what());  // a half-read disk must not end beside whole ones
    return -EIO;
  }
}

int read_one(const char* path, char* buffer, size_t size, off_t at, fuse_file_info*) {
  Tree& all = tree();
  all.touch();
  const Entry* entry = all.find(path);
  if (!entry) return -ENOENT;
  const auto offset = static_cast<std::uint64_t>(at);
  if (entry->disk)
    return read_disk(all, *entry, {reinterpret_cast<std::byte*>(buffer), size}, offset);
  if (offset >= entry->document->size()) return 0;
  return static_cast<int>(entry->document->copy(buffer, size, offset));
}

int describe_space(const char*, struct statvfs* out) {
  *out = {};
  out->f_bsize = out->f_frsize = 4096;
  for (const auto& entry : tree().entries) out->f_blocks += (entry.size() + 4095) / 4096;
  out->f_namemax = 255;
  return 0;
}

const fuse_operations& operations() {
  static const fuse_operations all = [] {
    fuse_operations out{};
    out.getattr = get_attributes;
    out.readdir = read_directory;
    out.open = open_one;
    out.read = read_one;
    out.statfs = describe_space;
    return out;
  }();
  return all;
}

struct FuseOwner {
  void operator()(fuse* one) const { fuse_destroy(one); }
};

}  // namespace

class View::State {
 public:
  State(const fs::path& at, ViewFiles files) : at_{at}, tree_{std::move(files)} {
    const char* words[] = {"vmvault", "-o",
                           "ro,fsname=vmvault,subtype=vmvault,default_permissions"};
    fuse_args arguments = FUSE_ARGS_INIT(3, const_cast<char**>(words));
    const fuse_operations& table = operations();
    fuse_.reset(fuse_new(&arguments, &table, sizeof table, &tree_));
    fuse_opt_free_args(&arguments);
    if (!fuse_) throw Error{"cannot set up the view of '" + at.string() + "'"};
    if (fuse_mount(fuse_.get(), at.c_str()) != 0)
      throw Error{"cannot mount the view on '" + at.string() + "'"};
    thread_ = std::jthread{[this] { serve(); }};
  }

  ~State() {
    closing_ = true;
    tree_.fail("the backup has ended");
    fuse_exit(fuse_.get());
    try {
      unmount_view(at_);  // also when somebody is still in there
    } catch (const Error& e) {
      log(Level::error, e.what());
    }
    end_loop();
    fuse_unmount(fuse_.get());
  }

  Tree& tree() { return tree_; }

 private:
  // An unmount alone would not do: a mount namespace made meanwhile holds the file system.
  void end_loop() {
    struct sigaction wake {};
    wake.sa_handler = [](int) {};  // and no SA_RESTART: it is there to interrupt
    sigaction(SIGUSR1, &wake, nullptr);
    while (!ended_) {
      pthread_kill(thread_.native_handle(), SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    thread_.join();
  }

  void serve() {
    fuse_loop_config* config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, 16);
    fuse_loop_mt(fuse_.get(), config);
    fuse_loop_cfg_destroy(config);
    if (!closing_) tree_.fail("the view was taken down by somebody else");
    ended_ = true;
  }

  fs::path at_;
  Tree tree_;
  std::unique_ptr<fuse, FuseOwner> fuse_;
  std::atomic<bool> closing_ = false, ended_ = false;
  std::jthread thread_;
};

View::View(const fs::path& at, ViewFiles files)
    : state_{std::make_unique<State>(at, std::move(files))} {}

View::~View() = default;

void View::fail(const std::string& why) { state_->tree().fail(why); }

std::vector<std::pair<std::string, std::string>> View::sums() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, disk] : state_->tree().files.disks)
    if (auto sums = disk->sums()) out.emplace_back(sums_file(name), *std::move(sums));
  return out;
}

std::string View::failure() const {
  const std::lock_guard lock{state_->tree().mutex};
  return state_->tree().failure;
}

std::chrono::seconds View::idle() const {
  const Clock::time_point last{Clock::duration{state_->tree().last.load()}};
  return std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - last);
}

}  // namespace host
