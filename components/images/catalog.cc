#include "images/catalog.h"

#include "images/reference.h"
#include "json/value.h"

namespace koi::images {

namespace {

constexpr std::int64_t format_version = 1;

json::Array texts(const std::set<std::string>& set) {
  json::Array array;
  for (const std::string& text : set) array.emplace_back(text);
  return array;
}

std::set<std::string> texts_at(const json::Value& root, json::Path path) {
  std::set<std::string> set;
  for (const json::Value& item : json::array_at(root, path)) {
    if (item.is_string()) set.emplace(item.as_string());
  }
  return set;
}

std::unexpected<base::Error> corrupt(std::string_view what) {
  return base::fail(base::Code::corrupt, "image catalog: " + std::string(what));
}

base::Result<CatalogImage> parse_image(const json::Value& value) {
  CatalogImage image;
  image.manifest_digest = json::string_at(value, {"manifest"});
  image.config_digest = json::string_at(value, {"config"});
  image.names = texts_at(value, {"names"});
  image.aliases = texts_at(value, {"aliases"});
  for (const json::Value& layer : json::array_at(value, {"layers"})) {
    image.layers.push_back(
        {.digest = std::string(json::string_at(layer, {"digest"})),
         .diff_id = std::string(json::string_at(layer, {"diffId"})),
         .size_bytes = static_cast<std::uint64_t>(json::int_at(layer, {"sizeBytes"}, 0))});
    if (!is_sha256_digest(image.layers.back().digest) ||
        !is_sha256_digest(image.layers.back().diff_id)) {
      return corrupt("a layer has no digest");
    }
  }
  if (!is_sha256_digest(image.manifest_digest) || !is_sha256_digest(image.config_digest)) {
    return corrupt("an image has no digest");
  }
  return image;
}

}  // namespace

void Catalog::add(CatalogImage image) {
  for (auto& [digest, other] : images_) {
    for (const std::string& name : image.names) other.names.erase(name);
  }
  auto [at, is_new] = images_.try_emplace(image.manifest_digest, image);
  if (is_new) return;
  at->second.names.merge(image.names);
  at->second.aliases.merge(image.aliases);
}

bool Catalog::remove(std::string_view reference) {
  const CatalogImage* found = find(reference);
  if (found == nullptr) return false;
  CatalogImage& image = images_.at(found->manifest_digest);
  if (const auto parsed = parse_reference(reference); parsed && parsed->digest.empty()) {
    if (image.names.erase(parsed->text()) == 1 && !image.names.empty()) return true;
  }
  images_.erase(image.manifest_digest);
  return true;
}

const CatalogImage* Catalog::find(std::string_view reference) const {
  std::string digest;
  if (is_sha256_digest(reference)) digest = reference;
  if (is_sha256_digest("sha256:" + std::string(reference))) {
    digest = "sha256:" + std::string(reference);
  }
  std::string name;
  if (digest.empty()) {
    const auto parsed = parse_reference(reference);
    if (!parsed) return nullptr;
    digest = parsed->digest;
    name = parsed->text();
  }
  for (const auto& [manifest, image] : images_) {
    if (digest.empty() ? image.names.contains(name)
                       : manifest == digest || image.config_digest == digest ||
                             image.aliases.contains(digest)) {
      return &image;
    }
  }
  return nullptr;
}

std::set<std::string> Catalog::blobs() const {
  std::set<std::string> digests;
  for (const auto& [manifest, image] : images_) {
    digests.insert(manifest);
    digests.insert(image.config_digest);
    for (const CatalogLayer& layer : image.layers) digests.insert(layer.digest);
  }
  return digests;
}

std::set<std::string> Catalog::layers() const {
  std::set<std::string> diff_ids;
  for (const auto& [manifest, image] : images_) {
    for (const CatalogLayer& layer : image.layers) diff_ids.insert(layer.diff_id);
  }
  return diff_ids;
}

std::string Catalog::serialize() const {
  json::Array list;
  for (const auto& [manifest, image] : images_) {
    json::Array layers;
    for (const CatalogLayer& layer : image.layers) {
      layers.push_back(json::Object{{"digest", layer.digest},
                                    {"diffId", layer.diff_id},
                                    {"sizeBytes", static_cast<std::int64_t>(layer.size_bytes)}});
    }
    list.push_back(json::Object{{"manifest", manifest},
                                {"config", image.config_digest},
                                {"names", texts(image.names)},
                                {"aliases", texts(image.aliases)},
                                {"layers", std::move(layers)}});
  }
  return json::serialize(json::Object{{"version", format_version}, {"images", std::move(list)}});
}

base::Result<Catalog> Catalog::parse(std::string_view text) {
  auto root = json::parse(text);
  if (!root) return corrupt(root.error().message);
  const std::int64_t version = json::int_at(*root, {"version"}, 0);
  if (version > format_version) {
    return base::fail(base::Code::unsupported,
                      "image catalog is of version " + std::to_string(version) +
                          ", written by a newer koi; start that one, or remove the image store");
  }
  if (version != format_version) return corrupt("it has no version");
  Catalog catalog;
  for (const json::Value& value : json::array_at(*root, {"images"})) {
    auto image = parse_image(value);
    if (!image) return base::fail(std::move(image).error());
    catalog.add(std::move(*image));
  }
  return catalog;
}

}  // namespace koi::images
