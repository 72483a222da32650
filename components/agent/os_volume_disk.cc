#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "agent/atomic_volume.h"
#include "agent/cri_lines.h"
#include "agent/volume_disk.h"

namespace koi::agent {

namespace {

namespace fs = std::filesystem;
using base::Code;
using base::errno_error;
using base::fail;
using base::Path;
using base::Result;

constexpr mode_t open_directory_mode = 0777;
constexpr mode_t group_directory_mode = 02777;
constexpr std::size_t tail_read_bytes = 16 * 1024;
constexpr std::size_t tail_bytes_max = 2048;
constexpr std::size_t tail_lines_max = 80;

std::string quoted(const Path& path) { return "'" + path.string() + "'"; }

// Closes what it holds.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<> make_tree(const Path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail(errno_error(error.value(), "make " + quoted(path)));
  return {};
}

Result<> open_up(const Path& path, std::optional<std::int64_t> group) {
  if (group && ::lchown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0) {
    return fail(errno_error(errno, "change the group of " + quoted(path)));
  }
  if (::chmod(path.c_str(), group ? group_directory_mode : open_directory_mode) != 0) {
    return fail(errno_error(errno, "change the mode of " + quoted(path)));
  }
  return {};
}

// The mount points below `root`, deepest first, as the kernel lists them.
std::vector<std::string> mounts_below(const Path& root) {
  std::ifstream file("/proc/self/mountinfo");
  std::vector<std::string> mounts;
  std::string line;
  while (std::getline(file, line)) {
    auto point = mount_point_of(line);
    if (point == root.string() || point.starts_with(root.string() + "/")) {
      mounts.push_back(std::move(point));
    }
  }
  std::ranges::reverse(mounts);
  return mounts;
}

bool is_mount_point(const Path& path) {
  const auto mounts = mounts_below(path);
  return std::ranges::find(mounts, path.string()) != mounts.end();
}

// Resolves `path` inside `root`, as if root were the file system's; a descriptor or -errno.
int open_inside(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  const long fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how));
  return fd < 0 ? -errno : static_cast<int>(fd);
}

struct HostPathType {
  const char* name;
  bool (*matches)(mode_t mode);
  const char* noun;
};

constexpr HostPathType host_path_types[] = {
    {"Directory", [](mode_t mode) { return S_ISDIR(mode); }, "directory"},
    {"DirectoryOrCreate", [](mode_t mode) { return S_ISDIR(mode); }, "directory"},
    {"File", [](mode_t mode) { return S_ISREG(mode); }, "file"},
    {"FileOrCreate", [](mode_t mode) { return S_ISREG(mode); }, "file"},
    {"Socket", [](mode_t mode) { return S_ISSOCK(mode); }, "socket file"},
    {"CharDevice", [](mode_t mode) { return S_ISCHR(mode); }, "character device"},
    {"BlockDevice", [](mode_t mode) { return S_ISBLK(mode); }, "block device"}};

class OsVolumeDisk final : public VolumeDisk {
 public:
  Result<> make_directory(const Path& path, std::optional<std::int64_t> group) override {
    if (auto made = make_tree(path); !made) return made;
    return open_up(path, group);
  }

  Result<> make_memory(const Path& path, std::optional<std::int64_t> bytes_max,
                       std::optional<std::int64_t> group) override {
    if (auto made = make_tree(path); !made) return made;
    if (!is_mount_point(path)) {
      const std::string options = bytes_max ? "size=" + std::to_string(*bytes_max) : "";
      if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
        return fail(errno_error(errno, "mount memory on " + quoted(path)));
      }
    }
    return open_up(path, group);
  }

  Result<> publish(const Path& volume, const VolumeContent& content,
                   std::optional<std::int64_t> group) override {
    return publish_volume(volume, content, group);
  }

  Result<> prepare_host_path(const Path& path, const std::string& type) override {
    struct stat found{};
    const bool exists = ::stat(path.c_str(), &found) == 0;
    if (!exists && (type.empty() || type == "DirectoryOrCreate")) return make_tree(path);
    if (!exists && type == "FileOrCreate") {
      const Descriptor file(::open(path.c_str(), O_CREAT | O_CLOEXEC | O_WRONLY, 0644));
      if (file.get() < 0) return fail(errno_error(errno, "make " + quoted(path)));
      return {};
    }
    for (const auto& known : host_path_types) {
      if (type != known.name || (exists && known.matches(found.st_mode))) continue;
      return fail(Code::invalid,
                  "hostPath type check failed: " + path.string() + " is not a " + known.noun);
    }
    return {};
  }

  Result<> make_sub_path(const Path& volume, const std::string& sub_path) override {
    Descriptor at(::open(volume.c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY));
    if (at.get() < 0) {
      // A volume that is one file has nothing below it.
      return fail(errno_error(errno, "open volume " + quoted(volume)));
    }
    const int whole = open_inside(at.get(), sub_path);
    if (whole >= 0) {
      ::close(whole);
      return {};
    }
    if (whole != -ENOENT) return fail(errno_error(-whole, "open subPath '" + sub_path + "'"));
    for (const auto& part : Path(sub_path)) {
      if (part.empty() || part == ".") continue;
      if (::mkdirat(at.get(), part.c_str(), open_directory_mode) != 0 && errno != EEXIST) {
        return fail(errno_error(errno, "make subPath '" + sub_path + "'"));
      }
      const int next =
          ::openat(at.get(), part.c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW);
      if (next < 0) return fail(errno_error(errno, "make subPath '" + sub_path + "'"));
      at.reset(next);
    }
    return {};
  }

  Result<> write_file(const Path& path, std::string_view content, std::uint32_t mode) override {
    if (auto made = make_tree(path.parent_path()); !made) return made;
    const Descriptor file(
        ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, mode));
    if (file.get() < 0) return fail(errno_error(errno, "open " + quoted(path)));
    if (::fchmod(file.get(), mode) != 0) return fail(errno_error(errno, "chmod " + quoted(path)));
    while (!content.empty()) {
      const auto written = ::write(file.get(), content.data(), content.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail(errno_error(errno, "write " + quoted(path)));
      content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  std::vector<std::string> list(const Path& directory) override {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }

  Result<> drop_logs(const Path& container_logs, std::uint32_t oldest_kept) override {
    for (const auto& name : list(container_logs)) {
      std::uint32_t attempt = 0;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), attempt);
      if (error != std::errc{} || !std::string_view(end).starts_with(".log")) continue;
      if (attempt >= oldest_kept) continue;
      std::error_code ignored;
      fs::remove(container_logs / name, ignored);
    }
    return {};
  }

  Result<std::string> log_tail(const Path& log) override {
    std::ifstream file(log, std::ios::binary | std::ios::ate);
    if (!file) return std::string();
    const auto size = static_cast<std::size_t>(file.tellg());
    const auto skipped = size > tail_read_bytes ? size - tail_read_bytes : 0;
    std::string bytes(size - skipped, '\0');
    file.seekg(static_cast<std::streamoff>(skipped));
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (skipped > 0) bytes.erase(0, bytes.find('\n') + 1);
    return last_lines(bytes, tail_lines_max, tail_bytes_max);
  }

  Result<> remove_pod(const Path& directory) override {
    for (const auto& mount : mounts_below(directory)) {
      if (::umount2(mount.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL) {
        return fail(errno_error(errno, "unmount '" + mount + "'"));
      }
    }
    if (const auto left = mounts_below(directory); !left.empty()) {
      return fail(Code::unavailable, "'" + left.front() + "' is still mounted");
    }
    std::error_code error;
    fs::remove_all(directory, error);
    if (error) return fail(errno_error(error.value(), "remove " + quoted(directory)));
    return {};
  }
};

}  // namespace

std::unique_ptr<VolumeDisk> make_volume_disk() { return std::make_unique<OsVolumeDisk>(); }

}  // namespace koi::agent
