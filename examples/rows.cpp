// SPDX-License-Identifier: MIT
// Five connections to a database, shared by 20 workers with 500 jobs: each moves money from one
// account to another, in a transaction. The sum stays what it was, and no move is lost. On failure
// the connection is closed, which undoes its transaction, and replaced when one is needed.
//   example_rows <file>
#include <sqlite3.h>
#include <weir/weir.hpp>

#include <initializer_list>
#include <iostream>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>

namespace {

class connection {
 public:
  explicit connection(const std::string& file) {
    sqlite3* opened = nullptr;
    const int status = sqlite3_open(file.c_str(), &opened);
    db_.reset(opened);
    check(status == SQLITE_OK);
    sqlite3_busy_timeout(opened, 10'000);  // ms to wait for the transaction of another connection
    run("pragma journal_mode = wal");      // readers and a writer do not hold each other up
    run("pragma synchronous = normal");
  }

  /// Runs one statement to its end; gives the first number of the last row, 0 if there is none.
  long long run(const char* sql, std::initializer_list<long long> values = {}) {
    sqlite3_stmt* prepared = nullptr;
    check(sqlite3_prepare_v2(db_.get(), sql, -1, &prepared, nullptr) == SQLITE_OK);
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> last(prepared, sqlite3_finalize);
    int place = 0;
    for (const long long value : values)
      check(sqlite3_bind_int64(prepared, ++place, value) == SQLITE_OK);

    long long number = 0;
    int status = 0;
    while ((status = sqlite3_step(prepared)) == SQLITE_ROW)
      number = sqlite3_column_int64(prepared, 0);
    check(status == SQLITE_DONE);
    return number;
  }

 private:
  void check(bool good) const {
    if (!good) throw std::runtime_error(sqlite3_errmsg(db_.get()));
  }
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> db_{nullptr, sqlite3_close};
};

void make_accounts(connection& db) {
  db.run("begin immediate");
  db.run("create table if not exists account (id integer primary key, money integer not null)");
  db.run("create table if not exists move (payer integer, payee integer)");
  for (int id = 0; id < 20; ++id) db.run("insert or ignore into account values (?, 100)", {id});
  db.run("commit");
}

void move_one(connection& db, int payer, int payee) {
  db.run("begin immediate");
  db.run("update account set money = money - 1 where id = ?", {payer});
  db.run("update account set money = money + 1 where id = ?", {payee});
  db.run("insert into move values (?, ?)", {payer, payee});
  db.run("commit");
}

void run_jobs(const std::string& file) {
  const weir::resource_pool<connection> connections{5, [&] { return connection(file); }};
  make_accounts(*connections.acquire());

  weir::for_each(weir::background(), std::views::iota(0, 500), {.workers = 20}, [&](int job) {
    auto db = connections.acquire();  // a worker that waits here costs no thread
    try {
      weir::blocking([&] { move_one(*db, job % 10, job % 7 + 10); });
    } catch (...) {
      db.discard();
      throw;
    }
  });

  const auto db = connections.acquire();
  std::cout << db->run("select count(*) from move") << " moves\n"
            << "sum: " << db->run("select sum(money) from account") << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::runtime_error("usage: example_rows <file>");
    run_jobs(argv[1]);
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
