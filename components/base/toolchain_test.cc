// The coroutine forms that koi relies on. A compiler that miscompiles one fails here first.
#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "base/task.h"

namespace koi::base {

namespace {

struct Request {
  std::string method;
  std::string path;
  std::vector<std::string> headers;
};

Task<std::size_t> measure(Request request) {
  co_await yield_now();
  co_return request.method.size() + request.path.size() + request.headers.size();
}

Task<std::size_t> count(std::vector<std::string> words) {
  co_await yield_now();
  co_return words.size();
}

Task<> exercise(std::size_t& sum, bool choose) {
  const Request named{.method = "GET", .path = std::string(100, 'p'), .headers = {"a", "b"}};
  sum += co_await measure(named);
  sum += co_await measure(Request{"GET", std::string(100, 'p'), {}});
  sum += co_await count({std::string(40, 'x'), std::string(40, 'y')});
  sum += co_await (choose ? count({"one"}) : count({"one", "two"}));
}

}  // namespace

TEST_CASE("temporaries in await expressions live exactly once") {
  boost::asio::io_context io;
  TaskGroup group(io.get_executor());
  std::size_t sum = 0;
  group.spawn("exercise", exercise(sum, false));
  io.run();
  CHECK(sum == 105 + 103 + 2 + 2);
}

}  // namespace koi::base
