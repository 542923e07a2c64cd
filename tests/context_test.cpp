// SPDX-License-Identifier: MIT
// Rules of Go for context; the numbers are those of docs/semantics.md.
#include "support.hpp"

#include <stop_token>

namespace {

using namespace weir_test;
using namespace weir;

std::string cause_of(const context& ctx) {
  if (!ctx.cause()) return "";
  try {
    std::rethrow_exception(ctx.cause());
  } catch (const std::system_error& e) {
    return e.code().message();
  } catch (const std::exception& e) {
    return e.what();
  }
}

const std::runtime_error first("first");
const std::runtime_error second("second");

TEST(context_test, r56_background_is_never_done) {
  const context ctx = background();
  EXPECT_FALSE(ctx.cancelled());
  EXPECT_FALSE(ctx.error());
  EXPECT_EQ(ctx.error().message(), "ok");
  EXPECT_FALSE(ctx.cause());
  EXPECT_FALSE(ctx.deadline());
  EXPECT_TRUE(ctx.done().try_receive().empty());
}

TEST(context_test, r57_the_error_comes_once_and_stays) {
  auto [ctx, cancel] = with_cancel(background());
  EXPECT_FALSE(ctx.error());
  EXPECT_EQ(ctx.done(), ctx.done());
  cancel();
  EXPECT_EQ(ctx.error(), errc::cancelled);
  EXPECT_EQ(ctx.error(), std::errc::operation_canceled);
  cancel();
  EXPECT_EQ(ctx.error(), errc::cancelled);
  EXPECT_TRUE(ctx.done().try_receive().closed());
}

TEST(context_test, r59_r60_cancel_reaches_all_below_before_it_returns_and_nothing_else) {
  auto [root, cancel_root] = with_cancel(background());
  auto [left, cancel_left] = with_cancel(root);
  auto [right, cancel_right] = with_cancel(root);
  const context value = with_value(left, 1, 2);
  auto [leaf, cancel_leaf] = with_timeout(value, 1h);
  cancel_left();
  EXPECT_TRUE(left.cancelled() && value.cancelled() && leaf.cancelled());
  EXPECT_FALSE(root.cancelled() || right.cancelled());
  EXPECT_EQ(leaf.error(), errc::cancelled);
}

TEST(context_test, r61_a_child_of_a_cancelled_parent_is_born_cancelled) {
  auto [parent, cancel] = with_cancel(background());
  cancel(first);
  auto [child, cancel_child] = with_cancel(parent);
  EXPECT_TRUE(child.cancelled());
  EXPECT_EQ(cause_of(child), "first");
}

TEST(context_test, r62_a_child_made_while_its_parent_is_cancelled_ends_cancelled) {
  for (int i = 0; i < turns(500); ++i) {
    auto [parent, cancel] = with_cancel(background());
    std::thread other([cancel = cancel] { cancel(first); });
    auto [child, cancel_child] = with_cancel(parent);
    other.join();
    EXPECT_TRUE(child.cancelled());
    EXPECT_EQ(cause_of(child), "first");
  }
}

TEST(context_test, r63_a_later_deadline_does_not_extend_the_parents) {
  auto [parent, c1] = with_timeout(background(), 1h);
  auto [child, c2] = with_timeout(parent, 2h);
  auto [sooner, c3] = with_timeout(parent, 1min);
  EXPECT_EQ(child.deadline(), parent.deadline());
  EXPECT_LT(*sooner.deadline(), *parent.deadline());
}

TEST(context_test, r64_a_deadline_that_has_passed_is_exceeded_at_once) {
  for (const auto d : {0ns, std::chrono::nanoseconds(-1h)}) {
    auto [ctx, cancel] = with_timeout(background(), d);
    EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
    EXPECT_EQ(ctx.error(), std::errc::timed_out);
  }
}

TEST(context_test, r65_r67_expiry_reaches_children) {
  auto [ctx, cancel] = with_timeout(background(), 10ms);
  auto [child, cancel_child] = with_cancel(with_value(ctx, 1, 1));
  EXPECT_FALSE(child.done().receive());
  EXPECT_EQ(child.error(), errc::deadline_exceeded);
  EXPECT_EQ(cause_of(child), "deadline exceeded");
}

TEST(context_test, r66_cancel_before_the_deadline_is_a_cancellation) {
  auto [ctx, cancel] = with_timeout(background(), 1h);
  cancel();
  EXPECT_EQ(ctx.error(), errc::cancelled);
}

TEST(context_test, r68_the_first_cause_from_above_or_here_wins) {
  auto [parent, cancel_parent] = with_cancel(background());
  auto [child, cancel_child] = with_cancel(parent);
  cancel_child(second);
  cancel_parent(first);
  EXPECT_EQ(cause_of(child), "second");
  EXPECT_EQ(cause_of(parent), "first");
  auto [plain, cancel_plain] = with_cancel(background());
  cancel_plain(std::exception_ptr());
  EXPECT_EQ(cause_of(plain), "cancelled");
  EXPECT_EQ(plain.error(), errc::cancelled);
}

TEST(context_test, r69_a_timeouts_cause_counts_only_when_the_time_came) {
  auto [expired, c1] = with_timeout(background(), 1ms, std::make_exception_ptr(first));
  (void)expired.done().receive();
  EXPECT_EQ(cause_of(expired), "first");
  auto [cancelled, c2] = with_timeout(background(), 1h, std::make_exception_ptr(first));
  c2();
  EXPECT_EQ(cause_of(cancelled), "cancelled");
}

TEST(context_test, r70_without_cancel_keeps_values_only) {
  auto [parent, cancel] = with_timeout(with_value(background(), 7, std::string("seven")), 1h);
  const context shielded = without_cancel(parent);
  auto [below, cancel_below] = with_cancel(shielded);
  cancel();
  EXPECT_FALSE(shielded.cancelled() || below.cancelled());
  EXPECT_FALSE(shielded.deadline());
  EXPECT_EQ(*shielded.value<std::string>(7), "seven");
}

TEST(context_test, r71_after_func_runs_once_in_a_task_of_its_own) {
  auto [ctx, cancel] = with_cancel(background());
  const channel<std::uint64_t> ran{2};
  const auto handle = after_func(ctx, [=] { ran.send(this_task::id()); });
  cancel();
  EXPECT_GT(*ran.receive(), 0U);
  EXPECT_FALSE(handle.stop());
  (void)after_func(ctx, [=] { ran.send(0); });  // done already: at once
  EXPECT_EQ(ran.receive(), 0U);
  EXPECT_TRUE(ran.try_receive().empty());
  EXPECT_FALSE(after_func(background(), [] {}).stop());
  EXPECT_THROW((void)after_func(ctx, std::function<void()>()), std::invalid_argument);
}

TEST(context_test, r72_stop_prevents_the_callback_once) {
  auto [ctx, cancel] = with_cancel(background());
  const channel<int> ran{2};
  const auto a = after_func(ctx, [=] { ran.send(1); });
  const auto b = after_func(ctx, [=] { ran.send(2); });
  EXPECT_TRUE(a.stop());
  EXPECT_FALSE(a.stop());
  cancel();
  EXPECT_EQ(ran.receive(), 2);
  EXPECT_TRUE(ran.try_receive().empty());
}

TEST(context_test, cancel_from_within_a_callback_of_the_same_context_is_harmless) {
  auto [ctx, cancel] = with_cancel(background());
  const channel<int> ran{1};
  (void)after_func(ctx, [=, cancel = cancel] {
    cancel();
    ran.send(1);
  });
  cancel();
  EXPECT_EQ(ran.receive(), 1);
}

TEST(context_test, r73_the_nearest_value_of_the_same_key_and_type_wins) {
  struct key_a {
    int n;
    bool operator==(const key_a&) const = default;
  };
  const context outer = with_value(background(), key_a{1}, 10);
  const context inner = with_value(outer, key_a{1}, 20);
  EXPECT_EQ(*inner.value<int>(key_a{1}), 20);
  EXPECT_EQ(*outer.value<int>(key_a{1}), 10);
  EXPECT_EQ(inner.value<int>(key_a{2}), nullptr);
  EXPECT_EQ(inner.value<int>(1), nullptr) << "an int is another type of key";
  EXPECT_EQ(inner.value<double>(key_a{1}), nullptr) << "the value is an int";
}

TEST(context_test, the_last_cancel_func_to_go_cancels) {
  context kept;
  {
    auto [ctx, cancel] = with_cancel(background());
    kept = ctx;
    const auto copy = cancel;
  }
  EXPECT_EQ(kept.error(), errc::cancelled);
}

TEST(context_test, stop_tokens_convert_both_ways) {
  auto [ctx, cancel] = with_cancel(background());
  std::stop_token token = ctx;
  EXPECT_TRUE(token.stop_possible());
  EXPECT_FALSE(token.stop_requested());
  cancel();
  EXPECT_TRUE(token.stop_requested());
  EXPECT_TRUE(ctx.stop_token().stop_requested());

  std::stop_source source;
  const context followed(source.get_token());
  EXPECT_FALSE(followed.cancelled());
  source.request_stop();
  EXPECT_EQ(followed.error(), errc::cancelled);
  EXPECT_TRUE(context(source.get_token()).cancelled());
  EXPECT_FALSE(context(std::stop_token()).cancelled());
}

TEST(context_test, r76_a_tree_cancelled_from_everywhere_at_once_ends) {
  std::vector<cancellable_context> all{with_cancel(background())};
  for (std::size_t i = 0; all.size() < 200; ++i) {
    for (int k = 0; k < 4; ++k) all.push_back(with_cancel(all[i].ctx));
  }
  wait_group wg;
  for (std::size_t i = all.size(); i-- > 0;) wg.go([&all, i] { all[i].cancel(); });
  for (const auto& c : all) EXPECT_FALSE(c.ctx.done().receive());
  wg.wait();
}

TEST(context_test, ten_thousand_children_are_cancelled_in_one_call) {
  auto [root, cancel] = with_cancel(background());
  std::vector<cancellable_context> children;
  for (int i = 0; i < 10'000; ++i) children.push_back(with_cancel(root));
  cancel();
  for (const auto& c : children) ASSERT_TRUE(c.ctx.cancelled());
}

TEST(context_test, a_chain_of_any_length_is_cancelled_and_destroyed_without_recursion) {
  run([] {  // on a task's small stack
    auto [root, cancel] = with_cancel(background());
    context end = root;
    std::vector<cancel_func> keep;
    for (int i = 0; i < 50'000; ++i) {
      auto [next, cancel_next] = with_cancel(with_value(end, i, i));
      keep.push_back(cancel_next);
      end = next;
    }
    cancel();
    EXPECT_TRUE(end.cancelled());
    keep.clear();
    end = context();
  });
}

TEST(context_test, a_deadline_is_kept_on_virtual_time_too) {
  runtime rt{{.clock = clock_kind::virtual_time}};
  rt.run([] {
    auto [ctx, cancel] = with_timeout(background(), 24h);
    EXPECT_FALSE(channel<int>{}.receive(ctx));
    EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
  });
}

}  // namespace
