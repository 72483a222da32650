#include "network/host_firewall.h"

#include "linux/nftables_batch.h"

namespace koi::network {

namespace {

const linux::NftTable table{.family = linux::NftFamily::ipv4, .name = "filter"};
const std::string chain = "FORWARD";
constexpr std::string_view mark = "koi: pod network";
constexpr std::size_t rules_wanted = 2;

}  // namespace

base::Result<> open_host_firewall(linux::NetlinkSocket& socket, const std::string& bridge) {
  const auto found = linux::find_nft_rules(socket, table, chain, mark);
  if (!found && found.error().code == base::Code::not_found) return {};
  if (!found) return base::fail(found.error());
  if (found->size() == rules_wanted) return {};
  linux::NftBatch batch(table);
  for (const std::uint64_t handle : *found) batch.remove_rule(chain, handle);
  batch.insert_rule(chain, linux::NftRule().input_link(bridge).accept(), mark);
  batch.insert_rule(chain, linux::NftRule().output_link(bridge).accept(), mark);
  auto changed = batch.commit(socket);
  // No such chain after all: kernels list the rules of a missing chain as none.
  if (!changed && changed.error().code == base::Code::not_found) return {};
  return changed;
}

base::Result<> close_host_firewall(linux::NetlinkSocket& socket) {
  const auto found = linux::find_nft_rules(socket, table, chain, mark);
  if (!found && found.error().code == base::Code::not_found) return {};
  if (!found) return base::fail(found.error());
  if (found->empty()) return {};
  linux::NftBatch batch(table);
  for (const std::uint64_t handle : *found) batch.remove_rule(chain, handle);
  return batch.commit(socket);
}

}  // namespace koi::network
