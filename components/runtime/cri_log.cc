#include "runtime/cri_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/time.h"

namespace koi::runtime {

using base::fail;
using base::Result;
using linux::Path;
using NanoTime = std::chrono::sys_time<std::chrono::nanoseconds>;

namespace {

constexpr std::size_t part_bytes_max = 16 * 1024;
constexpr std::string_view stream_names[] = {" stdout ", " stderr "};

// "20260102-030405.000000006": sorts by time, and no two rotations share it.
std::string rotation_suffix(NanoTime now) {
  std::string suffix;
  for (const char c : base::format_nano_time(now)) {
    if (c == 'T') suffix += '-';
    if ((c >= '0' && c <= '9') || c == '.') suffix += c;
  }
  return suffix;
}

}  // namespace

Result<CriLog> CriLog::open(const LogOptions& options) {
  CriLog log(options);
  std::error_code error;
  std::filesystem::create_directories(options.path.parent_path(), error);
  if (auto opened = log.reopen(); !opened) return fail(std::move(opened).error());
  return log;
}

Result<> CriLog::reopen() {
  auto file = linux::open_file(options_.path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640);
  if (!file) return fail(std::move(file).error().during("open log"));
  struct stat info{};
  size_bytes_ = ::fstat(file->get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
  file_ = std::move(*file);
  return {};
}

void CriLog::write(LogStream stream, std::string_view bytes, NanoTime now) {
  const auto index = static_cast<std::size_t>(stream);
  std::string& unfinished = unfinished_[index];
  const std::string head = base::format_nano_time(now) + std::string(stream_names[index]);
  std::string entries;
  const auto add = [&](std::string_view text, char tag) {
    entries.append(head).append(1, tag).append(1, ' ').append(text).append(1, '\n');
  };
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const bool whole = newline != std::string_view::npos;
    std::string_view line = bytes.substr(0, newline);
    bytes.remove_prefix(whole ? newline + 1 : bytes.size());
    if (!unfinished.empty()) {
      unfinished.append(line);
      line = unfinished;
    }
    while (line.size() > part_bytes_max) {
      add(line.substr(0, part_bytes_max), 'P');
      line.remove_prefix(part_bytes_max);
    }
    if (whole) {
      add(line, 'F');
      unfinished.clear();
    } else {
      unfinished = std::string(line);
    }
  }
  flush(entries, now);
}

void CriLog::finish(NanoTime now) {
  std::string entries;
  for (std::size_t index = 0; index < 2; ++index) {
    if (unfinished_[index].empty()) continue;
    entries += base::format_nano_time(now) + std::string(stream_names[index]) + "P " +
               unfinished_[index] + "\n";
    unfinished_[index] = std::string();
  }
  flush(entries, now);
}

void CriLog::flush(const std::string& entries, NanoTime now) {
  if (entries.empty()) return;
  if (size_bytes_ > 0 && size_bytes_ + entries.size() > options_.bytes_max) rotate(now);
  // A full disk is no reason to stop the container: its lines are lost until there is room.
  if (file_ && linux::write_all(file_.get(), entries)) size_bytes_ += entries.size();
}

void CriLog::rotate(NanoTime now) {
  const std::string name = options_.path.filename().native();
  const Path directory = options_.path.parent_path();
  std::error_code error;
  std::filesystem::rename(options_.path, directory / (name + "." + rotation_suffix(now)), error);
  if (error) return;
  if (!reopen()) file_.reset();
  std::vector<Path> old;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().native().starts_with(name + ".")) old.push_back(entry->path());
  }
  std::sort(old.begin(), old.end());
  const std::size_t keep = options_.files_max > 0 ? options_.files_max - 1 : 0;
  for (std::size_t i = 0; i + keep < old.size(); ++i) std::filesystem::remove(old[i], error);
}

}  // namespace koi::runtime
