#include "images/disk_image_store.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <thread>

#include "base/os.h"
#include "images/digest.h"
#include "images/import_directory.h"
#include "images/test_archives.h"
#include "linux/mounts.h"

namespace koi::images {

namespace {

TestLayer layer(const std::string& path, const std::string& content,
                std::string (*compress)(std::string_view) = nullptr) {
  TarEntry entry;
  entry.path = path;
  entry.content = content;
  TestLayer result;
  result.tar = make_tar({entry});
  result.blob = compress != nullptr ? compress(result.tar) : result.tar;
  return result;
}

TestImage nginx() {
  return {.layers = {layer("bin/nginx", "one"), layer("etc/conf", "two", gzip),
                     layer("www/index", "three", zstd)},
          .names = {"docker.io/library/nginx:latest"},
          .config_fields = R"("Entrypoint":["nginx"],"Cmd":["-g","daemon off;"],"Env":["A=1"],)"
                           R"("User":"33","WorkingDir":"/www","StopSignal":"SIGQUIT",)"
                           R"("Volumes":{"/cache":{}})"};
}

// The disk until the machine stops: every change after the first `left` fails.
class StoppingFiles final : public base::Files {
 public:
  explicit StoppingFiles(base::Files& disk) : disk_(disk) {}

  void stop_after(int changes) { left_ = changes; }
  bool stopped() const { return stopped_; }

  base::Result<std::unique_ptr<base::File>> open(const base::Path& path,
                                                 const base::OpenOptions& options) override {
    if (options.write && stop()) return stopped_error();
    return disk_.open(path, options);
  }
  base::Result<> make_directories(const base::Path& path, std::uint32_t mode) override {
    if (stop()) return stopped_error();
    return disk_.make_directories(path, mode);
  }
  base::Result<> rename(const base::Path& source, const base::Path& target) override {
    if (stop()) return stopped_error();
    return disk_.rename(source, target);
  }
  base::Result<> remove(const base::Path& path) override {
    if (stop()) return stopped_error();
    return disk_.remove(path);
  }
  base::Result<> remove_tree(const base::Path& path) override {
    if (stop()) return stopped_error();
    return disk_.remove_tree(path);
  }
  base::Result<bool> exists(const base::Path& path) override { return disk_.exists(path); }
  base::Result<std::vector<std::string>> list(const base::Path& directory) override {
    return disk_.list(directory);
  }
  base::Result<> sync_directory(const base::Path& directory) override {
    if (stop()) return stopped_error();
    return disk_.sync_directory(directory);
  }

 private:
  bool stop() {
    stopped_ = stopped_ || left_-- <= 0;
    return stopped_;
  }
  static std::unexpected<base::Error> stopped_error() {
    return base::fail(base::Code::internal, "the machine stopped");
  }

  base::Files& disk_;
  int left_ = 1'000'000;
  bool stopped_ = false;
};

// A store in a directory of its own, with everything it stands on.
struct Shelf {
  TemporaryDirectory directory{TemporaryDirectory::Where::memory};
  boost::asio::io_context io;
  std::unique_ptr<base::Files> files = base::make_os_files();
  base::BlockingPool pool{"images", 0};
  base::Path root = directory.path() / "store";
  base::Path archive = directory.path() / "archive.tar";
  UnpackLimits limits;
  std::unique_ptr<ImageStore> store;

  Shelf() { open(); }

  void open() {
    store.reset();
    auto opened = try_open();
    if (!opened) FAIL_CHECK(opened.error().message);
    REQUIRE(opened);
    store = std::move(*opened);
  }

  base::Result<std::unique_ptr<ImageStore>> try_open() { return try_open(*files); }

  base::Result<std::unique_ptr<ImageStore>> try_open(base::Files& disk) {
    const DiskImageStoreOptions options{
        .root = root, .unpack_command = {}, .limits = limits, .architecture = "amd64"};
    return open_image_store(io.get_executor(), disk, pool, options);
  }

  template <class T>
  T run(base::Task<T> task) {
    std::optional<T> result;
    base::TaskGroup group(io.get_executor());
    group.spawn("test", keep(std::move(task), result));
    io.restart();
    io.run();
    REQUIRE(result);
    return std::move(*result);
  }

  base::Result<std::vector<Image>> import_file(std::string_view bytes, std::string name = {}) {
    write_file(archive, bytes);
    return run(store->import(archive, name));
  }

  std::string error(std::string_view bytes) {
    const auto outcome = import_file(bytes);
    if (outcome) return "none";
    CHECK(outcome.error().message.starts_with("import '" + archive.string() + "': "));
    return outcome.error().message.substr(archive.string().size() + 11);
  }

  // Names of everything in the store, to see that nothing changed.
  std::vector<std::string> contents() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      names.push_back(entry.path().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  template <class T>
  static base::Task<> keep(base::Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
};

}  // namespace

TEST_CASE("an OCI archive, a layout and a docker archive give the same runnable image") {
  for (const std::string kind : {"oci", "layout", "docker", "gzip", "zstd"}) {
    CAPTURE(kind);
    Shelf shelf;
    base::Result<std::vector<Image>> imported;
    if (kind == "layout") {
      spread(oci_layout({nginx()}), shelf.archive);
      imported = shelf.run(shelf.store->import(shelf.archive, ""));
    } else {
      std::string bytes =
          pack(kind == "docker" ? docker_archive({nginx()}) : oci_layout({nginx()}));
      if (kind == "gzip") bytes = gzip(bytes);
      if (kind == "zstd") bytes = zstd(bytes);
      imported = shelf.import_file(bytes);
    }
    if (!imported) FAIL_CHECK(imported.error().message);
    REQUIRE(imported);
    REQUIRE(imported->size() == 1);
    const auto image = shelf.store->find("nginx");
    REQUIRE(image);
    CHECK(image->id == digest_of(nginx().config()));
    if (kind != "docker") CHECK(image->digest == digest_of(nginx().manifest()));
    CHECK(image->names == std::vector<std::string>{"docker.io/library/nginx:latest"});
    CHECK(image->config.entrypoint == std::vector<std::string>{"nginx"});
    CHECK(image->config.command == std::vector<std::string>{"-g", "daemon off;"});
    CHECK(image->config.env == std::vector<std::string>{"A=1"});
    CHECK(image->config.user == "33");
    CHECK(image->config.working_dir == "/www");
    CHECK(image->config.stop_signal == "SIGQUIT");
    CHECK(image->config.volumes == std::vector<std::string>{"/cache"});
    REQUIRE(image->layers.size() == 3);
    CHECK(read_file(image->layers[0] / "www/index") == "three");
    CHECK(read_file(image->layers[2] / "bin/nginx") == "one");
    CHECK(image->size_bytes > 0);
    CHECK(std::filesystem::is_empty(shelf.root / "staging/layers"));
  }
}

TEST_CASE("images are found by every form of reference") {
  Shelf shelf;
  REQUIRE(shelf.import_file(pack(oci_layout({nginx()}))));
  const Image image = shelf.store->list().at(0);
  for (const std::string& reference :
       {std::string("nginx"), std::string("nginx:latest"), std::string("docker.io/nginx"), image.id,
        image.id.substr(7), image.digest, "nginx@" + image.digest, "nginx:any@" + image.digest}) {
    CAPTURE(reference);
    CHECK(shelf.store->find(reference));
  }
  for (const std::string reference :
       {"nginx:1", "other", "ghcr.io/library/nginx", "", "Nginx", "nginx@sha256:00"}) {
    CHECK_FALSE(shelf.store->find(reference));
  }
}

TEST_CASE("a restart finds everything and sweeps what a crash left") {
  Shelf shelf;
  REQUIRE(shelf.import_file(pack(oci_layout({nginx()}))));
  const auto before = shelf.contents();
  const std::string stray(64, 'e');
  write_file(shelf.root / "blobs/sha256" / stray, "half");
  write_file(shelf.root / "layers" / stray / "file", "half");
  write_file(shelf.root / "staging/layers" / stray / "file", "half");
  shelf.open();
  CHECK(shelf.contents() == before);
  REQUIRE(shelf.store->find("nginx"));
  CHECK(shelf.store->find("nginx")->config.user == "33");
}

TEST_CASE("a stop at any step of an import leaves the store whole") {
  bool completed = false;
  for (int changes = 0; !completed; ++changes) {
    CAPTURE(changes);
    REQUIRE(changes < 100);
    Shelf shelf;
    TestImage other = nginx();
    other.names = {"other:1"};
    other.layers[0] = layer("other", "o");
    REQUIRE(shelf.import_file(pack(oci_layout({other}))));
    StoppingFiles disk(*shelf.files);
    shelf.store.reset();
    auto opened = shelf.try_open(disk);
    REQUIRE(opened);
    shelf.store = std::move(*opened);
    disk.stop_after(changes);
    const bool imported = shelf.import_file(pack(docker_archive({nginx()}))).has_value();
    completed = !disk.stopped();
    if (completed) CHECK(imported);
    CHECK(imported == shelf.store->find("nginx").has_value());
    shelf.open();
    REQUIRE(shelf.store->find("other:1"));
    CHECK(read_file(shelf.store->find("other:1")->layers[2] / "other") == "o");
    REQUIRE(shelf.import_file(pack(docker_archive({nginx()}))));
    const auto image = shelf.store->find("nginx");
    REQUIRE(image);
    CHECK(read_file(image->layers[2] / "bin/nginx") == "one");
    CHECK(read_file(image->layers[0] / "www/index") == "three");
    REQUIRE(shelf.run(shelf.store->remove("nginx")));
    REQUIRE(shelf.run(shelf.store->remove("other:1")));
    CHECK(std::filesystem::is_empty(shelf.root / "layers"));
    CHECK(std::filesystem::is_empty(shelf.root / "blobs/sha256"));
  }
}

TEST_CASE("a stop at any step of a removal leaves the store whole") {
  bool completed = false;
  for (int changes = 0; !completed; ++changes) {
    CAPTURE(changes);
    REQUIRE(changes < 100);
    Shelf shelf;
    REQUIRE(shelf.import_file(pack(oci_layout({nginx()}))));
    StoppingFiles disk(*shelf.files);
    shelf.store.reset();
    auto opened = shelf.try_open(disk);
    REQUIRE(opened);
    shelf.store = std::move(*opened);
    disk.stop_after(changes);
    const bool removed = shelf.run(shelf.store->remove("nginx")).has_value();
    completed = !disk.stopped();
    CHECK(removed != shelf.store->find("nginx").has_value());
    shelf.open();
    const auto image = shelf.store->find("nginx");
    if (completed) CHECK_FALSE(image);
    if (image) {
      CHECK(read_file(image->layers[2] / "bin/nginx") == "one");
    } else {
      CHECK(std::filesystem::is_empty(shelf.root / "layers"));
    }
  }
}

TEST_CASE("a full disk is an error that changes nothing") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: mounting needs root");
    return;
  }
  std::thread thread([] {
    REQUIRE(::unshare(CLONE_NEWNS) == 0);
    REQUIRE(::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    Shelf shelf;
    shelf.store.reset();
    REQUIRE(::mount("none", shelf.root.c_str(), "tmpfs", 0, "size=1m") == 0);
    shelf.open();
    REQUIRE(shelf.import_file(pack(oci_layout({nginx()}))));
    const auto before = shelf.contents();
    TestImage big = nginx();
    big.names = {"big:1"};
    big.layers[1] = layer("big", std::string(3'000'000, 'b'), gzip);
    CHECK(shelf.error(pack(oci_layout({big}))).contains("No space left on device"));
    CHECK(shelf.contents() == before);
    shelf.open();
    CHECK(shelf.store->list().size() == 1);
    shelf.store.reset();
    CHECK(::umount2(shelf.root.c_str(), MNT_DETACH) == 0);
  });
  thread.join();
}

TEST_CASE("two processes cannot share a store") {
  Shelf shelf;
  const auto second = shelf.try_open();
  REQUIRE_FALSE(second);
  CHECK(second.error().code == base::Code::unavailable);
}

TEST_CASE("tampered and truncated archives name the layer and change nothing") {
  Shelf shelf;
  TestImage other = nginx();
  other.names = {"docker.io/library/other:1"};
  other.layers = {layer("other", "o")};
  REQUIRE(shelf.import_file(pack(oci_layout({other}))));
  const auto before = shelf.contents();

  const TestImage image = nginx();
  const std::string second = image.layers[1].blob;
  ArchiveFiles files = oci_layout({image});
  files["blobs/sha256/" + digest_of(second).substr(7)] = gzip("something else");
  CHECK(shelf.error(pack(files)) ==
        "layer 2 of docker.io/library/nginx:latest: digest mismatch: expected " +
            digest_of(second) + " got " + digest_of(gzip("something else")));

  files = oci_layout({image});
  files.erase("blobs/sha256/" + digest_of(second).substr(7));
  CHECK(shelf.error(pack(files)).contains("layer 2 of docker.io/library/nginx:latest: 'blobs/"));

  files = oci_layout({image});
  files["blobs/sha256/" + digest_of(image.config()).substr(7)] += " ";
  CHECK(shelf.error(pack(files)).contains("config of docker.io/library/nginx:latest: digest"));

  files = oci_layout({image});
  files["blobs/sha256/" + digest_of(image.manifest()).substr(7)] += " ";
  CHECK(shelf.error(pack(files)).contains("manifest of docker.io/library/nginx:latest: digest"));

  files = docker_archive({image});
  files[digest_of(image.layers[0].tar).substr(7) + "/layer.tar"] = layer("x", "y").tar;
  CHECK(shelf.error(pack(files)) ==
        "layer 1 of docker.io/library/nginx:latest: diff id mismatch: expected " +
            digest_of(image.layers[0].tar) + " got " + digest_of(layer("x", "y").tar));

  files = docker_archive({image});
  files[digest_of(image.config()).substr(7) + ".json"] += " ";
  CHECK(shelf.error(pack(files)).contains("digest mismatch"));

  const std::string whole = pack(oci_layout({image}));
  for (std::size_t size = 600; size < whole.size() - 1'024; size += 1'777) {
    CHECK(shelf.error(std::string_view(whole).substr(0, size)) != "none");
  }
  const std::string squeezed = gzip(whole);
  CHECK(shelf.error(std::string_view(squeezed).substr(0, squeezed.size() - 20)) ==
        "gzip stream ends early");

  CHECK(shelf.contents() == before);
  CHECK(shelf.store->list().size() == 1);
  shelf.open();
  CHECK(shelf.store->list().size() == 1);
}

TEST_CASE("random damage of what describes an image is survived") {
  Shelf shelf;
  const ArchiveFiles oci = oci_layout({nginx()});
  const ArchiveFiles docker = docker_archive({nginx()});
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    ArchiveFiles files = oci;
    files["index.json"] = damaged(files["index.json"], seed);
    (void)shelf.error(pack(files));
    files = docker;
    files["manifest.json"] = damaged(files["manifest.json"], seed);
    (void)shelf.error(pack(files));
  }
  shelf.open();
  REQUIRE(shelf.import_file(pack(oci)));
  CHECK(read_file(shelf.store->find("nginx")->layers[2] / "bin/nginx") == "one");
}

TEST_CASE("a config cannot claim a layer that its blob is not") {
  Shelf shelf;
  REQUIRE(shelf.import_file(pack(docker_archive({nginx()}))));
  TestImage liar = nginx();
  liar.names = {"liar:1"};
  liar.layers[0].blob = layer("bin/nginx", "evil").tar;  // its tar still says "one"
  CHECK(
      shelf.error(pack(oci_layout({liar}))).contains("layer 1 of docker.io/library/liar:1: diff"));
  liar.layers[0] = {layer("bin/nginx", "one").tar, gzip(layer("bin/nginx", "one").tar)};
  CHECK(shelf.import_file(pack(oci_layout({liar}))));
}

TEST_CASE("what is no image archive is refused by what it lacks") {
  Shelf shelf;
  CHECK(shelf.error(pack({{"hello", "world"}})).contains("neither an OCI layout"));
  CHECK(shelf.error(pack({{"repositories", "{}"}})).contains("before docker 1.10"));
  CHECK(shelf.error(pack({{"index.json", "{"}})).starts_with("index.json: "));
  CHECK(shelf.error(pack({{"manifest.json", "{}"}})).contains("no list"));
  CHECK(shelf.error("plain text, long enough to be looked at by the tar reader") != "none");
  CHECK(shelf.error("") != "none");
  TestImage arm = nginx();
  arm.architecture = "arm64";
  CHECK(shelf.error(pack(oci_layout({arm}))) ==
        "archive has no image for linux/amd64 (it has linux/arm64)");
  CHECK(shelf.error(pack(docker_archive({arm}))).contains("it has linux/arm64"));
  CHECK_FALSE(shelf.run(shelf.store->import("/nonexistent/file", "")));
}

TEST_CASE("an archive of several platforms gives this machine's image") {
  Shelf shelf;
  TestImage arm = nginx();
  arm.architecture = "arm64";
  arm.layers = {layer("arm", "a")};
  ArchiveFiles files = oci_layout({arm, nginx()});
  for (const TestLayer& unused : arm.layers) {
    files.erase("blobs/sha256/" + digest_of(unused.blob).substr(7));
  }
  const std::string nested = files["index.json"];
  files["blobs/sha256/" + digest_of(nested).substr(7)] = nested;
  files["index.json"] =
      R"({"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":")" +
      digest_of(nested) +
      R"(","annotations":{"org.opencontainers.image.ref.name":"quay.io/a/multi:2"}}]})";
  REQUIRE(shelf.import_file(pack(files)));
  const auto image = shelf.store->find("quay.io/a/multi:2");
  REQUIRE(image);
  CHECK(image->digest == digest_of(nginx().manifest()));
  CHECK(shelf.store->find("quay.io/a/multi@" + digest_of(nested)));
}

TEST_CASE("an archive without names takes the caller's") {
  Shelf shelf;
  TestImage image = nginx();
  image.names = {};
  const auto unnamed = shelf.import_file(pack(oci_layout({image})));
  REQUIRE(unnamed);
  CHECK(unnamed->at(0).names.empty());
  CHECK(shelf.store->find(unnamed->at(0).id));
  REQUIRE(shelf.import_file(pack(oci_layout({image})), "local/app:7"));
  CHECK(shelf.store->find("local/app:7"));
  CHECK_FALSE(shelf.import_file(pack(oci_layout({image})), "Not A Name"));
}

TEST_CASE("layers are shared, and stay until the last image goes") {
  Shelf shelf;
  TestImage first = nginx();
  TestImage second = nginx();
  second.names = {"second:1", "second:2"};
  second.layers.push_back(layer("more", "m"));
  REQUIRE(shelf.import_file(pack(oci_layout({first, second}))));
  auto layers = [&] {
    return std::distance(std::filesystem::directory_iterator(shelf.root / "layers"), {});
  };
  CHECK(layers() == 4);
  REQUIRE(shelf.run(shelf.store->remove("second:1")));
  CHECK(shelf.store->find("second:2"));
  CHECK(layers() == 4);
  REQUIRE(shelf.run(shelf.store->remove("second:2")));
  CHECK_FALSE(shelf.store->find("second:2"));
  CHECK(layers() == 3);
  CHECK(shelf.store->find("nginx"));
  REQUIRE(shelf.run(shelf.store->remove(shelf.store->find("nginx")->id)));
  CHECK(layers() == 0);
  CHECK(std::filesystem::is_empty(shelf.root / "blobs/sha256"));
  const auto again = shelf.run(shelf.store->remove("nginx"));
  REQUIRE_FALSE(again);
  CHECK(again.error().code == base::Code::not_found);
  shelf.open();
  CHECK(shelf.store->list().empty());
}

TEST_CASE("a name moves to the image that was imported last") {
  Shelf shelf;
  REQUIRE(shelf.import_file(pack(oci_layout({nginx()}))));
  const std::string old = shelf.store->find("nginx")->id;
  TestImage newer = nginx();
  newer.config_fields = R"("Cmd":["new"])";
  REQUIRE(shelf.import_file(pack(oci_layout({newer}))));
  CHECK(shelf.store->find("nginx")->config.command == std::vector<std::string>{"new"});
  REQUIRE(shelf.store->find(old));
  CHECK(shelf.store->find(old)->names.empty());
}

TEST_CASE("an image with the same layer twice lists it once") {
  Shelf shelf;
  TestImage image = nginx();
  image.layers = {layer("a", "1"), layer("b", "2"), layer("a", "1")};
  REQUIRE(shelf.import_file(pack(docker_archive({image}))));
  const auto found = shelf.store->find("nginx");
  REQUIRE(found);
  REQUIRE(found->layers.size() == 2);
  CHECK(read_file(found->layers[0] / "a") == "1");
}

TEST_CASE("mounted as an overlay, upper layers hide what they removed") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: mounting needs root");
    return;
  }
  Shelf shelf;
  auto file = [](std::string path, std::string content) {
    TarEntry entry;
    entry.path = std::move(path);
    entry.content = std::move(content);
    return entry;
  };
  TestImage image = nginx();
  image.layers = {{}, {}};
  image.layers[0].tar = make_tar({file("etc/kept", "1"), file("etc/gone", "1"),
                                  file("opt/old", "1"), file("srv/deep/old", "1")});
  image.layers[1].tar = make_tar({file("etc/.wh.gone", ""), file("opt/.wh..wh..opq", ""),
                                  file("opt/new", "2"), file(".wh.srv", ""), file("srv/new", "2")});
  for (TestLayer& layer : image.layers) layer.blob = gzip(layer.tar);
  REQUIRE(shelf.import_file(pack(oci_layout({image}))));
  const base::Path upper = shelf.directory.path() / "upper";
  const base::Path work = shelf.directory.path() / "work";
  const base::Path merged = shelf.directory.path() / "merged";
  for (const base::Path& path : {upper, work, merged}) std::filesystem::create_directory(path);
  std::thread thread([&] {
    REQUIRE(::unshare(CLONE_NEWNS) == 0);
    REQUIRE(::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    const auto mounted = linux::mount_overlay(
        {.lower = shelf.store->find("nginx")->layers, .upper = upper, .work = work}, merged);
    REQUIRE_MESSAGE(mounted, mounted.error().message);
    CHECK(read_file(merged / "etc/kept") == "1");
    CHECK_FALSE(std::filesystem::exists(merged / "etc/gone"));
    CHECK_FALSE(std::filesystem::exists(merged / "opt/old"));
    CHECK(read_file(merged / "opt/new") == "2");
    CHECK_FALSE(std::filesystem::exists(merged / "srv/deep"));
    CHECK(read_file(merged / "srv/new") == "2");
    CHECK(::umount2(merged.c_str(), MNT_DETACH) == 0);
  });
  thread.join();
}

TEST_CASE("a damaged store drops what is damaged and heals by importing again") {
  Shelf shelf;
  REQUIRE(shelf.import_file(pack(oci_layout({nginx()}))));
  const Image image = *shelf.store->find("nginx");
  SUBCASE("layer gone") { std::filesystem::remove_all(image.layers[1]); }
  SUBCASE("config changed") { write_file(shelf.root / "blobs/sha256" / image.id.substr(7), "{}"); }
  shelf.open();
  CHECK_FALSE(shelf.store->find("nginx"));
  REQUIRE(shelf.import_file(pack(oci_layout({nginx()}))));
  CHECK(shelf.store->find("nginx"));
}

TEST_CASE("a catalog that is damaged or newer stops the start with a reason") {
  Shelf shelf;
  shelf.store.reset();
  write_file(shelf.root / "catalog.json", R"({"version":2})");
  auto opened = shelf.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == base::Code::unsupported);
  write_file(shelf.root / "catalog.json", "{{{");
  opened = shelf.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == base::Code::corrupt);
}

TEST_CASE("a directory of archives is imported once") {
  Shelf shelf;
  const base::Path drop = shelf.directory.path() / "images";
  const base::Path record = shelf.root / "imported.json";
  auto scan = [&] {
    auto outcome =
        shelf.run(import_directory(*shelf.store, *shelf.files, shelf.pool, drop, record));
    REQUIRE(outcome);
    return *outcome;
  };
  CHECK(scan().imported.empty());  // no such directory
  TestImage other = nginx();
  other.names = {"other:1"};
  other.config_fields = R"("Cmd":["other"])";
  write_file(drop / "a.tar", pack(oci_layout({nginx()})));
  write_file(drop / "b.tar.gz", gzip(pack(docker_archive({other}))));
  write_file(drop / "broken.tar", "rubbish, but quite long rubbish");
  write_file(drop / "notes.txt", "no archive");
  auto first = scan();
  CHECK(first.imported == std::vector<std::string>{"a.tar", "b.tar.gz"});
  REQUIRE(first.failures.size() == 1);
  CHECK(first.failures[0].archive == "broken.tar");
  CHECK(shelf.store->find("other:1"));

  shelf.open();
  auto second = scan();
  CHECK(second.imported.empty());
  CHECK(second.unchanged == 2);

  REQUIRE(shelf.run(shelf.store->remove("other:1")));
  write_file(drop / "a.tar", pack(docker_archive({nginx()})));
  auto third = scan();
  CHECK(third.imported == std::vector<std::string>{"a.tar", "b.tar.gz"});
}

TEST_CASE("concurrent imports and removals take turns") {
  Shelf shelf;
  base::BlockingPool threads("images", 2);
  shelf.store.reset();
  const DiskImageStoreOptions options{
      .root = shelf.root, .unpack_command = {}, .limits = {}, .architecture = "amd64"};
  auto opened = open_image_store(shelf.io.get_executor(), *shelf.files, threads, options);
  REQUIRE(opened);
  std::vector<base::Path> archives;
  base::TaskGroup group(shelf.io.get_executor());
  int done = 0;
  auto one = [](ImageStore& store, base::Path path, int& count) -> base::Task<> {
    const std::string no_name;
    auto outcome = co_await store.import(path, no_name);
    if (outcome) ++count;
  };
  for (int i = 0; i < 6; ++i) {
    TestImage image = nginx();
    image.names = {"app:" + std::to_string(i)};
    image.config_fields = R"("User":")" + std::to_string(i) + "\"";
    const base::Path path = shelf.directory.path() / (std::to_string(i) + ".tar");
    write_file(path, pack(oci_layout({image})));
    group.spawn("import", one(**opened, path, done));
  }
  shelf.io.restart();
  shelf.io.run();
  CHECK(done == 6);
  CHECK((*opened)->list().size() == 6);
  opened->reset();
}

}  // namespace koi::images
