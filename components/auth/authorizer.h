#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "auth/identity.h"
#include "auth/rbac.h"

namespace koi::auth {

struct Verdict {
  bool allowed = false;
  std::string reason{};
};

// Decides what an identity may do: system:masters everything, agents what their node needs, and
// everybody what the stored roles grant. Any thread.
class Authorizer {
 public:
  Authorizer();

  // From now on decisions follow these roles.
  void publish(std::shared_ptr<const RbacSnapshot> snapshot);
  std::shared_ptr<const RbacSnapshot> snapshot() const;

  Verdict decide(const Identity& identity, const Access& access) const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const RbacSnapshot> snapshot_;
};

}  // namespace koi::auth
