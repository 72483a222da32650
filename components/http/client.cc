#include "http/client.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "http/client_session.h"
#include "http/deadline.h"

namespace koi::http {

namespace asio = boost::asio;
using base::Code;
using base::fail;
using base::Result;
using base::Task;

namespace {

using Connected = Result<std::unique_ptr<ByteStream>>;

Task<Connected> establish(Dialer& dialer, Endpoint endpoint,
                          std::shared_ptr<TlsClientContext> tls) {
  auto stream = co_await dialer.dial(endpoint);
  if (!stream || !tls) co_return stream;
  co_return co_await tls->connect(std::move(*stream));
}

Task<Result<Response>> send_whole(ClientSession& session, Request request, std::size_t bytes_max) {
  auto response = co_await session.open(std::move(request));
  if (!response) co_return response;
  auto body = std::move(response->body);
  auto text = co_await collect_body(std::move(body), bytes_max);
  if (!text) co_return fail(std::move(text).error());
  response->body = std::move(*text);
  co_return response;
}

// Keeps a session that was not stopped until its cancelled tasks have ended.
void bury(std::shared_ptr<ClientSession> session, std::shared_ptr<base::TaskGroup> tasks) {
  const base::Executor executor = tasks->executor();
  auto again = [session = std::move(session), tasks = std::move(tasks)]() mutable {
    if (tasks->size() > 0) bury(std::move(session), std::move(tasks));
  };
  asio::post(executor, std::move(again));
}

}  // namespace

Task<Result<std::string>> collect_body(Body body, std::size_t bytes_max) {
  auto* stream = std::get_if<std::unique_ptr<BodyStream>>(&body);
  if (stream == nullptr) co_return body_text(body);
  std::string text;
  for (;;) {
    auto next = co_await (*stream)->next();
    if (!next) co_return fail(std::move(next).error());
    if (!next->has_value()) break;
    for (const Segment& segment : **next) {
      if (text.size() + segment->size() > bytes_max) {
        co_return fail(Code::too_large,
                       "the answer is larger than " + std::to_string(bytes_max) + " bytes");
      }
      text += *segment;
    }
  }
  co_return text;
}

struct Client::Impl {
  Impl(base::Clock& clock_in, const ClientOptions& options_in, base::Executor executor)
      : clock(clock_in),
        options(options_in),
        closing(std::make_shared<base::TaskGroup>(std::move(executor))) {}

  base::Clock& clock;
  ClientOptions options;
  std::shared_ptr<const Peer> peer;
  bool h2 = false;
  std::shared_ptr<ClientSession> session;
  std::shared_ptr<base::TaskGroup> closing;  // waits for a session that was not stopped
};

namespace {

Task<> end_session(std::shared_ptr<ClientSession> session) { co_await session->wait_closed(); }

}  // namespace

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Client::~Client() {
  if (!impl_->session) return;
  impl_->session->close();
  impl_->closing->spawn("http.client.end", end_session(impl_->session));
  bury(std::move(impl_->session), std::move(impl_->closing));
}

Task<Result<std::unique_ptr<Client>>> Client::connect(base::Clock& clock, Dialer& dialer,
                                                      Endpoint endpoint, std::string authority,
                                                      std::shared_ptr<TlsClientContext> tls,
                                                      ClientOptions options) {
  const base::Executor executor = co_await asio::this_coro::executor;
  const std::string where = to_string(endpoint);
  const bool encrypted = tls != nullptr;
  const base::MonoTime deadline = clock.now() + options.connect_timeout;
  auto establishing = establish(dialer, std::move(endpoint), std::move(tls));
  auto stream = co_await with_deadline(clock, deadline, std::move(establishing));
  if (!stream) co_return fail(std::move(stream).error().during("reach '" + where + "'"));
  auto impl = std::make_unique<Impl>(clock, options, executor);
  impl->peer = (*stream)->peer();
  impl->h2 = encrypted ? (*stream)->protocol() == "h2" : options.prior_knowledge_http2;
  const ClientSessionOptions session_options{.clock = clock,
                                             .executor = executor,
                                             .authority = std::move(authority),
                                             .ping_interval = options.ping_interval};
  impl->session = impl->h2 ? make_h2_client(session_options, std::move(*stream))
                           : make_h1_client(session_options, std::move(*stream));
  co_return std::make_unique<Client>(std::move(impl));
}

Task<Result<Response>> Client::send(Request request) {
  const auto session = impl_->session;
  if (!session) co_return fail(Code::unavailable, "the client is stopped");
  const base::MonoTime deadline = impl_->clock.now() + impl_->options.request_timeout;
  auto sending = send_whole(*session, std::move(request), impl_->options.body_bytes_max);
  co_return co_await with_deadline(impl_->clock, deadline, std::move(sending));
}

Task<Result<Response>> Client::open(Request request) {
  const auto session = impl_->session;
  if (!session) co_return fail(Code::unavailable, "the client is stopped");
  const base::MonoTime deadline = impl_->clock.now() + impl_->options.request_timeout;
  auto opening = session->open(std::move(request));
  co_return co_await with_deadline(impl_->clock, deadline, std::move(opening));
}

Task<Result<Upgraded>> Client::upgrade(Request request) {
  const auto session = impl_->session;
  if (!session) co_return fail(Code::unavailable, "the client is stopped");
  const base::MonoTime deadline = impl_->clock.now() + impl_->options.request_timeout;
  auto upgrading = session->upgrade(std::move(request));
  co_return co_await with_deadline(impl_->clock, deadline, std::move(upgrading));
}

bool Client::alive() const { return impl_->session && impl_->session->alive(); }

std::string_view Client::protocol() const { return impl_->h2 ? "h2" : "http/1.1"; }

const Peer& Client::peer() const { return *impl_->peer; }

Task<> Client::stop() {
  if (!impl_->session) co_return;
  const auto session = std::exchange(impl_->session, nullptr);
  session->close();
  co_await session->wait_closed();
}

}  // namespace koi::http
