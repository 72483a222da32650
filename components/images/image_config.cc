#include "images/image_archive.h"
#include "images/limits.h"
#include "images/reference.h"
#include "json/value.h"

namespace koi::images {

namespace {

std::vector<std::string> strings_at(const json::Value& root, json::Path path) {
  std::vector<std::string> texts;
  for (const json::Value& item : json::array_at(root, path)) {
    if (item.is_string()) texts.emplace_back(item.as_string());
  }
  return texts;
}

}  // namespace

base::Result<ParsedConfig> parse_image_config(std::string_view text) {
  auto root = json::parse(text);
  if (!root) return base::fail(base::Code::corrupt, "image config: " + root.error().message);
  ParsedConfig parsed;
  parsed.os = json::string_at(*root, {"os"});
  parsed.architecture = json::string_at(*root, {"architecture"});
  parsed.diff_ids = strings_at(*root, {"rootfs", "diff_ids"});
  if (json::find(*root, {"rootfs", "diff_ids"}) == nullptr) {
    return base::fail(base::Code::corrupt, "image config has no rootfs.diff_ids");
  }
  for (const std::string& diff_id : parsed.diff_ids) {
    if (!is_sha256_digest(diff_id)) {
      return base::fail(base::Code::corrupt,
                        "image config: diff id '" + diff_id.substr(0, 100) + "' is no digest");
    }
  }
  ImageConfig& config = parsed.config;
  config.entrypoint = strings_at(*root, {"config", "Entrypoint"});
  config.command = strings_at(*root, {"config", "Cmd"});
  config.env = strings_at(*root, {"config", "Env"});
  config.user = json::string_at(*root, {"config", "User"});
  config.working_dir = json::string_at(*root, {"config", "WorkingDir"});
  config.stop_signal = json::string_at(*root, {"config", "StopSignal"});
  if (config.stop_signal.empty()) config.stop_signal = "SIGTERM";
  for (const auto& volume : json::object_at(*root, {"config", "Volumes"})) {
    config.volumes.emplace_back(volume.key());
  }
  return parsed;
}

std::string_view host_architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#else
#error "name this architecture in OCI's words"
#endif
}

}  // namespace koi::images
