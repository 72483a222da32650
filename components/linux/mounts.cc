#include "linux/mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace koi::linux {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr int layers_max = 500;

std::string descriptor_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace

Result<> mount_filesystem(const std::string& type, const std::string& source, const Path& target,
                          unsigned long flags, const std::string& data) {
  if (::mount(source.c_str(), target.c_str(), type.c_str(), flags, data.c_str()) != 0) {
    return fail_errno("mount " + type + " on", target);
  }
  return {};
}

Result<> set_propagation(const Path& target, unsigned long flags) {
  if (::mount(nullptr, target.c_str(), nullptr, flags, nullptr) != 0) {
    return fail_errno("set propagation of", target);
  }
  return {};
}

Result<> unmount(const Path& target, int flags) {
  if (::umount2(target.c_str(), flags) != 0) return fail_errno("unmount", target);
  return {};
}

namespace {

Result<> configure(int context, unsigned command, const char* key, const char* value) {
  if (::syscall(SYS_fsconfig, context, command, key, value, 0) == 0) return {};
  return fail_errno("set option '" + std::string(key == nullptr ? "" : key) + "'");
}

}  // namespace

Result<UniqueFd> make_mount(const std::string& type, const std::string& source,
                            const std::vector<std::string>& options, std::uint64_t attributes) {
  const UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC)));
  if (!context) return fail_errno("open file system '" + type + "'");
  Result<> done = configure(context.get(), FSCONFIG_SET_STRING, "source", source.c_str());
  for (const std::string& option : options) {
    if (!done) break;
    const std::size_t equals = option.find('=');
    const std::string key = option.substr(0, equals);
    if (equals == std::string::npos) {
      done = configure(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr);
    } else {
      const std::string value = option.substr(equals + 1);
      done = configure(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str());
    }
  }
  if (done && (attributes & MOUNT_ATTR_RDONLY) != 0) {
    done = configure(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr);
  }
  if (done) done = configure(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr);
  if (!done) return fail(std::move(done).error().during("mount " + type));
  const long mount = ::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes);
  if (mount < 0) return fail_errno("mount " + type);
  return UniqueFd(static_cast<int>(mount));
}

Result<UniqueFd> clone_mount(int fd, bool recursive) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
                         (recursive ? unsigned{AT_RECURSIVE} : 0U);
  const long mount = ::syscall(SYS_open_tree, fd, "", flags);
  if (mount < 0) return fail_errno("clone mount");
  return UniqueFd(static_cast<int>(mount));
}

Result<> set_mount_attributes(int mount, const MountAttributes& attributes) {
  mount_attr attr{};
  attr.attr_set = attributes.set;
  attr.attr_clr = attributes.clear;
  attr.propagation = attributes.propagation;
  const unsigned flags = AT_EMPTY_PATH | (attributes.recursive ? unsigned{AT_RECURSIVE} : 0U);
  if (::syscall(SYS_mount_setattr, mount, "", flags, &attr, sizeof attr) != 0) {
    return fail_errno("set mount attributes");
  }
  return {};
}

Result<> attach_mount(int mount, int target) {
  if (::syscall(SYS_move_mount, mount, "", target, "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    return fail_errno("attach mount");
  }
  return {};
}

Result<> mount_overlay(const OverlayDirectories& directories, const Path& target) {
  if (directories.lower.empty() || directories.lower.size() > layers_max) {
    return fail(Code::invalid, "an overlay has 1 to 500 lower directories");
  }
  // Named by descriptor, the directories fit the kernel's one page of options however deep they
  // lie, and their paths may hold any character.
  std::vector<UniqueFd> open;
  auto add = [&open](const Path& path) -> Result<std::string> {
    auto fd = open_file(path, O_PATH | O_DIRECTORY);
    if (!fd) return fail(std::move(fd).error());
    open.push_back(std::move(*fd));
    return descriptor_path(open.back().get());
  };
  std::string lower;
  for (const Path& path : directories.lower) {
    auto name = add(path);
    if (!name) return fail(std::move(name).error().during("mount overlay"));
    lower += (lower.empty() ? "" : ":") + *name;
  }
  auto upper = add(directories.upper);
  if (!upper) return fail(std::move(upper).error().during("mount overlay"));
  auto work = add(directories.work);
  if (!work) return fail(std::move(work).error().during("mount overlay"));
  const std::string data = "lowerdir=" + lower + ",upperdir=" + *upper + ",workdir=" + *work;
  const unsigned long flags = 0;
  auto mounted = mount_filesystem("overlay", "overlay", target, flags, data + ",volatile");
  if (mounted) return {};
  return mount_filesystem("overlay", "overlay", target, flags, data);
}

Result<> change_root(const Path& new_root) {
  if (::chdir(new_root.c_str()) != 0) return fail_errno("enter", new_root);
  // With both arguments the same, the old root ends up mounted over the new one and is detached.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return fail_errno("pivot_root to", new_root);
  if (::umount2(".", MNT_DETACH) != 0) return fail_errno("detach the old root");
  if (::chdir("/") != 0) return fail_errno("enter the new root");
  return {};
}

namespace {

Result<UniqueFd> open_component(int parent, const std::string& name, int flags) {
  return open_at(parent, name, flags | O_PATH, 0);
}

// Opens what `path` means inside `root`, following links, or fails with not_found.
Result<UniqueFd> open_in_root(int root, std::string_view path) {
  return open_at(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

Result<UniqueFd> make_last(int parent, const std::string& name, bool file, unsigned mode) {
  const int result = file ? ::mknodat(parent, name.c_str(), S_IFREG | mode, 0)
                          : ::mkdirat(parent, name.c_str(), mode);
  if (result != 0 && errno != EEXIST) return fail_errno("make", name);
  return open_component(parent, name, O_NOFOLLOW);
}

// What a dangling symbolic link at `fd` points to, or empty for anything else.
std::string link_target(int fd) {
  char target[4096];
  const ssize_t length = ::readlinkat(fd, "", target, sizeof target);
  return length <= 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

Result<UniqueFd> make_path(int root, const std::string& path, bool file, unsigned mode,
                           int links_left) {
  std::string done = ".";
  auto current = open_in_root(root, done);
  if (!current) return current;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name(path.substr(begin, end - begin));
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    const bool last = path.find_first_not_of('/', end) == std::string::npos;
    const std::string parent = std::exchange(done, done + "/" + name);
    auto next = open_in_root(root, done);
    if (!next && next.error().code == Code::not_found) {
      next = make_last(current->get(), name, file && last, file && last ? 0644U : mode);
      if (!next) return next;
      if (const std::string target = link_target(next->get()); !target.empty()) {
        if (links_left == 0) return fail(Code::invalid, "too many symbolic links");
        const std::string rest = last ? "" : path.substr(end);
        const std::string from = target.front() == '/' ? target : parent + "/" + target;
        return make_path(root, from + rest, file, mode, links_left - 1);
      }
    }
    if (!next) return next;
    current = std::move(next);
  }
  return current;
}

}  // namespace

Result<UniqueFd> make_path_in_root(int root, std::string_view path, bool file, unsigned mode) {
  constexpr int links_max = 16;
  auto made = make_path(root, std::string(path), file, mode, links_max);
  if (!made) return fail(std::move(made).error().during("make '" + std::string(path) + "'"));
  return made;
}

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      result += static_cast<char>(value);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

}  // namespace

std::vector<MountInfo> parse_mountinfo(std::string_view text) {
  std::vector<MountInfo> mounts;
  for (const std::string_view line : split(text, '\n')) {
    const auto words = split(line, ' ');
    std::size_t dash = 6;
    while (dash < words.size() && words[dash] != "-") ++dash;
    if (dash + 3 >= words.size()) continue;
    mounts.push_back({unescape(words[3]), unescape(words[4]), std::string(words[5]),
                      std::string(words[dash + 1]), unescape(words[dash + 2]),
                      std::string(words[dash + 3])});
  }
  return mounts;
}

}  // namespace koi::linux
