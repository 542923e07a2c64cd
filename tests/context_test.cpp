// SPDX-License-Identifier: MIT
// Rules of Go for context, word by word; the numbers are those of docs/semantics.md. What happens
// when several tasks use one context at once is in context_rules_test.cpp.
#include "support.hpp"

#include "runtime/runtime_core.hpp"

#include <random>
#include <stop_token>

namespace {

using namespace weir_test;
using namespace weir;

const std::runtime_error first("first");

WEIR_RULES(context_test);

WEIR_RULE(context_test, r56_background_is_never_done) {
  crew_.run([] {
    for (const context& ctx : {background(), context()}) {
      EXPECT_FALSE(ctx.cancelled());
      EXPECT_FALSE(ctx.error());
      EXPECT_EQ(ctx.error().message(), "ok");
      EXPECT_FALSE(ctx.cause());
      EXPECT_FALSE(ctx.deadline());
      EXPECT_EQ(ctx.value<int>(1), nullptr);
      EXPECT_TRUE(ctx.done().try_receive().empty());
      EXPECT_EQ(select(on_done(ctx), on_receive(ctx.done()), otherwise()), 2U);
      EXPECT_FALSE(ctx.stop_token().stop_possible());
    }
  });
}

WEIR_RULE(context_test, r57_the_error_comes_once_and_stays) {
  crew_.run([] {
    auto [ctx, cancel] = with_cancel(background());
    EXPECT_FALSE(ctx.error());
    EXPECT_FALSE(ctx.cause());
    const auto done = ctx.done();
    EXPECT_EQ(done, ctx.done());
    EXPECT_EQ(done, with_value(ctx, 1, 1).done()) << "a value adds no cancellation";
    EXPECT_TRUE(done.try_receive().empty());
    for (int i = 0; i < 2; ++i) {
      cancel();
      EXPECT_TRUE(ctx.cancelled());
      EXPECT_EQ(ctx.error(), errc::cancelled);
      EXPECT_EQ(done, ctx.done());
      EXPECT_TRUE(done.try_receive().closed());
    }
    auto [timed, cancel_timed] = with_timeout(background(), 1ms);
    EXPECT_FALSE(timed.done().receive());
    cancel_timed(first);
    EXPECT_EQ(timed.error(), errc::deadline_exceeded);
  });
}

WEIR_RULE(context_test, r57_every_waiter_learns_of_it) {
  auto [ctx, cancel] = with_cancel(background());
  for (int i = 0; i < 8; ++i) {
    crew_.spawn([ctx = ctx, i] {
      if (i % 2 == 0) {
        EXPECT_FALSE(ctx.done().receive());
      } else {
        EXPECT_EQ(select(on_done(ctx), on_receive(channel<int>())), 0U);
      }
      EXPECT_EQ(ctx.error(), errc::cancelled);
    });
  }
  cancel();
  crew_.join();
}

WEIR_RULE(context_test, r59_r60_cancel_reaches_all_below_before_it_returns_and_nothing_else) {
  crew_.run([] {
    auto [root, cancel_root] = with_cancel(background());
    auto [left, cancel_left] = with_cancel(root);
    auto [right, cancel_right] = with_cancel(root);
    const context value = with_value(left, 1, 2);
    auto [leaf, cancel_leaf] = with_timeout(value, 1h);
    auto [below, cancel_below] = with_cancel(leaf);
    cancel_left();
    EXPECT_TRUE(left.cancelled() && value.cancelled() && leaf.cancelled() && below.cancelled());
    EXPECT_FALSE(root.cancelled() || right.cancelled());
    EXPECT_EQ(leaf.error(), errc::cancelled);
    EXPECT_FALSE(root.error() || root.cause() || right.error() || right.cause());
    cancel_root();
    EXPECT_TRUE(right.cancelled());
  });
}

// ---- deadlines ----------------------------------------------------------------------------------

WEIR_RULE(context_test, r63_a_later_deadline_does_not_extend_the_parents) {
  crew_.run([] {
    auto [parent, c1] = with_timeout(background(), 1h);
    auto [child, c2] = with_timeout(parent, 2h);
    auto [sooner, c3] = with_timeout(parent, 1min);
    EXPECT_EQ(child.deadline(), parent.deadline());
    EXPECT_LT(*sooner.deadline(), *parent.deadline());
    EXPECT_EQ(with_value(child, 1, 1).deadline(), parent.deadline());
    EXPECT_EQ(with_cancel(child).ctx.deadline(), parent.deadline());
    auto [soon, c4] = with_timeout(background(), 1ms);
    auto [late, c5] = with_timeout(soon, 1h);
    EXPECT_FALSE(late.done().receive());
    EXPECT_EQ(late.error(), errc::deadline_exceeded);
  });
}

WEIR_RULE(context_test, r64_a_deadline_that_has_passed_is_exceeded_at_once) {
  crew_.run([] {
    for (const auto d : {0ns, std::chrono::nanoseconds(-1h), std::chrono::nanoseconds::min()}) {
      auto [ctx, cancel] = with_timeout(background(), d);
      EXPECT_TRUE(ctx.cancelled());
      EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
      auto [below, cancel_below] = with_cancel(ctx);
      EXPECT_EQ(below.error(), errc::deadline_exceeded);
    }
    auto [past, c1] = with_deadline(background(), context::clock::time_point());
    EXPECT_EQ(past.error(), errc::deadline_exceeded);
    auto [cancelled, c2] = with_cancel(background());
    c2();
    auto [born, c3] = with_timeout(cancelled, 0ns);
    EXPECT_EQ(born.error(), errc::cancelled) << "its parent was cancelled before";
  });
}

WEIR_RULE(context_test, r65_a_timeout_is_a_deadline_from_now) {
  crew_.run([] {
    const auto before = detail::time_after(0ns);
    auto [ctx, cancel] = with_timeout(background(), 10ms);
    EXPECT_GE(*ctx.deadline(), before + 10ms);
    EXPECT_LE(*ctx.deadline(), detail::time_after(10ms));
    EXPECT_FALSE(ctx.done().receive());
    EXPECT_GE(detail::time_after(0ns), *ctx.deadline());
    EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
    auto [same, cancel_same] = with_deadline(background(), before + 1h);
    EXPECT_EQ(*same.deadline(), before + 1h);
  });
}

WEIR_RULE(context_test, r66_cancel_before_the_deadline_is_a_cancellation) {
  crew_.run([] {
    auto [ctx, cancel] = with_timeout(background(), 1h);
    auto [below, cancel_below] = with_timeout(ctx, 1min);
    cancel();
    EXPECT_EQ(ctx.error(), errc::cancelled);
    EXPECT_EQ(below.error(), errc::cancelled);
    EXPECT_TRUE(ctx.deadline()) << "the deadline can still be asked for";
  });
}

WEIR_RULE(context_test, r67_expiry_reaches_children) {
  crew_.run([] {
    auto [ctx, cancel] = with_timeout(background(), 5ms);
    auto [child, cancel_child] = with_cancel(with_value(ctx, 1, 1));
    auto [timed, cancel_timed] = with_timeout(child, 1h);
    EXPECT_FALSE(timed.done().receive());
    EXPECT_TRUE(ctx.cancelled() && child.cancelled());
    EXPECT_EQ(timed.error(), errc::deadline_exceeded);
    EXPECT_EQ(child.error(), errc::deadline_exceeded);
  });
}

TEST(context_clock_test, a_deadline_is_kept_on_virtual_time_too) {
  runtime rt{{.clock = clock_kind::virtual_time}};
  rt.run([] {
    auto [ctx, cancel] = with_timeout(background(), 24h);
    EXPECT_FALSE(channel<int>{}.receive(ctx));
    EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
    EXPECT_EQ(detail::time_after(0ns), *ctx.deadline());
  });
}

TEST(context_clock_test, r75_the_error_of_a_deadline_is_the_systems_timeout) {
  const std::error_code late = with_timeout(background(), 0ns).ctx.error();
  EXPECT_EQ(late, std::errc::timed_out);
  EXPECT_NE(late, std::errc::operation_canceled);
  EXPECT_STREQ(late.category().name(), "weir");
  auto [ctx, cancel] = with_cancel(background());
  cancel();
  EXPECT_EQ(ctx.error(), std::errc::operation_canceled);
  EXPECT_NE(ctx.error(), std::errc::timed_out);
}

// ---- values, shields, callbacks -----------------------------------------------------------------

WEIR_RULE(context_test, r70_without_cancel_keeps_values_only) {
  crew_.run([] {
    auto [parent, cancel] = with_timeout(with_value(background(), 7, std::string("seven")), 1h);
    const context shielded = without_cancel(parent);
    auto [below, cancel_below] = with_cancel(shielded);
    cancel(first);
    for (const context& ctx : {shielded, below, without_cancel(parent)}) {
      EXPECT_FALSE(ctx.cancelled());
      EXPECT_FALSE(ctx.error() || ctx.cause() || ctx.deadline());
      EXPECT_TRUE(ctx.done().try_receive().empty());
      EXPECT_EQ(*ctx.value<std::string>(7), "seven");
    }
    EXPECT_FALSE(after_func(shielded, [] { ADD_FAILURE() << "it is never done"; }).stop());
  });
}

WEIR_RULE(context_test, r71_after_func_runs_once_in_a_task_of_its_own) {
  crew_.run([] {
    auto [ctx, cancel] = with_cancel(background());
    const channel<std::uint64_t> ran{2};
    const channel<int> hold;
    const auto handle = after_func(ctx, [=] {
      (void)hold.receive();
      ran.send(this_task::id());
    });
    cancel();  // does not wait for it: nobody has let it go on
    hold.close();
    const std::uint64_t id = *ran.receive();
    EXPECT_GT(id, 0U);
    EXPECT_NE(id, this_task::id());
    EXPECT_FALSE(handle.stop());
    (void)after_func(ctx, [=] { ran.send(0); });  // done already: at once
    EXPECT_EQ(ran.receive(), 0U);
    EXPECT_TRUE(ran.try_receive().empty());
    EXPECT_FALSE(after_func(background(), [] {}).stop());
    EXPECT_THROW((void)after_func(ctx, std::function<void()>()), std::invalid_argument);
  });
}

WEIR_RULE(context_test, r71_after_func_runs_when_the_time_has_come) {
  crew_.run([] {
    auto [ctx, cancel] = with_timeout(background(), 1ms);
    auto [below, cancel_below] = with_cancel(ctx);
    const channel<std::error_code> ran;
    (void)after_func(below, [=, below = below] { ran.send(below.error()); });
    EXPECT_EQ(*ran.receive(), errc::deadline_exceeded);
  });
}

WEIR_RULE(context_test, r72_stop_prevents_the_callback_once) {
  crew_.run([] {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> ran{3};
    const auto a = after_func(ctx, [=] { ran.send(1); });
    const auto b = after_func(ctx, [=] { ran.send(2); });
    const auto c = after_func(ctx, [=] { ran.send(3); });
    EXPECT_TRUE(a.stop());
    EXPECT_FALSE(a.stop());
    EXPECT_TRUE(c.stop());
    cancel();
    EXPECT_EQ(ran.receive(), 2);
    EXPECT_FALSE(b.stop());
    EXPECT_TRUE(ran.try_receive().empty());
    EXPECT_FALSE(after_func_handle().stop());
  });
}

WEIR_RULE(context_test, cancel_from_within_a_callback_of_the_same_context_is_harmless) {
  crew_.run([] {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> ran{1};
    (void)after_func(ctx, [=, cancel = cancel] {
      cancel();
      ran.send(1);
    });
    cancel();
    EXPECT_EQ(ran.receive(), 1);
  });
}

struct key_a {
  int n;
  bool operator==(const key_a&) const = default;
};

WEIR_RULE(context_test, r73_the_nearest_value_of_the_same_key_and_type_wins) {
  crew_.run([] {
    const context outer = with_value(background(), key_a{1}, 10);
    auto [middle, cancel] = with_cancel(outer);
    const context inner = with_value(middle, key_a{1}, 20);
    const context shadow = with_value(inner, key_a{1}, nullptr);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(*inner.value<int>(key_a{1}), 20);
      EXPECT_EQ(*middle.value<int>(key_a{1}), 10);
      EXPECT_EQ(inner.value<int>(key_a{2}), nullptr);
      EXPECT_EQ(inner.value<int>(1), nullptr) << "an int is another type of key";
      EXPECT_EQ(inner.value<double>(key_a{1}), nullptr) << "the value is an int";
      EXPECT_EQ(shadow.value<int>(key_a{1}), nullptr) << "null shadows, too";
      EXPECT_NE(shadow.value<std::nullptr_t>(key_a{1}), nullptr);
      cancel();  // and once more
    }
  });
}

TEST(context_value_test, a_text_is_a_key_by_what_it_says) {
  std::string text = "user";
  const context ctx = with_value(background(), "user", 7);
  EXPECT_EQ(*ctx.value<int>(text.c_str()), 7);
  EXPECT_EQ(*ctx.value<int>(text.data()), 7);
  EXPECT_EQ(*ctx.value<int>(text), 7);
  EXPECT_EQ(*ctx.value<int>(std::string_view(text)), 7);
  EXPECT_EQ(ctx.value<int>("other"), nullptr);
  const context kept = with_value(background(), text.data(), 8);
  text = "gone";
  EXPECT_EQ(*kept.value<int>("user"), 8);
}

// Go panics for a nil parent, a nil key and one that cannot be compared: there is no null context
// (a default constructed one is background()), and the others are a matter of types.
struct never_equal {};
template <class K>
concept a_key = requires(const context& ctx, K k) { with_value(ctx, k, 1); };
static_assert(a_key<int> && a_key<key_a> && a_key<std::string>);
static_assert(!a_key<never_equal>);

TEST(context_misuse_test, r74_a_key_that_cannot_be_compared_does_not_compile) {
  EXPECT_EQ(context(), background());
  EXPECT_NE(with_value(context(), nullptr, 5).value<int>(nullptr), nullptr) << "a type like others";
  EXPECT_FALSE(with_cancel(context()).ctx.deadline());
  cancel_func()();  // of no context
}

/// A stack of layers of all kinds, with values to be found and one to be cancelled.
struct layers {
  layers(unsigned seed, bool expires) : random_(seed) {
    top = background();
    for (int i = 0; i < 30 || values.empty() || cancels.empty() || (expires && !timed); ++i) {
      add(i, expires);
    }
  }
  void check_values() const {
    for (int v : values) EXPECT_EQ(*top.value<int>(key_a{v}), -v);
  }
  unsigned below(std::size_t n) { return static_cast<unsigned>(random_() % n); }

  context top;
  std::vector<int> values;
  std::vector<cancel_func> cancels;

 private:
  void add(int i, bool expires) {
    switch (below(3)) {
      case 0:
        top = with_value(top, key_a{i}, -i);
        values.push_back(i);
        return;
      case 1: keep(with_cancel(top)); return;
      default:
        keep(with_timeout(top, expires ? std::chrono::nanoseconds(1ms) : 1000h));
        timed = true;
    }
  }
  void keep(cancellable_context c) {
    top = std::move(c.ctx);
    cancels.push_back(std::move(c.cancel));
  }
  std::mt19937 random_;
  bool timed = false;
};

WEIR_RULE(context_test, r67_r73_any_stack_of_layers_is_cancelled_from_any_of_them) {
  crew_.run([] {
    for (int turn = 0; turn < turns(200); ++turn) {
      layers l(static_cast<unsigned>(turn), false);
      l.check_values();
      EXPECT_FALSE(l.top.cancelled());
      l.cancels[l.below(l.cancels.size())]();
      EXPECT_EQ(l.top.error(), errc::cancelled);
      EXPECT_TRUE(l.top.done().try_receive().closed());
      l.check_values();
    }
  });
}

WEIR_RULE(context_test, r67_r73_any_stack_of_layers_expires_with_the_first_of_them) {
  crew_.run([] {
    for (int turn = 0; turn < turns(50); ++turn) {
      const layers l(static_cast<unsigned>(turn), true);
      EXPECT_FALSE(l.top.done().receive());
      EXPECT_EQ(l.top.error(), errc::deadline_exceeded);
      l.check_values();
    }
  });
}

// ---- what C++ adds ------------------------------------------------------------------------------

WEIR_RULE(context_test, the_last_cancel_func_to_go_cancels) {
  crew_.run([] {
    context kept;
    {
      auto [ctx, cancel] = with_cancel(background());
      kept = ctx;
      { const auto copy = cancel; }
      EXPECT_FALSE(kept.cancelled());
    }
    EXPECT_EQ(kept.error(), errc::cancelled);
  });
}

WEIR_RULE(context_test, a_stop_token_may_be_given_where_a_context_is_wanted) {
  static_assert(std::convertible_to<std::stop_token, context>);
  static_assert(std::convertible_to<context, std::stop_token>);
  std::stop_source source;
  const std::stop_token token = source.get_token();
  const context ctx = token;
  EXPECT_FALSE(ctx == token) << "its token is its own";
  EXPECT_TRUE(ctx.stop_token() == ctx);
  source.request_stop();
  EXPECT_EQ(ctx.error(), weir::errc::cancelled);
  const weir::channel<int> ch{1};
  ch.send(1);
  EXPECT_FALSE(ch.receive(token)) << "done wins";
}

WEIR_RULE(context_test, stop_tokens_convert_both_ways) {
  crew_.run([] {
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
  });
}

WEIR_RULE(context_test, a_chain_of_any_length_is_cancelled_and_destroyed_without_recursion) {
  crew_.run([] {  // on a task's small stack
    auto [root, cancel] = with_cancel(background());
    context end = root;
    std::vector<cancel_func> keep;
    for (int i = 0; i < turns(50'000); ++i) {
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

WEIR_RULE(context_test, ten_thousand_children_are_cancelled_in_one_call) {
  crew_.run([] {
    auto [root, cancel] = with_cancel(background());
    std::vector<cancellable_context> children;
    for (int i = 0; i < turns(10'000); ++i) children.push_back(with_cancel(root));
    cancel();
    for (const auto& c : children) ASSERT_TRUE(c.ctx.cancelled());
  });
}

/// Nothing is to be waited for on the deterministic runtime's clock; elsewhere others use it, too.
void expect_no_timer_left() {
  if (under_seeds) {
    EXPECT_EQ(detail::runtime_core::current().timers->next_due(), detail::never);
  }
}

WEIR_RULE(context_test, r60_a_cancelled_timeout_leaves_no_timer_behind) {
  auto [ctx, cancel] = with_timeout(background(), 1h);
  cancel();
  expect_no_timer_left();
}

WEIR_RULE(context_test, r60_a_timeout_cancelled_while_it_is_made_leaves_no_timer_behind) {
  auto [parent, cancel_parent] = with_cancel(background());
  crew_.spawn([cancel = cancel_parent] { cancel(); });
  auto [ctx, cancel] = with_timeout(parent, 1h);
  crew_.join();
  EXPECT_TRUE(ctx.cancelled());
  expect_no_timer_left();
}

}  // namespace
