// SPDX-License-Identifier: MIT
// How much memory there is, on made-up trees of /proc and cgroups.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "port/memory.hpp"

namespace {

namespace fs = std::filesystem;

class memory_limits_test : public testing::Test {
 protected:
  memory_limits_test() {
    std::string name = (fs::temp_directory_path() / "weir-memory-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~memory_limits_test() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void v2(const std::string& group) const {
    write("proc/self/cgroup", "0::" + group + "\n");
    write("proc/self/mountinfo",
          "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  }
  [[nodiscard]] std::int64_t available() const {
    return weir::port::available_memory(root_.string());
  }
  [[nodiscard]] double pressure() const { return weir::port::memory_pressure(root_.string()); }

  fs::path root_;
};

TEST_F(memory_limits_test, where_nothing_says_there_is_no_limit) {
  EXPECT_EQ(available(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(pressure(), 0);
}

TEST_F(memory_limits_test, the_machine_says_what_is_available) {
  write("proc/meminfo", "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:    2000 kB\n");
  EXPECT_EQ(available(), 2000 * 1024);
}

TEST_F(memory_limits_test, a_group_or_one_above_it_may_have_less) {
  write("proc/meminfo", "MemAvailable: 1000000 kB\n");
  v2("/a/b");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "5000\n");
  write("sys/fs/cgroup/a/memory.max", "10000\n");
  write("sys/fs/cgroup/a/memory.current", "6000\n");
  write("sys/fs/cgroup/a/memory.stat", "anon 5000\ninactive_file 1000\nactive_file 0\n");
  EXPECT_EQ(available(), 10000 - 6000 + 1000);
}

TEST_F(memory_limits_test, v1_says_no_limit_with_a_huge_number) {
  write("proc/self/cgroup", "4:memory:/x\n");
  write("proc/self/mountinfo", "31 20 0:27 / /cg rw - cgroup cgroup rw,memory\n");
  write("cg/x/memory.limit_in_bytes", "9223372036854771712\n");
  write("cg/x/memory.usage_in_bytes", "1\n");
  EXPECT_EQ(available(), std::numeric_limits<std::int64_t>::max());
  write("cg/x/memory.limit_in_bytes", "100\n");
  EXPECT_EQ(available(), 99);
}

TEST_F(memory_limits_test, pressure_is_the_groups_or_the_machines) {
  write("proc/pressure/memory", "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1\n");
  EXPECT_EQ(pressure(), 12.5);
  v2("/a");
  write("sys/fs/cgroup/a/memory.pressure", "some avg10=3.25 avg60=0.00 total=1\n");
  EXPECT_EQ(pressure(), 3.25);
}

}  // namespace
