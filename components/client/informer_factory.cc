#include "client/informer_factory.h"

#include "client/object_key.h"

namespace koi::client {

InformerFactory::InformerFactory(ApiClient& client, base::Clock& clock, base::Random& random,
                                 base::Executor executor)
    : client_(client), clock_(clock), random_(random), tasks_(std::move(executor)) {}

Informer& InformerFactory::informer(const InformerScope& scope) {
  auto& place = informers_[scope];
  if (place == nullptr) {
    place = std::make_unique<Informer>(client_, clock_, random_, tasks_.executor(), scope);
    if (started_) run(*place);
  }
  return *place;
}

Informer& InformerFactory::informer(const Resource& resource) {
  return informer(
      {.resource = resource, .name_space = {}, .label_selector = {}, .field_selector = {}});
}

void InformerFactory::run(Informer& informer) {
  tasks_.spawn("informer/" + informer.scope().resource.plural, informer.run());
}

void InformerFactory::start() {
  if (started_) return;
  started_ = true;
  for (auto& [scope, informer] : informers_) run(*informer);
}

base::Task<> InformerFactory::wait_synced() {
  std::vector<Informer*> waiting;
  for (auto& [scope, informer] : informers_) waiting.push_back(informer.get());
  for (auto* informer : waiting) co_await informer->wait_synced();
}

base::Task<> InformerFactory::stop() { co_await tasks_.stop(); }

void index_controller(const api::Object& object, std::vector<std::string>& values) {
  const auto uid = controller_uid(object);
  if (!uid.empty()) values.emplace_back(uid);
}

void index_node(const api::Object& object, std::vector<std::string>& values) {
  const auto node = json::string_at(object.value(), {"spec", "nodeName"});
  if (!node.empty()) values.emplace_back(node);
}

void index_orphan(const api::Object& object, std::vector<std::string>& values) {
  if (controller_of(object) == nullptr) values.emplace_back(object.name_space());
}

}  // namespace koi::client
