#include "http/session.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstdio>

#include "base/log.h"

namespace koi::http {

namespace {

std::string format_date(std::chrono::sys_seconds time) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof(text), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                days[std::chrono::weekday(day).c_encoding()], unsigned(date.day()),
                months[unsigned(date.month()) - 1], int(date.year()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

bool is_cancellation(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    return error.code() == boost::asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

std::string describe(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}

}  // namespace

std::string_view ServerContext::date() {
  const auto now = std::chrono::floor<std::chrono::seconds>(clock.wall_now());
  const std::int64_t second = now.time_since_epoch().count();
  if (second != date_second_) {
    date_ = format_date(now);
    date_second_ = second;
  }
  return date_;
}

Connection::Connection(ServerContext& context_in, std::unique_ptr<ByteStream> stream_in)
    : context(context_in),
      stream(std::move(stream_in)),
      peer(stream->peer()),
      tasks(context.executor) {}

base::Task<Response> call_handler(ServerContext& context, Request& request) {
  context.requests.fetch_add(1, std::memory_order_relaxed);
  std::exception_ptr failure;
  try {
    co_return co_await context.handler.handle(request);
  } catch (...) {
    failure = std::current_exception();
  }
  if (is_cancellation(failure)) std::rethrow_exception(failure);
  base::log::error(
      "http.handler.failed",
      {{"path", request.path()}, {"error", describe(failure)}, {"next", "answered with 500"}});
  co_return context.handler.refuse(500, "the server failed to answer");
}

}  // namespace koi::http
