// SPDX-License-Identifier: MIT
// When a thread that finds a pool's queue full comes back, if nobody wakes it.
#include "pool/room_forecast.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "support.hpp"

namespace {

using namespace weir_test;
using namespace weir;
using weir::detail::room_forecast;
using weir::detail::time_ns;

constexpr time_ns us = 1000;

/// Found full twice, while 1,000 jobs passed in so long each.
room_forecast after(time_ns each) {
  room_forecast f;
  f.is_full(5 * us, 100);
  f.is_full(5 * us + 1000 * each, 1100);
  return f;
}

TEST(room_forecast, at_first_nothing_is_known) {
  room_forecast f;
  EXPECT_EQ(f.nap_for(256), 0);
  f.is_full(5 * us, 2000);
  EXPECT_EQ(f.nap_for(256), 0);
}

TEST(room_forecast, a_nap_is_as_long_as_the_places_take_to_become_free) {
  EXPECT_EQ(after(500).nap_for(256), 128 * us);
  EXPECT_EQ(after(1 * us).nap_for(100), 100 * us);
}

TEST(room_forecast, where_that_was_faster_without_the_submitter_it_is_shorter) {
  room_forecast f = after(1 * us);
  f.became_free(100 * us, 200);
  EXPECT_EQ(f.nap_for(100), 50 * us);
  f.became_free(100 * us, 50);
  EXPECT_EQ(f.nap_for(100), 100 * us);
}

TEST(room_forecast, others_who_have_filled_the_places_do_not_count) {
  room_forecast f = after(1 * us);
  f.became_free(100 * us, -20);
  EXPECT_EQ(f.nap_for(100), 100 * us);
}

TEST(room_forecast, nobody_sleeps_for_what_is_over_at_once) {
  EXPECT_EQ(after(300).nap_for(256), 0);
  EXPECT_EQ(after(1 * us).nap_for(29), 0);
}

TEST(room_forecast, nobody_sleeps_where_places_are_rare) {
  EXPECT_EQ(after(11 * us).nap_for(256), 0);
  room_forecast f = after(1 * us);
  f.is_full(3'600'000'000 * us, 1100);  // and none has become free since
  EXPECT_EQ(f.nap_for(256), 0);
}

TEST(room_forecast, nobody_sleeps_for_more_than_200_us) {
  EXPECT_EQ(after(1 * us).nap_for(1'000'000), 200 * us);
}

/// Threads that fill the queue faster than jobs leave it; a close() in the middle finds some of
/// them asleep, most of the time.
TEST(room_forecast, threads_that_hold_on_get_in_or_are_refused) {
  constexpr int threads = 3;
  const int jobs = turns(3'000);
  std::atomic<int> taken{0};
  std::atomic<int> ran{0};
  const pool<> p{{.workers = 2, .queue = 256}};
  std::vector<std::thread> crew;
  for (int t = 0; t < threads; ++t) {
    crew.emplace_back([&] {
      try {
        for (int i = 0; i < 10 * jobs; ++i) {
          p.post([&ran] {
            weir_test::compute_for(3us);
            ++ran;
          });
          ++taken;
        }
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), errc::closed);
      }
    });
  }
  until([&] { return ran >= jobs; });
  p.close();
  for (std::thread& t : crew) t.join();
  p.wait();
  EXPECT_EQ(ran, taken);
  EXPECT_EQ(p.stats().done, static_cast<std::uint64_t>(taken.load()));
}

/// Tasks that fill the queue faster than jobs leave it, and step back each time; a close() in the
/// middle finds some of them at it.
TEST(room_forecast, tasks_that_find_the_queue_full_get_in_or_are_refused) {
  const int jobs = turns(20'000);
  std::atomic<int> taken{0};
  std::atomic<int> ran{0};
  runtime rt({.carriers = 2});
  rt.run([&] {
    const pool<> p{{.workers = 2, .queue = 64, .order = start_order::any}};
    wait_group crew;
    for (int t = 0; t < 3; ++t) {
      crew.go([&] {
        try {
          for (int i = 0; i < 10 * jobs; ++i, ++taken) p.post([&ran] { ++ran; });
        } catch (const std::system_error& e) {
          EXPECT_EQ(e.code(), errc::closed);
        }
      });
    }
    until([&] { return ran >= jobs; });
    p.close();
    crew.wait();
    p.wait();
    EXPECT_EQ(p.stats().done, static_cast<std::uint64_t>(taken.load()));
  });
  EXPECT_EQ(ran, taken);
}

/// One whose context is done is not kept from knowing it, and a deadline ends the sleep.
TEST(room_forecast, a_thread_that_holds_on_is_released_by_its_deadline) {
  const channel<int> started;
  const channel<int> open;
  const pool<> p{{.workers = 1, .queue = 64}};
  p.post([&] {
    started.close();
    (void)open.receive();
  });
  (void)started.receive();
  while (p.try_submit([] {})) continue;  // full, for good
  for (int i = 0; i < 100; ++i) {
    const auto timed = with_timeout(background(), std::chrono::microseconds(i));
    EXPECT_THROW((void)p.submit(timed.ctx, [] {}), std::system_error);
  }
  open.close();
}

}  // namespace
