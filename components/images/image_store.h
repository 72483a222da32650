#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/task.h"

namespace koi::images {

// What an image's OCI config says about running it.
struct ImageConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> env;  // "NAME=value"
  std::string user;
  std::string working_dir;
  std::string stop_signal;  // "SIGTERM" when the image names none
  std::vector<std::string> volumes;
};

struct Image {
  std::string id;      // "sha256:<config digest>": what container status shows as imageID
  std::string digest;  // "sha256:<manifest digest>"
  std::vector<std::string> names;  // normalized: "docker.io/library/nginx:latest"
  std::uint64_t size_bytes = 0;    // of its layers, as the node's status reports it
  ImageConfig config;
  std::vector<base::Path> layers;  // unpacked directories, topmost first
};

// The images that a node has: content-addressed blobs, unpacked layers and names, on disk.
// One instance per data directory. Calls on the agent's executor; work is done on a pool.
class ImageStore {
 public:
  virtual ~ImageStore() = default;

  // The image that a pod's `image:` names (tag, digest, short docker.io form or image id).
  virtual std::optional<Image> find(const std::string& reference) const = 0;
  virtual std::vector<Image> list() const = 0;

  // Imports an OCI layout directory, an OCI archive or a docker archive, each plain, gzip or zstd.
  // On return every image of it is verified, unpacked, durable and runnable. A truncated or
  // tampered archive changes nothing. `name` overrides what the archive says (for archives without
  // names).
  virtual base::Task<base::Result<std::vector<Image>>> import(const base::Path& archive,
                                                              const std::string& name) = 0;

  virtual base::Task<base::Result<>> remove(const std::string& reference) = 0;
};

// The normalized form of a reference: "nginx" -> "docker.io/library/nginx:latest". Fails with
// invalid where the text breaks the reference grammar ("InvalidImageName").
base::Result<std::string> normalize_reference(std::string_view reference);

}  // namespace koi::images
