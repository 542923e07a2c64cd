// SPDX-License-Identifier: MIT
// send_many and receive_many: many elements at a time are, to everybody else, as many operations
// one after the other.
#include "support.hpp"

#include <array>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <ranges>
#include <set>
#include <span>
#include <string>

#include "numbers.hpp"

namespace {

using namespace weir_test;
using weir::channel;

WEIR_RULES(channel_batches);

/// An output iterator that throws at its n-th element.
class throwing_sink {
 public:
  using difference_type = std::ptrdiff_t;
  throwing_sink(std::vector<int>& to, std::size_t n) : to_(&to), n_(n) {}
  throwing_sink& operator*() { return *this; }
  throwing_sink& operator++() { return *this; }
  throwing_sink operator++(int) { return *this; }
  throwing_sink& operator=(int value) {
    if (to_->size() + 1 == n_) throw std::runtime_error("full");
    to_->push_back(value);
    return *this;
  }

 private:
  std::vector<int>* to_;
  std::size_t n_;
};

WEIR_RULE(channel_batches, batches_keep_order_and_count) {
  channel<int> ch{8};
  crew_.spawn([=] {
    std::vector<int> all(100);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(ch.send_many(all), 100U);
    ch.close();
  });
  std::vector<int> got;
  while (ch.receive_many(std::back_inserter(got), 7) > 0) {
  }
  ASSERT_EQ(got.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(ch.receive_many(std::back_inserter(got), 0), 0U);
}

TEST(channel_batch, a_cancelled_batch_says_how_much_was_sent) {
  channel<std::unique_ptr<int>> ch{2};
  std::vector<std::unique_ptr<int>> values;
  for (int i = 0; i < 5; ++i) values.push_back(std::make_unique<int>(i));
  auto [ctx, cancel] = soon();
  EXPECT_EQ(ch.send_many(ctx, std::move(values)), 2U);
  EXPECT_FALSE(values[0]);  // NOLINT: what was sent is gone, by contract
  EXPECT_TRUE(values[2]);
  EXPECT_TRUE(values[4]);
}

TEST(channel_batch, what_has_to_be_converted_and_was_not_sent_is_its_owners) {
  channel<std::shared_ptr<int>> ch{1};
  std::vector<std::shared_ptr<int>> same;
  for (int i = 0; i < 3; ++i) same.push_back(std::make_shared<int>(i));
  std::list<std::shared_ptr<const int>> other(same.begin(), same.end());
  channel<std::shared_ptr<const void>> converted{1};
  auto [ctx, cancel] = soon();
  EXPECT_EQ(converted.send_many(ctx, std::move(other)), 1U);
  for (const auto& p : other) EXPECT_TRUE(p);  // NOLINT: by contract
  EXPECT_EQ(ch.send_many(soon().ctx, std::move(same)), 1U);
  EXPECT_FALSE(same[0]);  // NOLINT: by contract
  EXPECT_TRUE(same[1]);
}

TEST(channel_batch, a_view_may_make_what_can_only_be_moved) {
  channel<std::unique_ptr<int>> ch{4};
  const auto made = std::views::transform([](int i) { return std::make_unique<int>(i); });
  EXPECT_EQ(ch.send_many(std::views::iota(0, 3) | made), 3U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(**ch.receive(), i);
  std::vector<std::unique_ptr<int>> some;
  some.push_back(std::make_unique<int>(7));
  const auto moving = std::ranges::subrange(std::make_move_iterator(some.begin()),
                                            std::make_move_iterator(some.end()));
  EXPECT_EQ(ch.send_many(moving), 1U);
  EXPECT_EQ(**ch.receive(), 7);
}

WEIR_RULE(channel_batches, receivers_that_wait_and_a_buffer_that_fills_get_all_in_order) {
  // More than is moved under one lock, through every kind of capacity.
  for (const int capacity : {0, 1, 3, 64, 1000}) {
    const channel<int> ch{capacity};
    std::vector<int> got;
    crew_.spawn([&got, ch] {
      while (ch.receive_many(std::back_inserter(got), 150) > 0) {
      }
    });
    crew_.spawn([ch] {
      EXPECT_EQ(ch.send_many(numbers(300)), 300U);
      ch.close();
    });
    crew_.join();
    EXPECT_EQ(got, numbers(300)) << "capacity " << capacity;
  }
}

WEIR_RULE(channel_batches, several_senders_and_receivers_lose_and_double_nothing) {
  const channel<int> ch{16};
  std::atomic<int> sum{0};
  std::atomic<int> count{0};
  const weir::wait_group senders;
  for (int i = 0; i < 2; ++i) {
    senders.add();
    crew_.spawn([=] {
      (void)ch.send_many(numbers(100));
      senders.done();
    });
    crew_.spawn([&, ch] {
      std::vector<int> some;
      while (ch.receive_many(std::back_inserter(some), 5) > 0) {
        for (const int value : some) sum += value;
        count += static_cast<int>(some.size());
        some.clear();
      }
    });
  }
  crew_.spawn([=] {
    senders.wait();
    ch.close();
  });
  crew_.join();
  EXPECT_EQ(count, 200);
  EXPECT_EQ(sum, 2 * 4950);
}

WEIR_RULE(channel_batches, what_a_sink_does_not_take_stays_first_and_in_order) {
  const channel<int> ch{8};
  (void)ch.send_many(numbers(6));
  std::vector<int> got;
  EXPECT_THROW(ch.receive_many(throwing_sink(got, 3), 8), std::runtime_error);
  EXPECT_EQ(got, (std::vector<int>{0, 1}));
  EXPECT_EQ(ch.size(), 4U);
  EXPECT_EQ(ch.receive_many(std::back_inserter(got), 8), 4U);
  EXPECT_EQ(got, numbers(6));
}

WEIR_RULE(channel_batches, a_sink_that_passes_on_what_it_gets_sees_one_after_the_other) {
  // Whoever gets an element wants one of the same channel first: those behind it must be there.
  const channel<int> ch{8};
  const channel<int> passed;
  crew_.spawn([=] {
    for (int i = 0; i < 3; ++i) {
      const int mine = ch.receive().value_or(-1);
      EXPECT_NE(mine, -1);
      EXPECT_NE(passed.receive(), mine);
    }
  });
  (void)ch.send_many(numbers(6));
  crew_.spawn([=] {
    struct passing_sink {
      using difference_type = std::ptrdiff_t;
      channel<int> to;
      passing_sink& operator*() { return *this; }
      passing_sink& operator++() { return *this; }
      passing_sink operator++(int) { return *this; }
      passing_sink& operator=(int value) {
        to.send(value);
        return *this;
      }
    };
    EXPECT_EQ(ch.receive_many(passing_sink{passed}, 3), 3U);
  });
  crew_.join();
}

/// Has room for so many.
template <class T>
struct short_of_memory {
  using value_type = T;
  std::size_t most;
  explicit short_of_memory(std::size_t n) : most(n) {}
  template <class U>
  explicit short_of_memory(const short_of_memory<U>& other) : most(other.most) {}
  T* allocate(std::size_t n) {
    if (n > most) throw std::bad_alloc();
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n) { std::allocator<T>().deallocate(p, n); }
  friend bool operator==(const short_of_memory&, const short_of_memory&) { return true; }
};

WEIR_RULE(channel_batches, what_there_is_no_memory_for_goes_back_in_order) {
  const channel<int> ch{8};
  (void)ch.send_many(numbers(6));
  std::vector<int, short_of_memory<int>> some{short_of_memory<int>(4)};
  EXPECT_THROW(ch.receive_many(std::back_inserter(some), 8), std::bad_alloc);
  EXPECT_EQ(some.size() + ch.size(), 6U);
  std::vector<int> got(some.begin(), some.end());
  EXPECT_EQ(ch.receive_many(std::back_inserter(got), 8), 6 - some.size());
  EXPECT_EQ(got, numbers(6));
}

TEST(channel_batch, receives_at_most_what_is_asked_for_and_never_waits_for_more) {
  const channel<int> ch{200};
  (void)ch.send_many(numbers(150));
  std::vector<int> got;
  EXPECT_EQ(ch.receive_many(std::back_inserter(got), 100), 100U);
  EXPECT_EQ(ch.receive_many(std::back_inserter(got), 100), 50U);
  EXPECT_EQ(got, numbers(150));
}

TEST(channel_batch, go_round_the_end_of_the_ring_from_every_place_and_at_every_size) {
  constexpr int capacity = 7;
  const channel<std::shared_ptr<int>> ch{capacity};
  int sent = 0;
  int next = 0;
  for (int there = 0; there < capacity; ++there) {
    for (int n = 1; n <= capacity - there; ++n) {
      std::vector<std::shared_ptr<int>> some;
      for (int i = 0; i < there + n; ++i) some.push_back(std::make_shared<int>(sent++));
      const std::span all(some);
      const auto first = static_cast<std::size_t>(there);
      EXPECT_EQ(ch.send_many(std::vector(all.begin(), all.begin() + there)), first);
      EXPECT_EQ(ch.send_many(std::vector(all.begin() + there, all.end())), some.size() - first);
      std::vector<std::shared_ptr<int>> got;
      while (ch.size() > 0) (void)ch.receive_many(std::back_inserter(got), 2);
      EXPECT_EQ(got, some);
      for (const auto& item : got) EXPECT_EQ(*item, next++);
      EXPECT_EQ(some.front().use_count(), 2) << "only those who show it here have one";
    }
  }
}

TEST(channel_batch, a_full_channel_takes_what_fits_and_a_closed_one_throws) {
  const channel<int> ch{3};
  const auto [ctx, cancel] = soon();
  const std::vector<int> all = numbers(5);
  EXPECT_EQ(ch.send_many(ctx, all), 3U);
  EXPECT_EQ(ch.send_many(ctx, all), 0U) << "the context is done";
  ch.close();
  EXPECT_THROW(ch.send_many(all), weir::channel_closed);
  EXPECT_EQ(ch.size(), 3U);
}

TEST(channel_batch, moves_from_rvalues_only) {
  const channel<std::unique_ptr<int>> ch{100};
  std::vector<std::unique_ptr<int>> values;
  for (int i = 0; i < 100; ++i) values.push_back(std::make_unique<int>(i));
  EXPECT_EQ(ch.send_many(std::move(values)), 100U);
  std::vector<std::unique_ptr<int>> got;
  EXPECT_EQ(ch.receive_many(std::back_inserter(got), 100), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*got[static_cast<std::size_t>(i)], i);

  const channel<std::string> texts{4};
  std::vector<std::string> names{"a name that is longer than a small string", "b"};
  EXPECT_EQ(texts.send_many(names), 2U);
  EXPECT_EQ(texts.send_many(std::span(names)), 2U);
  EXPECT_EQ(names.front(), *texts.receive());
}

TEST(channel_batch, elements_that_are_not_delivered_are_destroyed_once) {
  const auto token = std::make_shared<int>(1);
  {
    const channel<std::shared_ptr<int>> ch{80};
    EXPECT_EQ(ch.send_many(std::vector<std::shared_ptr<int>>(80, token)), 80U);
    std::vector<std::shared_ptr<int>> some;
    EXPECT_EQ(ch.receive_many(std::back_inserter(some), 70), 70U);
    EXPECT_EQ(token.use_count(), 81);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(channel_batch, a_worker_that_drains_a_full_channel_lets_another_carrier_help) {
  // It never waits, so that it has to be told from one that is stuck: see docs/architecture.md.
  weir::runtime rt{{.carriers = 2}};
  rt.run([] {
    const channel<int> ch{2000};
    (void)ch.send_many(numbers(2000));
    ch.close();
    std::mutex m;
    std::set<std::thread::id> seen;
    const weir::wait_group crew;
    for (int i = 0; i < 4; ++i) {
      crew.go([&, ch] {
        std::vector<int> some;
        while (ch.receive_many(std::back_inserter(some), 10) > 0) {
          {
            const std::lock_guard lock(m);
            seen.insert(std::this_thread::get_id());
          }
          some.clear();
          weir_test::compute_for(100us);
        }
      });
    }
    crew.wait();
    EXPECT_GE(seen.size(), 2U);
  });
}

TEST(channel_batch, a_worker_that_never_waits_lets_others_and_the_timers_run) {
  weir::runtime rt{{.carriers = 1}};
  rt.run([] {
    const channel<int> ch{256};
    const std::vector<int> in = numbers(64);
    std::vector<int> out;
    std::atomic<int> ran{0};
    const weir::wait_group others;
    others.go([&] { ++ran; });
    others.go([&] {
      weir::sleep_for(5ms);
      ++ran;
    });
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (ran < 2 && std::chrono::steady_clock::now() < give_up) {
      (void)ch.send_many(in);
      out.clear();
      (void)ch.receive_many(std::back_inserter(out), 64);
    }
    EXPECT_EQ(ran, 2) << "before this one made room for them by ending";
    others.wait();
  });
}

struct no_rvalue_of_const {
  int value = 0;
  no_rvalue_of_const() = default;
  explicit no_rvalue_of_const(int n) : value(n) {}
  no_rvalue_of_const(const no_rvalue_of_const&) = default;
  no_rvalue_of_const(no_rvalue_of_const&&) = default;
  no_rvalue_of_const(const no_rvalue_of_const&&) = delete;
  no_rvalue_of_const& operator=(const no_rvalue_of_const&) = default;
};

TEST(channel_batch, a_list_goes) {
  const channel<std::string> ch{4};
  EXPECT_EQ(ch.send_many({"a", "b"}), 2U);
  EXPECT_EQ(ch.send_many(weir::background(), {"c"}), 1U);
  EXPECT_EQ(ch.receive(), "a");
  EXPECT_EQ(ch.receive(), "b");
  EXPECT_EQ(ch.receive(), "c");
}

TEST(channel_batch, ranges_and_elements_of_any_kind_go) {
  const channel<int> ints{100};
  const int array[] = {0, 1, 2};
  volatile int odd[] = {3, 4};
  EXPECT_EQ(ints.send_many(array), 3U);
  EXPECT_EQ(ints.send_many(odd), 2U);
  EXPECT_EQ(ints.send_many(std::array{5, 6}), 2U);
  EXPECT_EQ(ints.send_many(std::list{7, 8}), 2U);
  EXPECT_EQ(ints.send_many(std::views::iota(9, 12)), 3U);
  int got[12] = {};
  EXPECT_EQ(ints.receive_many(got, 12), 12U);
  EXPECT_EQ(std::vector<int>(std::begin(got), std::end(got)), numbers(12));

  const channel<no_rvalue_of_const> odds{4};
  const std::vector<no_rvalue_of_const> some{no_rvalue_of_const(1), no_rvalue_of_const(2)};
  EXPECT_EQ(odds.send_many(some), 2U);
  std::deque<no_rvalue_of_const> back;
  EXPECT_EQ(odds.receive_many(std::back_inserter(back), 2), 2U);
  EXPECT_EQ(back.back().value, 2);

  const channel<bool> bits{4};
  EXPECT_EQ(bits.send_many(std::vector<bool>{true, false}), 2U);
  std::vector<bool> bools;
  EXPECT_EQ(bits.receive_many(std::back_inserter(bools), 4), 2U);
  EXPECT_EQ(bools, (std::vector<bool>{true, false}));
}

}  // namespace
