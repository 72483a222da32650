#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"
#include "http/server.h"
#include "images/image_store.h"

namespace koi::node {

// Serves this node's own commands on its Unix socket (mode 0600: root alone):
//   GET  /images                          every image, JSON
//   POST /images/import?archive=&name=    imports; answers when the image can be run
class NodeCommands final : public http::Handler {
 public:
  // `images_changed` is called after each import.
  NodeCommands(images::ImageStore& images, std::function<void()> images_changed);

  base::Task<http::Response> handle(http::Request& request) override;

 private:
  base::Task<http::Response> import(const std::string& archive, const std::string& name);

  images::ImageStore& images_;
  std::function<void()> images_changed_;
};

// One line of `koi image ls`, and what an import brought.
struct ImageLine {
  std::vector<std::string> names;
  std::string id;
  std::uint64_t size_bytes = 0;
};

// Where a command finds the node: its socket when koi runs, else its files.
struct NodeAddress {
  base::Path data_dir;
};

// Imports into the node, running or not. Fails with what the archive or the node says.
base::Result<std::vector<ImageLine>> import_image(const NodeAddress& node,
                                                  const base::Path& archive,
                                                  const std::string& name);
base::Result<std::vector<ImageLine>> list_images(const NodeAddress& node);

}  // namespace koi::node
