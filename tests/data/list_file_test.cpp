#include "data/list_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ir/error.h"
#include "tests/testing.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

class ListFileTest : public ::testing::Test {
 protected:
  fs::path write(const std::string& text, const std::string& name = "list.csv") {
    std::ofstream(scratch_ / name, std::ios::binary) << text;
    return scratch_ / name;
  }
  std::string message(const std::string& text) { return message_of(write(text)); }
  static std::string message_of(const fs::path& file, const ListOptions& options = {}) {
    return testing::error_of([&] { read_list(file, options); });
  }
  std::string at(const std::string& line) { return (scratch_ / "list.csv").string() + ":" + line; }

  testing::ScratchDir scratch_;
};

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(ListFileTest, spaced_form_gives_paths_labels_and_lines) {
  const ListFile list = read_list(write("# clips\n\na.mp4 3\r\nsub/b.avi -1\n"));
  ASSERT_EQ(list.entries.size(), 2u);
  EXPECT_EQ(list.entries[0].path, scratch_ / "a.mp4");
  EXPECT_EQ(list.entries[0].label, "3");
  EXPECT_EQ(list.entries[0].line, 3);
  EXPECT_EQ(list.entries[1].path, scratch_ / "sub/b.avi");
  EXPECT_EQ(list.place(list.entries[1]), at("4"));
}

TEST_F(ListFileTest, a_spaced_path_without_a_dot_gets_mp4_unless_it_is_a_folder) {
  fs::create_directory(scratch_ / "frames");
  const fs::path file = write("id.1/clip 0\nframes 0\nx.mkv 0\n");
  const ListFile list = read_list(file);
  EXPECT_EQ(list.entries[0].path, scratch_ / "id.1/clip.mp4");
  EXPECT_EQ(list.entries[1].path, scratch_ / "frames");
  EXPECT_EQ(list.entries[2].path, scratch_ / "x.mkv");
  EXPECT_EQ(read_list(file, {.append_mp4 = false}).entries[0].path, scratch_ / "id.1/clip");
}

TEST_F(ListFileTest, the_reference_reads_only_the_first_two_fields) {
  const ListFile list = read_list(write("a.mp4 1 99\n"));
  EXPECT_EQ(list.entries[0].path, scratch_ / "a.mp4");
  EXPECT_EQ(list.entries[0].label, "1");
}

TEST_F(ListFileTest, relative_paths_start_at_the_root_where_one_is_given) {
  fs::create_directory(scratch_ / "videos");
  const ListFile list = read_list(write("a.mp4 0\n/abs/b.mp4 0\n"), {.root = scratch_ / "videos"});
  EXPECT_EQ(list.entries[0].path, scratch_ / "videos/a.mp4");
  EXPECT_EQ(list.entries[1].path, "/abs/b.mp4");
  EXPECT_THAT(message_of(write("a.mp4 0\n"), {.root = scratch_ / "none"}), HasSubstr("none"));
}

TEST_F(ListFileTest, a_header_chooses_the_path_and_label_columns) {
  const ListFile list = read_list(
      write("\xEF\xBB\xBFperson,label,path\r\np1,anger,a.mp4\r\np2,,b\r\n# c\r\np3,4,c.mp4\r\n"));
  ASSERT_EQ(list.entries.size(), 3u);
  EXPECT_EQ(list.entries[0].label, "anger");
  EXPECT_EQ(list.entries[1].label, std::nullopt);
  EXPECT_EQ(list.entries[1].path, scratch_ / "b") << "only the spaced form appends .mp4";
  EXPECT_EQ(list.entries[2].label, "4");
  EXPECT_EQ(list.entries[2].line, 5);
}

TEST_F(ListFileTest, a_single_column_is_a_csv_too) {
  const ListFile list = read_list(write("file\nmy clip.mp4\n"));
  EXPECT_EQ(list.entries[0].path, scratch_ / "my clip.mp4");
  EXPECT_EQ(list.entries[0].label, std::nullopt);
}

TEST_F(ListFileTest, quoted_fields_hold_commas_and_quotes) {
  const ListFile list = read_list(write("file,label,note\n\"a, \"\"b\"\".mp4\",\"x\",\"\"\n"));
  EXPECT_EQ(list.entries[0].path, scratch_ / "a, \"b\".mp4");
  EXPECT_EQ(list.entries[0].label, "x");
  EXPECT_THAT(message("file\n\"a.mp4\n"), StartsWith(at("2") + ": a quoted field has no closing"));
  EXPECT_THAT(message("file\n\"a.mp4\"x\n"), StartsWith(at("2") + ": expected a comma"));
}

TEST_F(ListFileTest, a_row_of_another_length_names_its_line) {
  EXPECT_EQ(message("file,label\na.mp4,1\nb.mp4\n"), at("3") + ": 1 fields where the header has 2");
  EXPECT_EQ(message("file,label\n,1\n"), at("2") + ": the path is empty");
}

TEST_F(ListFileTest, a_wrong_separator_names_the_line_and_the_form_expected) {
  for (const char* text : {"a.mp4\t0\n", "a.mp4;0\n", "a.mp4,0\n", "a.mp4\n", "file;label\na;1\n",
                           "name,label\na.mp4,1\n", " a.mp4 0\n"}) {
    const std::string got = message(text);
    EXPECT_THAT(got, StartsWith(at("1") + ": expected '<path> <integer>'")) << text;
    EXPECT_EQ(got.find('\n'), std::string::npos);
  }
  EXPECT_THAT(message("a.mp4 0\nb.mp4\t0\n"), StartsWith(at("2") + ": expected"));
}

TEST_F(ListFileTest, a_spaced_label_must_be_an_integer) {
  for (const char* label : {"happy", "1.5", "", "0x1", "99999999999999999999", " 1", "+"})
    EXPECT_THAT(message("a.mp4 0\nb.mp4 " + std::string(label) + "|\n"), StartsWith(at("2")));
  EXPECT_THAT(message("a.mp4 happy\n"), HasSubstr("must be an integer; got 'happy'"));
  EXPECT_THAT(message("a.mp4  1\n"), HasSubstr("must be an integer"));
  EXPECT_THAT(message("my clip.mp4 1\n"), HasSubstr("CSV form"));
}

TEST_F(ListFileTest, lists_that_name_nothing_are_refused) {
  const std::string file = (scratch_ / "list.csv").string();
  for (const char* text : {"", "\n\n", "# only a comment\n", "file,label\n"})
    EXPECT_EQ(message(text), file + ": the list names no clips") << text;
  EXPECT_EQ(message_of(scratch_ / "none.csv"),
            (scratch_ / "none.csv").string() + ": the list file does not exist");
  EXPECT_THAT(message_of(scratch_.path()), HasSubstr("not a regular file"));
}

TEST_F(ListFileTest, binary_files_and_endless_lines_are_refused) {
  EXPECT_EQ(message(std::string("a.mp4 0\nb\0c 0\n", 14)), at("2") + ": not a text file");
  EXPECT_THAT(message(std::string(100'000, 'x') + " 0\n"),
              StartsWith(at("1") + ": a line of more than 65536 bytes"));
}

TEST_F(ListFileTest, the_face_clips_list_has_43_clips) {
  const auto shared = testing::shared_dir();
  if (!shared) GTEST_SKIP() << "no ../shared beside the checkout";
  const ListFile list = read_list(*shared / "data/faces/clips.csv");
  ASSERT_EQ(list.entries.size(), 43u);
  EXPECT_EQ(list.entries[0].path, *shared / "data/faces/crema1001_anger.mp4");
  EXPECT_EQ(list.entries[0].label, "anger");
  int labelled = 0;
  for (const ListEntry& entry : list.entries) {
    labelled += entry.label.has_value();
    EXPECT_TRUE(fs::exists(entry.path)) << entry.path;
  }
  EXPECT_EQ(labelled, 6);
}

}  // namespace
}  // namespace grimace
