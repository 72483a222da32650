#include "scheduler/scheduling_queue.h"

#include <doctest/doctest.h>

namespace koi::scheduler {

namespace {

using namespace std::chrono_literals;

PodFactsPtr pod(std::string key, std::int64_t priority = 0) {
  auto facts = std::make_shared<PodFacts>();
  facts->key = key;
  facts->uid = key;
  facts->priority = priority;
  return facts;
}

std::string popped(SchedulingQueue& queue, base::MonoTime now) {
  const auto next = queue.pop(now);
  return next != nullptr ? next->key : std::string();
}

}  // namespace

TEST_CASE("priority goes first, then who waits longest") {
  SchedulingQueue queue;
  const base::MonoTime now{};
  queue.add(pod("a"));
  queue.add(pod("b"));
  queue.add(pod("c", 10));
  CHECK(popped(queue, now) == "c");
  CHECK(popped(queue, now) == "a");
  CHECK(popped(queue, now) == "b");
  CHECK(popped(queue, now).empty());
}

TEST_CASE("a pod that failed waits for a change that matters and for its back-off") {
  SchedulingQueue queue;
  base::MonoTime now{};
  const auto a = pod("a");
  queue.add(a);
  CHECK(popped(queue, now) == "a");
  queue.fail(a, bit(Reason::cpu), now);
  queue.wake(bit(Reason::node_affinity), now);
  CHECK_FALSE(queue.next_deadline().has_value());
  queue.wake(bit(Reason::cpu), now);
  CHECK(popped(queue, now).empty());
  CHECK(queue.next_deadline() == now + 1s);
  now += 1s;
  CHECK(queue.has_active(now));
  CHECK(popped(queue, now) == "a");
  queue.fail(a, bit(Reason::cpu), now);
  now += 1min;
  queue.wake(bit(Reason::cpu), now);
  CHECK(popped(queue, now) == "a");
}

TEST_CASE("failures double the back-off up to ten seconds") {
  SchedulingQueue queue;
  base::MonoTime now{};
  const auto a = pod("a");
  queue.add(a);
  for (const auto expected : {1s, 2s, 4s, 8s, 10s, 10s}) {
    CHECK(popped(queue, now) == "a");
    queue.retry(a, now);
    CHECK(queue.next_deadline() == now + expected);
    now += expected;
  }
  queue.remove("a");
  CHECK(queue.size() == 0);
  CHECK_FALSE(queue.has_active(now + 1h));
}

TEST_CASE("a pod removed while it is tried stays away") {
  SchedulingQueue queue;
  const auto a = pod("a");
  queue.add(a);
  queue.pop({});
  queue.remove("a");
  queue.fail(a, bit(Reason::cpu), {});
  CHECK(queue.size() == 0);
}

}  // namespace koi::scheduler
