#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"

// Archives for tests, written byte by byte so that they can be wrong in every way.
namespace koi::images {

struct TarEntry {
  std::string path;
  char type = '0';  // as in ustar: '0' file, '1' hard link, '2' symbolic link, '5' directory, ...
  std::string content;
  std::string link;
  unsigned mode = 0644;
  std::uint64_t user = 0;
  std::uint64_t group = 0;
  std::uint64_t modified = 1'000'000'000;
  std::map<std::string, std::string> pax;
};

std::string make_tar(const std::vector<TarEntry>& entries);
std::string gzip(std::string_view bytes);
std::string zstd(std::string_view bytes);

// Deletes itself. In memory where the machine has such a place and syncing would only cost time.
class TemporaryDirectory {
 public:
  enum class Where { disk, memory };
  explicit TemporaryDirectory(Where where = Where::disk);
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const base::Path& path() const { return path_; }

 private:
  base::Path path_;
};

// The same bytes with a few of them changed, the same ones for the same seed.
std::string damaged(std::string bytes, std::uint64_t seed);

void write_file(const base::Path& path, std::string_view bytes);
std::string read_file(const base::Path& path);

// Images and the archives that hold them.
struct TestLayer {
  std::string tar;
  std::string blob;  // the tar, compressed or not
};
struct TestImage {
  std::vector<TestLayer> layers;
  std::vector<std::string> names;
  std::string architecture = "amd64";
  std::string config_fields = R"("Cmd":["run"])";

  std::string config() const;
  std::string manifest() const;
};

// The files of an archive by path; change them before packing to make a wrong one.
using ArchiveFiles = std::map<std::string, std::string>;
ArchiveFiles oci_layout(const std::vector<TestImage>& images);
ArchiveFiles docker_archive(const std::vector<TestImage>& images);
std::string pack(const ArchiveFiles& files);
void spread(const ArchiveFiles& files, const base::Path& directory);

}  // namespace koi::images
