// PyTorch files that are damaged or made to harm, more than a hundred: each is one Error of one
// line, in little time and memory, and nothing that they ask for happens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <fstream>

#include "ir/error.h"
#include "ir/philox.h"
#include "runtime/weights.h"
#include "tests/runtime/hostile_pth.h"
#include "tests/runtime/pth_forge.h"
#include "tests/testing.h"

namespace grimace::testing {
namespace {

using ::testing::HasSubstr;

constexpr double kMostSeconds = 0.1;
constexpr int64_t kMostKilobytes = 64 << 10;

struct Outcome {
  std::string error;
  double seconds = 0.0;
  int64_t kilobytes = 0;  // the most it held
};

void read_all(const std::filesystem::path& path) {
  const Weights weights = open_weights(path);
  for (const std::string& name : weights.all_names()) (void)weights.tensor(name);
}

// In a process of its own, whose memory can be told from everything else. An empty path: nothing is
// read, for comparison.
Outcome read_in_child(const std::filesystem::path& path) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::string error;
    try {
      if (!path.empty()) read_all(path);
    } catch (const Error& e) {
      error = e.what();
    } catch (const std::exception& e) {
      error = cat("not an Error: ", e.what());
    }
    // Its own processor time, which other programs on the machine do not lengthen.
    const double seconds = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    error = little_endian(seconds) + error;
    const bool sent = write(ends[1], error.data(), error.size()) >= 0;
    _exit(sent ? 0 : 1);
  }
  close(ends[1]);
  Outcome outcome;
  std::string answer;
  char buffer[4096];
  for (ssize_t count; (count = read(ends[0], buffer, sizeof buffer)) > 0;)
    answer.append(buffer, static_cast<size_t>(count));
  close(ends[0]);
  int status = 0;
  struct rusage usage {};
  EXPECT_EQ(wait4(child, &status, 0, &usage), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "it crashed";
  EXPECT_GE(answer.size(), sizeof outcome.seconds);
  std::memcpy(&outcome.seconds, answer.data(), std::min(answer.size(), sizeof outcome.seconds));
  outcome.error = answer.substr(std::min(answer.size(), sizeof outcome.seconds));
  outcome.kilobytes = usage.ru_maxrss;
  return outcome;
}

TEST(HostilePth, every_kind_is_refused_quickly_in_little_memory_and_nothing_runs) {
  const ScratchDir dir;
  const std::string marker = dir / "executed";
  const std::filesystem::path path = dir / "x.pth";
  std::vector<HostileFile> files = hostile_pth_files(marker);
  EXPECT_GE(files.size(), 100u);
  double slowest = 0.0;
  int64_t most = 0;
  for (HostileFile& file : files) {
    SCOPED_TRACE(file.name);
    std::ofstream(path, std::ios::binary) << file.bytes;
    file.bytes = {};
    malloc_trim(0);  // a child would use what is free here without being seen to
    const int64_t before = read_in_child({}).kilobytes;
    const Outcome outcome = read_in_child(path);
    EXPECT_THAT(outcome.error, HasSubstr(file.complaint));
    EXPECT_THAT(outcome.error, HasSubstr("x.pth"));
    EXPECT_EQ(outcome.error.find('\n'), std::string::npos);
    EXPECT_LT(outcome.error.size(), 500u);
    EXPECT_LT(outcome.seconds, kMostSeconds);
    EXPECT_LT(outcome.kilobytes - before, kMostKilobytes);
    slowest = std::max(slowest, outcome.seconds);
    most = std::max(most, outcome.kilobytes - before);
  }
  EXPECT_FALSE(std::filesystem::exists(marker));
  RecordProperty("files", static_cast<int>(files.size()));
  RecordProperty("slowest_ms", static_cast<int>(slowest * 1000));
  RecordProperty("most_kilobytes", static_cast<int>(most));
}

TEST(HostilePth, the_file_that_the_others_are_made_from_is_accepted) {
  const ScratchDir dir;
  std::ofstream(dir / "x.pth", std::ios::binary) << pth_with(ForgedTensor()).bytes();
  EXPECT_EQ(read_in_child(dir / "x.pth").error, "");
}

TEST(HostilePth, every_truncation_and_random_damage_is_an_error_or_harmless) {
  const ScratchDir dir;
  const std::filesystem::path path = dir / "x.pth";
  const std::string good = pth_with(ForgedTensor()).bytes();
  const auto accepted = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      read_all(path);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(accepted(good.substr(0, length))) << "cut to " << length;
  PhiloxStream random(1, stream_id("damage"));
  for (int round = 0; round < 1000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 1 + round % 4; ++i)
      bytes[static_cast<size_t>(random.uniform(0.0, static_cast<double>(bytes.size())))] =
          static_cast<char>(random.uniform(0.0, 256.0));
    accepted(bytes);  // any other exception, or a crash, fails the test
  }
}

}  // namespace
}  // namespace grimace::testing
