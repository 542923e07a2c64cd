// SPDX-License-Identifier: MIT
// pool<State>: each worker has something of its own, made when it starts, for which its jobs need
// no lock: here a session that is dear to open, and a buffer that is used again and again.
//   example_worker_state
#include <weir/weir.hpp>

#include <atomic>
#include <iostream>
#include <string>
#include <vector>

namespace {

/// Stands for a connection, a parser, a random generator…
class session {
 public:
  explicit session(int number) : number_(number) { buffer_.reserve(1024); }
  std::size_t ask(const std::string& question) {
    ++questions_;
    buffer_.assign(question);
    buffer_ += '?';
    return buffer_.size();
  }
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] int questions() const { return questions_; }

 private:
  int number_;
  int questions_ = 0;
  std::string buffer_;
};

struct answer {
  std::size_t length;
  int session;
};

}  // namespace

int main() {
  std::atomic<int> opened{0};
  // A session that cannot be opened (an exception) stops the pool: futures say "cancelled", and
  // crew.ctx().cause() says why.
  const weir::pool<session> crew{{.workers = 3, .queue = 16}, [&] { return session(++opened); }};

  std::vector<weir::future<answer>> answers;
  answers.reserve(300);
  for (int i = 0; i < 300; ++i)  // a full queue holds this loop up
    answers.push_back(crew.submit([question = std::string(10, 'a')](session& own) {
      return answer{own.ask(question), own.number()};
    }));

  std::size_t length = 0;
  bool of_the_crew = true;
  for (auto& future : answers) {
    const answer a = future.get();
    length += a.length;
    of_the_crew = of_the_crew && a.session >= 1 && a.session <= 3;
  }
  std::cout << "300 answers of " << length << " letters\n"
            << (of_the_crew && opened <= 3 ? "at most 3 sessions\n" : "too many sessions\n");
}
