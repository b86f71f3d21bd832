// What the README says is so: its C++ example compiles and runs, and its files are there.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "tests/docs/cpp_api_example.h"
#include "tests/docs/page.h"
#include "tools/command_line.h"

namespace grimace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Readme, shows_the_example_that_is_compiled) {
  EXPECT_THAT(testing::page("README.md"),
              HasSubstr(testing::code_block("tests/docs/cpp_api_example.h")));
}

TEST(Readme, has_an_example_that_fits_the_line) {
  ::testing::internal::CaptureStdout();
  fit_a_line();
  const std::string printed = ::testing::internal::GetCapturedStdout();
  EXPECT_THAT(printed, HasSubstr("weight 3.00, bias 1.00"));
  EXPECT_THAT(printed, HasSubstr("graph line {"));
}

TEST(Readme, is_at_most_150_lines) {
  const std::string text = testing::page("README.md");
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 150);
}

TEST(Readme, has_the_exit_codes_of_the_help) {
  const char* const words[] = {"grimace", "--help"};
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(run_command_line(2, words), 0);
  const std::string help = ::testing::internal::GetCapturedStdout();
  const size_t codes = help.find("Exit codes: 0 done, ");
  ASSERT_NE(codes, std::string::npos);
  EXPECT_THAT(testing::page("README.md"), HasSubstr("\n" + help.substr(codes)));
}

TEST(Readme, has_a_line_that_verifies_every_golden_file) {
  const std::string readme = testing::page("README.md");
  std::smatch line;
  ASSERT_TRUE(std::regex_search(readme, line, std::regex("`grimace (verify [^`]*)`")));
  const std::string words = std::regex_replace(line[1].str(), std::regex("\n"), " ");
  const testing::ScratchDir scratch;
  const std::string said = (scratch / "said.txt").string();
  ASSERT_EQ(std::system(cat("cd ", testing::repository_dir().string(), " && ", GRIMACE_PROGRAM, " ",
                            words, " > ", said)
                            .c_str()),
            0)
      << testing::file_text(said);
  EXPECT_THAT(testing::file_text(said),
              AllOf(HasSubstr("vit_finetune_tiny.safetensors: PASS, "),
                    HasSubstr("optim_tiny.safetensors: SKIPPED, kind optimizer is for f32 and f64 "
                              "only\n")));
}

// Every relative link of every page; a link's part after # is not looked up.
TEST(Docs, link_to_files_that_exist) {
  const auto root = testing::repository_dir();
  std::vector<std::filesystem::path> pages{root / "README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(root / "docs"))
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  const std::regex link(R"(\]\(([^)#:\s]+)(#[^)]*)?\))");
  int links = 0;
  for (const auto& path : pages) {
    const std::string text = testing::page(std::filesystem::relative(path, root));
    for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it, ++links)
      EXPECT_TRUE(std::filesystem::exists(path.parent_path() / (*it)[1].str()))
          << path << " links to " << (*it)[1];
  }
  EXPECT_GT(links, 5);
}

}  // namespace
}  // namespace grimace
