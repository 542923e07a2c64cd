// SPDX-License-Identifier: MIT
// Go's test/chan/powser1.go and sieve2.go, written anew from what they do: streams on demand, nets
// of selects, channels in channels.
#include "../support.hpp"

#include <deque>
#include <numeric>
#include <queue>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(go_streams);

struct rational {
  std::int64_t num = 0;
  std::int64_t den = 1;
  static rational of(std::int64_t n, std::int64_t d) {
    const std::int64_t g = std::gcd(n, d) * (d < 0 ? -1 : 1);
    return {n / g, d / g};
  }
  friend rational operator+(rational a, rational b) {
    return of(a.num * b.den + b.num * a.den, a.den * b.den);
  }
  friend rational operator*(rational a, rational b) { return of(a.num * b.num, a.den * b.den); }
  bool operator==(const rational&) const = default;
};

/// A power series, one coefficient for each request (McIlroy, "Squinting at power series", 1990).
struct series {
  channel<int> ask;
  channel<rational> answer;
};

/// Makes series, each with a task of its own that ends with the workshop.
class workshop {
 public:
  explicit workshop(crew& c) : crew_(c) {}
  ~workshop() {
    life_.cancel();
    crew_.join();
  }
  workshop(const workshop&) = delete;
  workshop& operator=(const workshop&) = delete;

  std::optional<rational> get(const series& s) const {
    if (!s.ask.send(life_.ctx, 0)) return std::nullopt;
    return s.answer.receive(life_.ctx);
  }
  /// `next()` is called for each coefficient; empty at the end of the workshop.
  template <class Next>
  void serve(const series& out, Next next) {
    crew_.spawn([out, next, ctx = life_.ctx]() mutable {
      while (out.ask.receive(ctx)) {
        const std::optional<rational> c = next();
        if (!c || !out.answer.send(ctx, *c)) return;
      }
    });
  }
  series constant(rational c) {
    const series out;
    serve(out, [c, n = 0]() mutable { return std::optional(n++ == 0 ? c : rational{}); });
    return out;
  }
  series add(const series& a, const series& b) {
    const series out;
    serve(out, [this, a, b]() -> std::optional<rational> {
      const auto x = get(a);
      const auto y = get(b);
      if (!x || !y) return std::nullopt;
      return *x + *y;
    });
    return out;
  }
  series scale(rational c, const series& a) {
    const series out;
    serve(out, [this, c, a]() -> std::optional<rational> {
      const auto x = get(a);
      if (!x) return std::nullopt;
      return c * *x;
    });
    return out;
  }
  series multiply(const series& a, const series& b) {
    const series out;
    serve(out,
          [this, a, b, as = std::vector<rational>(),
           bs = std::vector<rational>()]() mutable -> std::optional<rational> {
            const auto x = get(a);
            const auto y = get(b);
            if (!x || !y) return std::nullopt;
            as.push_back(*x);
            bs.push_back(*y);
            rational sum;
            for (std::size_t i = 0; i < as.size(); ++i) sum = sum + as[i] * bs[as.size() - 1 - i];
            return sum;
          });
    return out;
  }
  /// Into `out`, which others may have already: so a series can be defined by itself.
  void integrate_into(const series& out, rational c, const series& a) {
    serve(out, [this, c, a, n = std::int64_t{0}]() mutable -> std::optional<rational> {
      if (n++ == 0) return c;
      const auto x = get(a);
      if (!x) return std::nullopt;
      return *x * rational::of(1, n - 1);
    });
  }
  /// Two that both have all of `a`: whichever is asked first makes it go on.
  std::pair<series, series> split(const series& a) {
    const series left;
    const series right;
    crew_.spawn([a, left, right, ctx = life_.ctx] {
      struct side {
        series out;
        std::deque<rational> ahead = {};  // what the other has had already
        bool waiting = false;
      };
      side sides[] = {{left}, {right}};
      bool fetching = false;
      const auto serve_who_waits = [&] {
        for (side& s : sides) {
          if (!s.waiting || s.ahead.empty()) continue;
          if (!s.out.answer.send(ctx, s.ahead.front())) return;
          s.ahead.pop_front();
          s.waiting = false;
        }
        const bool wanted = sides[0].waiting || sides[1].waiting;
        if (wanted && !fetching) fetching = a.ask.send(ctx, 0);
      };
      while (!ctx.cancelled()) {
        // It goes on listening while it fetches: what it fetches may depend on what it gives.
        select(on_receive(left.ask, [&](auto&&) { sides[0].waiting = true; }),
               on_receive(right.ask, [&](auto&&) { sides[1].waiting = true; }),
               on_receive(a.answer,
                          [&](std::optional<rational> x) {
                            fetching = false;
                            for (side& s : sides) s.ahead.push_back(*x);
                          }),
               on_done(ctx));
        serve_who_waits();
      }
    });
    return {left, right};
  }

 private:
  crew& crew_;
  cancellable_context life_ = with_cancel(background());
};

void expect_series(workshop& w, const series& s, const std::vector<rational>& wanted) {
  for (const rational& want : wanted) {
    const auto got = w.get(s);
    ASSERT_TRUE(got);
    ASSERT_EQ(*got, want) << got->num << '/' << got->den;
  }
}

WEIR_RULE(go_streams, powser_exp_is_its_own_integral) {
  workshop w(crew_);
  const series exp;
  const auto [mine, again] = w.split(exp);
  w.integrate_into(exp, {1, 1}, again);
  expect_series(w, mine, {{1, 1}, {1, 1}, {1, 2}, {1, 6}, {1, 24}, {1, 120}, {1, 720}});
}

WEIR_RULE(go_streams, powser_sine_and_cosine_are_each_others) {
  workshop w(crew_);
  const series sine;
  const series cosine;
  const auto [sine_out, sine_in] = w.split(sine);
  const auto [cosine_out, cosine_in] = w.split(cosine);
  w.integrate_into(sine, {0, 1}, cosine_in);
  w.integrate_into(cosine, {1, 1}, w.scale({-1, 1}, sine_in));
  expect_series(w, sine_out, {{0, 1}, {1, 1}, {0, 1}, {-1, 6}, {0, 1}, {1, 120}, {0, 1}});
  expect_series(w, cosine_out, {{1, 1}, {0, 1}, {-1, 2}, {0, 1}, {1, 24}, {0, 1}, {-1, 720}});
}

WEIR_RULE(go_streams, powser_tangent_by_its_differential_equation) {
  workshop w(crew_);
  const series tan;  // its derivative is 1 + its square
  const auto [mine, rest] = w.split(tan);
  const auto [a, b] = w.split(rest);
  w.integrate_into(tan, {0, 1}, w.add(w.constant({1, 1}), w.multiply(a, b)));
  expect_series(w, mine, {{0, 1}, {1, 1}, {0, 1}, {1, 3}, {0, 1}, {2, 15}, {0, 1}, {17, 315}});
}

/// A prime's multiples that are not below its square, as a stream with a buffer.
struct multiples {
  int head;
  channel<int> rest;
  bool operator<(const multiples& other) const { return head > other.head; }
};

WEIR_RULE(go_streams, sieve2_merges_buffered_streams_by_a_heap) {
  auto [ctx, cancel] = with_cancel(background());
  const int limit = under_seeds ? 30 : 100;
  const auto stream_of = [&, ctx = ctx](int prime) {
    const channel<int> out{10};
    crew_.spawn([=] {
      for (int n = prime * prime; out.send(ctx, n); n += prime) {
      }
    });
    return out;
  };
  const channel<int> candidates{50};
  crew_.spawn([=, ctx = ctx] {
    for (int n = 2; candidates.send(ctx, n); ++n) {
    }
  });
  std::priority_queue<multiples> composites;
  std::vector<int> primes;
  for (int n = *candidates.receive(); n < limit; n = *candidates.receive()) {
    bool composite = false;
    while (!composites.empty() && composites.top().head == n) {
      multiples next = composites.top();
      composites.pop();
      next.head = *next.rest.receive();
      composites.push(next);
      composite = true;
    }
    if (composite) continue;
    primes.push_back(n);
    const channel<int> rest = stream_of(n);
    composites.push({*rest.receive(), rest});
  }
  cancel();
  crew_.join();
  std::vector<int> wanted{2,  3,  5,  7,  11, 13, 17, 19, 23, 29, 31, 37, 41,
                          43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97};
  if (under_seeds) wanted.resize(10);
  EXPECT_EQ(primes, wanted);
}

}  // namespace
