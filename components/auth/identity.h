#pragma once

#include <map>
#include <string>
#include <vector>

namespace koi::auth {

// Who a request acts as, once authenticated. A plain value.
struct Identity {
  std::string name;
  std::string uid{};
  std::vector<std::string> groups{};
  std::map<std::string, std::vector<std::string>> extra{};

  bool in_group(std::string_view group) const {
    for (const std::string& own : groups) {
      if (own == group) return true;
    }
    return false;
  }
  // A member of system:masters may do everything; no policy is asked.
  bool is_master() const { return in_group("system:masters"); }
};

inline Identity anonymous_identity() {
  return {.name = "system:anonymous", .groups = {"system:unauthenticated"}};
}

// The identity of a service account, as its tokens and its impersonation carry it.
Identity service_account_identity(std::string_view name_space, std::string_view name,
                                  std::string_view uid);

// What is asked for: either a resource or, with `path`, something else that the server has.
struct Access {
  std::string verb;
  std::string group{};
  std::string resource{};
  std::string subresource{};
  std::string name_space{};
  std::string name{};
  std::string path{};
};

}  // namespace koi::auth
