#include "auth/identity.h"

namespace koi::auth {

Identity service_account_identity(std::string_view name_space, std::string_view name,
                                  std::string_view uid) {
  Identity identity;
  identity.name = "system:serviceaccount:" + std::string(name_space) + ":" + std::string(name);
  identity.uid = uid;
  identity.groups = {"system:serviceaccounts", "system:serviceaccounts:" + std::string(name_space),
                     "system:authenticated"};
  return identity;
}

}  // namespace koi::auth
