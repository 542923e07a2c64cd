// SPDX-License-Identifier: MIT
// Database rows with a resource pool: 200 transfers between 10 accounts by 16 workers, who share 3
// connections. A worker waits for a connection as for anything else: without holding a thread, and
// in order. What goes wrong within a transaction rolls it back, and gives the connection back.
#include <sqlite3.h>
#include <weir/weir.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace fs = std::filesystem;

class connection {
 public:
  explicit connection(const fs::path& file) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open(file.c_str(), &opened);
    db_.reset(opened);
    if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(opened));
    sqlite3_busy_timeout(opened, 10'000);
  }
  /// Runs the statements; the last number that they give.
  long execute(const std::string& sql) {
    long number = 0;
    const auto row = [](void* to, int, char** values, char**) {
      *static_cast<long*>(to) = std::strtol(values[0] != nullptr ? values[0] : "0", nullptr, 10);
      return 0;
    };
    if (sqlite3_exec(db_.get(), sql.c_str(), row, &number, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(db_.get()));
    }
    return number;
  }

 private:
  struct closer {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
  };
  std::unique_ptr<sqlite3, closer> db_;
};

void transfer(connection& db, int from, int to, int amount) {
  db.execute("begin immediate");
  try {
    const std::string sum = std::to_string(amount);
    db.execute("update account set balance = balance - " + sum +
               " where id = " + std::to_string(from));
    db.execute("update account set balance = balance + " + sum +
               " where id = " + std::to_string(to));
    db.execute("commit");
  } catch (...) {
    db.execute("rollback");
    throw;
  }
}

int main() {
  std::string folder = fs::temp_directory_path() / "weir-rows-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return 2;
  {
    const weir::resource_pool<connection> db{3, [=] { return connection(folder + "/bank.db"); }};
    db.acquire()->execute(
        "pragma journal_mode = wal; pragma synchronous = off;"
        "create table account (id integer primary key, balance integer check (balance >= 0));"
        "with recursive n(i) as (select 0 union all select i + 1 from n where i < 9)"
        " insert into account select i, 100 from n");

    std::vector<int> transfers(200);
    std::iota(transfers.begin(), transfers.end(), 0);
    int refused = 0;
    auto done = weir::process(weir::background(), transfers,
                              {.workers = 16, .on_error = weir::on_error::collect}, [=](int i) {
                                auto lease = db.acquire();
                                weir::blocking([&] {
                                  // Account 0 pays and is paid 20 times each; the 7th asks for more
                                  // than anybody has.
                                  transfer(*lease, i % 10, (i + 1) % 10, i == 7 ? 100'000 : 1);
                                });
                                return i;
                              });
    for (const auto& end : done.outcomes()) refused += end.has_value() ? 0 : 1;
    std::cout << "refused: " << refused << '\n'
              << "money: " << db.acquire()->execute("select sum(balance) from account") << '\n'
              << "at most 3 connections: " << (db.stats().made <= 3 ? "yes" : "no") << '\n';
  }
  fs::remove_all(folder);
}
