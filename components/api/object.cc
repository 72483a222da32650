#include "api/object.h"

#include "base/check.h"

namespace koi::api {

namespace {

// Publishes `fresh` unless another thread was first; returns whichever stands.
template <class T>
const T& publish(std::atomic<const T*>& place, std::unique_ptr<const T> fresh) {
  const T* expected = nullptr;
  if (place.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel)) {
    return *fresh.release();
  }
  return *expected;
}

}  // namespace

Object::Object(std::string bytes) : bytes_(new std::string(std::move(bytes))) {}

Object::Object(json::Value value) : value_(new json::Value(std::move(value))) {}

Object::~Object() {
  delete value_.load();
  delete bytes_.load();
}

const json::Value& Object::value() const {
  if (const auto* value = value_.load(std::memory_order_acquire)) return *value;
  auto parsed = json::parse(*bytes_.load(std::memory_order_acquire));
  CHECK_THAT(parsed.has_value(), "a stored object is not JSON");
  return publish(value_, std::make_unique<const json::Value>(std::move(*parsed)));
}

const std::string& Object::bytes() const {
  if (const auto* bytes = bytes_.load(std::memory_order_acquire)) return *bytes;
  const json::Value& value = *value_.load(std::memory_order_acquire);
  return publish(bytes_, std::make_unique<const std::string>(json::serialize(value)));
}

ObjectPtr make_object(json::Value value) {
  return std::make_shared<const Object>(std::move(value));
}

}  // namespace koi::api
