// SPDX-License-Identifier: MIT
// Programs with a data race each, that ThreadSanitizer must report: Weir tells it of no order that
// there is not, not even between tasks that take turns on one thread. race_test.py runs them.
// Usage: race_probe --list | race_probe <name>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <weir/weir.hpp>

namespace {

using namespace weir;

int plain = 0;

/// Each task waits here for the other, and the second goes on first: a task that started when the
/// other had ended would get its stack, and the second life of a stack comes after the first. The
/// wait itself orders nothing.
void meet(std::atomic<int>& started) {
  // Ordering: relaxed, for the count must not be the order whose lack is to be reported.
  started.fetch_add(1, std::memory_order_relaxed);
  while (started.load(std::memory_order_relaxed) < 2) yield();
}

/// Runs both as tasks of so many carriers. They share handles by reference: the end of a copy would
/// be an order, too, by its count.
template <class First, class Second>
void both(First first, Second second, int carriers = 1) {
  std::atomic<int> started{0};
  runtime rt{{.carriers = carriers}};
  rt.go([&] {
    meet(started);
    first();
  });
  rt.go([&] {
    meet(started);
    second();
  });
}

/// Two tasks on so many carriers, and nothing between them.
void two_tasks(int carriers) {
  const auto body = [] {
    ++plain;
    yield();
    ++plain;
  };
  both(body, body, carriers);
}
void tasks_on_one_carrier() { two_tasks(1); }
void tasks_on_two_carriers() { two_tasks(2); }

void r49_a_buffered_receive_does_not_order_its_send() {
  const channel<int> ch{1};
  both(
      [&] {
        plain = 1;
        (void)ch.receive();
      },
      [&] {  // the second goes first: this send finds room, and nobody who waits
        ch.send(0);
        plain = 2;
      });
}

void r50_a_semaphore_with_a_place_too_many() {
  const channel<int> places{2};
  const auto worker = [&] {
    places.send(1);
    ++plain;
    yield();
    (void)places.receive();
  };
  both(worker, worker);
}

void r53_the_end_of_a_task_orders_nothing() {
  runtime rt{{.carriers = 1}};
  rt.run([&] {
    rt.go([] { plain = 1; });
    for (int i = 0; i < 10; ++i) yield();  // it has ended by now, but who says so?
    plain = 2;
  });
}

void r54_what_comes_after_done_is_not_waited_for() {
  const wait_group wg;
  wg.add();
  both(
      [&] {
        wg.done();
        plain = 1;
      },
      [&] {
        wg.wait();
        plain = 2;
      });
}

void r55_a_select_that_took_the_other_case() {
  const channel<int> ch{1};
  const channel<int> other{1};
  other.send(1);
  both(
      [&] {
        plain = 1;
        ch.send(0);
      },
      [&] {
        select(on_receive(other), on_receive(receiver<int>{}));
        plain = 2;
      });
}

void r47_what_comes_after_a_send() {
  const channel<int> ch;
  both(
      [&] {
        ch.send(0);
        plain = 1;
      },
      [&] {
        (void)ch.receive();
        plain = 2;
      });
}

void a_yield_orders_nothing() {
  both(
      [] {
        plain = 1;
        yield();
      },
      [] {
        yield();
        plain = 2;
      });
}

void a_sleep_orders_nothing() {
  both([] { plain = 1; },
       [] {
         weir::sleep_for(std::chrono::milliseconds(5));
         plain = 2;
       });
}

void under_explore_as_well() {
  explore(20, [] {
    const wait_group wg;
    for (int i = 0; i < 2; ++i) wg.go([] { ++plain; });
    wg.wait();
  });
}

struct probe {
  const char* name;
  void (*run)();
};
#define PROBE(name) \
  { #name, name }
constexpr probe probes[] = {
    PROBE(tasks_on_one_carrier),
    PROBE(tasks_on_two_carriers),
    PROBE(r47_what_comes_after_a_send),
    PROBE(r49_a_buffered_receive_does_not_order_its_send),
    PROBE(r50_a_semaphore_with_a_place_too_many),
    PROBE(r53_the_end_of_a_task_orders_nothing),
    PROBE(r54_what_comes_after_done_is_not_waited_for),
    PROBE(r55_a_select_that_took_the_other_case),
    PROBE(a_yield_orders_nothing),
    PROBE(a_sleep_orders_nothing),
    PROBE(under_explore_as_well),
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const probe& p : probes) std::puts(p.name);
    return 0;
  }
  for (const probe& p : probes) {
    if (argc == 2 && std::strcmp(argv[1], p.name) == 0) {
      p.run();
      return 0;
    }
  }
  std::fputs("usage: race_probe --list | race_probe <name>\n", stderr);
  return 2;
}
