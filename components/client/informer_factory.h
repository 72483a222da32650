#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/task.h"
#include "client/informer.h"

namespace koi::client {

// Makes one informer per scope, so that several consumers share a cache and a watch. Owned by the
// composition root of its consumers, which must not outlive it. All calls on the executor.
class InformerFactory {
 public:
  InformerFactory(ApiClient& client, base::Clock& clock, base::Random& random,
                  base::Executor executor);

  // The informer of that scope. Follows its resource at once when start() was called already.
  Informer& informer(const InformerScope& scope);
  Informer& informer(const Resource& resource);

  void start();
  // Returns once every informer made so far has its first list.
  base::Task<> wait_synced();
  base::Task<> stop();

 private:
  void run(Informer& informer);

  ApiClient& client_;
  base::Clock& clock_;
  base::Random& random_;
  base::TaskGroup tasks_;
  std::map<InformerScope, std::unique_ptr<Informer>> informers_;
  bool started_ = false;
};

// Index names and functions that several consumers use.
inline constexpr const char* index_by_controller = "controller uid";
inline constexpr const char* index_by_node = "spec.nodeName";
inline constexpr const char* index_orphans = "orphans by namespace";
void index_controller(const api::Object& object, std::vector<std::string>& values);
void index_node(const api::Object& object, std::vector<std::string>& values);
// The namespace of an object without a controlling owner.
void index_orphan(const api::Object& object, std::vector<std::string>& values);

}  // namespace koi::client
