#include "datastore/log_store.h"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include "base/os.h"
#include "datastore/memory_log.h"
#include "datastore/sqlite_log.h"
#include "datastore/sqlite_vfs.h"
#include "testing/sim_clock.h"
#include "testing/sim_files.h"
#include "testing/sim_random.h"

namespace koi::datastore {

namespace {

using base::Code;
using base::Result;
using base::Task;

const std::string prefix = "/registry/core/configmaps/";

Write put(const std::string& name, const std::string& text, std::optional<Revision> expected) {
  Write write{.key = prefix + name, .expected = expected, .make = {}, .make_last = {}};
  write.make = [text](Revision revision) {
    return api::make_object(
        {{"text", text}, {"metadata", {{"resourceVersion", std::to_string(revision)}}}});
  };
  return write;
}

Write removal(const std::string& name) {
  return Write{.key = prefix + name, .expected = {}, .make = {}, .make_last = {}};
}

std::string text_of(const api::ObjectPtr& object) {
  return std::string(json::string_at(object->value(), {"text"}));
}

// A store on a disk that forgets what was not synced.
struct World {
  explicit World(std::uint64_t seed) : random(seed), files(random), vfs("sim", files, random) {
    boot();
  }
  ~World() { halt(); }

  void boot() {
    log = *open_sqlite_log("/data", "sim");
    disk = std::make_unique<base::BlockingPool>("disk", 0);
    store = std::make_unique<LogStore>(LogStore::Doors{clock, io.get_executor(), *log, *disk});
    REQUIRE(store->open().has_value());
    store->start();
  }

  void halt() {
    if (!store) return;
    run(store->stop());
    store.reset();
    log.reset();
  }

  // What the disk holds survives; what the process held does not.
  void crash() {
    files.crash();
    halt();
    boot();
  }

  void run(Task<> task) {
    bool done = false;
    auto wrapped = [](Task<> inner, bool& flag) -> Task<> {
      co_await std::move(inner);
      flag = true;
    };
    base::TaskGroup group(io.get_executor());
    group.spawn("test", wrapped(std::move(task), done));
    REQUIRE(testing::run_until(io, clock, std::chrono::minutes(1), [&] { return done; }));
    testing::run_ready(io);
  }

  Result<EntryPtr> commit(Write write) {
    Result<EntryPtr> outcome;
    auto task = [](LogStore& target, Write change, Result<EntryPtr>& into) -> Task<> {
      into = co_await target.commit(std::move(change));
    };
    run(task(*store, std::move(write), outcome));
    return outcome;
  }

  boost::asio::io_context io;
  testing::SimClock clock{base::WallTime{}};
  testing::SimRandom random;
  testing::SimFiles files;
  FilesVfs vfs;
  std::unique_ptr<RevisionLog> log;
  std::unique_ptr<base::BlockingPool> disk;
  std::unique_ptr<LogStore> store;
};

Task<> follow(Watcher& watcher, std::vector<std::string>& seen) {
  for (;;) {
    const auto events = co_await watcher.next();
    if (!events) co_return;
    for (const auto& event : *events) {
      seen.push_back((event->type == Event::Type::put ? "put " : "removed ") +
                     event->key.substr(prefix.size()));
    }
  }
}

Task<> stop_group(base::TaskGroup& group) { co_await group.stop(); }

}  // namespace

TEST_CASE("writes compare and swap on the revision") {
  World world(1);
  const auto first = world.commit(put("a", "one", 0));
  REQUIRE(first);
  CHECK(world.commit(put("a", "two", 0)).error().code == Code::already_exists);
  CHECK(world.commit(put("a", "two", (*first)->modified + 1)).error().code == Code::conflict);
  const auto second = world.commit(put("a", "two", (*first)->modified));
  REQUIRE(second);
  CHECK((*second)->created == (*first)->created);
  CHECK((*second)->modified > (*first)->modified);
  CHECK(world.commit(removal("b")).error().code == Code::not_found);
  CHECK(world.commit(removal("a")));
  CHECK(world.store->get(prefix + "a") == nullptr);
}

TEST_CASE("a range shows one revision while writers go on") {
  World world(2);
  for (const char* name : {"a", "b", "c"}) REQUIRE(world.commit(put(name, "old", 0)));
  const auto before = world.store->current_revision();
  REQUIRE(world.commit(put("b", "new", {})));
  REQUIRE(world.commit(removal("c")));
  REQUIRE(world.commit(put("d", "new", 0)));
  const RangeOptions page{.start_after = prefix + "a", .limit = 1, .at = before};
  const auto past = world.store->range(prefix, page);
  REQUIRE(past);
  REQUIRE(past->entries.size() == 1);
  CHECK(text_of(past->entries[0]->object) == "old");
  CHECK(past->more);
  CHECK(past->remaining == 1);
  CHECK(world.store->range(prefix, {})->entries.size() == 3);
}

TEST_CASE("watchers see every change once and in order") {
  World world(3);
  REQUIRE(world.commit(put("a", "1", 0)));
  auto watcher = world.store->watch(prefix, world.store->current_revision());
  REQUIRE(watcher);
  std::vector<std::string> seen;
  base::TaskGroup group(world.io.get_executor());
  group.spawn("follow", follow(**watcher, seen));
  REQUIRE(world.commit(put("a", "2", {})));
  REQUIRE(world.commit(put("b", "1", 0)));
  REQUIRE(world.commit(removal("a")));
  CHECK(seen == std::vector<std::string>{"put a", "put b", "removed a"});
  CHECK((*watcher)->position() == world.store->current_revision());
  world.run(stop_group(group));
}

TEST_CASE("what was acknowledged survives a power loss, and no revision comes twice") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    World world(seed);
    std::map<std::string, std::string> expected;
    Revision highest = 0;
    for (int round = 0; round < 5; ++round) {
      for (int i = 0; i < 20; ++i) {
        const std::string name = "k" + std::to_string(world.random.below(8));
        if (expected.contains(name) && world.random.below(4) == 0) {
          REQUIRE(world.commit(removal(name)));
          expected.erase(name);
          continue;
        }
        const std::string text = std::to_string(world.random.next_u64());
        const auto done = world.commit(put(name, text, {}));
        REQUIRE(done);
        CHECK((*done)->modified > highest);
        highest = (*done)->modified;
        expected[name] = text;
      }
      world.crash();
      std::map<std::string, std::string> found;
      for (const auto& entry : world.store->range(prefix, {})->entries) {
        found[entry->key.substr(prefix.size())] = text_of(entry->object);
      }
      CHECK(found == expected);
    }
  }
}

TEST_CASE("lazy writes are seen at once and flushed within the interval") {
  World world(5);
  REQUIRE(world.commit(put("lease", "held", 0)));
  Write renewal = put("lease", "renewed", {});
  renewal.durability = Durability::lazy;
  REQUIRE(world.commit(renewal));
  CHECK(text_of(world.store->get(prefix + "lease")->object) == "renewed");
  SUBCASE("a crash before the flush goes back to the durable state") {
    world.crash();
    CHECK(text_of(world.store->get(prefix + "lease")->object) == "held");
  }
  SUBCASE("a crash after the flush keeps it") {
    const auto end = world.clock.now() + std::chrono::seconds(6);
    testing::run_until(world.io, world.clock, std::chrono::seconds(6),
                       [&] { return world.clock.now() >= end; });
    world.crash();
    CHECK(text_of(world.store->get(prefix + "lease")->object) == "renewed");
  }
  SUBCASE("a clean stop keeps it") {
    world.halt();
    world.boot();
    CHECK(text_of(world.store->get(prefix + "lease")->object) == "renewed");
  }
  SUBCASE("a durable write supersedes it") {
    REQUIRE(world.commit(put("lease", "taken over", {})));
    world.crash();
    CHECK(text_of(world.store->get(prefix + "lease")->object) == "taken over");
  }
  SUBCASE("a durable removal ends it") {
    REQUIRE(world.commit(removal("lease")));
    world.crash();
    CHECK(world.store->get(prefix + "lease") == nullptr);
  }
}

TEST_CASE("a full disk refuses writes, changes nothing, and is forgiven") {
  World world(6);
  REQUIRE(world.commit(put("a", "kept", 0)));
  world.files.set_full(true);
  CHECK(world.commit(put("a", "lost", {})).error().code == Code::unavailable);
  CHECK(text_of(world.store->get(prefix + "a")->object) == "kept");
  world.files.set_full(false);
  REQUIRE(world.commit(put("a", "new", {})));
  world.crash();
  CHECK(text_of(world.store->get(prefix + "a")->object) == "new");
}

TEST_CASE("the file stays within a small multiple of what lives") {
  World world(7);
  const std::string kilobyte(1024, 'x');
  for (int i = 0; i < 20'000; ++i) {
    REQUIRE(world.commit(put("k" + std::to_string(i % 50), kilobyte, {})));
  }
  const auto size = world.log->size();
  REQUIRE(size);
  CHECK(size->file_bytes < 4 * 50 * 1024 + 2 * 4 * 1024 * 1024);
}

TEST_CASE("watches resume over a restart, and expire when the history was compacted") {
  World world(8);
  REQUIRE(world.commit(put("a", "1", 0)));
  const auto seen = world.store->current_revision();
  REQUIRE(world.commit(put("a", "2", {})));
  world.crash();
  auto watcher = world.store->watch(prefix, seen);
  REQUIRE(watcher);
  std::vector<std::string> events;
  base::TaskGroup group(world.io.get_executor());
  group.spawn("follow", follow(**watcher, events));
  testing::run_ready(world.io);
  CHECK(events == std::vector<std::string>{"put a"});
  world.run(stop_group(group));
  const std::string kilobyte(1024, 'x');
  for (int i = 0; i < 10'000; ++i) REQUIRE(world.commit(put("a", kilobyte, {})));
  world.crash();
  CHECK(world.store->watch(prefix, seen).error().code == Code::expired);
}

}  // namespace koi::datastore
