#include "images/import_directory.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "json/value.h"

namespace koi::images {

namespace {

constexpr std::size_t record_bytes_max = 16 * 1024 * 1024;

struct Remembered {
  std::string looks;                // size, time of change and inode
  std::vector<std::string> images;  // manifest digests
};
using Record = std::map<std::string, Remembered>;  // by file name

bool is_archive_name(std::string_view name) {
  constexpr std::array<std::string_view, 7> endings{".tar",  ".tar.gz",   ".tgz", ".tar.zst",
                                                    ".tzst", ".tar.zstd", ".oci"};
  return !name.starts_with('.') && std::ranges::any_of(endings, [&](std::string_view ending) {
    return name.ends_with(ending);
  });
}

std::string looks_of(const base::Path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec) + " " + std::to_string(status.st_ino);
}

bool is_layout(base::Files& files, const base::Path& path) {
  const auto index = files.exists(path / "index.json");
  return index && *index;
}

// Candidates, by name, with what they look like. A layout's looks are those of its index.
struct Scan {
  std::map<std::string, std::string> archives;
  Record record;
};

base::Result<Scan> scan(base::Files& files, const base::Path& directory, const base::Path& record) {
  Scan result;
  auto present = files.exists(directory);
  if (!present) return base::fail(std::move(present).error());
  if (!*present) return result;
  auto names = files.list(directory);
  if (!names) return base::fail(std::move(names).error());
  for (const std::string& name : *names) {
    const base::Path path = directory / name;
    const bool layout = is_layout(files, path);
    if (!layout && !is_archive_name(name)) continue;
    result.archives[name] = looks_of(layout ? path / "index.json" : path);
  }
  const auto text = files.read_all(record, record_bytes_max);
  if (!text) return result;
  const auto root = json::parse(*text);
  if (!root) return result;  // a damaged record costs an import, nothing else
  for (const auto& entry : json::object_at(*root, {})) {
    Remembered& remembered = result.record[std::string(entry.key())];
    remembered.looks = json::string_at(entry.value(), {"looks"});
    for (const json::Value& image : json::array_at(entry.value(), {"images"})) {
      if (image.is_string()) remembered.images.emplace_back(image.as_string());
    }
  }
  return result;
}

std::string serialize(const Record& record) {
  json::Object root;
  for (const auto& [name, remembered] : record) {
    json::Array images;
    for (const std::string& image : remembered.images) images.emplace_back(image);
    root[name] = json::Object{{"looks", remembered.looks}, {"images", std::move(images)}};
  }
  return json::serialize(root);
}

bool is_unchanged(const ImageStore& store, const Record& record, const std::string& name,
                  const std::string& looks) {
  const auto found = record.find(name);
  return found != record.end() && !looks.empty() && found->second.looks == looks &&
         std::ranges::all_of(found->second.images, [&](const std::string& digest) {
           return store.find(digest).has_value();
         });
}

}  // namespace

base::Task<base::Result<DirectoryImport>> import_directory(ImageStore& store, base::Files& files,
                                                           base::BlockingPool& pool,
                                                           base::Path directory,
                                                           base::Path record) {
  auto look = [&files, &directory, &record] { return scan(files, directory, record); };
  auto scanned = co_await pool.run(std::move(look));
  if (!scanned) co_return base::fail(std::move(scanned).error());
  DirectoryImport result;
  Record remembered;
  for (const auto& [name, looks] : scanned->archives) {
    if (is_unchanged(store, scanned->record, name, looks)) {
      remembered[name] = scanned->record.at(name);
      ++result.unchanged;
      continue;
    }
    const base::Path path = directory / name;
    const std::string no_name;
    auto images = co_await store.import(path, no_name);
    if (!images) {
      result.failures.push_back({name, std::move(images).error()});
      continue;
    }
    Remembered& entry = remembered[name];
    entry.looks = looks;
    for (const Image& image : *images) entry.images.push_back(image.digest);
    result.imported.push_back(name);
  }
  if (result.imported.empty() && remembered.size() == scanned->record.size()) co_return result;
  const std::string text = serialize(remembered);
  auto save = [&files, &record, &text] { return files.write_atomically(record, text, 0600); };
  auto saved = co_await pool.run(std::move(save));
  if (!saved) co_return base::fail(std::move(saved).error());
  co_return result;
}

}  // namespace koi::images
