// SPDX-License-Identifier: MIT
// How many CPUs we may use, on made-up cgroup trees.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "port/cpus.hpp"

namespace {

namespace fs = std::filesystem;

class cgroup_test : public testing::Test {
 protected:
  cgroup_test() {
    std::string name = (fs::temp_directory_path() / "weir-cgroup-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~cgroup_test() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  /// A v2 machine whose process is in `group`.
  void v2(const std::string& group) const {
    write("proc/self/cgroup", "0::" + group + "\n");
    write("proc/self/mountinfo",
          "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  }
  [[nodiscard]] int limit() const { return weir::port::cgroup_cpu_limit(root_.string()); }

  fs::path root_;
};

TEST_F(cgroup_test, without_cgroups_there_is_no_limit) { EXPECT_EQ(limit(), 0); }

TEST_F(cgroup_test, v2_max_is_no_limit) {
  v2("/app");
  write("sys/fs/cgroup/app/cpu.max", "max 100000\n");
  EXPECT_EQ(limit(), 0);
}

TEST_F(cgroup_test, v2_a_quota_is_rounded_up) {
  v2("/app");
  write("sys/fs/cgroup/app/cpu.max", "150000 100000\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(cgroup_test, a_quota_below_one_cpu_is_one) {
  v2("/app");
  write("sys/fs/cgroup/app/cpu.max", "20000 100000\n");
  EXPECT_EQ(limit(), 1);
  EXPECT_GE(weir::port::usable_cpus(), 1);
}

TEST_F(cgroup_test, v2_an_ancestors_tighter_quota_counts) {
  v2("/pod/app/worker");
  write("sys/fs/cgroup/pod/cpu.max", "300000 100000\n");
  write("sys/fs/cgroup/pod/app/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/pod/app/worker/cpu.max", "800000 100000\n");
  EXPECT_EQ(limit(), 3);
}

TEST_F(cgroup_test, v1_quota_and_period) {
  write("proc/self/cgroup", "4:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n");
  write("proc/self/mountinfo",
        "31 20 0:27 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), 3);
}

TEST_F(cgroup_test, v1_minus_one_is_no_limit) {
  write("proc/self/cgroup", "4:cpu:/\n");
  write("proc/self/mountinfo", "31 20 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), 0);
}

TEST_F(cgroup_test, nonsense_in_the_files_is_no_limit) {
  v2("/app");
  write("sys/fs/cgroup/app/cpu.max", "lots of it\n");
  EXPECT_EQ(limit(), 0);
  write("proc/self/cgroup", "no colons at all\n::\n0::\n");
  write("proc/self/mountinfo", " - \nshort - cgroup2\n");
  EXPECT_EQ(limit(), 0);
}

}  // namespace
