#pragma once

#include <compare>
#include <functional>
#include <utility>

namespace koi::base {

// A value of type T that cannot be mixed up with another of the same representation:
// `using Revision = Named<std::int64_t, struct RevisionTag>`.
template <class T, class Tag>
class Named {
 public:
  Named() = default;
  explicit Named(T value) : value_(std::move(value)) {}

  const T& get() const { return value_; }

  friend bool operator==(const Named&, const Named&) = default;
  friend auto operator<=>(const Named&, const Named&) = default;

 private:
  T value_{};
};

}  // namespace koi::base

template <class T, class Tag>
struct std::hash<koi::base::Named<T, Tag>> {
  std::size_t operator()(const koi::base::Named<T, Tag>& value) const {
    return std::hash<T>{}(value.get());
  }
};
