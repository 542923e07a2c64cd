// SPDX-License-Identifier: MIT
#pragma once
// A PostgreSQL server of the test's own, in a temporary directory, and connections to it.
#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace weir_test {

/// Runs a program to its end, without a shell, its output into `log`; as `user`, if that is set.
class program {
 public:
  program(std::vector<std::string> words, std::string log, const passwd* user)
      : words_(std::move(words)), log_(std::move(log)), user_(user) {
    for (std::string& w : words_) argv_.push_back(w.data());
    argv_.push_back(nullptr);
  }
  [[nodiscard]] pid_t start() {
    const pid_t parent = getpid();
    const int log = open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const pid_t child = fork();
    if (child != 0) {
      close(log);
      return child;
    }
    // Only what is safe after a fork from a program with threads.
    if (dup2(log, STDOUT_FILENO) != -1) dup2(log, STDERR_FILENO);
    if (user_ != nullptr && (setgid(user_->pw_gid) != 0 || setuid(user_->pw_uid) != 0)) _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);  // for a server that the test leaves behind; after setuid
    if (getppid() != parent) _exit(125);
    execv(argv_[0], argv_.data());
    _exit(127);
  }
  [[nodiscard]] bool run() {
    int status = 0;
    return waitpid(start(), &status, 0) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  std::vector<std::string> words_;
  std::string log_;
  const passwd* user_;
  std::vector<char*> argv_;
};

/// Where Debian keeps the newest server's programs, if it has one.
inline std::optional<std::string> postgres_programs() {
  std::optional<std::string> found;
  std::error_code none;
  for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
    const std::string bin = version.path() / "bin";
    if (std::filesystem::exists(bin + "/initdb") && (!found || bin > *found)) found = bin;
  }
  return found;
}

/// A server that lives as long as this, and listens on a socket in its own directory only.
class postgres_server {
 public:
  explicit postgres_server(std::string programs) : programs_(std::move(programs)) {
    std::string pattern = std::filesystem::temp_directory_path() / "weirpgXXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = pattern;
    log_ = directory_ + "/log";
    std::ofstream{log_};
    if (geteuid() == 0) {  // as which the server refuses to run
      user_ = getpwnam("postgres");
      if (user_ == nullptr) user_ = getpwnam("nobody");
      for (const std::string& path : {directory_, log_}) {
        if (user_ == nullptr || chown(path.c_str(), user_->pw_uid, user_->pw_gid) != 0)
          fail("chown");
      }
    }
    if (!program({programs_ + "/initdb", "--pgdata=" + data(), "--username=weir", "--auth=trust",
                  "--no-sync", "--encoding=UTF8", "--locale=C"},
                 log_, user_)
             .run()) {
      fail("initdb");
    }
    start();
  }
  postgres_server(const postgres_server&) = delete;
  postgres_server& operator=(const postgres_server&) = delete;
  ~postgres_server() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  void start() {
    server_ = program({programs_ + "/postgres", "-D", data(), "-k", directory_, "-c",
                       "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=20", "-c",
                       "shared_buffers=16MB", "-c", "dynamic_shared_memory_type=mmap"},
                      log_, user_)
                  .start();
    // Until it answers. Each try waits for the server's word, or is refused at once.
    for (int tries = 0; PQping(address("ping").c_str()) != PQPING_OK; ++tries) {
      if (tries == 1000 || waitpid(server_, nullptr, WNOHANG) == server_) fail("start");
      (void)program({"/bin/sleep", "0.02"}, log_, nullptr).run();
    }
  }
  /// At once: every connection breaks.
  void stop() {
    if (server_ == 0) return;
    kill(server_, SIGQUIT);
    waitpid(std::exchange(server_, 0), nullptr, 0);
  }
  [[nodiscard]] std::string address(const std::string& application) const {
    return "host=" + directory_ + " user=weir dbname=postgres application_name=" + application +
           " options='-c client_min_messages=error'";
  }

 private:
  [[nodiscard]] std::string data() const { return directory_ + "/data"; }
  [[noreturn]] void fail(const std::string& what) {
    std::ifstream in(log_);
    const std::string said((std::istreambuf_iterator<char>(in)), {});
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
    throw std::runtime_error("postgres: " + what + " failed: " + said);
  }

  std::string programs_;
  std::string directory_;
  std::string log_;
  const passwd* user_ = nullptr;
  pid_t server_ = 0;
};

/// A connection. Its calls block the thread.
class connection {
 public:
  explicit connection(const std::string& address) : c_(PQconnectdb(address.c_str())) {
    if (PQstatus(c_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(c_.get()));
  }
  /// Runs one statement; its first value, empty if there is none. Throws what the server says.
  std::string execute(const std::string& sql) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> r(PQexec(c_.get(), sql.c_str()), &PQclear);
    const auto status = PQresultStatus(r.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw std::runtime_error(PQerrorMessage(c_.get()));
    }
    return PQntuples(r.get()) > 0 ? PQgetvalue(r.get(), 0, 0) : "";
  }
  [[nodiscard]] bool broken() const { return PQstatus(c_.get()) != CONNECTION_OK; }
  [[nodiscard]] int server_process() const { return PQbackendPID(c_.get()); }

 private:
  struct finish {
    void operator()(PGconn* c) const { PQfinish(c); }
  };
  std::unique_ptr<PGconn, finish> c_;
};

}  // namespace weir_test
