#include "client/retry.h"

namespace koi::client {

namespace {

constexpr int attempts_max = 5;

}  // namespace

base::Task<base::Result<api::ObjectPtr>> modify(ApiClient& client, const ObjectRef& ref,
                                                const Change& change) {
  ObjectRef whole = ref;
  whole.subresource.clear();
  base::Error last;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    auto current = co_await client.get(whole);
    if (!current) co_return base::fail(std::move(current).error());
    json::Value copy = (*current)->value();
    if (!change(copy)) co_return std::move(*current);
    auto written = co_await client.update(ref, std::move(copy));
    if (written || written.error().code != base::Code::conflict) co_return written;
    last = std::move(written).error();
  }
  co_return base::fail(std::move(last));
}

}  // namespace koi::client
