#include "images/store_content.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "images/compression.h"
#include "images/digest.h"
#include "images/limits.h"
#include "json/value.h"

namespace koi::images {

namespace {

std::unexpected<base::Error> mismatch(const std::string& what, const std::string& expected,
                                      const std::string& actual) {
  return base::fail(base::Code::corrupt,
                    what + " mismatch: expected " + expected + " got " + actual);
}

// The manifest that a docker archive lacks. The same image always gets the same one.
std::string make_manifest(const ArchivedImage& image, const std::vector<CatalogLayer>& layers,
                          const std::vector<std::string>& media_types) {
  json::Array list;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    list.push_back(json::Object{{"mediaType", media_types[i]},
                                {"digest", layers[i].digest},
                                {"size", static_cast<std::int64_t>(layers[i].size_bytes)}});
  }
  json::Object config{{"mediaType", "application/vnd.oci.image.config.v1+json"},
                      {"digest", image.config_digest},
                      {"size", static_cast<std::int64_t>(image.config.size())}};
  return json::serialize(json::Object{{"schemaVersion", 2},
                                      {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                                      {"config", std::move(config)},
                                      {"layers", std::move(list)}});
}

base::Result<std::string> layer_media_type(int file) {
  char head[6];
  const ssize_t count = ::pread(file, head, sizeof(head), 0);
  if (count < 0) return linux::fail_errno("read layer");
  auto compression = detect_compression({head, static_cast<std::size_t>(count)});
  if (!compression) return base::fail(std::move(compression).error());
  return "application/vnd.oci.image.layer.v1.tar" + std::string(media_type_suffix(*compression));
}

bool is_there(const base::Path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

// Another name for an open file.
base::Result<> link_file(int file, const base::Path& target) {
  const std::string self = "/proc/self/fd/" + std::to_string(file);
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, target.c_str(), AT_SYMLINK_FOLLOW) == 0) return {};
  if (errno == EEXIST) return {};
  return linux::fail_errno("link", target);
}

// What no image refers to costs space until it is swept, nothing else.
void tolerate(const base::Result<>& cleaned) {
  if (cleaned) return;
  base::log::warn("images.sweep",
                  {{"error", cleaned.error().message}, {"next", "swept at the next start"}});
}

std::string diff_id_of(const Catalog& catalog, const std::string& digest) {
  for (const auto& [manifest, image] : catalog.images()) {
    for (const CatalogLayer& layer : image.layers) {
      if (layer.digest == digest) return layer.diff_id;
    }
  }
  return {};
}

}  // namespace

base::Result<Catalog> StoreContent::open() {
  for (const base::Path& directory : {paths_.blobs(), paths_.layers(), paths_.staging()}) {
    if (auto made = files_.make_directories(directory, 0700); !made) {
      return base::fail(std::move(made).error());
    }
  }
  if (auto emptied = empty_staging(); !emptied) return base::fail(std::move(emptied).error());
  Catalog stored;
  if (is_there(paths_.catalog())) {
    auto text = files_.read_all(paths_.catalog(), limits::catalog_bytes_max);
    if (!text) return base::fail(std::move(text).error());
    auto parsed = Catalog::parse(*text);
    if (!parsed) {
      return base::fail(std::move(parsed).error().during("'" + paths_.catalog().string() + "'"));
    }
    stored = std::move(*parsed);
  }
  Catalog whole;
  for (const auto& [digest, image] : stored.images()) {
    auto good = is_whole(image);
    if (!good) return base::fail(std::move(good).error());
    if (*good) {
      whole.add(image);
      continue;
    }
    base::log::warn("images.damaged",
                    {{"image", image.names.empty() ? digest : *image.names.begin()},
                     {"next", "dropped; import or pull it again"}});
  }
  if (auto replaced = replace(stored, whole); !replaced) {
    return base::fail(std::move(replaced).error());
  }
  return whole;
}

base::Result<bool> StoreContent::is_whole(const CatalogImage& image) {
  for (const std::string& digest : {image.manifest_digest, image.config_digest}) {
    auto text = files_.read_all(paths_.blob(digest), limits::config_bytes_max);
    if (!text || digest_of(*text) != digest) return false;
  }
  for (const CatalogLayer& layer : image.layers) {
    struct stat status{};
    if (::lstat(paths_.blob(layer.digest).c_str(), &status) != 0 ||
        static_cast<std::uint64_t>(status.st_size) != layer.size_bytes) {
      return false;
    }
    if (!is_there(paths_.layer(layer.diff_id))) return false;
  }
  return true;
}

base::Result<> StoreContent::empty_staging() {
  if (auto gone = files_.remove_tree(paths_.staging()); !gone) return gone;
  for (const base::Path& directory :
       {paths_.staged_archive(), paths_.staged_blobs(), paths_.staged_layers(), paths_.trash()}) {
    if (auto made = files_.make_directories(directory, 0700); !made) return made;
  }
  return {};
}

base::Result<StoreContent::Imported> StoreContent::import(const Catalog& catalog,
                                                          const base::Path& archive,
                                                          const std::string& name) {
  if (auto emptied = empty_staging(); !emptied) return base::fail(std::move(emptied).error());
  auto staged = stage(catalog, archive, name);
  if (!staged) {
    if (auto emptied = empty_staging(); !emptied) {
      base::log::warn("images.staging",
                      {{"error", emptied.error().message}, {"next", "emptied at the next import"}});
    }
    return base::fail(std::move(staged).error().during("import '" + archive.string() + "'"));
  }
  Imported imported{.catalog = catalog, .manifest_digests = {}};
  for (CatalogImage& image : *staged) {
    imported.manifest_digests.push_back(image.manifest_digest);
    imported.catalog.add(image);
  }
  if (auto committed = commit(imported.catalog, *staged); !committed) {
    base::Error error = std::move(committed).error();
    (void)replace(imported.catalog, catalog);
    return base::fail(std::move(error).during("import '" + archive.string() + "'"));
  }
  tolerate(empty_staging());
  return imported;
}

base::Result<std::vector<CatalogImage>> StoreContent::stage(const Catalog& catalog,
                                                            const base::Path& archive,
                                                            const std::string& name) {
  bool owned = false;
  auto root = open_archive(archive, owned);
  if (!root) return base::fail(std::move(root).error());
  const ImageArchive source(std::move(*root));
  auto images = source.images(name, architecture_);
  if (!images) return base::fail(std::move(images).error());
  std::vector<CatalogImage> staged;
  for (ArchivedImage& image : *images) {
    auto done = stage_image(catalog, source, owned, std::move(image));
    if (!done) return base::fail(std::move(done).error());
    staged.push_back(std::move(*done));
  }
  return staged;
}

base::Result<linux::UniqueFd> StoreContent::open_archive(const base::Path& archive, bool& owned) {
  struct stat status{};
  if (::stat(archive.c_str(), &status) != 0) return linux::fail_errno("open", archive);
  owned = !S_ISDIR(status.st_mode);
  if (!owned) return linux::open_file(archive, O_RDONLY | O_DIRECTORY);
  if (!S_ISREG(status.st_mode)) {
    return base::fail(base::Code::invalid, "is neither a file nor a directory");
  }
  if (auto unpacked = unpack_archive(archive); !unpacked) {
    return base::fail(std::move(unpacked).error());
  }
  return linux::open_file(paths_.staged_archive(), O_RDONLY | O_DIRECTORY);
}

base::Result<> StoreContent::unpack_archive(const base::Path& archive) {
  auto file = linux::open_file(archive, O_RDONLY);
  if (!file) return base::fail(std::move(file).error());
  auto unpacked = unpacker_.unpack(file->get(), paths_.staged_archive(), TreeKind::archive);
  if (!unpacked) return base::fail(std::move(unpacked).error());
  return {};
}

base::Result<CatalogImage> StoreContent::stage_image(const Catalog& catalog,
                                                     const ImageArchive& source, bool owned,
                                                     ArchivedImage image) {
  CatalogImage result;
  result.names.insert(image.names.begin(), image.names.end());
  result.aliases.insert(image.aliases.begin(), image.aliases.end());
  std::vector<std::string> media_types;
  for (const ArchivedLayer& layer : image.layers) {
    const std::string which =
        "layer " + std::to_string(result.layers.size() + 1) + " of " + image.label;
    auto staged = stage_layer(catalog, source, owned, layer);
    if (!staged) return base::fail(std::move(staged).error().during(which));
    result.layers.push_back(std::move(*staged));
    if (!image.manifest_digest.empty()) continue;
    auto file = source.open(layer.path);
    if (!file) return base::fail(std::move(file).error().during(which));
    auto type = layer_media_type(file->get());
    if (!type) return base::fail(std::move(type).error().during(which));
    media_types.push_back(std::move(*type));
  }
  if (image.manifest_digest.empty()) {
    image.manifest = make_manifest(image, result.layers, media_types);
    image.manifest_digest = digest_of(image.manifest);
  }
  result.manifest_digest = image.manifest_digest;
  result.config_digest = image.config_digest;
  if (auto staged = stage_bytes(result.manifest_digest, image.manifest); !staged) {
    return base::fail(std::move(staged).error());
  }
  if (auto staged = stage_bytes(result.config_digest, image.config); !staged) {
    return base::fail(std::move(staged).error());
  }
  return result;
}

base::Result<> StoreContent::stage_bytes(const std::string& digest, const std::string& content) {
  const base::Path target = paths_.staged_blobs() / digest.substr(7);
  auto file = linux::open_file(target, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!file) return base::fail(std::move(file).error());
  return linux::write_all(file->get(), content);
}

// A copy of a file that someone else could change while it is read.
base::Result<linux::UniqueFd> StoreContent::stage_copy(linux::UniqueFd file, CatalogLayer& layer) {
  const base::Path path = paths_.staged_archive() / "copy";
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return linux::fail_errno("remove", path);
  auto copy = linux::open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!copy) return copy;
  auto copied = copy_with_digest(file.get(), copy->get());
  if (!copied) return base::fail(std::move(copied).error());
  layer.digest = copied->digest;
  layer.size_bytes = copied->size_bytes;
  return copy;
}

base::Result<CatalogLayer> StoreContent::stage_layer(const Catalog& catalog,
                                                     const ImageArchive& source, bool owned,
                                                     const ArchivedLayer& layer) {
  CatalogLayer result{.digest = {}, .diff_id = layer.diff_id};
  auto file = source.open(layer.path);
  if (!file) {
    return base::fail(base::Code::corrupt, "'" + layer.path + "' is missing from the archive");
  }
  if (owned) {
    auto hashed = digest_of_file(file->get());
    if (!hashed) return base::fail(std::move(hashed).error());
    result.digest = hashed->digest;
    result.size_bytes = hashed->size_bytes;
  } else {
    file = stage_copy(std::move(*file), result);
    if (!file) return base::fail(std::move(file).error());
  }
  if (!layer.digest.empty() && layer.digest != result.digest) {
    return mismatch("digest", layer.digest, result.digest);
  }
  if (layer.size_bytes && *layer.size_bytes != result.size_bytes) {
    return mismatch("size", std::to_string(*layer.size_bytes), std::to_string(result.size_bytes));
  }
  if (auto staged = stage_tree(catalog, file->get(), result); !staged) {
    return base::fail(std::move(staged).error());
  }
  if (is_there(paths_.blob(result.digest)) && !diff_id_of(catalog, result.digest).empty()) {
    return result;
  }
  if (::fchmod(file->get(), 0600) != 0) return linux::fail_errno("set mode of layer");
  if (auto linked = link_file(file->get(), paths_.staged_blobs() / result.digest.substr(7));
      !linked) {
    return base::fail(std::move(linked).error());
  }
  return result;
}

base::Result<> StoreContent::stage_tree(const Catalog& catalog, int blob,
                                        const CatalogLayer& layer) {
  if (diff_id_of(catalog, layer.digest) == layer.diff_id) return {};
  const base::Path target = paths_.staged_layers() / layer.diff_id.substr(7);
  const bool present = is_there(target) || catalog.layers().contains(layer.diff_id);
  if (!present) {
    if (auto made = files_.make_directories(target, 0755); !made) return made;
  }
  // Where the tree is there already, the blob must still prove that it is the same one.
  auto unpacked =
      present ? unpacker_.measure(blob) : unpacker_.unpack(blob, target, TreeKind::layer);
  if (!unpacked) return base::fail(std::move(unpacked).error());
  if (unpacked->diff_id != layer.diff_id) {
    return mismatch("diff id", layer.diff_id, unpacked->diff_id);
  }
  return {};
}

base::Result<> StoreContent::commit(const Catalog& catalog,
                                    const std::vector<CatalogImage>& images) {
  // 1 everything staged is on the disk  2 it gets its names  3 the names are on the disk
  // 4 the catalog says so. A crash before 4 leaves what the next start sweeps.
  if (images.empty()) return {};
  auto staging = linux::open_file(paths_.staging(), O_RDONLY | O_DIRECTORY);
  if (!staging) return base::fail(std::move(staging).error());
  if (::syncfs(staging->get()) != 0) return linux::fail_errno("sync image store");
  if (auto moved = move_all(paths_.staged_blobs(), paths_.blobs()); !moved) return moved;
  if (auto moved = move_all(paths_.staged_layers(), paths_.layers()); !moved) return moved;
  return save(catalog);
}

base::Result<> StoreContent::move_all(const base::Path& source, const base::Path& target) {
  auto names = files_.list(source);
  if (!names) return base::fail(std::move(names).error());
  for (const std::string& name : *names) {
    if (is_there(target / name)) {
      if (auto gone = files_.remove_tree(target / name); !gone) return gone;
    }
    if (auto moved = files_.rename(source / name, target / name); !moved) return moved;
  }
  return files_.sync_directory(target);
}

base::Result<> StoreContent::save(const Catalog& catalog) {
  return files_.write_atomically(paths_.catalog(), catalog.serialize(), 0600);
}

base::Result<> StoreContent::replace(const Catalog& before, const Catalog& after) {
  if (before != after) {
    if (auto saved = save(after); !saved) return saved;
  }
  // From here on the disk's catalog is `after`, whatever else fails.
  tolerate(sweep(paths_.blobs(), after.blobs()));
  tolerate(sweep(paths_.layers(), after.layers()));
  tolerate(empty_staging());
  return {};
}

// Removal in two steps: what is half removed must not look like a layer.
base::Result<> StoreContent::sweep(const base::Path& directory,
                                   const std::set<std::string>& referred) {
  auto names = files_.list(directory);
  if (!names) return base::fail(std::move(names).error());
  for (const std::string& name : *names) {
    if (referred.contains("sha256:" + name)) continue;
    // A plain layer's blob and its tree have the same name.
    const base::Path trash = paths_.trash() / (directory.filename().string() + "-" + name);
    if (auto moved = files_.rename(directory / name, trash); !moved) return moved;
  }
  return {};
}

base::Result<Image> StoreContent::describe(const CatalogImage& image) {
  auto text = files_.read_all(paths_.blob(image.config_digest), limits::config_bytes_max);
  if (!text) return base::fail(std::move(text).error());
  auto parsed = parse_image_config(*text);
  if (!parsed) return base::fail(std::move(parsed).error());
  Image result;
  result.id = image.config_digest;
  result.digest = image.manifest_digest;
  result.names.assign(image.names.begin(), image.names.end());
  result.config = std::move(parsed->config);
  for (auto layer = image.layers.rbegin(); layer != image.layers.rend(); ++layer) {
    result.size_bytes += layer->size_bytes;
    // Overlayfs takes no directory twice; the upper of two equal layers hides the lower anyway.
    base::Path path = paths_.layer(layer->diff_id);
    if (std::ranges::find(result.layers, path) == result.layers.end()) {
      result.layers.push_back(std::move(path));
    }
  }
  return result;
}

}  // namespace koi::images
