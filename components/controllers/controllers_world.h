#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/object_key.h"
#include "client/test_world.h"
#include "controllers/controller.h"
#include "controllers/kinds.h"

namespace koi::controllers {

// A world with shared informers in which controllers run. For tests only.
struct ControllersWorld : client::TestWorld {
  client::InformerFactory informers{api, clock, random, io.get_executor()};
  std::vector<std::unique_ptr<Controller>> controllers;

  ~ControllersWorld() {
    await(informers.stop());
    end();
  }

  Context context() {
    return {
        .client = api, .clock = clock, .random = random, .informers = informers, .tasks = tasks};
  }

  template <class T, class... Options>
  T& add(Options&&... options) {
    auto made = std::make_unique<T>(context(), std::forward<Options>(options)...);
    T& reference = *made;
    controllers.push_back(std::move(made));
    return reference;
  }

  void start() {
    for (auto& controller : controllers) controller->start();
    informers.start();
    settle();
  }

  // Creates through the API, as kubectl would.
  api::ObjectPtr create(const client::Resource& resource, std::string_view text) {
    json::Value object = *json::parse(text);
    const client::ObjectRef ref{
        .resource = resource,
        .name_space = std::string(json::string_at(object, {"metadata", "namespace"})),
        .name = std::string(json::string_at(object, {"metadata", "name"}))};
    auto created = await(api.create(ref, std::move(object)));
    CHECK_THAT(created.has_value(), "create failed");
    return *created;
  }

  // Deletes through the API.
  void remove(const client::Resource& resource, std::string_view key,
              const std::string& policy = "Background") {
    const client::DeleteOptions options{.propagation_policy = policy};
    const auto removed = await(api.remove(client::ref_of(resource, key), options));
    CHECK_THAT(removed.has_value(), "delete failed");
  }

  json::Value read(const client::Resource& resource, std::string_view key) {
    const auto found = api.peek(resource, key);
    return found != nullptr ? found->value() : json::Value();
  }

  // Plays the kubelet: every pod that has no status yet runs and is ready.
  void run_pods() {
    for (const auto& pod : api.peek_all(kinds::pods)) {
      if (pod->is_terminating()) {
        api.erase(kinds::pods, client::key_of(*pod));
        continue;
      }
      if (!json::array_at(pod->value(), {"status", "conditions"}).empty()) continue;
      api.edit(kinds::pods, client::key_of(*pod), [this](json::Value& value) {
        json::set(value, {"status", "phase"}, "Running");
        const json::Object ready{{"type", "Ready"},
                                 {"status", "True"},
                                 {"lastTransitionTime", base::format_time(clock.wall_now())}};
        json::set(value, {"status", "conditions"}, json::Array{ready});
      });
    }
    settle();
  }

  std::vector<std::string> event_texts() {
    const client::Resource events{"", "v1", "events"};
    std::vector<std::string> texts;
    for (const auto& event : api.peek_all(events)) {
      texts.push_back(std::string(json::string_at(event->value(), {"reason"})) + ": " +
                      std::string(json::string_at(event->value(), {"message"})));
    }
    return texts;
  }
};

}  // namespace koi::controllers
