// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 312
#include "common/view.h"

#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <iostream>
#include <mutex>
#include <thread>

#include "common/error.h"
#include "common/mount.h"

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

// What the callbacks see.
struct Tree {
  explicit Tree(View::Content given) : content{std::move(given)} {}

  const View::File* find(const char* path) const {
    if (path[0] != '/') return nullptr;
    for (const auto& file : content.files)
      if (file.name == path + 1) return &file;
    return failed && why.name == path + 1 ? &why : nullptr;
  }

  void touch() { last = Clock::now().time_since_epoch().count(); }

  void fail(const std::string& text) {
    {
      const std::lock_guard lock{mutex};
      if (!failure.empty()) return;
      failure = text;
      if (!content.failure_document.empty()) {
        why = View::File::document(content.failure_document, text);
        failed = true;
      }
      broken = true;
    }
    if (content.on_failure) content.on_failure(text);
  }

  View::Content content;
  const std::time_t made = std::time(nullptr);
  std::atomic<Clock::rep> last = Clock::now().time_since_epoch().count();
  mutable std::mutex mutex;
  std::string failure;  // does not change any more once it says something
  View::File why;       // nor does this
  std::atomic<bool> failed = false, broken = false;
};

Tree& tree() { return *static_cast<Tree*>(fuse_get_context()->private_data); }

void describe(const Tree& tree, const View::File* file, struct stat& out) {
  out = {};
  out.st_uid = geteuid();
  out.st_gid = getegid();
  out.st_atime = out.st_mtime = out.st_ctime = tree.made;
  out.st_mode = file ? S_IFREG | 0400 : S_IFDIR | 0500;
  out.st_nlink = file ? 1 : 2;
  if (!file) return;
  out.st_size = static_cast<off_t>(file->size);
  out.st_blocks = (out.st_size + 511) / 512;
  out.st_blksize = 1 << 20;
}

int get_attributes(const char* path, struct stat* out, fuse_file_info*) {
  Tree& all = tree();
  all.touch();
  const View::File* file = all.find(path);
  if (!file && std::strcmp(path, "/") != 0) return -ENOENT;
  describe(all, file, *out);
  return 0;
}

int read_directory(const char* path, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*,
                   fuse_readdir_flags) {
  Tree& all = tree();
  all.touch();
  if (std::strcmp(path, "/") != 0) return -ENOENT;
  for (const char* name : {".", ".."}) fill(buffer, name, nullptr, 0, fuse_fill_dir_flags{});
  for (const auto& file : all.content.files)
    fill(buffer, file.name.c_str(), nullptr, 0, fuse_fill_dir_flags{});
  if (all.failed) fill(buffer, all.why.name.c_str(), nullptr, 0, fuse_fill_dir_flags{});
  return 0;
}

int open_one(const char* path, fuse_file_info* info) {
  Tree& all = tree();
  all.touch();
  const View::File* file = all.find(path);
  if (!file) return -ENOENT;
  if ((info->flags & O_ACCMODE) != O_RDONLY) return -EROFS;
  info->direct_io = !file->cached;
  return 0;
}

int read_one(const char* path, char* buffer, size_t size, off_t at, fuse_file_info*) {
  Tree& all = tree();
  all.touch();
  const View::File* file = all.find(path);
  if (!file) return -ENOENT;
  try {
    if (all.broken && !file->cached) return -EIO;
    const std::span out{reinterpret_cast<std::byte*>(buffer), size};
    return static_cast<int>(file->read(static_cast<std::uint64_t>(at), out));
  } catch (const std::exception& e) {
    all.fail(e.what());
    return -EIO;
  }
}

// Nobody has to wait for a file of ours.  Without this answer libfuse gives the same, and forgets
// the handle.
int poll_one(const char*, fuse_file_info*, fuse_pollhandle* handle, unsigned*) {
  if (handle) fuse_pollhandle_destroy(handle);
  return -ENOSYS;
}

int describe_space(const char*, struct statvfs* out) {
  *out = {};
  out->f_bsize = out->f_frsize = 4096;
  for (const auto& file : tree().content.files) out->f_blocks += (file.size + 4095) / 4096;
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
    out.poll = poll_one;
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
  State(const fs::path& at, Content content) : State{at, std::move(content), at.string()} {}

  // libfuse takes over a descriptor that it is given by this name.
  State(Fd fuse, Content content)
      : State{{}, std::move(content), "/dev/fd/" + std::to_string(fuse.get())} {
    fuse.release();
  }

  ~State() {
    closing_ = true;
    tree_.fail("the view has ended");
    fuse_exit(fuse_.get());
    if (!at_.empty()) unmount();
    end_loop();
    fuse_unmount(fuse_.get());
  }

  Tree& tree() { return tree_; }
  bool is_over() const { return ended_; }

 private:
  State(const fs::path& at, Content content, const std::string& name)
      : at_{at}, tree_{std::move(content)} {
    const char* words[] = {"vmvault", "-o",
                           "ro,fsname=vmvault,subtype=vmvault,default_permissions"};
    fuse_args arguments = FUSE_ARGS_INIT(3, const_cast<char**>(words));
    const fuse_operations& table = operations();
    fuse_.reset(fuse_new(&arguments, &table, sizeof table, &tree_));
    fuse_opt_free_args(&arguments);
    if (!fuse_) throw Error{"cannot set up the view of '" + name + "'"};
    if (fuse_mount(fuse_.get(), name.c_str()) != 0)
      throw Error{"cannot mount the view on '" + name + "'"};
    thread_ = std::jthread{[this] { serve(); }};
  }

  void unmount() try {
    unmount_fuse(at_, type);  // also when somebody is still in there
  } catch (const Error& e) {
    std::cerr << "ERROR: " << one_line(e.what()) << '\n';
  }

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

View::File View::File::document(std::string name, std::string content) {
  const auto size = content.size();
  auto give = [text = std::move(content)](std::uint64_t offset, std::span<std::byte> out) {
    if (offset >= text.size()) return std::size_t{0};
    const auto count = std::min<std::size_t>(out.size(), text.size() - offset);
    std::memcpy(out.data(), text.data() + offset, count);
    return count;
  };
  return {.name = std::move(name), .size = size, .read = std::move(give), .cached = true};
}

View::View(const fs::path& at, Content content)
    : state_{std::make_unique<State>(at, std::move(content))} {}

View::View(Fd fuse, Content content)
    : state_{std::make_unique<State>(std::move(fuse), std::move(content))} {}

View::~View() = default;

void View::fail(const std::string& why) { state_->tree().fail(why); }

std::string View::failure() const {
  const std::lock_guard lock{state_->tree().mutex};
  return state_->tree().failure;
}

bool View::is_over() const { return state_->is_over(); }

std::chrono::seconds View::idle() const {
  const Clock::time_point last{Clock::duration{state_->tree().last.load()}};
  return std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - last);
}
