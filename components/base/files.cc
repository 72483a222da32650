#include "base/files.h"

namespace koi::base {

Result<std::string> Files::read_all(const Path& path, std::size_t bytes_max) {
  auto file = open(path, OpenOptions{});
  if (!file) return fail(std::move(file).error());
  const auto size = (*file)->size();
  if (!size) return fail(size.error());
  if (*size > bytes_max) {
    return fail(Code::too_large,
                "'" + path.string() + "' is over " + std::to_string(bytes_max) + " bytes");
  }
  // Files below /proc report size 0, so read until the end rather than trusting the size.
  std::string content(static_cast<std::size_t>(*size) + 4096, '\0');
  std::size_t filled = 0;
  for (;;) {
    const auto count = (*file)->read_at(filled, std::span(content).subspan(filled));
    if (!count) return fail(count.error());
    if (*count == 0) break;
    filled += *count;
    if (filled > bytes_max) return fail(Code::too_large, "'" + path.string() + "' grew too large");
    if (filled == content.size()) content.resize(content.size() * 2);
  }
  content.resize(filled);
  return content;
}

Result<> Files::write_atomically(const Path& path, std::string_view content, std::uint32_t mode) {
  Path temporary = path;
  temporary += ".tmp";
  const OpenOptions options{.write = true, .create = true, .truncate = true, .mode = mode};
  auto file = open(temporary, options);
  if (!file) return fail(std::move(file).error());
  Result<> done = (*file)->write_at(0, content);
  if (done) done = (*file)->sync();
  if (done) done = rename(temporary, path);
  if (!done) {
    static_cast<void>(remove(temporary));
    return done;
  }
  return sync_directory(path.parent_path());
}

}  // namespace koi::base
