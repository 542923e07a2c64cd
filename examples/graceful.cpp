// SPDX-License-Identifier: MIT
// Graceful shutdown: on SIGTERM (or SIGINT) take no more jobs, let those that are there end for as
// long as there is time, then stop the rest, and say what never ran and what had to be stopped.
//
//   graceful [jobs [ms a job [ms of grace]]]
#include <weir/weir.hpp>

#include <csignal>
#include <iostream>
#include <string>
#include <system_error>
#include <thread>

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// Blocks the signals for all threads that are started from now on, and waits for them in its own.
class signal_watch {
 public:
  explicit signal_watch(const weir::channel<int>& signals) {
    sigemptyset(&set_);
    for (const int s : {SIGTERM, SIGINT}) sigaddset(&set_, s);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::thread([set = set_, signals] {
      int number = 0;
      while (sigwait(&set, &number) == 0) (void)signals.try_send(number);
    }).detach();
  }

 private:
  sigset_t set_;
};

int main(int argc, char** argv) {
  const auto argument = [&](int i, int otherwise) {
    return argc > i ? std::stoi(argv[i]) : otherwise;
  };
  const int jobs = argument(1, 20);
  const milliseconds each(argument(2, 50));
  const milliseconds grace(argument(3, 5000));
  const weir::channel<int> signals{1};
  const signal_watch watch(signals);  // first: before any other thread

  const weir::pool p{{.workers = 4, .queue = jobs}};
  for (int i = 1; i <= jobs; ++i) {
    p.post({.name = "job " + std::to_string(i)}, [each](const weir::context& ctx) {
      if (weir::select(weir::on_done(ctx), weir::after(each)) == 0) {  // work that looks around
        throw std::system_error(ctx.error());
      }
    });
  }
  std::cout << "working\n" << std::flush;

  weir::channel<std::monostate> drained;
  weir::go([p = &p, drained] {
    p->wait();
    drained.close();
  });
  const bool told = weir::select(weir::on_receive(drained), weir::on_receive(signals)) == 1;
  if (told) {
    p.close();
    const auto [ctx, cancel] = weir::with_timeout(weir::background(), grace);
    if (!p.wait(ctx)) {
      const weir::unrun_jobs left = p.stop();
      for (const auto& job : left.report().still_running)
        std::cout << "stopped: " << job.name << '\n';
      for (std::size_t i = 0; i < left.size(); ++i)
        std::cout << "never ran: " << left.name(i) << '\n';
    }
  }
  p.wait();
  (void)drained.receive();  // whoever waits for the pool has gone before it goes
  std::cout << "done: " << p.stats().done << " of " << jobs << '\n';
  return told ? 143 : 0;
}
