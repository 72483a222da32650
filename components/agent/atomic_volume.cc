#include "agent/atomic_volume.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace koi::agent {

namespace {

namespace fs = std::filesystem;
using base::errno_error;
using base::fail;
using base::Path;
using base::Result;

constexpr const char* data_link = "..data";
constexpr const char* new_data_link = "..data_tmp";
constexpr mode_t directory_mode = 0755;
constexpr mode_t group_directory_mode = 02775;
constexpr mode_t group_file_bits = 0440;

base::Error failed(const std::string& action, const Path& path, int error) {
  return errno_error(error, action + " '" + path.string() + "'");
}

mode_t file_mode(const VolumeFile& file, std::optional<std::int64_t> group) {
  return static_cast<mode_t>(group ? file.mode | group_file_bits : file.mode);
}

// True when the files below `directory` are exactly those asked for.
bool holds(const Path& directory, const VolumeContent& content, std::optional<std::int64_t> group) {
  std::error_code error;
  std::size_t count = 0;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->is_regular_file(error)) continue;
    ++count;
    const auto name = entry->path().lexically_relative(directory).string();
    const auto wanted = content.find(name);
    if (wanted == content.end()) return false;
    struct stat info{};
    if (::lstat(entry->path().c_str(), &info) != 0) return false;
    if ((info.st_mode & 07777) != file_mode(wanted->second, group)) return false;
    std::ifstream file(entry->path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes != wanted->second.content) return false;
  }
  return !error && count == content.size();
}

Result<> hand_over(const Path& path, mode_t mode, std::optional<std::int64_t> group) {
  if (group && ::lchown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0) {
    return fail(failed("change the group of", path, errno));
  }
  if (::chmod(path.c_str(), mode) != 0) return fail(failed("change the mode of", path, errno));
  return {};
}

Result<> make_parents(const Path& root, const Path& relative, std::optional<std::int64_t> group) {
  Path path = root;
  for (const auto& part : relative.parent_path()) {
    path /= part;
    if (::mkdir(path.c_str(), directory_mode) != 0) {
      if (errno == EEXIST) continue;
      return fail(failed("make", path, errno));
    }
    auto done = hand_over(path, group ? group_directory_mode : directory_mode, group);
    if (!done) return done;
  }
  return {};
}

Result<> write_files(const Path& root, const VolumeContent& content,
                     std::optional<std::int64_t> group) {
  for (const auto& [name, file] : content) {
    if (auto made = make_parents(root, name, group); !made) return made;
    const auto path = root / name;
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(file.content.data(), static_cast<std::streamsize>(file.content.size()));
    out.close();
    if (!out) return fail(failed("write", path, errno));
    if (auto done = hand_over(path, file_mode(file, group), group); !done) return done;
  }
  return {};
}

std::string fresh_name(const Path& volume) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  for (long nanos = now.tv_nsec;; ++nanos) {
    char name[64];
    const auto length = std::strftime(name, sizeof(name), "..%Y_%m_%d_%H_%M_%S.", &parts);
    auto text = std::string(name, length) + std::to_string(nanos);
    std::error_code error;
    if (!fs::exists(fs::symlink_status(volume / text, error))) return text;
  }
}

Result<> switch_data(const Path& volume, const std::string& name) {
  const auto link = volume / new_data_link;
  ::unlink(link.c_str());
  if (::symlink(name.c_str(), link.c_str()) != 0) return fail(failed("link", link, errno));
  if (::rename(link.c_str(), (volume / data_link).c_str()) != 0) {
    return fail(failed("rename", link, errno));
  }
  return {};
}

// Makes the links that programs see, and removes those of files that are gone.
Result<> link_names(const Path& volume, const VolumeContent& content) {
  std::set<std::string> names;
  for (const auto& [name, file] : content) names.insert(Path(name).begin()->string());
  for (const auto& name : names) {
    const auto link = volume / name;
    const auto target = Path(data_link) / name;
    if (::symlink(target.c_str(), link.c_str()) != 0 && errno != EEXIST) {
      return fail(failed("link", link, errno));
    }
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(volume, error)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("..") || names.contains(name)) continue;
    if (entry.is_symlink(error)) fs::remove(entry.path(), error);
  }
  return {};
}

// Removes the directories of earlier content.
void remove_old(const Path& volume, const std::string& current) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(volume, error)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("..20") && name != current) fs::remove_all(entry.path(), error);
  }
}

}  // namespace

Result<> publish_volume(const Path& volume, const VolumeContent& content,
                        std::optional<std::int64_t> group) {
  std::error_code error;
  const auto current = fs::read_symlink(volume / data_link, error);
  if (!error && holds(volume / current, content, group)) return link_names(volume, content);
  const auto name = fresh_name(volume);
  const auto fresh = volume / name;
  if (::mkdir(fresh.c_str(), directory_mode) != 0) return fail(failed("make", fresh, errno));
  auto done = hand_over(fresh, group ? group_directory_mode : directory_mode, group);
  if (done) done = write_files(fresh, content, group);
  if (done) done = switch_data(volume, name);
  if (done) done = link_names(volume, content);
  if (!done) {
    fs::remove_all(fresh, error);
    return done;
  }
  remove_old(volume, name);
  return {};
}

std::string mount_point_of(std::string_view line) {
  for (int field = 0; field < 4; ++field) {
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return {};
    line.remove_prefix(space + 1);
  }
  line = line.substr(0, line.find(' '));
  std::string point;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto is_octal = [&](std::size_t at) {
      return at < line.size() && line[at] >= '0' && line[at] <= '7';
    };
    if (line[i] == '\\' && is_octal(i + 1) && is_octal(i + 2) && is_octal(i + 3)) {
      const int code = (line[i + 1] - '0') * 64 + (line[i + 2] - '0') * 8 + (line[i + 3] - '0');
      point += static_cast<char>(code);
      i += 3;
    } else {
      point += line[i];
    }
  }
  return point;
}

}  // namespace koi::agent
