#include "datastore/sqlite_handle.h"

#include <sqlite3.h>

namespace koi::datastore {

namespace {

using base::Code;

base::Error sqlite_error(sqlite3* database) {
  const int result = database != nullptr ? sqlite3_errcode(database) : SQLITE_NOMEM;
  const char* text = database != nullptr ? sqlite3_errmsg(database) : "out of memory";
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::unavailable, "another koi is using this data directory; stop it first"};
    case SQLITE_FULL:
      return {Code::unavailable, "the disk is full; free some space, then retry"};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return {Code::unavailable,
              std::string("the disk or directory does not let koi write (") + text + ")"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Code::corrupt, std::string("the database is damaged (") + text + ")"};
    default:
      return {Code::internal, text};
  }
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* raw) const { sqlite3_finalize(raw); }

void Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(raw_.get(), index, value);
}

void Statement::bind(int index, std::string_view text) {
  sqlite3_bind_text64(raw_.get(), index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind_null(int index) { sqlite3_bind_null(raw_.get(), index); }

base::Result<bool> Statement::step() {
  const int result = sqlite3_step(raw_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return base::fail(sqlite_error(sqlite3_db_handle(raw_.get())));
}

base::Result<> Statement::finish() {
  for (;;) {
    auto more = step();
    if (!more) {
      sqlite3_reset(raw_.get());
      return base::fail(std::move(more).error());
    }
    if (!*more) break;
  }
  sqlite3_reset(raw_.get());
  return {};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(raw_.get(), column);
}

std::string_view Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(raw_.get(), column));
  const int size = sqlite3_column_bytes(raw_.get(), column);
  return bytes != nullptr ? std::string_view(bytes, static_cast<std::size_t>(size))
                          : std::string_view();
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(raw_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* raw) const { sqlite3_close_v2(raw); }

base::Result<Database> Database::open(const base::Path& path, const std::string& vfs) {
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(
      path.c_str(), &raw,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
      vfs.empty() ? nullptr : vfs.c_str());
  Database database;
  database.raw_.reset(raw);
  if (result != SQLITE_OK) return base::fail(sqlite_error(raw));
  sqlite3_extended_result_codes(raw, 1);
  const auto note_pages = [](void* pages, sqlite3*, const char*, int count) {
    *static_cast<int*>(pages) = count;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(raw, note_pages, database.wal_pages_.get());
  return database;
}

base::Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(raw_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return base::fail(sqlite_error(raw_.get()));
  return Statement(statement);
}

base::Result<> Database::execute(const std::string& sql) {
  const int result = sqlite3_exec(raw_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return base::fail(sqlite_error(raw_.get()));
  return {};
}

base::Result<std::int64_t> Database::integer(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return base::fail(std::move(statement).error());
  auto row = statement->step();
  if (!row) return base::fail(std::move(row).error());
  return *row ? statement->integer(0) : 0;
}

base::Result<> Database::checkpoint() {
  const int result =
      sqlite3_wal_checkpoint_v2(raw_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (result != SQLITE_OK) return base::fail(sqlite_error(raw_.get()));
  *wal_pages_ = 0;
  return {};
}

}  // namespace koi::datastore
