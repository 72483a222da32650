#include "client/informer.h"

#include <doctest/doctest.h>

#include "client/informer_factory.h"
#include "client/object_key.h"
#include "client/test_world.h"

namespace koi::client {

namespace {

using namespace std::chrono_literals;

const Resource pods{.group = "", .version = "v1", .plural = "pods"};

json::Value pod(std::string_view name, std::string_view node = {}) {
  json::Value value = json::Object{{"apiVersion", "v1"}, {"kind", "Pod"}};
  json::set(value, {"metadata", "name"}, text(name));
  json::set(value, {"metadata", "namespace"}, "default");
  if (!node.empty()) json::set(value, {"spec", "nodeName"}, text(node));
  return value;
}

struct InformerWorld : TestWorld {
  InformerFactory factory{api, clock, random, io.get_executor()};
  Informer& informer = factory.informer(pods);
  std::vector<std::string> log;

  InformerWorld() {
    informer.add_index(index_by_node, index_node);
    informer.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
      const char* verb = before == nullptr ? "add " : after == nullptr ? "delete " : "update ";
      log.push_back(verb + std::string((after != nullptr ? after : before)->name()));
    });
  }
  ~InformerWorld() { await(factory.stop()); }

  std::vector<std::string> take_log() { return std::exchange(log, {}); }
};

using Log = std::vector<std::string>;

}  // namespace

TEST_CASE("an informer lists, then follows every change") {
  InformerWorld world;
  world.api.put(pods, pod("a"));
  world.factory.start();
  CHECK_FALSE(world.informer.has_synced());
  world.settle();
  CHECK(world.informer.has_synced());
  CHECK(world.take_log() == Log{"add a"});
  world.api.put(pods, pod("b"));
  world.api.put(pods, pod("a", "n1"));
  world.settle();
  CHECK(world.take_log() == Log{"add b", "update a"});
  CHECK(world.informer.with_index(index_by_node, "n1").size() == 1);
  world.api.erase(pods, "default/a");
  world.settle();
  CHECK(world.take_log() == Log{"delete a"});
  CHECK(world.informer.with_index(index_by_node, "n1").empty());
  CHECK(world.informer.find("default", "b") != nullptr);
  CHECK(world.informer.list("default").size() == 1);
  CHECK(world.informer.count("default") == 1);
  CHECK(world.informer.count("defaul") == 0);
}

TEST_CASE("consumers of one resource share an informer and its one watch") {
  InformerWorld world;
  CHECK(&world.factory.informer(pods) == &world.informer);
  world.factory.start();
  world.settle();
  CHECK(world.api.requests() == 2);
  world.advance(1h);
  CHECK(world.api.requests() == 2);
}

TEST_CASE("a lost watch goes on where it was and repeats nothing") {
  InformerWorld world;
  world.api.put(pods, pod("a"));
  world.factory.start();
  world.settle();
  world.take_log();
  world.api.break_watches();
  world.settle();
  world.api.put(pods, pod("b"));
  world.advance(10s);
  CHECK(world.take_log() == Log{"add b"});
}

TEST_CASE("a compacted position lists again and reports the differences") {
  InformerWorld world;
  world.api.put(pods, pod("a"));
  world.api.put(pods, pod("b"));
  world.factory.start();
  world.settle();
  world.take_log();
  world.api.break_watches();
  world.settle();
  world.api.erase(pods, "default/a");
  world.api.put(pods, pod("b", "n2"));
  world.api.put(pods, pod("c"));
  world.api.compact();
  world.advance(1min);
  CHECK(world.take_log() == Log{"update b", "add c", "delete a"});
}

TEST_CASE("who writes reads its own write before the watch brings it") {
  InformerWorld world;
  world.factory.start();
  world.settle();
  const ObjectRef ref{.resource = pods, .name_space = "default", .name = "a", .subresource = {}};
  const auto written = world.api.put(pods, pod("a"));
  world.informer.absorb(written);
  CHECK(world.take_log() == Log{"add a"});
  world.settle();
  CHECK(world.take_log().empty());
  world.api.erase(pods, "default/a");
  world.settle();
  CHECK(world.take_log() == Log{"delete a"});
  world.informer.absorb(written);
  CHECK(world.informer.find("default/a") == nullptr);
}

TEST_CASE("failed lists are tried again with growing pauses") {
  InformerWorld world;
  world.api.set_fault([](std::string_view verb, const ObjectRef&) -> std::optional<base::Error> {
    if (verb != "list") return std::nullopt;
    return base::Error{.code = base::Code::unavailable, .message = "not yet"};
  });
  world.factory.start();
  world.advance(5min);
  CHECK_FALSE(world.informer.has_synced());
  CHECK(world.api.requests() < 30);
  world.api.set_fault(nullptr);
  world.advance(30s);
  CHECK(world.informer.has_synced());
}

}  // namespace koi::client
