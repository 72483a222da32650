#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event.h"
#include "base/random.h"
#include "base/time.h"
#include "client/api_client.h"

namespace koi::client {

// A small API server in memory, for tests of what stands above the client: optimistic concurrency,
// watches, generateName, generations, the status subresource, finalizers, graceful deletion of
// pods, binding. Understands merge patches only. One executor.
class MemoryClient final : public ApiClient {
 public:
  MemoryClient(const base::Executor& executor, base::Clock& clock, base::Random& random);
  ~MemoryClient() override;

  base::Task<base::Result<api::ObjectPtr>> get(const ObjectRef& ref) override;
  base::Task<base::Result<ObjectList>> list(const Resource& resource, const std::string& name_space,
                                            const ListOptions& options) override;
  base::Task<base::Result<std::unique_ptr<Watch>>> watch(const Resource& resource,
                                                         const std::string& name_space,
                                                         const WatchOptions& options) override;
  base::Task<base::Result<api::ObjectPtr>> create(const ObjectRef& ref,
                                                  json::Value object) override;
  base::Task<base::Result<api::ObjectPtr>> update(const ObjectRef& ref,
                                                  json::Value object) override;
  base::Task<base::Result<api::ObjectPtr>> patch(const ObjectRef& ref, PatchType type,
                                                 json::Value patch) override;
  base::Task<base::Result<>> remove(const ObjectRef& ref, const DeleteOptions& options) override;

  // What tests look at and do, at once and without counting as a request.
  api::ObjectPtr peek(const Resource& resource, std::string_view key) const;
  std::vector<api::ObjectPtr> peek_all(const Resource& resource) const;
  // Creates or replaces the object as it stands, as a kubelet or user would.
  api::ObjectPtr put(const Resource& resource, json::Value object);
  // Edits the stored object.
  void edit(const Resource& resource, std::string_view key,
            const std::function<void(json::Value&)>& change);
  void erase(const Resource& resource, std::string_view key);

  // Requests answered so far; open watches do not count.
  std::size_t requests() const { return requests_; }
  // Called before each request with its verb; an error becomes the answer.
  using Fault =
      std::function<std::optional<base::Error>(std::string_view verb, const ObjectRef& ref)>;
  void set_fault(Fault fault) { fault_ = std::move(fault); }
  // Ends every open watch with unavailable.
  void break_watches();
  // Forgets the history: watches from an earlier position fail with expired.
  void compact();

 private:
  friend class MemoryWatch;
  struct Change {
    std::uint64_t revision = 0;
    Resource resource;
    WatchType type = WatchType::added;
    api::ObjectPtr object;
    api::ObjectPtr before;
  };
  using Objects = std::map<std::string, api::ObjectPtr, std::less<>>;

  base::Task<base::Result<>> begin(std::string_view verb, const ObjectRef& ref);
  base::Result<api::ObjectPtr> find(const ObjectRef& ref) const;
  base::Result<api::ObjectPtr> do_create(const ObjectRef& ref, json::Value object);
  base::Result<api::ObjectPtr> do_update(const ObjectRef& ref, const api::ObjectPtr& current,
                                         json::Value object);
  base::Result<api::ObjectPtr> bind(const ObjectRef& ref, const json::Value& binding);
  api::ObjectPtr commit(const Resource& resource, json::Value object, WatchType type);
  base::Result<> do_remove(const ObjectRef& ref, const api::ObjectPtr& current,
                           const DeleteOptions& options);
  void publish(const Resource& resource, WatchType type, const api::ObjectPtr& object,
               const api::ObjectPtr& before);

  base::Clock& clock_;
  base::Random& random_;
  base::Event changed_;
  std::map<Resource, Objects> objects_;
  std::deque<Change> history_;
  std::uint64_t revision_ = 100;
  std::uint64_t compacted_ = 0;
  std::uint64_t watch_epoch_ = 0;
  std::size_t requests_ = 0;
  Fault fault_;
};

}  // namespace koi::client
