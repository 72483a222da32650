#include "client/work_queue.h"

#include <doctest/doctest.h>

#include "client/test_world.h"

namespace koi::client {

namespace {

using namespace std::chrono_literals;

struct QueueWorld : TestWorld {
  base::Event gate{io.get_executor()};
  bool open = true;
  int failures = 0;
  std::vector<std::string> log;
  WorkQueue queue;

  explicit QueueWorld(std::size_t workers = 1)
      : queue(tasks, clock, {.name = "test", .workers = workers}) {}
  ~QueueWorld() { end(); }

  base::Task<base::Result<>> work(std::string key) {
    log.push_back(key);
    while (!open) co_await gate.wait();
    if (failures > 0) {
      --failures;
      co_return base::fail(base::Code::conflict, "lost the race");
    }
    co_return base::Result<>();
  }

  void start() {
    queue.start([this](std::string key) { return work(std::move(key)); });
    settle();
  }
};

using Log = std::vector<std::string>;

}  // namespace

TEST_CASE("a key waits once and is worked on once at a time") {
  QueueWorld world(2);
  world.open = false;
  world.start();
  world.queue.add("a");
  world.queue.add("a");
  world.settle();
  CHECK(world.log == Log{"a"});
  world.queue.add("a");
  world.queue.add("b");
  world.settle();
  CHECK(world.log == Log{"a", "b"});
  world.open = true;
  world.gate.notify_all();
  world.settle();
  CHECK(world.log == Log{"a", "b", "a"});
  CHECK(world.queue.is_idle());
}

TEST_CASE("failed work comes back later and later") {
  QueueWorld world;
  world.failures = 3;
  world.start();
  world.queue.add("a");
  world.settle();
  CHECK(world.log.size() == 1);
  world.advance(5ms);
  CHECK(world.log.size() == 2);
  world.advance(9ms);
  CHECK(world.log.size() == 2);
  world.advance(1ms);
  CHECK(world.log.size() == 3);
  world.advance(20ms);
  CHECK(world.log.size() == 4);
  CHECK(world.queue.is_idle());
}

TEST_CASE("a delayed key comes up at its earliest deadline, once") {
  QueueWorld world;
  world.start();
  world.queue.add_after("a", 10s);
  world.queue.add_after("a", 3s);
  world.queue.add_after("b", 5s);
  world.queue.add_after("a", 7s);
  world.advance(2s);
  CHECK(world.log.empty());
  world.advance(1s);
  CHECK(world.log == Log{"a"});
  world.advance(1h);
  CHECK(world.log == Log{"a", "b"});
  CHECK(world.clock.next_deadline() == base::MonoTime::max());
}

}  // namespace koi::client
