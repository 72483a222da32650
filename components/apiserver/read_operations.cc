#include <algorithm>
#include <charconv>

#include "api/selectors.h"
#include "apiserver/continue_token.h"
#include "apiserver/operations.h"
#include "base/limits.h"

namespace koi::apiserver {

namespace {

using namespace std::chrono_literals;
using api::StatusOr;
using datastore::Revision;

constexpr std::int64_t watch_seconds_min = 1800;
constexpr std::int64_t watch_seconds_max = 1'000'000'000;

StatusOr<Selection> selection_of(const Resource& resource, const std::string& labels,
                                 const std::string& fields) {
  auto label_selector = api::LabelSelector::parse(labels);
  if (!label_selector) {
    return std::unexpected(api::bad_request_status(label_selector.error().message));
  }
  const api::FieldScope scope{resource.group(), resource.kind->version, resource.kind->kind, {}};
  auto field_selector = api::FieldSelector::parse(fields, scope);
  if (!field_selector) {
    return std::unexpected(api::bad_request_status(field_selector.error().message));
  }
  return Selection{std::move(*label_selector), std::move(*field_selector)};
}

// "" is 0.
StatusOr<Revision> revision_of(const std::string& text) {
  Revision revision = 0;
  if (text.empty()) return revision;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, revision);
  if (error != std::errc() || at != end || revision < 0) {
    api::FieldErrors errors;
    errors.push_back(
        api::invalid("resourceVersion", json::Value(text),
                     "strconv.ParseUint: parsing " + api::quoted(text) + ": invalid syntax"));
    return std::unexpected(api::invalid_status("meta.k8s.io", "ListOptions", "", errors));
  }
  return revision;
}

api::Status list_options_status(std::string field, std::string why) {
  api::FieldErrors errors;
  errors.push_back(api::forbidden(std::move(field), std::move(why)));
  return api::invalid_status("meta.k8s.io", "ListOptions", "", errors);
}

StatusOr<void> check_list_query(const ListQuery& query) {
  if (query.match == RevisionMatch::unset) return {};
  if (!query.continue_token.empty()) {
    return std::unexpected(list_options_status("resourceVersionMatch",
                                               "resourceVersionMatch is forbidden for continue"));
  }
  if (query.resource_version.empty()) {
    return std::unexpected(list_options_status(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden unless resourceVersion is provided"));
  }
  if (query.match == RevisionMatch::exact && query.resource_version == "0") {
    return std::unexpected(list_options_status(
        "resourceVersionMatch",
        "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\""));
  }
  return {};
}

// One walk over a collection that fills a page.
struct Pager {
  const datastore::Store& store;
  const std::string& prefix;
  const Selection& selection;
  std::size_t limit;
};

StatusOr<ListResult> fill_page(const Pager& pager, datastore::RangeOptions options) {
  ListResult result;
  const bool everything = pager.selection.is_everything();
  options.limit = pager.limit;
  for (;;) {
    auto range = pager.store.range(pager.prefix, options);
    if (!range) {
      return std::unexpected(range.error().code == base::Code::expired
                                 ? api::continue_expired_status()
                                 : api::status_from(range.error(), {}));
    }
    result.revision = range->revision;
    if (result.items.empty()) result.items.reserve(range->entries.size());
    for (std::size_t i = 0; i < range->entries.size(); ++i) {
      const auto& entry = range->entries[i];
      if (!everything && !pager.selection.matches(entry->object->value())) continue;
      result.items.push_back(entry->object);
      const bool full = pager.limit != 0 && result.items.size() == pager.limit;
      const bool is_last = i + 1 == range->entries.size() && !range->more;
      if (!full || is_last) continue;
      const ContinueToken token{range->revision, entry->key.substr(pager.prefix.size())};
      result.continue_token = token.str();
      if (everything) result.remaining = static_cast<std::int64_t>(range->remaining);
      return result;
    }
    if (!range->more) return result;
    options.start_after = range->entries.back()->key;
    options.at = range->revision;
  }
}

}  // namespace

datastore::EntryPtr Operations::find(const Call& call) const {
  return doors_.store.get(call.resource->key(call.name_space, call.name));
}

StatusOr<api::ObjectPtr> Operations::get(const Call& call) const {
  const auto entry = find(call);
  if (!entry) return std::unexpected(api::not_found_status(call.about()));
  return entry->object;
}

StatusOr<ListResult> Operations::list(const Call& call, const ListQuery& query) const {
  const auto selection = selection_of(*call.resource, query.label_selector, query.field_selector);
  if (!selection) return std::unexpected(selection.error());
  if (auto checked = check_list_query(query); !checked) return std::unexpected(checked.error());
  const auto revision = revision_of(query.resource_version);
  if (!revision) return std::unexpected(revision.error());
  const Revision current = doors_.store.current_revision();
  if (*revision > current) {
    return std::unexpected(api::too_large_revision_status(*revision, current));
  }
  if (query.limit < 0) {
    return std::unexpected(api::bad_request_status("limit must not be negative"));
  }
  const std::string prefix = call.resource->collection(call.name_space);
  datastore::RangeOptions options;
  if (!query.continue_token.empty()) {
    const auto token = ContinueToken::parse(query.continue_token);
    if (!token) return std::unexpected(api::bad_request_status(token.error().message));
    options.start_after = prefix + token->start_after;
    if (token->revision >= 0) options.at = token->revision;
  } else if (query.match == RevisionMatch::exact) {
    options.at = *revision;
  }
  const Pager pager{doors_.store, prefix, *selection, static_cast<std::size_t>(query.limit)};
  auto page = fill_page(pager, options);
  if (!page && page.error().reason == "Expired") {
    if (query.continue_token.empty()) {
      return std::unexpected(
          api::too_old_revision_status(*revision, doors_.store.compacted_revision()));
    }
    // With this the client may go on, at the price of consistency.
    const auto token = ContinueToken::parse(query.continue_token);
    page.error().continue_token = ContinueToken{-1, token->start_after}.str();
  }
  return page;
}

namespace {

StatusOr<void> check_watch_query(const WatchQuery& query) {
  if (!query.send_initial_events) {
    if (query.match != RevisionMatch::unset) {
      return std::unexpected(list_options_status(
          "resourceVersionMatch",
          "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
    }
    return {};
  }
  if (query.match != RevisionMatch::not_older_than) {
    return std::unexpected(list_options_status(
        "resourceVersionMatch",
        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  }
  if (*query.send_initial_events && !query.allow_bookmarks) {
    return std::unexpected(list_options_status(
        "allowWatchBookmarks", "sendInitialEvents requires setting allowWatchBookmarks to true"));
  }
  return {};
}

}  // namespace

StatusOr<std::unique_ptr<EventStream>> Operations::watch(const Call& call,
                                                         const WatchQuery& query) const {
  auto selection = selection_of(*call.resource, query.label_selector, query.field_selector);
  if (!selection) return std::unexpected(selection.error());
  if (auto checked = check_watch_query(query); !checked) return std::unexpected(checked.error());
  const auto revision = revision_of(query.resource_version);
  if (!revision) return std::unexpected(revision.error());
  const Revision current = doors_.store.current_revision();
  if (*revision > current) {
    return std::unexpected(api::too_large_revision_status(*revision, current));
  }
  const std::string prefix = call.resource->collection(call.name_space);
  const bool wants_initial =
      query.send_initial_events ? *query.send_initial_events : *revision == 0;
  EventStream::Options options;
  options.start = *revision != 0 ? *revision : current;
  if (wants_initial) {
    const Pager pager{doors_.store, prefix, *selection, 0};
    auto page = fill_page(pager, {});
    if (!page) return std::unexpected(page.error());
    options.initial = std::move(page->items);
    options.start = page->revision;
  }
  auto watcher = doors_.store.watch(prefix, options.start);
  if (!watcher) {
    if (watcher.error().code != base::Code::expired) {
      return std::unexpected(api::status_from(watcher.error(), {}));
    }
    return std::unexpected(
        api::too_old_revision_status(options.start, doors_.store.compacted_revision()));
  }
  options.selection = std::move(*selection);
  options.watcher = std::move(*watcher);
  options.mark_initial_end = query.send_initial_events.value_or(false);
  options.bookmarks = query.allow_bookmarks;
  options.bookmark_head = call.resource->item_head;
  // Spread, so that not all clients of a restarted server come back at once.
  const std::int64_t seconds =
      query.timeout_seconds > 0
          ? std::min(query.timeout_seconds, watch_seconds_max)
          : watch_seconds_min + static_cast<std::int64_t>(doors_.random.below(watch_seconds_min));
  options.deadline = doors_.clock.now() + std::chrono::seconds(seconds);
  return std::make_unique<EventStream>(doors_.clock, std::move(options));
}

}  // namespace koi::apiserver
