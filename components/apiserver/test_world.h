#pragma once

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>

#include "api/schema.h"
#include "apiserver/admission.h"
#include "apiserver/operations.h"
#include "base/task.h"
#include "datastore/memory_store.h"
#include "testing/sim_clock.h"
#include "testing/sim_random.h"

// What the tests of this component share: the operations over a store in memory, in simulated time.
namespace koi::apiserver::testing_world {

inline base::WallTime start_time() { return *base::parse_time("2026-01-02T03:04:05Z"); }

// Runs a task to its end, moving simulated time when nothing else is ready.
template <class T>
T run_task(boost::asio::io_context& io, testing::SimClock& clock, base::Task<T> task) {
  std::optional<T> result;
  base::TaskGroup group(io.get_executor());
  auto body = [](base::Task<T> inner, std::optional<T>* out) -> base::Task<> {
    out->emplace(co_await std::move(inner));
  };
  group.spawn("test", body(std::move(task), &result));
  const bool done = testing::run_until(io, clock, std::chrono::hours(24),
                                       [&result] { return result.has_value(); });
  REQUIRE(done);
  return std::move(*result);
}

struct World {
  World() {
    const Call call = this->call("", "v1", "namespaces", "");
    for (const char* name : {"default", "kube-system"}) {
      json::Value object;
      json::set(object, {"metadata", "name"}, json::Value(name));
      REQUIRE(run(operations.create(call, std::move(object))));
    }
  }
  ~World() {
    auto stop = [](datastore::MemoryStore& memory) -> base::Task<bool> {
      co_await memory.stop();
      co_return true;
    };
    run(stop(memory));
  }

  Call call(std::string_view group, std::string_view version, std::string_view plural,
            std::string name_space) {
    Call call{.user = {.name = "admin", .groups = {"system:masters"}},
              .resource = catalog.find(group, version, plural)};
    REQUIRE(call.resource != nullptr);
    call.name_space = std::move(name_space);
    call.warnings = &warnings;
    return call;
  }
  json::Value json(std::string_view text) {
    auto value = json::parse(text);
    REQUIRE(value);
    return *value;
  }
  template <class T>
  T run(base::Task<T> task) {
    return run_task(io, clock, std::move(task));
  }

  boost::asio::io_context io;
  testing::SimClock clock{start_time()};
  testing::SimRandom random{1};
  datastore::MemoryStore memory{clock, io.get_executor()};
  Catalog catalog{api::builtin_schema()};
  std::unique_ptr<ServiceAllocator> services = *ServiceAllocator::create({});
  auth::Authorizer authorizer;
  Admission admission{{memory.store(), catalog, clock, random, *services, authorizer}};
  Operations operations{{memory.store(), clock, random, catalog, admission}};
  std::vector<std::string> warnings;
};

}  // namespace koi::apiserver::testing_world
