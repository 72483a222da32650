#include "auth/authorizer.h"

#include "auth/node_authorizer.h"

namespace koi::auth {

Authorizer::Authorizer()
    : snapshot_(std::make_shared<const RbacSnapshot>(RbacSnapshot::Sources())) {}

void Authorizer::publish(std::shared_ptr<const RbacSnapshot> snapshot) {
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(snapshot);
}

std::shared_ptr<const RbacSnapshot> Authorizer::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

Verdict Authorizer::decide(const Identity& identity, const Access& access) const {
  if (identity.is_master()) return {true, "system:masters"};
  if (const auto node = node_of(identity); node && node_allows(*node, access)) {
    return {true, "node"};
  }
  if (auto why = snapshot()->allows(identity, access)) return {true, std::move(*why)};
  return {};
}

}  // namespace koi::auth
