#include "linux/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace koi::linux {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr int depth_max = 256;
constexpr const char* opaque_attribute = "trusted.overlay.opaque";

Result<std::vector<std::string>> names_in(int directory) {
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy < 0 ? nullptr : ::fdopendir(copy);
  if (stream == nullptr) return fail_errno("read directory");
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(stream);
  return names;
}

Result<UniqueFd> open_directory(int parent, const std::string& name) {
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno("open", name);
  return fd;
}

Result<> remove_at(int directory, const std::string& name, int depth) {
  if (::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno("remove", name);
  if (depth > depth_max) return fail(Code::too_large, "directories are nested too deep");
  auto below = open_directory(directory, name);
  if (!below) return fail(std::move(below).error());
  auto names = names_in(below->get());
  if (!names) return fail(std::move(names).error());
  for (const std::string& each : *names) {
    if (auto removed = remove_at(below->get(), each, depth + 1); !removed) return removed;
  }
  if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0) return fail_errno("remove", name);
  return {};
}

void copy_attributes(int from, int to) {
  char list[16 * 1024];
  const ssize_t length = ::flistxattr(from, list, sizeof list);
  for (ssize_t at = 0; at < length;) {
    const std::string name(&list[at]);
    at += static_cast<ssize_t>(name.size()) + 1;
    if (name.starts_with("trusted.overlay.")) continue;
    char value[64 * 1024];
    const ssize_t size = ::fgetxattr(from, name.c_str(), value, sizeof value);
    // A file system without them (tmpfs and user attributes) is no reason to fail.
    if (size >= 0) (void)::fsetxattr(to, name.c_str(), value, static_cast<std::size_t>(size), 0);
  }
}

// The owner first: changing it clears the set-id bits of the mode.
Result<> copy_metadata(int from, int to, const struct stat& info) {
  if (::fchown(to, info.st_uid, info.st_gid) != 0) return fail_errno("set owner");
  copy_attributes(from, to);
  if (::fchmod(to, info.st_mode & 07777) != 0) return fail_errno("set mode");
  const timespec times[] = {info.st_atim, info.st_mtim};
  (void)::futimens(to, times);
  return {};
}

Result<> copy_file(int from_directory, int to_directory, const std::string& name,
                   const struct stat& info) {
  const UniqueFd from(
      ::openat(from_directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!from) return fail_errno("open", name);
  const UniqueFd to(
      ::openat(to_directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!to) return fail_errno("make", name);
  for (;;) {
    constexpr std::size_t portion = 1 << 30;
    const ssize_t count = ::sendfile(to.get(), from.get(), nullptr, portion);
    if (count < 0) return fail_errno("copy", name);
    if (count == 0) break;
  }
  return copy_metadata(from.get(), to.get(), info);
}

Result<> copy_special(int from_directory, int to_directory, const std::string& name,
                      const struct stat& info) {
  if (S_ISLNK(info.st_mode)) {
    char target[4096];
    const ssize_t length = ::readlinkat(from_directory, name.c_str(), target, sizeof target - 1);
    if (length < 0) return fail_errno("read link", name);
    target[length] = '\0';
    if (::symlinkat(target, to_directory, name.c_str()) != 0) return fail_errno("make", name);
  } else if (::mknodat(to_directory, name.c_str(), info.st_mode, info.st_rdev) != 0) {
    return fail_errno("make", name);
  }
  if (::fchownat(to_directory, name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_errno("set owner of", name);
  }
  return {};
}

Result<> copy_into(int from, int to, int depth);

Result<> copy_directory(int from_directory, int to_directory, const std::string& name,
                        const struct stat& info, int depth) {
  auto from = open_directory(from_directory, name);
  if (!from) return fail(std::move(from).error());
  char opaque = 'n';
  const bool fresh = ::fgetxattr(from->get(), opaque_attribute, &opaque, 1) == 1 && opaque == 'y';
  struct stat existing{};
  const bool present = ::fstatat(to_directory, name.c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0;
  if (present && (fresh || !S_ISDIR(existing.st_mode))) {
    if (auto removed = remove_entry(to_directory, name); !removed) return removed;
  }
  if (::mkdirat(to_directory, name.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno("make", name);
  }
  auto to = open_directory(to_directory, name);
  if (!to) return fail(std::move(to).error());
  if (auto copied = copy_into(from->get(), to->get(), depth + 1); !copied) return copied;
  return copy_metadata(from->get(), to->get(), info);
}

Result<> copy_into(int from, int to, int depth) {
  if (depth > depth_max) return fail(Code::too_large, "directories are nested too deep");
  auto names = names_in(from);
  if (!names) return fail(std::move(names).error());
  for (const std::string& name : *names) {
    struct stat info{};
    if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return fail_errno("stat", name);
    }
    Result<> done;
    if (S_ISDIR(info.st_mode)) {
      done = copy_directory(from, to, name, info, depth);
    } else {
      done = remove_entry(to, name);
      const bool whiteout = S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
      if (done && !whiteout) {
        done = S_ISREG(info.st_mode) ? copy_file(from, to, name, info)
                                     : copy_special(from, to, name, info);
      }
    }
    if (!done) return done;
  }
  return {};
}

}  // namespace

Result<> remove_entry(int directory, const std::string& name) {
  return remove_at(directory, name, 0);
}

Result<> copy_layer(int from, int to) { return copy_into(from, to, 0); }

}  // namespace koi::linux
