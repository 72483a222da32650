#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/event.h"
#include "base/random.h"
#include "base/time.h"
#include "client/api_client.h"

namespace koi::client {

enum class EventType { normal, warning };

// Writes core/v1 Events about objects, as `kubectl describe` shows them. Repeats of one event raise
// its count instead of making another; many that differ in the message only are combined; a flood
// about one object is dropped. Recording never waits and never fails: what cannot be written is
// lost. One executor; all calls on it.
class EventRecorder {
 public:
  // `component` is the "From" of the event; `host` may be empty. The task that writes runs in
  // `tasks`, whose stop() ends it.
  EventRecorder(ApiClient& client, base::Clock& clock, base::Random& random, base::TaskGroup& tasks,
                std::string component, std::string host = std::string());

  void record(const api::Object& about, EventType type, std::string_view reason,
              std::string_view message);
  // `about` is an ObjectReference; fieldPath and uid may be missing.
  void record(const json::Value& about, EventType type, std::string_view reason,
              std::string_view message);

 private:
  struct Series {
    ObjectRef ref;  // without a name until written
    std::int64_t count = 0;
    std::string first_time;
  };
  struct Similar {
    base::MonoTime since;
    std::unordered_set<std::string> messages;
  };
  struct Allowance {
    double tokens = 0;
    base::MonoTime at;
  };
  struct Pending {
    json::Value about;
    EventType type = EventType::normal;
    std::string reason;
    std::string message;
    base::WallTime time;
  };

  base::Task<> run();
  base::Task<> write(Pending pending);
  bool allowed(const json::Value& about);
  std::string combine(const Pending& pending);
  json::Value build(const Pending& pending, const std::string& message, const Series& series) const;
  base::Task<base::Result<>> bump(const Series& series, const std::string& message,
                                  base::WallTime time);
  void remember(const std::string& key, Series series);

  ApiClient& client_;
  base::Clock& clock_;
  base::Random& random_;
  base::TaskGroup& tasks_;
  const std::string component_;
  const std::string host_;

  base::Event changed_;
  bool running_ = false;
  std::deque<Pending> pending_;
  std::unordered_map<std::string, Series> series_;
  std::deque<std::string> series_order_;
  std::unordered_map<std::string, Similar> similar_;
  std::unordered_map<std::string, Allowance> allowances_;
};

// The ObjectReference of an object, as Events and EndpointSlices carry it.
json::Value reference_to(const api::Object& object);

}  // namespace koi::client
