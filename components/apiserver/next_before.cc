#include <boost/asio/experimental/awaitable_operators.hpp>

#include "apiserver/event_stream.h"

namespace koi::apiserver {

base::Task<std::optional<base::Result<std::vector<datastore::EventPtr>>>> next_before(
    datastore::Watcher& watcher, base::Clock& clock, base::MonoTime deadline) {
  using namespace boost::asio::experimental::awaitable_operators;
  auto winner = co_await (watcher.next() || clock.sleep_until(deadline));
  if (winner.index() == 1) co_return std::nullopt;
  co_return std::get<0>(std::move(winner));
}

}  // namespace koi::apiserver
