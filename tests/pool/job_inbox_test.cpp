// SPDX-License-Identifier: MIT
// The way into a pool that takes no lock, by itself.
#include "pool/job_inbox.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "support.hpp"

namespace {

using weir::detail::job;
using weir::detail::job_inbox;
using weir::detail::job_list;
using weir::detail::ref;

/// A job that does nothing; its tag says which it is.
ref<job> numbered(std::uint64_t n) {
  auto nothing = [] {};
  ref<job> j = weir::detail::make_ref<weir::detail::posted_job<decltype(nothing), void>>(nothing);
  j->tag = n;
  return j;
}

bool push(job_inbox& inbox, std::uint64_t n) {
  ref<job> j = numbered(n);
  if (!inbox.push(*j)) return false;
  (void)j.detach();
  return true;
}

/// The jobs' tags in their order; ends the jobs.
std::vector<std::uint64_t> emptied(job_list& list) {
  std::vector<std::uint64_t> tags;
  while (job* j = list.front()) {
    list.remove(*j);
    tags.push_back(j->tag);
    j->release();
  }
  return tags;
}

TEST(job_list, lets_the_first_any_and_the_last_go) {
  // (The second is not told when the first goes.)
  for (std::uint64_t gone = 1; gone <= 4; ++gone) {
    job_list list;
    std::vector<job*> all;
    for (std::uint64_t n = 0; n <= 4; ++n) {
      all.push_back(numbered(n).detach());
      list.push_back(*all.back());
    }
    std::vector<std::uint64_t> left;
    for (const std::uint64_t n : {std::uint64_t{0}, gone}) {
      list.remove(*all[n]);
      all[n]->release();
    }
    for (std::uint64_t n = 1; n <= 4; ++n) {
      if (n != gone) left.push_back(n);
    }
    list.push_back(*numbered(5).detach());
    left.push_back(5);
    EXPECT_EQ(emptied(list), left);
    EXPECT_TRUE(list.empty());
  }
}

TEST(job_inbox, is_closed_at_first) {
  job_inbox inbox;
  EXPECT_FALSE(inbox.is_open());
  EXPECT_FALSE(push(inbox, 1));
  job_list list;
  EXPECT_EQ(inbox.close(list, {.hands = 2}), 0);
  EXPECT_TRUE(list.empty());
}

TEST(job_inbox, takes_as_many_as_it_was_opened_for) {
  job_inbox inbox;
  inbox.open(2);
  EXPECT_TRUE(push(inbox, 1));
  EXPECT_TRUE(push(inbox, 2));
  EXPECT_FALSE(inbox.is_open());
  EXPECT_FALSE(push(inbox, 3));
  job_list list;
  EXPECT_EQ(inbox.close(list, {.hands = 2}), 2);
  EXPECT_EQ(emptied(list), (std::vector<std::uint64_t>{1, 2}));
}

TEST(job_inbox, is_not_opened_for_none_or_less) {
  job_inbox inbox;
  inbox.open(0);
  EXPECT_FALSE(push(inbox, 1));
  inbox.open(-1);
  EXPECT_FALSE(push(inbox, 1));
}

TEST(job_inbox, opened_for_very_many_takes_what_it_can_count) {
  job_inbox inbox;
  inbox.open(INT64_MAX);
  EXPECT_TRUE(push(inbox, 1));
  job_list list;
  EXPECT_EQ(inbox.close(list, {.hands = 2}), 1);
  EXPECT_EQ(emptied(list).size(), 1U);
}

TEST(job_inbox, appends_in_the_order_of_coming) {
  job_inbox inbox;
  job_list list;
  list.push_back(*numbered(0).detach());
  inbox.open(10);
  for (std::uint64_t n = 1; n <= 3; ++n) EXPECT_TRUE(push(inbox, n));
  EXPECT_EQ(inbox.close(list, {.hands = 2}), 3);
  inbox.open(10);
  EXPECT_TRUE(push(inbox, 4));
  EXPECT_EQ(inbox.close(list, {.hands = 2}), 1);
  EXPECT_EQ(emptied(list), (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
}

TEST(job_inbox, what_it_appended_can_be_taken_out_of_the_middle) {
  job_inbox inbox;
  job_list list;
  inbox.open(10);
  for (std::uint64_t n = 1; n <= 3; ++n) EXPECT_TRUE(push(inbox, n));
  EXPECT_EQ(inbox.close(list, {.hands = 2}), 3);
  job* const second = list.front()->next;
  list.remove(*second);
  second->release();
  EXPECT_EQ(emptied(list), (std::vector<std::uint64_t>{1, 3}));
}

TEST(job_inbox, of_many_threads_loses_none_and_keeps_the_order_of_each) {
  constexpr std::uint64_t threads = 4;
  const auto each = static_cast<std::uint64_t>(weir_test::turns(100'000));
  job_inbox inbox;
  std::mutex pools_lock;
  std::vector<std::uint64_t> last(threads, 0);
  std::uint64_t taken = 0;
  std::atomic<std::uint64_t> refused{0};
  const auto take = [&] {
    const std::lock_guard lock(pools_lock);
    job_list list;
    const std::int64_t come = inbox.close(list, {.hands = 2});
    const std::vector<std::uint64_t> tags = emptied(list);
    ASSERT_EQ(static_cast<std::int64_t>(tags.size()), come);
    ASSERT_LE(come, 64);
    for (const std::uint64_t tag : tags) {
      ASSERT_EQ(tag / threads, ++last[tag % threads]);
    }
    taken += tags.size();
    inbox.open(64);
  };
  {
    std::vector<std::jthread> producers;
    for (std::uint64_t t = 0; t < threads; ++t) {
      producers.emplace_back([&, t] {
        for (std::uint64_t n = 1; n <= each; ++n) {
          while (!push(inbox, n * threads + t)) {
            ++refused;
            take();
          }
        }
      });
    }
  }
  take();
  EXPECT_EQ(taken, threads * each);
  EXPECT_GT(refused, 0U);
}

}  // namespace
