#include "runtime/user_lookup.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = result.ec == std::errc{} && result.ptr == text.data() + text.size();
  return whole && value <= 0x7fffffff ? std::optional(value) : std::nullopt;
}

struct PasswdEntry {
  std::string_view name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string_view home;
};

std::optional<PasswdEntry> find_user(std::string_view passwd, std::string_view user) {
  const auto wanted = number(user);
  std::optional<PasswdEntry> by_number;
  for (const std::string_view line : split(passwd, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 6) continue;
    const auto uid = number(fields[2]);
    const auto gid = number(fields[3]);
    if (!uid || !gid) continue;
    const PasswdEntry entry{fields[0], *uid, *gid, fields[5]};
    if (fields[0] == user) return entry;
    if (wanted && uid == wanted && !by_number) by_number = entry;
  }
  return by_number;
}

std::optional<std::uint32_t> find_group(std::string_view group, std::string_view name) {
  for (const std::string_view line : split(group, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() >= 3 && fields[0] == name) return number(fields[2]);
  }
  return number(name);
}

// The groups that list the user as a member.
void add_memberships(std::string_view group, std::string_view user,
                     std::vector<std::uint32_t>& groups) {
  for (const std::string_view line : split(group, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 4) continue;
    const auto members = split(fields[3], ',');
    const auto gid = number(fields[2]);
    const bool member = std::find(members.begin(), members.end(), user) != members.end();
    if (gid && member) groups.push_back(*gid);
  }
}

}  // namespace

Result<ResolvedUser> resolve_user(const UserChoice& choice, std::string_view passwd,
                                  std::string_view group) {
  const std::string_view image = choice.image_user;
  const std::size_t colon = std::min(image.find(':'), image.size());
  std::string user(image.substr(0, colon));
  std::string group_name(image.substr(std::min(colon + 1, image.size())));
  if (choice.uid) {
    user = std::to_string(*choice.uid);
    group_name.clear();
  }
  if (choice.gid) group_name = std::to_string(*choice.gid);
  if (user.empty()) user = "0";

  ResolvedUser resolved;
  const auto entry = find_user(passwd, user);
  const auto uid = entry ? std::optional(entry->uid) : number(user);
  if (!uid) {
    return fail(Code::invalid,
                "unable to find user " + user + ": no matching entries in passwd file");
  }
  resolved.uid = *uid;
  if (entry) {
    resolved.gid = entry->gid;
    if (!entry->home.empty()) resolved.home = entry->home;
    add_memberships(group, entry->name, resolved.groups);
  }
  if (!group_name.empty()) {
    const auto gid = find_group(group, group_name);
    if (!gid) {
      return fail(Code::invalid,
                  "unable to find group " + group_name + ": no matching entries in group file");
    }
    resolved.gid = *gid;
  }
  if (choice.must_not_be_root && resolved.uid == 0) {
    return fail(Code::invalid, "container has runAsNonRoot and image will run as root");
  }
  for (const std::int64_t gid : choice.supplementary_gids) {
    resolved.groups.push_back(static_cast<std::uint32_t>(gid));
  }
  std::sort(resolved.groups.begin(), resolved.groups.end());
  resolved.groups.erase(std::unique(resolved.groups.begin(), resolved.groups.end()),
                        resolved.groups.end());
  std::erase(resolved.groups, resolved.gid);
  return resolved;
}

}  // namespace koi::runtime
