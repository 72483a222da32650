#include "images/image_archive.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "images/digest.h"
#include "images/limits.h"
#include "images/reference.h"
#include "json/value.h"

namespace koi::images {

namespace {

std::unexpected<base::Error> corrupt(std::string message) {
  return base::fail(base::Code::corrupt, std::move(message));
}

bool is_index(const json::Value& root, std::string_view media_type) {
  return media_type == "application/vnd.oci.image.index.v1+json" ||
         media_type == "application/vnd.docker.distribution.manifest.list.v2+json" ||
         (json::find(root, {"manifests"}) != nullptr && json::find(root, {"layers"}) == nullptr);
}

bool is_image_config(std::string_view media_type) {
  return media_type.empty() || media_type == "application/vnd.oci.image.config.v1+json" ||
         media_type == "application/vnd.docker.container.image.v1+json";
}

// Finds the images of one archive.
class Reader {
 public:
  Reader(const ImageArchive& archive, const std::string& name, const std::string& architecture)
      : archive_(archive), name_(name), architecture_(architecture) {}

  base::Result<std::vector<ArchivedImage>> read() {
    if (auto index = archive_.open("index.json")) {
      if (auto done = read_layout(index->get()); !done) {
        return base::fail(std::move(done).error());
      }
    } else if (auto manifest = archive_.open("manifest.json")) {
      if (auto done = read_docker(manifest->get()); !done) {
        return base::fail(std::move(done).error());
      }
    } else if (archive_.open("repositories")) {
      return base::fail(base::Code::unsupported,
                        "docker archive without manifest.json (made before docker 1.10); "
                        "save it again with a newer docker");
    } else {
      return base::fail(base::Code::invalid,
                        "neither an OCI layout (index.json) nor a docker archive (manifest.json)");
    }
    if (images_.empty()) {
      return base::fail(base::Code::unsupported,
                        "archive has no image for linux/" + architecture_ + seen_platforms());
    }
    return take_images();
  }

 private:
  std::string seen_platforms() const {
    std::string text;
    for (const std::string& platform : platforms_) text += (text.empty() ? "" : ", ") + platform;
    return text.empty() ? text : " (it has " + text + ")";
  }

  base::Result<std::string> read_bounded(int file, std::size_t bytes_max, std::string_view what) {
    auto text = linux::read_all(file, bytes_max);
    if (!text) return base::fail(std::move(text).error().during("read " + std::string(what)));
    return text;
  }

  // ---- OCI layout

  base::Result<> read_layout(int file) {
    auto text = read_bounded(file, limits::index_bytes_max, "index.json");
    if (!text) return base::fail(std::move(text).error());
    auto index = json::parse(*text);
    if (!index) return corrupt("index.json: " + index.error().message);
    for (const json::Value& descriptor : json::array_at(*index, {"manifests"})) {
      if (auto done = follow(descriptor, names_of(descriptor), {}, 0); !done) return done;
    }
    return {};
  }

  // What an index.json calls an entry. A bare tag says nothing about the repository.
  std::vector<std::string> names_of(const json::Value& descriptor) const {
    std::string_view full =
        json::string_at(descriptor, {"annotations", "io.containerd.image.name"});
    if (!full.empty()) return {std::string(full)};
    full = json::string_at(descriptor, {"annotations", "org.opencontainers.image.ref.name"});
    if (full.empty()) return {};
    if (full.find_first_of(":/@") != std::string_view::npos) return {std::string(full)};
    auto base = parse_reference(name_);
    if (name_.empty() || !base) return {};
    return {base->repository() + ":" + std::string(full)};
  }

  bool is_wanted(const json::Value& descriptor) {
    const std::string_view os = json::string_at(descriptor, {"platform", "os"});
    const std::string_view machine = json::string_at(descriptor, {"platform", "architecture"});
    if (os.empty() && machine.empty()) return true;
    if (os == "linux" && machine == architecture_) return true;
    if (os != "unknown" && platforms_.size() < 20) {
      platforms_.insert(std::string(os) + "/" + std::string(machine));
    }
    return false;
  }

  base::Result<std::string> read_blob(const json::Value& descriptor, std::size_t bytes_max,
                                      std::string_view what) {
    const std::string digest(json::string_at(descriptor, {"digest"}));
    if (!is_sha256_digest(digest)) {
      return corrupt(std::string(what) + ": digest '" + digest.substr(0, 100) +
                     "' is no sha256 digest");
    }
    auto file = archive_.open("blobs/sha256/" + digest.substr(7));
    if (!file) return corrupt(std::string(what) + ": blob " + digest + " is missing");
    auto text = read_bounded(file->get(), bytes_max, what);
    if (!text) return text;
    const std::string actual = digest_of(*text);
    if (actual != digest) {
      return corrupt(std::string(what) + ": digest mismatch: expected " + digest + " got " +
                     actual);
    }
    return text;
  }

  base::Result<> follow(const json::Value& descriptor, const std::vector<std::string>& names,
                        std::vector<std::string> aliases, std::size_t depth) {
    if (depth > limits::index_depth_max) return corrupt("indexes are nested too deeply");
    if (!is_wanted(descriptor)) return {};
    const std::string label = names.empty() ? "an image" : names.front();
    auto text = read_blob(descriptor, limits::manifest_bytes_max, "manifest of " + label);
    if (!text) return base::fail(std::move(text).error());
    auto root = json::parse(*text);
    if (!root) return corrupt("manifest of " + label + ": " + root.error().message);
    const std::string digest(json::string_at(descriptor, {"digest"}));
    if (is_index(*root, json::string_at(descriptor, {"mediaType"}))) {
      aliases.push_back(digest);
      return follow_first(*root, names, aliases, depth);
    }
    return add_oci_image(*root, std::move(*text), digest, names, std::move(aliases));
  }

  // An index of an image lists its platforms in order of preference.
  base::Result<> follow_first(const json::Value& index, const std::vector<std::string>& names,
                              const std::vector<std::string>& aliases, std::size_t depth) {
    const std::size_t before = images_.size();
    for (const json::Value& descriptor : json::array_at(index, {"manifests"})) {
      if (auto done = follow(descriptor, names, aliases, depth + 1); !done) return done;
      if (images_.size() > before) return {};
    }
    return {};
  }

  base::Result<> add_oci_image(const json::Value& manifest, std::string text,
                               const std::string& digest, const std::vector<std::string>& names,
                               std::vector<std::string> aliases) {
    for (ArchivedImage& known : images_) {
      if (known.manifest_digest != digest) continue;
      known.names.insert(known.names.end(), names.begin(), names.end());
      return {};
    }
    ArchivedImage image;
    image.names = names;
    image.aliases = std::move(aliases);
    image.label = names.empty() ? digest : names.front();
    image.manifest_digest = digest;
    image.manifest = std::move(text);
    const json::Value* descriptor = json::find(manifest, {"config"});
    if (descriptor == nullptr) return corrupt("manifest of " + image.label + " has no config");
    const std::string_view type = json::string_at(*descriptor, {"mediaType"});
    if (!is_image_config(type)) {
      return base::fail(base::Code::unsupported, image.label + " is no container image but '" +
                                                     std::string(type.substr(0, 100)) + "'");
    }
    auto config = read_blob(*descriptor, limits::config_bytes_max, "config of " + image.label);
    if (!config) return base::fail(std::move(config).error());
    image.config_digest = json::string_at(*descriptor, {"digest"});
    image.config = std::move(*config);
    for (const json::Value& layer : json::array_at(manifest, {"layers"})) {
      auto added = add_oci_layer(image, layer);
      if (!added) return added;
    }
    return keep(std::move(image));
  }

  base::Result<> add_oci_layer(ArchivedImage& image, const json::Value& descriptor) {
    const std::string digest(json::string_at(descriptor, {"digest"}));
    const std::string which =
        "layer " + std::to_string(image.layers.size() + 1) + " of " + image.label;
    if (!is_sha256_digest(digest)) {
      return corrupt(which + ": digest '" + digest.substr(0, 100) + "' is no sha256 digest");
    }
    if (json::string_at(descriptor, {"mediaType"}).contains("encrypted")) {
      return base::fail(base::Code::unsupported, which + " is encrypted");
    }
    ArchivedLayer layer{.path = "blobs/sha256/" + digest.substr(7),
                        .digest = digest,
                        .size_bytes = {},
                        .diff_id = {}};
    if (const auto size = json::int_at(descriptor, {"size"}); size && *size >= 0) {
      layer.size_bytes = static_cast<std::uint64_t>(*size);
    }
    image.layers.push_back(std::move(layer));
    return {};
  }

  // ---- docker archive

  base::Result<> read_docker(int file) {
    auto text = read_bounded(file, limits::index_bytes_max, "manifest.json");
    if (!text) return base::fail(std::move(text).error());
    auto manifest = json::parse(*text);
    if (!manifest) return corrupt("manifest.json: " + manifest.error().message);
    if (!manifest->is_array()) return corrupt("manifest.json is no list of images");
    for (const json::Value& entry : manifest->as_array()) {
      if (auto done = add_docker_image(entry); !done) return done;
    }
    return {};
  }

  base::Result<> add_docker_image(const json::Value& entry) {
    ArchivedImage image;
    for (const json::Value& tag : json::array_at(entry, {"RepoTags"})) {
      if (tag.is_string()) image.names.emplace_back(tag.as_string());
    }
    for (const json::Value& path : json::array_at(entry, {"Layers"})) {
      if (!path.is_string()) return corrupt("manifest.json names a layer that is no path");
      image.layers.push_back(
          {.path = std::string(path.as_string()), .digest = {}, .size_bytes = {}, .diff_id = {}});
    }
    if (image.names.empty() && !image.layers.empty()) {
      add_names_of_repositories(image);
    }
    const std::string path(json::string_at(entry, {"Config"}));
    image.label = image.names.empty() ? path : image.names.front();
    auto file = archive_.open(path);
    if (!file) return corrupt("config '" + path.substr(0, 200) + "' is missing");
    auto config = read_bounded(file->get(), limits::config_bytes_max, "config of " + image.label);
    if (!config) return base::fail(std::move(config).error());
    image.config = std::move(*config);
    image.config_digest = digest_of(image.config);
    const std::string stem = base::Path(path).stem().string();
    if (is_sha256_digest("sha256:" + stem) && "sha256:" + stem != image.config_digest) {
      return corrupt("config of " + image.label + ": digest mismatch: expected sha256:" + stem +
                     " got " + image.config_digest);
    }
    return keep(std::move(image));
  }

  // Old archives name images only in "repositories": {"repo": {"tag": "<top layer's folder>"}}.
  void add_names_of_repositories(ArchivedImage& image) {
    auto file = archive_.open("repositories");
    if (!file) return;
    auto text = linux::read_all(file->get(), limits::index_bytes_max);
    if (!text) return;
    auto root = json::parse(*text);
    if (!root) return;
    const std::string top = base::Path(image.layers.back().path).parent_path().string();
    for (const auto& repository : json::object_at(*root, {})) {
      for (const auto& tag : json::object_at(repository.value(), {})) {
        if (!tag.value().is_string() || tag.value().as_string() != top) continue;
        image.names.push_back(std::string(repository.key()) + ":" + std::string(tag.key()));
      }
    }
  }

  // ---- both

  base::Result<> keep(ArchivedImage image) {
    if (images_.size() == limits::archive_images_max) {
      return base::fail(base::Code::too_large, "archive has too many images");
    }
    auto config = parse_image_config(image.config);
    if (!config) return base::fail(std::move(config).error().during(image.label));
    const bool other_os = !config->os.empty() && config->os != "linux";
    const bool other_machine =
        !config->architecture.empty() && config->architecture != architecture_;
    if (other_os || other_machine) {
      platforms_.insert(config->os + "/" + config->architecture);
      return {};
    }
    if (config->diff_ids.size() != image.layers.size()) {
      return corrupt(image.label + " has " + std::to_string(image.layers.size()) +
                     " layers, but its config lists " + std::to_string(config->diff_ids.size()));
    }
    if (image.layers.size() > limits::image_layers_max) {
      return base::fail(
          base::Code::too_large,
          image.label + " has more than " + std::to_string(limits::image_layers_max) + " layers");
    }
    if (image.layers.empty()) return corrupt(image.label + " has no layers");
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
      image.layers[i].diff_id = config->diff_ids[i];
    }
    images_.push_back(std::move(image));
    return {};
  }

  base::Result<std::vector<ArchivedImage>> take_images() {
    if (!name_.empty() && images_.size() == 1) images_.front().names = {name_};
    for (ArchivedImage& image : images_) {
      if (image.names.size() > limits::image_names_max) {
        return base::fail(base::Code::too_large, "an image has too many names");
      }
      for (std::string& name : image.names) {
        auto normal = normalize_reference(name);
        if (!normal) return base::fail(std::move(normal).error());
        name = std::move(*normal);
      }
      std::ranges::sort(image.names);
      image.names.erase(std::unique(image.names.begin(), image.names.end()), image.names.end());
      image.label = image.names.empty() ? image.config_digest : image.names.front();
    }
    return std::move(images_);
  }

  const ImageArchive& archive_;
  const std::string& name_;
  const std::string& architecture_;
  std::set<std::string> platforms_;
  std::vector<ArchivedImage> images_;
};

}  // namespace

base::Result<std::vector<ArchivedImage>> ImageArchive::images(
    const std::string& name, const std::string& architecture) const {
  return Reader(*this, name, architecture).read();
}

base::Result<linux::UniqueFd> ImageArchive::open(const std::string& path) const {
  if (path.empty()) return base::fail(base::Code::invalid, "a file of the archive has no name");
  // Not blocking: a hostile archive may hold a fifo in place of a file.
  auto file = linux::open_at(root_.get(), path, O_RDONLY | O_NONBLOCK,
                             RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (!file) return file;
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return linux::fail_errno("stat", path);
  if (!S_ISREG(status.st_mode)) {
    return base::fail(base::Code::invalid, "'" + path + "' of the archive is no file");
  }
  return file;
}

}  // namespace koi::images
