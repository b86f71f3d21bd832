#include "tests/system/grimace_program.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

constexpr auto kPatience = std::chrono::minutes(3);

// In the child, where only async-signal-safe calls are allowed.
[[noreturn]] void become_grimace(char* const* words, const char* out, const char* err) {
  const int flags = O_WRONLY | O_CREAT | O_TRUNC;
  const bool ready = dup2(open("/dev/null", O_RDONLY), STDIN_FILENO) >= 0 &&
                     dup2(open(out, flags, 0600), STDOUT_FILENO) >= 0 &&
                     dup2(open(err, flags, 0600), STDERR_FILENO) >= 0;
  if (ready) execv(words[0], words);
  _exit(127);
}

}  // namespace

Words operator+(Words first, const Words& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Program::Program(const Words& arguments) {
  Words words = Words{GRIMACE_PROGRAM} + arguments;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const std::string out = scratch_ / "out";
  const std::string err = scratch_ / "err";
  for (const std::string& path : {out, err})
    std::ofstream{path};  // it may be killed before its start
  pid_ = fork();
  internal_check(pid_ >= 0, "cannot start a process");
  if (pid_ == 0) become_grimace(pointers.data(), out.c_str(), err.c_str());
}

Program::~Program() {
  if (running()) {
    send(SIGKILL);
    wait();
  }
}

bool Program::running() {
  if (pid_ < 0) return false;
  if (waitpid(pid_, &status_, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void Program::send(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

Outcome Program::wait() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (running()) {
    if (std::chrono::steady_clock::now() > deadline) send(SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const int code = WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
  return {code, file_text(scratch_ / "out"), file_text(scratch_ / "err")};
}

Outcome run_grimace(const Words& arguments) {
  return Program(arguments).wait();
}

void expect_refused(const Outcome& outcome, const std::string& place) {
  constexpr const char* kError = "grimace: error: ";
  constexpr size_t kReadable = 400;
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  ASSERT_TRUE(outcome.err.ends_with('\n')) << outcome.err;
  const size_t before = outcome.err.rfind('\n', outcome.err.size() - 2);
  const std::string last = outcome.err.substr(before == std::string::npos ? 0 : before + 1);
  EXPECT_TRUE(last.starts_with(kError)) << outcome.err;
  EXPECT_EQ(outcome.err.find("error:"), outcome.err.rfind("error:")) << outcome.err;
  EXPECT_THAT(last, ::testing::HasSubstr(place));
  EXPECT_LE(last.size(), kReadable + place.size()) << last;
}

}  // namespace grimace::testing
