#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "json/value.h"

namespace koi::api {

// A stored object: immutable, shared by every reader in the process. Holds the JSON wire bytes and,
// from the first look inside, the decoded value. Any thread.
class Object {
 public:
  // From wire bytes that koi itself wrote. Decoded at first use.
  explicit Object(std::string bytes);
  // From a value; the bytes are made at first use.
  explicit Object(json::Value value);
  ~Object();
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  const json::Value& value() const;
  const std::string& bytes() const;

  std::string_view api_version() const { return json::string_at(value(), {"apiVersion"}); }
  std::string_view kind() const { return json::string_at(value(), {"kind"}); }
  std::string_view name() const { return json::string_at(value(), {"metadata", "name"}); }
  std::string_view name_space() const {
    return json::string_at(value(), {"metadata", "namespace"});
  }
  std::string_view uid() const { return json::string_at(value(), {"metadata", "uid"}); }
  std::string_view resource_version() const {
    return json::string_at(value(), {"metadata", "resourceVersion"});
  }
  // True once deletion was asked for.
  bool is_terminating() const {
    return json::find(value(), {"metadata", "deletionTimestamp"}) != nullptr;
  }

 private:
  mutable std::atomic<const json::Value*> value_{nullptr};
  mutable std::atomic<const std::string*> bytes_{nullptr};
};

using ObjectPtr = std::shared_ptr<const Object>;

ObjectPtr make_object(json::Value value);

}  // namespace koi::api
