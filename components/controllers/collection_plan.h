#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"

namespace koi::controllers {

inline constexpr std::string_view foreground_finalizer = "foregroundDeletion";
inline constexpr std::string_view orphan_finalizer = "orphan";

bool has_finalizer(const json::Value& object, std::string_view finalizer);
json::Array without_finalizer(const json::Value& object, std::string_view finalizer);
json::Array without_owners(const json::Value& object, const std::vector<std::string>& uids);
// Being deleted, and waiting for its dependents to go first.
bool is_deleting_dependents(const api::Object& object);
// Being deleted, and about to let its dependents go.
bool is_orphaning(const api::Object& object);

// What became of one owner that an object names.
enum class OwnerFate {
  lives,    // exists, or cannot be judged
  waiting,  // is deleted in the foreground and waits for this object
  absent,   // verified with the API
};
struct OwnerFact {
  std::string uid{};
  OwnerFate fate = OwnerFate::lives;
};

// What is to be done about one object.
struct CollectionPlan {
  enum class Step {
    nothing,
    orphan_dependents,
    delete_dependents,
    finish_foreground,
    drop_owners,
    remove
  };
  Step step = Step::nothing;
  std::vector<std::string> drop{};  // uids of owners to take off the object
  std::string policy{};             // of remove
};

struct CollectionFacts {
  const api::Object& object;
  std::vector<OwnerFact> owners{};
  bool has_dependents = false;
  bool has_blocking_dependents = false;  // that say blockOwnerDeletion
};

CollectionPlan plan_collection(const CollectionFacts& facts);

}  // namespace koi::controllers
