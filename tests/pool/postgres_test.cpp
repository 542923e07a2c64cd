// SPDX-License-Identifier: MIT
// resource_pool and pool<State> against a real PostgreSQL: few connections, many jobs, a server
// that kills connections, or goes.
#include "postgres.hpp"

#include <mutex>
#include <numeric>

#include "support.hpp"

namespace {

using namespace weir_test;
using namespace weir;

class postgres_test : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (const auto programs = postgres_programs())
      server = std::make_unique<postgres_server>(*programs);
  }
  static void TearDownTestSuite() { server.reset(); }
  void SetUp() override {
    if (!server) GTEST_SKIP() << "no PostgreSQL server here (scripts/deps test)";
    connection(server->address("setup"))
        .execute("drop table if exists done; create table done (job int primary key, by int)");
  }
  static connection connect() {
    return blocking([] { return connection(server->address("crew")); });
  }
  static inline std::unique_ptr<postgres_server> server;
};

/// Runs a statement on a lent connection; throws the connection away if that broke it.
std::string execute(resource_lease<connection>& lease, const std::string& sql) {
  try {
    return blocking([&] { return lease->execute(sql); });
  } catch (...) {
    if (lease->broken()) lease.discard();
    throw;
  }
}

/// Asks the server, from time to time, how many connections of the crew's there are; the most.
class witness {
 public:
  explicit witness(const postgres_server& s) : c_(s.address("witness")) {}
  void look() {
    const std::lock_guard lock(mutex_);
    const int n = std::stoi(
        c_.execute("select count(*) from pg_stat_activity where application_name = 'crew'"));
    most_ = std::max(most_, n);
  }
  void kill(int process) {
    const std::lock_guard lock(mutex_);
    c_.execute("select pg_terminate_backend(" + std::to_string(process) + ")");
  }
  [[nodiscard]] int most() const { return most_; }

 private:
  std::mutex mutex_;  // guards c_, most_
  connection c_;
  int most_ = 0;
};

TEST_F(postgres_test, two_hundred_jobs_share_five_connections_one_of_which_is_killed) {
  resource_pool<connection> db{5, connect};
  witness seen(*server);
  std::atomic<bool> killed{false};
  std::atomic<int> failures{0};
  pool p{{.workers = 16, .retry = {.attempts = 5, .first = 1ms}}};
  std::vector<future<void>> jobs;
  for (int id = 0; id < 200; ++id) {
    jobs.push_back(p.submit([&, id] {
      auto lease = db.acquire();
      try {
        execute(lease, "begin");
        execute(lease, "insert into done values (" + std::to_string(id) + ", pg_backend_pid())");
        // In mid-run, and in the middle of a transaction, whose insert must not stay.
        if (id == 100 && !killed.exchange(true)) {
          blocking([&] { seen.kill(lease->server_process()); });
        }
        execute(lease, "commit");
      } catch (...) {
        ++failures;
        if (lease && lease->broken()) lease.discard();
        throw;
      }
      if (id % 10 == 0) blocking([&] { seen.look(); });
    }));
  }
  for (auto& j : jobs) j.get();
  EXPECT_EQ(p.stats().done, 200U);
  EXPECT_EQ(failures, 1) << "the job whose connection was killed, once";
  EXPECT_EQ(p.stats().retried, 1U);
  connection check(server->address("check"));
  EXPECT_EQ(check.execute("select count(*) || ' ' || count(distinct job) from done"), "200 200");
  EXPECT_GE(std::stoi(check.execute("select count(distinct by) from done")), 1);
  EXPECT_LE(seen.most(), 5) << "open at once, says the server";
  EXPECT_GE(seen.most(), 1);
}

TEST_F(postgres_test, the_server_itself_would_refuse_a_sixth_connection_and_never_has_to) {
  connection admin(server->address("admin"));
  admin.execute("drop role if exists narrow");
  admin.execute("create role narrow login connection limit 5");
  admin.execute("grant all on done to narrow");
  const std::string address = server->address("crew") + " user=narrow";
  {
    resource_pool<connection> db{5, [&] { return blocking([&] { return connection(address); }); }};
    std::vector<int> ids(200);
    std::iota(ids.begin(), ids.end(), 0);
    for_each(background(), ids, {.workers = 16}, [&](int id) {
      auto lease = db.acquire();
      execute(lease, "insert into done values (" + std::to_string(id) + ", 0)");
      // A session ends a moment after its connection is closed: a new one is not made for it.
    });
    EXPECT_LE(db.stats().made, 5U);
  }
  EXPECT_EQ(admin.execute("select count(*) from done"), "200");
}

TEST_F(postgres_test, a_connection_that_broke_while_it_was_idle_is_found_by_the_check) {
  resource_pool<connection> db{1, connect, {.check = [](connection& c) {
                                 return blocking([&] { return c.execute("select 1") == "1"; });
                               }}};
  const int first = db.acquire()->server_process();
  witness(*server).kill(first);
  auto lease = db.acquire();
  EXPECT_EQ(execute(lease, "select 2"), "2");
  EXPECT_NE(lease->server_process(), first);
}

TEST_F(postgres_test, each_worker_has_its_own_connection_as_its_state) {
  pool<connection> p{{.workers = 3}, connect};
  std::vector<future<void>> jobs;
  for (int id = 0; id < 60; ++id) {
    jobs.push_back(p.submit([id](const context&, connection& c) {
      blocking([&] {
        c.execute("insert into done values (" + std::to_string(id) + ", pg_backend_pid())");
      });
    }));
  }
  for (auto& j : jobs) j.get();
  connection check(server->address("check"));
  EXPECT_EQ(check.execute("select count(*) from done"), "60");
  EXPECT_LE(std::stoi(check.execute("select count(distinct by) from done")), 3);
}

TEST_F(postgres_test, when_the_server_goes_all_jobs_end_and_when_it_is_back_so_are_they) {
  resource_pool<connection> db{5, connect};
  pool p{{.workers = 16}};
  const auto crew_of = [&](int n) {
    std::vector<future<std::string>> jobs;
    for (int i = 0; i < n; ++i) {
      jobs.push_back(p.submit([&] {
        auto lease = db.acquire();
        return execute(lease, "select 'alive'");
      }));
    }
    return jobs;
  };
  for (auto& j : crew_of(20)) EXPECT_EQ(j.get(), "alive");
  server->stop();
  for (auto& j : crew_of(20)) EXPECT_THROW(j.get(), std::runtime_error);
  server->start();
  for (auto& j : crew_of(20)) EXPECT_EQ(j.get(), "alive");
}

}  // namespace
