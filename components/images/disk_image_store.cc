#include "images/disk_image_store.h"

#include <fcntl.h>
#include <sys/file.h>

#include <map>
#include <utility>

#include "base/event.h"
#include "images/catalog.h"
#include "images/store_content.h"
#include "images/store_paths.h"
#include "linux/fd.h"

namespace koi::images {

namespace {

class DiskImageStore final : public ImageStore {
 public:
  DiskImageStore(base::Executor executor, base::BlockingPool& pool, linux::UniqueFd lock,
                 StoreContent content)
      : pool_(pool), lock_(std::move(lock)), content_(std::move(content)), turn_(executor) {}

  base::Result<> open() {
    auto catalog = content_.open();
    if (!catalog) return base::fail(std::move(catalog).error());
    auto images = describe_all(*catalog);
    if (!images) return base::fail(std::move(images).error());
    adopt(State{std::move(*catalog), std::move(*images)});
    return {};
  }

  std::optional<Image> find(const std::string& reference) const override {
    const CatalogImage* found = state_.catalog.find(reference);
    if (found == nullptr) return std::nullopt;
    return state_.images.at(found->manifest_digest);
  }

  std::vector<Image> list() const override {
    std::vector<Image> images;
    for (const auto& [digest, image] : state_.images) images.push_back(image);
    return images;
  }

  base::Task<base::Result<std::vector<Image>>> import(const base::Path& archive,
                                                      const std::string& name) override {
    return import_copied(archive, name);
  }

  base::Task<base::Result<>> remove(const std::string& reference) override {
    return remove_copied(reference);
  }

 private:
  struct State {
    Catalog catalog;
    std::map<std::string, Image> images;  // by manifest digest
  };

  // Held by whoever changes the store.
  class Turn {
   public:
    explicit Turn(DiskImageStore& store) : store_(&store) { store.busy_ = true; }
    ~Turn() {
      if (store_ == nullptr) return;
      store_->busy_ = false;
      store_->turn_.notify_all();
    }
    Turn(Turn&& other) noexcept : store_(std::exchange(other.store_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;

   private:
    DiskImageStore* store_;
  };

  base::Task<Turn> take_turn() {
    while (busy_) co_await turn_.wait();
    co_return Turn(*this);
  }

  base::Task<base::Result<std::vector<Image>>> import_copied(base::Path archive, std::string name) {
    const Turn turn = co_await take_turn();
    std::vector<std::string> digests;
    auto work = [this, &archive, &name, &digests]() -> base::Result<State> {
      auto imported = content_.import(state_.catalog, archive, name);
      if (!imported) return base::fail(std::move(imported).error());
      auto images = describe_all(imported->catalog);
      if (!images) return base::fail(std::move(images).error());
      digests = std::move(imported->manifest_digests);
      return State{std::move(imported->catalog), std::move(*images)};
    };
    auto state = co_await pool_.run(std::move(work));
    if (!state) co_return base::fail(std::move(state).error());
    adopt(std::move(*state));
    std::vector<Image> images;
    for (const std::string& digest : digests) images.push_back(state_.images.at(digest));
    co_return images;
  }

  base::Task<base::Result<>> remove_copied(std::string reference) {
    const Turn turn = co_await take_turn();
    Catalog after = state_.catalog;
    if (!after.remove(reference)) {
      co_return base::fail(base::Code::not_found, "no image '" + reference + "'");
    }
    auto work = [this, &after]() -> base::Result<State> {
      auto replaced = content_.replace(state_.catalog, after);
      if (!replaced) return base::fail(std::move(replaced).error());
      auto images = describe_all(after);
      if (!images) return base::fail(std::move(images).error());
      return State{after, std::move(*images)};
    };
    auto state = co_await pool_.run(std::move(work));
    if (!state) co_return base::fail(std::move(state).error());
    adopt(std::move(*state));
    co_return base::Result<>{};
  }

  base::Result<std::map<std::string, Image>> describe_all(const Catalog& catalog) {
    std::map<std::string, Image> images;
    for (const auto& [digest, image] : catalog.images()) {
      auto described = content_.describe(image);
      if (!described) return base::fail(std::move(described).error());
      images.emplace(digest, std::move(*described));
    }
    return images;
  }

  void adopt(State state) { state_ = std::move(state); }

  base::BlockingPool& pool_;
  linux::UniqueFd lock_;
  StoreContent content_;
  // Changed on the executor only; read by pool threads only during a turn.
  State state_;
  bool busy_ = false;
  base::Event turn_;
};

}  // namespace

base::Result<std::unique_ptr<ImageStore>> open_image_store(base::Executor executor,
                                                           base::Files& files,
                                                           base::BlockingPool& pool,
                                                           const DiskImageStoreOptions& options) {
  const StorePaths paths(options.root);
  if (auto made = files.make_directories(options.root, 0700); !made) {
    return base::fail(std::move(made).error());
  }
  auto lock = linux::open_file(paths.lock(), O_RDWR | O_CREAT, 0600);
  if (!lock) return base::fail(std::move(lock).error());
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    return base::fail(base::Code::unavailable, "image store '" + options.root.string() +
                                                   "' is in use by another koi process");
  }
  const std::string architecture =
      options.architecture.empty() ? std::string(host_architecture()) : options.architecture;
  auto store = std::make_unique<DiskImageStore>(
      executor, pool, std::move(*lock),
      StoreContent(files, paths, Unpacker(options.unpack_command, options.limits), architecture));
  if (auto opened = store->open(); !opened) {
    return base::fail(std::move(opened).error().during("open image store"));
  }
  return store;
}

}  // namespace koi::images
