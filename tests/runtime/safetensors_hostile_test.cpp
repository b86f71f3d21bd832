// Safetensors files that are damaged or made to harm: each is one Error of one line, never a crash,
// a hang or a wrong number.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "ir/philox.h"
#include "runtime/safetensors.h"
#include "tests/testing.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string with_length(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

// The error of opening and reading everything.
std::string error_of(const fs::path& path) {
  return testing::error_of([&] {
    const SafetensorsFile file(path);
    file.verify();
    for (const std::string& name : file.names()) (void)file.tensor(name);
  });
}

class HostileFile : public ::testing::Test {
 protected:
  std::string error_of_header(const std::string& header, size_t data_bytes = 8) {
    write_file(path_, with_length(header, std::string(data_bytes, '\1')));
    const std::string error = error_of(path_);
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    EXPECT_LT(error.size(), 600u);
    return error;
  }
  std::string save_small() {
    std::vector<float> values(40);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.37f;
    const Tensor a = Tensor::from<float>({5, 8}, values);
    const Tensor b(DType::u8, {5});
    save_safetensors(path_, std::vector<NamedView>{{"layer.weight", a.view()}, {"m", b.view()}},
                     {{"config", "{\"depth\":2}"}, {"kind", "pretrain"}});
    return testing::file_text(path_);
  }
  testing::ScratchDir dir_;
  const fs::path path_ = dir_ / "x.safetensors";
};

TEST_F(HostileFile, a_good_header_is_accepted) {
  EXPECT_EQ(error_of_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
            "no error");
  EXPECT_EQ(error_of_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   )"),
            "no error");
}

TEST_F(HostileFile, every_truncation_is_detected) {
  const std::string whole = save_small();
  ASSERT_EQ(error_of(path_), "no error");
  for (size_t length = 0; length < whole.size(); ++length) {
    write_file(path_, whole.substr(0, length));
    EXPECT_NE(error_of(path_), "no error") << "cut to " << length;
  }
  write_file(path_, whole + "x");
  EXPECT_THAT(error_of(path_), HasSubstr("something appended"));
}

TEST_F(HostileFile, every_single_flipped_bit_is_detected) {
  const std::string whole = save_small();
  const int fd = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      const char flipped = static_cast<char>(whole[at] ^ (1 << bit));
      ASSERT_EQ(pwrite(fd, &flipped, 1, static_cast<off_t>(at)), 1);
      EXPECT_NE(error_of(path_), "no error") << "byte " << at << " bit " << bit;
    }
    ASSERT_EQ(pwrite(fd, &whole[at], 1, static_cast<off_t>(at)), 1);
  }
  close(fd);
  EXPECT_EQ(error_of(path_), "no error");
}

TEST_F(HostileFile, random_garbage_over_a_file_without_checksums_never_crashes) {
  const std::string whole = with_length(
      R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
      R"("b":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]}})",
      std::string(19, '\1'));
  PhiloxStream random(7, stream_id("garbage"));
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = whole;
    for (uint64_t i = 0; i <= random.below(6); ++i)
      bytes[random.below(bytes.size())] = static_cast<char>(random.next_u32());
    write_file(path_, bytes);
    refused += error_of(path_) != "no error";
  }
  EXPECT_GT(refused, 2000);
}

TEST_F(HostileFile, the_damaged_tensor_is_named_and_the_others_can_be_read) {
  std::string whole = save_small();
  whole[whole.size() - 20] ^= 4;
  write_file(path_, whole);
  const auto damage =
      HasSubstr("x.safetensors: tensor \"layer.weight\" does not match its checksum");
  EXPECT_THAT(error_of(path_), damage);
  const SafetensorsFile file(path_);
  EXPECT_EQ(file.tensor("m").numel(), 5);
  EXPECT_THAT(testing::error_of([&] { file.tensor("layer.weight"); }), damage);
}

TEST_F(HostileFile, lengths_of_the_header_are_checked_before_use) {
  for (const uint64_t length : {uint64_t{3}, uint64_t{1} << 20, ~uint64_t{0}, uint64_t{1} << 63}) {
    std::string bytes = with_length("{}", "");
    std::memcpy(bytes.data(), &length, sizeof length);
    write_file(path_, bytes);
    EXPECT_THAT(error_of(path_), HasSubstr("claims a header of")) << length;
  }
  write_file(path_, with_length("", "xx"));
  EXPECT_THAT(error_of(path_), HasSubstr("not valid UTF-8 JSON"));
}

TEST_F(HostileFile, a_header_beyond_the_limit_is_refused_unread) {
  std::string start = with_length("{}", "");
  const uint64_t length = 100'000'001;
  std::memcpy(start.data(), &length, sizeof length);
  write_file(path_, start);
  fs::resize_file(path_, 200'000'000);  // a hole: takes no disk
  EXPECT_THAT(error_of(path_), HasSubstr("limit 100000000"));
}

TEST_F(HostileFile, offsets_must_tile_the_data) {
  const auto two = [&](const char* a, const char* b) {
    return error_of_header(cat(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)", a,
                               R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)", b, "}}"));
  };
  EXPECT_EQ(two("[0,4]", "[4,8]"), "no error");
  EXPECT_EQ(two("[4,8]", "[0,4]"), "no error");
  EXPECT_THAT(two("[0,4]", "[3,7]"), HasSubstr("tensor \"b\" begins at byte 3"));
  EXPECT_THAT(two("[0,4]", "[0,4]"), HasSubstr("overlap"));
  EXPECT_THAT(two("[0,4]", "[5,9]"), HasSubstr("ends at byte 9 of the data, which has 8"));
  EXPECT_THAT(two("[1,5]", "[5,9]"), HasSubstr("tensor \"a\" begins at byte 1"));
  EXPECT_THAT(two("[0,4]", "[8,4]"), HasSubstr("data_offsets are [8, 4]"));
  EXPECT_THAT(two("[0,4]", "[4]"), HasSubstr("needs dtype, shape and two data_offsets"));
  EXPECT_THAT(two("[0,4]", "[4,8,12]"), HasSubstr("two data_offsets"));
  EXPECT_THAT(two("[0,4]", "[-4,0]"), HasSubstr("negative"));
  EXPECT_THAT(two("[0,4]", "[18446744073709551615,3]"), HasSubstr("no file can have"));
  EXPECT_THAT(error_of_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
              HasSubstr("begins at byte 4"));
  EXPECT_THAT(error_of_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})"),
              HasSubstr("fill 4 bytes of 8"));
}

TEST_F(HostileFile, shapes_are_checked_against_overflow_and_size) {
  const auto shaped = [&](const std::string& shape) {
    return error_of_header(
        cat(R"({"w":{"dtype":"F32","shape":)", shape, R"(,"data_offsets":[0,8]}})"));
  };
  EXPECT_THAT(shaped("[3]"), HasSubstr("tensor \"w\": f32[3] needs 12 bytes"));
  EXPECT_THAT(shaped("[4611686018427387906]"), HasSubstr("tensor \"w\""));
  EXPECT_THAT(shaped("[4294967296,4294967296]"), HasSubstr("2^40"));
  EXPECT_THAT(shaped("[9223372036854775807,9223372036854775807,4]"), HasSubstr("2^40"));
  EXPECT_THAT(shaped("[18446744073709551615]"), HasSubstr("no file can have"));
  EXPECT_THAT(shaped("[1e3]"), HasSubstr("fraction"));
  EXPECT_THAT(shaped("[2.0]"), HasSubstr("fraction"));
  EXPECT_THAT(shaped("[-2]"), HasSubstr("negative"));
  EXPECT_THAT(shaped("[99999999999999999999999]"), HasSubstr("fraction"));
  EXPECT_THAT(shaped("[1,1,1,1,1,1,1,1,2]"), HasSubstr("more than 8"));
  EXPECT_THAT(shaped("[[2]]"), HasSubstr("array"));
  EXPECT_THAT(shaped("2"), HasSubstr("number"));
  EXPECT_THAT(shaped("null"), HasSubstr("null"));
}

TEST_F(HostileFile, names_given_twice_are_refused) {
  const std::string a = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  EXPECT_THAT(error_of_header("{" + a + "," + a + "}", 4), HasSubstr("names \"a\" twice"));
  EXPECT_THAT(error_of_header(R"({"__metadata__":{"k":"1","k":"2"}})", 0),
              HasSubstr("metadata names \"k\" twice"));
  EXPECT_THAT(error_of_header(R"({"__metadata__":{},"__metadata__":{}})", 0), HasSubstr("twice"));
  EXPECT_THAT(
      error_of_header(R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
      HasSubstr("dtype is given twice"));
  EXPECT_THAT(
      error_of_header(R"({"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}})"),
      HasSubstr("shape is given twice"));
}

TEST_F(HostileFile, only_the_form_of_the_format_is_accepted) {
  EXPECT_THAT(error_of_header("[]"), HasSubstr("array"));
  EXPECT_THAT(error_of_header("7"), HasSubstr("number"));
  EXPECT_THAT(error_of_header("{"), HasSubstr("not valid UTF-8 JSON"));
  EXPECT_THAT(error_of_header("{} {}"), HasSubstr("not valid UTF-8 JSON"));
  EXPECT_THAT(error_of_header(R"({"a":"text"})"), HasSubstr("a string where it must not"));
  EXPECT_THAT(error_of_header(R"({"a":{"dtype":"U8"}})"), HasSubstr("needs dtype, shape"));
  EXPECT_THAT(error_of_header(R"({"__metadata__":{"k":1}})"), HasSubstr("number"));
  EXPECT_THAT(error_of_header(R"({"__metadata__":{"k":{}}})"), HasSubstr("object"));
  EXPECT_THAT(error_of_header(R"({"__metadata__":[]})"), HasSubstr("array"));
  EXPECT_THAT(error_of_header(R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})"),
              HasSubstr("element type \"F8_E4M3\" is not known"));
  EXPECT_THAT(error_of_header(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":true}})"),
              HasSubstr("a truth value"));
}

TEST_F(HostileFile, deep_nesting_and_text_that_is_not_utf8_are_refused) {
  EXPECT_NE(error_of_header(std::string(5'000'000, '[')), "no error");
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "{\"a\":";
  EXPECT_THAT(error_of_header(nested), HasSubstr("an object where it must not"));
  EXPECT_THAT(error_of_header("{\"\xff\xfe\":{}}"), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(error_of_header("{\"__metadata__\":{\"k\":\"\xc3(\"}}"),
              HasSubstr("not valid UTF-8"));
}

TEST_F(HostileFile, names_cannot_break_the_line_of_an_error) {
  const std::string name = R"(evil\n\u001b[31m)" + std::string(5000, 'x');
  EXPECT_THAT(
      error_of_header("{\"" + name + R"(":{"dtype":"U8","shape":[9],"data_offsets":[0,8]}})"),
      HasSubstr(R"(evil\n\u001b[31mxxx)"));
}

TEST_F(HostileFile, truth_values_other_than_0_and_1_are_refused) {
  write_file(path_, with_length(R"({"b":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})",
                                std::string("\1\2", 2)));
  EXPECT_THAT(error_of(path_), HasSubstr("tensor \"b\" holds a truth value other than 0 and 1"));
}

TEST_F(HostileFile, unaligned_tensors_are_read_right) {
  std::string data(5, '\7');
  const float value = 1.5f;
  std::memcpy(data.data() + 1, &value, sizeof value);
  write_file(path_, with_length(R"({"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]},)"
                                R"("u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                                data));
  EXPECT_EQ(SafetensorsFile(path_).tensor("f").as<float>()[0], 1.5f);
}

TEST_F(HostileFile, checksums_that_another_program_kept_in_part_are_refused) {
  EXPECT_THAT(error_of_header(R"({"__metadata__":{"crc32":"{}"}})", 0), HasSubstr("incomplete"));
  EXPECT_THAT(
      error_of_header(R"({"__metadata__":{"a":"","header_crc32":"00000000","crc32":"{}"}})", 0),
      HasSubstr("incomplete"));
  EXPECT_THAT(error_of_header(R"({"__metadata__":{"header_crc32":"00000000"}})", 0),
              HasSubstr("header does not match its checksum"));
  EXPECT_NE(error_of_header(R"({"__metadata__":{"header_crc32":"00)", 0), "no error");
}

// What the header's own checksum must be, once the file is damaged on purpose.
std::string with_header_crc(std::string header) {
  const uint64_t length = header.size();
  const size_t at = header.find("00000000");
  const uint32_t seed = crc32_of(std::as_bytes(std::span(&length, 1)));
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", crc32_of(std::as_bytes(std::span(header)), seed));
  return header.replace(at, 8, digits);
}

TEST_F(HostileFile, checksums_are_texts_one_for_every_tensor) {
  const auto error = [&](const std::string& crcs) {
    return error_of_header(
        with_header_crc(R"({"__metadata__":{"header_crc32":"00000000","crc32":")" + crcs +
                        R"("},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                        R"("b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})"),
        2);
  };
  const std::string a = R"(\"a\":\"a505df1b\")", b = R"(\"b\":\"a505df1b\")";
  EXPECT_EQ(error("{" + a + "," + b + "}"), "no error");
  const auto refused = HasSubstr("the metadata entry crc32 does not list every tensor");
  for (const std::string& crcs :
       {"{" + a + "}", "{" + a + "," + a + "}", "{" + a + "," + b + "," + a + "}",
        "{" + a + "," + b + R"(,\"c\":\"0\"})", "{" + a + R"(,\"b\":1})",
        "{" + a + R"(,\"b\":\"x\"})", "{" + a + R"(,\"b\":{}})", "[" + a + "]", std::string("3"),
        std::string(), "{" + a + "," + b, std::string(100'000, '[')})
    EXPECT_THAT(error(crcs), refused) << crcs.substr(0, 100);
}

TEST_F(HostileFile, a_name_that_is_not_utf8_is_not_saved_and_named) {
  const Tensor value(DType::f32, {2});
  try {
    save_safetensors(path_, std::vector<NamedView>{{"w\xff", value.view()}}, {});
    FAIL() << "saved";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "cannot save \"w\\ufffd\" in a file: it is not UTF-8 text");
  }
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(HostileFile, what_is_no_regular_file_is_refused_at_once) {
  EXPECT_THAT(error_of(dir_.path()), HasSubstr("is a folder or device"));
  EXPECT_THAT(error_of(dir_ / "absent"), HasSubstr("No such file"));
  ASSERT_EQ(mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of(dir_ / "pipe"), HasSubstr("is a folder or device"));
  EXPECT_THAT(error_of("/dev/zero"), HasSubstr("is a folder or device"));
}

TEST_F(HostileFile, a_file_that_shrinks_while_open_is_an_error) {
  save_small();
  const SafetensorsFile file(path_);
  fs::resize_file(path_, fs::file_size(path_) - 100);
  EXPECT_THROW((void)file.tensor("layer.weight"), Error);
}

}  // namespace
}  // namespace grimace
