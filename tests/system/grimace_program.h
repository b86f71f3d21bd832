// The `grimace` program itself, run in its own process as a user runs it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/testing.h"

namespace grimace::testing {

using Words = std::vector<std::string>;
Words operator+(Words first, const Words& second);

struct Outcome {
  int exit_code = -1;  // 128 + the signal where one ended it, as shells say it
  std::string out;
  std::string err;
};

class Program {
 public:
  explicit Program(const Words& arguments);
  ~Program();  // ends it if it still runs
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  bool running();
  void send(int signal);
  // Waits for its end. A program that takes minutes is killed.
  Outcome wait();

 private:
  ScratchDir scratch_;
  pid_t pid_ = -1;
  int status_ = -1;
};

Outcome run_grimace(const Words& arguments);

// What every refusal of bad input has: exit code 2 and one line on stderr, its last, that is an
// error and names `place`. Lines that tell what the run was about to do may come before it.
void expect_refused(const Outcome& outcome, const std::string& place);

}  // namespace grimace::testing
