// What main does before anything else (tools/main.cpp), as OpenMP itself shows it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "tests/system/grimace_program.h"

namespace grimace::testing {
namespace {

using ::testing::HasSubstr;

const std::map<std::string, std::string> kHowThreadsRun = {{"GOMP_SPINCOUNT", "7"},
                                                           {"OMP_WAIT_POLICY", "passive"},
                                                           {"OMP_PROC_BIND", "true"},
                                                           {"OMP_PLACES", "cores"},
                                                           {"GOMP_CPU_AFFINITY", "0"}};

// A test's programs see only the variables that it sets.
class ProgramStart : public ::testing::Test {
 protected:
  ProgramStart() {
    for (const auto& [name, value] : kHowThreadsRun) {
      if (const char* outer = std::getenv(name.c_str())) outer_[name] = outer;
      unsetenv(name.c_str());
    }
    setenv("OMP_DISPLAY_ENV", "verbose", 1);
  }
  ~ProgramStart() override {
    unsetenv("OMP_DISPLAY_ENV");
    for (const auto& [name, value] : outer_) setenv(name.c_str(), value.c_str(), 1);
  }

  static Outcome run_with(const std::string& variable, const Words& arguments) {
    setenv(variable.c_str(), kHowThreadsRun.at(variable).c_str(), 1);
    const Outcome outcome = run_grimace(arguments);
    unsetenv(variable.c_str());
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome;
  }
  // OpenMP shows its variables once for each start of the program.
  static int starts(const Outcome& outcome) {
    const std::string shown = "OPENMP DISPLAY ENVIRONMENT BEGIN";
    int count = 0;
    for (size_t at = 0; (at = outcome.err.find(shown, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  static std::string first_line(const Outcome& outcome) {
    return outcome.out.substr(0, outcome.out.find('\n'));
  }

 private:
  std::map<std::string, std::string> outer_;
};

TEST_F(ProgramStart, is_repeated_with_threads_that_spin_for_a_short_time) {
  const Outcome outcome = run_grimace({"--version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(starts(outcome), 2);
  EXPECT_THAT(outcome.err, HasSubstr("GOMP_SPINCOUNT = '10000'"));
}

TEST_F(ProgramStart, leaves_alone_whoever_says_how_threads_wait_or_where_they_run) {
  for (const auto& [name, value] : kHowThreadsRun)
    EXPECT_EQ(starts(run_with(name, {"--version"})), 1) << name;
}

// A second start would take the one core of the first thread for all that there are.
TEST_F(ProgramStart, binding_threads_to_cores_leaves_them_every_core) {
  const Words verify{"verify", "--backend", "cpu",
                     repository_dir() / "tests/golden/vit_finetune_tiny.safetensors"};
  const std::string free = first_line(run_grimace(verify));
  EXPECT_THAT(free, HasSubstr(" thread"));
  if (free.find(" 1 thread,") != std::string::npos) GTEST_SKIP() << "there is one core";
  for (const char* name : {"OMP_PROC_BIND", "OMP_PLACES"})
    EXPECT_EQ(first_line(run_with(name, verify)), free) << name;
}

}  // namespace
}  // namespace grimace::testing
