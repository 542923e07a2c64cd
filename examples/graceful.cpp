// SPDX-License-Identifier: MIT
// A graceful end on SIGTERM or SIGINT: no new jobs; what there is may end within the grace; then
// the rest is told to stop, and what never ran, and what did not end in time, is reported by name.
// The exit code is 0 if nothing was left. A second signal ends the program at once.
//   example_graceful <jobs> <milliseconds each> <milliseconds of grace>
#include <weir/weir.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <system_error>

using std::chrono::milliseconds;

namespace {

/// Some work that looks at its context, as each that takes long should.
void work(const weir::context& ctx, const std::string& name, milliseconds duration) {
  std::cout << name + " began\n" << std::flush;
  const bool ended = weir::sleep_for(ctx, duration);
  std::cout << name + (ended ? " ended\n" : " was cut short\n") << std::flush;
}

/// Posts the jobs: all of them, or those for which there is room until the pool is closed.
void post_jobs(const weir::pool<>& crew, int jobs, milliseconds each) {
  int posted = 0;
  try {
    for (; posted < jobs; ++posted) {
      const std::string name = "job " + std::to_string(posted + 1);
      crew.post({.name = name}, [=](const weir::context& ctx) { work(ctx, name, each); });
    }
  } catch (const std::system_error& e) {
    if (e.code() != weir::errc::closed) throw;
  }
  std::cout << "posted " + std::to_string(posted) + " jobs\n" << std::flush;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: example_graceful <jobs> <milliseconds each> <milliseconds of grace>\n";
    return 2;
  }
  const int jobs = std::atoi(argv[1]);
  const milliseconds each(std::atoi(argv[2])), grace(std::atoi(argv[3]));

  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before there is any other thread: they inherit it

  const weir::pool crew{{.workers = 2}};
  // Who posts may have to wait for room, for as long as jobs take: that is not for who waits for
  // signals.
  weir::wait_group posting;
  posting.go([&] { post_jobs(crew, jobs, each); });

  int signal = 0;
  sigwait(&ends, &signal);  // main is a thread, and may block; a task would use weir::blocking
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);

  crew.close();  // a post that waits throws errc::closed
  posting.wait();
  auto [ctx, cancel] = weir::with_timeout(weir::background(), grace);
  if (crew.wait(ctx)) {
    std::cout << "all jobs have ended\n";
    return 0;
  }
  const weir::unrun_jobs unrun = crew.stop();
  for (std::size_t i = 0; i < unrun.size(); ++i) std::cout << unrun.name(i) + " never ran\n";
  for (const weir::running_job& job : unrun.report().still_running)
    std::cout << job.name + " still runs\n";
  std::cout << std::flush;
  crew.wait();  // they look at their contexts; if one might not: std::_Exit(1) instead
  return 1;
}
