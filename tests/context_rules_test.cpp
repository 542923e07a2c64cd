// SPDX-License-Identifier: MIT
// Rules of Go for context when several tasks use one at once, and its causes; the numbers are those
// of docs/semantics.md. The words one by one are in context_test.cpp.
#include "support.hpp"

#include <random>
#include <sstream>

namespace {

using namespace weir_test;
using namespace weir;

std::string cause_of(const context& ctx) {
  const std::exception_ptr cause = ctx.cause();
  if (!cause) return "";
  try {
    std::rethrow_exception(cause);
  } catch (const std::system_error& e) {
    return e.code().message();
  } catch (const std::exception& e) {
    return e.what();
  }
}

const std::runtime_error first("first");
const std::runtime_error second("second");
std::exception_ptr too_slow() { return std::make_exception_ptr(std::runtime_error("too slow")); }

WEIR_RULES(context_rules_test);
WEIR_RULES(context_race_test);

WEIR_RULE(context_rules_test, r66_a_cause_is_one_object_for_all_who_are_done_with_it) {
  auto [root, cancel] = with_cancel(background());
  auto below = with_timeout(root, 1h);
  auto lowest = with_cancel(below.ctx);
  crew_.spawn([cancel = cancel] { cancel(); });
  const channel<std::exception_ptr> seen{3};
  for (const context& ctx : {root, below.ctx, lowest.ctx}) {
    crew_.spawn([=] {
      (void)ctx.done().receive();
      seen.send(ctx.cause());
    });
  }
  const std::exception_ptr cause = *seen.receive();
  for (int i = 1; i < 3; ++i) EXPECT_EQ(*seen.receive(), cause);
  crew_.join();
  EXPECT_EQ(with_cancel(lowest.ctx).ctx.cause(), cause) << "made when it was done already";
  EXPECT_EQ(cause_of(root), make_error_code(errc::cancelled).message());
}

// ---- cancelling from several sides --------------------------------------------------------------

WEIR_RULE(context_rules_test, r58_cancel_does_not_wait_for_the_work_and_the_first_call_counts) {
  auto [ctx, cancel] = with_cancel(background());
  const channel<int> hold;
  std::atomic<int> ended{0};
  for (int i = 0; i < 2; ++i) {
    crew_.spawn([&, hold, ctx = ctx] {
      (void)ctx.done().receive();
      (void)hold.receive();
      ++ended;
    });
  }
  const channel<std::string> seen{4};
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([&, seen, ctx = ctx, cancel = cancel, i] {
      cancel(std::runtime_error(std::to_string(i)));
      (void)ctx.done().receive();
      seen.send(cause_of(ctx));
    });
  }
  const std::string winner = *seen.receive();
  for (int i = 1; i < 4; ++i) EXPECT_EQ(*seen.receive(), winner);
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(cause_of(ctx), winner);
  EXPECT_EQ(ctx.error(), errc::cancelled);
  hold.close();
  crew_.join();
  EXPECT_EQ(ended, 2);
}

WEIR_RULE(context_race_test, r59_whoever_calls_cancel_finds_all_below_done_when_it_returns) {
  for (int turn = 0; turn < turns(300); ++turn) {
    auto [root, cancel] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(root);
    auto [leaf, cancel_leaf] = with_cancel(with_value(child, 1, 1));
    for (int i = 0; i < 2; ++i) {
      crew_.spawn([cancel = cancel, root = root, child = child, leaf = leaf] {
        cancel();
        EXPECT_TRUE(root.cancelled()) << "cancel() has returned";
        EXPECT_TRUE(child.cancelled()) << "cancel() has returned";
        EXPECT_TRUE(leaf.cancelled()) << "cancel() has returned";
      });
    }
    crew_.join();
  }
}

/// Of many children only some have anybody to tell.
std::vector<cancellable_context> many_below(const context& parent) {
  std::vector<cancellable_context> all;
  for (int i = 0; i < 150; ++i) {
    all.push_back(i % 10 == 7 ? with_timeout(parent, 1h) : with_cancel(parent));
    if (i % 20 == 3) all.push_back(with_cancel(all.back().ctx));
  }
  return all;
}

WEIR_RULE(context_race_test, r59_who_cancels_finds_all_below_done_also_what_another_began_with) {
  for (int turn = 0; turn < turns(100); ++turn) {
    auto [root, cancel_root] = with_cancel(background());
    auto [middle, cancel_middle] = with_cancel(root);
    const auto below = many_below(middle);
    for (const cancel_func& cancel : {cancel_root, cancel_middle}) {
      crew_.spawn([&below, cancel] {
        cancel();
        for (const auto& c : below) ASSERT_TRUE(c.ctx.cancelled()) << "cancel() has returned";
      });
    }
    crew_.spawn([middle = middle] {
      for (int i = 0; i < 20; ++i) (void)with_cancel(with_cancel(middle).ctx);
    });
    crew_.join();
  }
}

WEIR_RULE(context_race_test, who_sees_a_context_done_may_end_it_while_cancel_goes_on) {
  auto [root, cancel_root] = with_cancel(background());
  for (int turn = 0; turn < turns(3000); ++turn) {
    auto* const c = new cancellable_context(with_cancel(turn % 2 == 0 ? root : background()));
    crew_.spawn([c] { c->cancel(); });
    until([c] { return c->ctx.cancelled(); });
    delete c;
    crew_.join();
  }
}

WEIR_RULE(context_race_test, r57_r68_error_and_cause_come_with_the_end_and_not_before) {
  for (int turn = 0; turn < turns(300); ++turn) {
    auto [ctx, cancel] = with_cancel(background());
    crew_.spawn([cancel = cancel] { cancel(first); });
    for (int i = 0; i < 2; ++i) {
      crew_.spawn([ctx = ctx] {
        if (ctx.error()) {
          EXPECT_TRUE(ctx.cancelled() && ctx.done().closed()) << "an error, but not done";
        }
        if (ctx.cause()) {
          EXPECT_TRUE(ctx.error()) << "a cause, but no error";
        }
        if (ctx.cancelled()) {
          EXPECT_EQ(ctx.error(), errc::cancelled);
          EXPECT_EQ(cause_of(ctx), "first");
        }
      });
    }
    crew_.join();
    EXPECT_EQ(cause_of(ctx), "first");
  }
}

WEIR_RULE(context_race_test, r71_a_callback_finds_its_context_done) {
  for (int turn = 0; turn < turns(300); ++turn) {
    auto [ctx, cancel] = with_cancel(background());
    crew_.spawn([cancel = cancel] { cancel(); });
    const channel<bool> ran;
    (void)after_func(ctx, [=, ctx = ctx] { ran.send(ctx.cancelled()); });
    EXPECT_EQ(ran.receive(), true);
    EXPECT_TRUE(ctx.cancelled());
    crew_.join();
  }
}

WEIR_RULE(context_race_test, r60_children_come_and_go_beside_each_other) {
  auto [parent, cancel] = with_cancel(background());
  auto [sibling, cancel_sibling] = with_cancel(parent);
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([parent = parent, i] {
      for (int k = 0; k < turns(1000); ++k) {
        auto [child, cancel_child] = i % 2 == 0 ? with_cancel(parent) : with_timeout(parent, 1h);
        if (k % 2 == 0) cancel_child(second);
        EXPECT_EQ(child.cancelled(), k % 2 == 0);
      }
    });
  }
  crew_.join();
  EXPECT_FALSE(parent.cancelled() || sibling.cancelled());
  EXPECT_FALSE(parent.cause() || sibling.cause());
  cancel(first);
  EXPECT_EQ(cause_of(sibling), "first");
}

WEIR_RULE(context_race_test, r60_children_may_go_while_their_parent_is_cancelled) {
  for (int turn = 0; turn < turns(500); ++turn) {
    auto [parent, cancel] = with_cancel(background());
    std::vector<cancellable_context> children;
    for (int i = 0; i < 60; ++i) children.push_back(with_cancel(parent));
    // cancel() begins with the last of them.
    crew_.spawn([&] {
      while (!children.empty()) children.pop_back();
    });
    crew_.spawn([cancel = cancel] { cancel(); });
    crew_.join();
  }
}

WEIR_RULE(context_rules_test, r61_a_child_of_a_cancelled_parent_is_born_cancelled) {
  crew_.run([] {
    auto [parent, cancel] = with_cancel(background());
    cancel(first);
    auto [child, c1] = with_cancel(parent);
    auto [timed, c2] = with_timeout(with_value(child, 1, 1), 1h);
    for (const context& ctx : {child, timed}) {
      EXPECT_TRUE(ctx.cancelled());
      EXPECT_EQ(ctx.error(), errc::cancelled);
      EXPECT_EQ(cause_of(ctx), "first");
      EXPECT_TRUE(ctx.done().try_receive().closed());
    }
    c1(second);
    EXPECT_EQ(cause_of(child), "first");
  });
}

WEIR_RULE(context_race_test, r62_a_child_made_while_its_parent_is_cancelled_ends_cancelled) {
  for (int i = 0; i < turns(500); ++i) {
    auto [root, cancel] = with_cancel(background());
    auto [parent, cancel_parent] = with_cancel(root);
    crew_.spawn([cancel = cancel] { cancel(first); });
    auto [child, c1] = with_cancel(parent);
    auto [timed, c2] = with_timeout(root, 1ms, too_slow());
    EXPECT_FALSE(child.done().receive());
    crew_.join();
    EXPECT_FALSE(timed.done().receive());
    EXPECT_EQ(cause_of(child), "first");
    EXPECT_EQ(cause_of(timed), timed.error() == errc::cancelled ? "first" : "too slow");
  }
}

// ---- causes: Go's table -------------------------------------------------------------------------

/// Layers from background() on; calls of their cancel functions, in order, by number, with a cause;
/// what the last layer then says.
struct cause_row {
  std::string layers;
  std::string calls;
  std::string error;  // "ok": still live
  std::string cause;
};

cancellable_context layer(const context& parent, const std::string& what) {
  const auto cause = what.ends_with("/slow") ? too_slow() : nullptr;
  if (what.starts_with("now")) return with_timeout(parent, 0s, cause);
  if (what.starts_with("past")) return with_deadline(parent, context::clock::time_point(), cause);
  if (what.starts_with("1ms")) return with_timeout(parent, 1ms, cause);
  if (what.starts_with("1h")) return with_timeout(parent, 1h, cause);
  if (what == "value") return {with_value(parent, 1, 1), {}};
  if (what == "shield") return {without_cancel(parent), {}};
  EXPECT_EQ(what, "cancel");
  return with_cancel(parent);
}

void call(const cancel_func& cancel, const std::string& cause) {
  if (cause == "nothing") return cancel();
  if (cause == "null") return cancel(std::exception_ptr());
  if (cause == "code") return cancel(make_error_code(errc::full));
  cancel(std::runtime_error(cause));
}

void check(const cause_row& row) {
  std::vector<cancellable_context> all;
  std::string word;
  for (std::istringstream in(row.layers); in >> word;) {
    all.push_back(layer(all.empty() ? background() : all.back().ctx, word));
  }
  for (std::istringstream in(row.calls); in >> word;) {
    call(all[static_cast<std::size_t>(word[0] - '0')].cancel, word.substr(2));
  }
  const context ctx = all.empty() ? background() : all.back().ctx;
  if (row.error != "ok") {
    EXPECT_FALSE(ctx.done().receive());
  }
  EXPECT_EQ(ctx.error().message(), row.error) << row.layers << ": " << row.calls;
  EXPECT_EQ(cause_of(ctx), row.cause) << row.layers << ": " << row.calls;
}

const std::vector<cause_row> by_hand{
    {"", "", "ok", ""},
    {"cancel", "", "ok", ""},
    {"cancel", "0=nothing", "cancelled", "cancelled"},
    {"cancel", "0=null", "cancelled", "cancelled"},
    {"cancel", "0=first", "cancelled", "first"},
    {"cancel", "0=code", "cancelled", "full"},
    {"cancel", "0=first 0=second", "cancelled", "first"},
    {"cancel", "0=nothing 0=second", "cancelled", "cancelled"},
    {"cancel cancel", "1=second", "cancelled", "second"},
    {"cancel cancel", "0=first 1=second", "cancelled", "first"},
    {"cancel cancel", "1=second 0=first", "cancelled", "second"},
    {"cancel cancel", "0=nothing 1=second", "cancelled", "cancelled"},
    {"cancel cancel", "1=nothing 0=first", "cancelled", "cancelled"},
    {"cancel value cancel", "0=first", "cancelled", "first"},
    {"cancel cancel cancel", "1=second 0=first", "cancelled", "second"},
    {"cancel shield", "0=first", "ok", ""},
    {"cancel shield cancel", "0=first", "ok", ""},
    {"cancel shield cancel", "0=first 2=second", "cancelled", "second"},
};

const std::string late = "deadline exceeded";
const std::vector<cause_row> in_time{
    {"now", "", late, late},
    {"1ms", "", late, late},
    {"past/slow", "", late, "too slow"},
    {"now/slow", "", late, "too slow"},
    {"1ms/slow", "", late, "too slow"},
    {"now/slow", "0=first", late, "too slow"},
    {"1h", "0=nothing", "cancelled", "cancelled"},
    {"1h/slow", "0=nothing", "cancelled", "cancelled"},
    {"1h/slow", "0=first", "cancelled", "first"},
    {"cancel now/slow", "0=first", late, "too slow"},
    {"cancel 1h/slow", "0=first 1=second", "cancelled", "first"},
    {"cancel 1h/slow", "1=second 0=first", "cancelled", "second"},
    {"1ms 1h/slow", "", late, late},
    {"1h/slow 1ms", "", late, late},
    {"1ms/slow value cancel", "", late, "too slow"},
    {"now/slow shield", "", "ok", ""},
    {"now/slow shield 1h", "2=nothing", "cancelled", "cancelled"},
};

WEIR_RULE(context_rules_test, r68_the_first_cause_from_above_or_here_wins) {
  crew_.run([] { std::for_each(by_hand.begin(), by_hand.end(), check); });
}
WEIR_RULE(context_rules_test, r69_a_timeouts_cause_counts_only_when_the_time_came) {
  crew_.run([] { std::for_each(in_time.begin(), in_time.end(), check); });
}

// ---- many at once -------------------------------------------------------------------------------

WEIR_RULE(context_race_test, r76_parent_and_child_cancelled_by_each_other_end) {
  for (int i = 0; i < turns(300); ++i) {
    auto [parent, cancel_parent] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(parent);
    crew_.spawn([parent = parent, cancel = cancel_child] {
      (void)parent.done().receive();
      cancel();
    });
    crew_.spawn([child = child, cancel = cancel_parent] {
      (void)child.done().receive();
      cancel();
    });
    crew_.spawn([cancel = i % 2 == 0 ? cancel_parent : cancel_child] { cancel(); });
    EXPECT_FALSE(child.done().receive());
    EXPECT_FALSE(parent.done().receive());
    crew_.join();
  }
}

WEIR_RULE(context_race_test, r76_a_tree_cancelled_from_everywhere_at_once_ends) {
  std::vector<cancellable_context> all{with_cancel(background())};
  for (std::size_t i = 0; all.size() < 100; ++i) {
    for (int k = 0; k < 4; ++k) all.push_back(with_cancel(all[i].ctx));
  }
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(76));
  for (const std::size_t i : order) {
    crew_.spawn([&all, i] {
      all[i].cancel();
      EXPECT_FALSE(all[i].ctx.done().receive());
    });
  }
  for (const auto& c : all) EXPECT_FALSE(c.ctx.done().receive());
  crew_.join();
}

WEIR_RULE(context_race_test, r66_r71_a_deadline_races_with_cancel_and_stop) {
  for (int i = 0; i < turns(100); ++i) {
    auto [ctx, cancel] = with_timeout(background(), 1ms, too_slow());
    auto [child, cancel_child] = with_timeout(ctx, 1ms);
    const channel<int> ran{1};
    const auto f = after_func(child, [=] { ran.send(1); });
    std::atomic<bool> stopped{false};
    crew_.spawn([cancel = cancel] { cancel(first); });
    crew_.spawn([&, f] { stopped = f.stop(); });
    EXPECT_FALSE(ctx.done().receive());
    const bool expired = ctx.error() == errc::deadline_exceeded;
    EXPECT_EQ(cause_of(ctx), expired ? "too slow" : "first");
    EXPECT_FALSE(child.done().receive());
    crew_.join();
    EXPECT_EQ(ctx.error() == errc::deadline_exceeded, expired) << "it changed";
    if (!stopped) {
      EXPECT_TRUE(ran.receive());
    }
    EXPECT_TRUE(ran.try_receive().empty()) << "stopped, or once";
  }
}

WEIR_RULE(context_race_test, r57_a_deadline_races_with_receive_send_and_select) {
  const channel<int> ch;
  std::atomic<int> given{0};
  std::atomic<int> taken{0};
  for (int i = 0; i < turns(100); ++i) {
    for (int k = 0; k < 2; ++k) {
      crew_.spawn([&, ch, k] {
        auto [ctx, cancel] = with_timeout(background(), 1ms);
        const auto count = [&] { ++given; };
        if (k == 0 ? ch.send(ctx, 1) : select(on_send(ch, 1, count), on_done(ctx)) == 0) {
          given += k == 0;
        } else {
          EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
        }
      });
      crew_.spawn([&, ch, k] {
        auto [ctx, cancel] = with_timeout(background(), 1ms);
        const auto count = [&](std::optional<int> v) { taken += v.has_value(); };
        if (k == 0) {
          taken += ch.receive(ctx).has_value();
        } else if (select(on_receive(ch, count), on_done(ctx)) == 1) {
          EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
        }
      });
    }
    crew_.join();
    EXPECT_EQ(given, taken) << "lost in between, or twice";
  }
}

/// The same under schedules in which a timer may fire while others run.
TEST(context_late_test, r57_r62_r66_hold_when_deadlines_fire_in_between) {
  for (const rule r : {rule_r66_r71_a_deadline_races_with_cancel_and_stop,
                       rule_r57_a_deadline_races_with_receive_send_and_select,
                       rule_r62_a_child_made_while_its_parent_is_cancelled_ends_cancelled}) {
    hold_under_seeds(r, {.time_may_pass = true});
  }
}

WEIR_RULE(context_race_test, r59_a_select_case_sees_the_parent_of_a_handle_that_is_gone) {
  for (int i = 0; i < turns(300); ++i) {
    auto [parent, cancel] = with_cancel(background());
    cancel_func keep;  // else the child is cancelled by its own last cancel_func
    std::vector<select_case> cases;
    {
      auto [child, cancel_child] = with_cancel(with_value(parent, 1, 1));
      keep = cancel_child;
      cases.emplace_back(on_done(child));
    }
    cases.emplace_back(on_receive(channel<int>()));
    crew_.spawn([cancel = cancel] { cancel(); });
    EXPECT_EQ(select(cases), 0U);
    crew_.join();
  }
}

}  // namespace
