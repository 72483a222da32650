#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "images/image_store.h"
#include "linux/fd.h"

namespace koi::images {

// A layer as an archive names it. Nothing of it is verified yet.
struct ArchivedLayer {
  std::string path;                         // inside the archive
  std::string digest;                       // of the file; empty in docker archives, which say none
  std::optional<std::uint64_t> size_bytes;  // of the file
  std::string diff_id;                      // of the plain tar, as the config says
};

// An image as an archive describes it. Manifest and config are verified against their digests.
struct ArchivedImage {
  std::vector<std::string> names;    // normalized
  std::vector<std::string> aliases;  // digests of the indexes that led to the manifest
  std::string label;                 // how messages call it: its first name, or its config's digest
  std::string manifest_digest;       // empty for docker archives: the store makes the manifest
  std::string manifest;
  std::string config_digest;
  std::string config;
  std::vector<ArchivedLayer> layers;  // lowest first
};

// An OCI layout or an unpacked docker archive in a directory. Links in it are followed only inside.
class ImageArchive {
 public:
  explicit ImageArchive(linux::UniqueFd root) : root_(std::move(root)) {}

  // The images for `architecture` ("amd64"). `name` replaces the names that the archive gives its
  // only image; where it has several, it is the repository of those that are named by a bare tag.
  base::Result<std::vector<ArchivedImage>> images(const std::string& name,
                                                  const std::string& architecture) const;

  // A regular file of the archive, for reading.
  base::Result<linux::UniqueFd> open(const std::string& path) const;

 private:
  linux::UniqueFd root_;
};

// Reads an OCI image config. Fails with corrupt when it is none.
struct ParsedConfig {
  ImageConfig config;
  std::vector<std::string> diff_ids;  // lowest first
  std::string os;
  std::string architecture;
};
base::Result<ParsedConfig> parse_image_config(std::string_view text);

// The architecture this program was built for, in OCI's words.
std::string_view host_architecture();

}  // namespace koi::images
