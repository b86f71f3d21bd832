// The file of algorithms: kept from run to run, shared between processes, and ignored where it is
// damaged or made to harm.
#include "backends/cuda/libraries/algorithm_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;
using cuda::AlgorithmCache;
using cuda::AlgorithmOwner;
using ::testing::HasSubstr;

const AlgorithmOwner kOwner{"NVIDIA H200", 13000, 130100};

AlgorithmCache::Algorithm algorithm(int first) {
  AlgorithmCache::Algorithm result;
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<std::byte>(static_cast<size_t>(first) + 37 * i);
  return result;
}

class AlgorithmCacheTest : public ::testing::Test {
 protected:
  AlgorithmCache open(const AlgorithmOwner& owner = kOwner) {
    return AlgorithmCache(scratch_ / "cache", owner);
  }
  // What is warned of when the file holds `text`; nothing in it may count.
  std::string warning_for(const std::string& text) {
    const fs::path file = scratch_ / "cache" / "cublaslt-NVIDIA-H200-13000-130100.json";
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    ::testing::internal::CaptureStderr();
    const AlgorithmCache cache = open();
    const std::string warning = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(cache.file(), file);
    EXPECT_FALSE(cache.find("a"));
    EXPECT_LT(warning.size(), 600u);
    return warning;
  }
  std::string file_with(const std::string& choices) {
    return R"({"format":1,"device":"NVIDIA H200","driver":13000,"library":130100,"choices":)" +
           choices + "}";
  }

  testing::ScratchDir scratch_;
};

TEST_F(AlgorithmCacheTest, remembers_from_run_to_run) {
  {
    AlgorithmCache cache = open();
    EXPECT_FALSE(cache.find("a"));
    cache.remember("a", algorithm(1));
    cache.remember("b", algorithm(2));
    cache.remember("b", algorithm(3));
    cache.save();
  }
  const AlgorithmCache again = open();
  EXPECT_EQ(again.find("a"), algorithm(1));
  EXPECT_EQ(again.find("b"), algorithm(3));
  EXPECT_FALSE(again.find("c"));
}

TEST_F(AlgorithmCacheTest, another_device_driver_or_library_chooses_for_itself) {
  AlgorithmCache cache = open();
  cache.remember("a", algorithm(1));
  cache.save();
  for (const AlgorithmOwner& other :
       {AlgorithmOwner{"NVIDIA H100", 13000, 130100}, AlgorithmOwner{"NVIDIA H200", 12080, 130100},
        AlgorithmOwner{"NVIDIA H200", 13000, 130200}})
    EXPECT_FALSE(open(other).find("a"));
  // Two names that are one in the name of a file.
  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(open({"NVIDIA/H200", 13000, 130100}).find("a"));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("by another device"));
}

TEST_F(AlgorithmCacheTest, keeps_what_another_process_saved_meanwhile) {
  AlgorithmCache first = open();
  AlgorithmCache second = open();
  first.remember("a", algorithm(1));
  first.remember("both", algorithm(1));
  second.remember("b", algorithm(2));
  second.remember("both", algorithm(2));
  first.save();
  second.save();
  const AlgorithmCache all = open();
  EXPECT_EQ(all.find("a"), algorithm(1));
  EXPECT_EQ(all.find("b"), algorithm(2));
  EXPECT_EQ(all.find("both"), algorithm(2));
}

TEST_F(AlgorithmCacheTest, writes_only_what_is_new) {
  AlgorithmCache cache = open();
  cache.save();
  EXPECT_FALSE(fs::exists(cache.file()));
  cache.remember("a", algorithm(1));
  cache.save();
  ASSERT_TRUE(fs::remove(cache.file()));
  cache.save();
  EXPECT_FALSE(fs::exists(cache.file()));
}

TEST_F(AlgorithmCacheTest, without_a_folder_it_lives_in_memory) {
  AlgorithmCache cache({}, kOwner);
  cache.remember("a", algorithm(1));
  cache.save();
  EXPECT_EQ(cache.find("a"), algorithm(1));
  EXPECT_TRUE(cache.file().empty());
}

TEST_F(AlgorithmCacheTest, a_folder_that_cannot_be_written_is_a_warning) {
  std::ofstream(scratch_ / "cache") << "a file is in the way";
  ::testing::internal::CaptureStderr();
  AlgorithmCache cache = open();
  cache.remember("a", algorithm(1));
  cache.save();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("is made again next time"));
  EXPECT_EQ(cache.find("a"), algorithm(1));
}

TEST_F(AlgorithmCacheTest, hostile_files_are_ignored_with_a_warning) {
  const std::string digits(128, '0');
  const std::string bad_digit = digits.substr(1) + "g";
  std::string many = "{";
  for (int i = 0; i < 10001; ++i) many += cat(i == 0 ? "" : ",", "\"", i, "\":\"", digits, "\"");
  for (const std::string& text :
       {std::string(), std::string("\0\1\2", 3), std::string("{"), std::string("[]"),
        std::string(1 << 20, '['), std::string("{}"), std::string(5 << 20, ' '),
        std::string(R"({"format":"1"})"), std::string(R"({"format":2,"choices":{}})"),
        file_with("[]"), file_with("7"), file_with(R"({"a":7})"), file_with(R"({"a":{}})"),
        file_with(R"({"a":"00"})"), file_with("{\"a\":\"" + bad_digit + "\"}"),
        file_with("{\"a\":\"" + digits + "00\"}"), file_with(many + "}"),
        file_with("{\"" + std::string(201, 'k') + "\":\"" + digits + "\"}")}) {
    SCOPED_TRACE(text.substr(0, 80));
    EXPECT_THAT(warning_for(text), HasSubstr("is ignored"));
  }
}

TEST_F(AlgorithmCacheTest, a_file_cut_anywhere_is_ignored_and_written_anew) {
  AlgorithmCache cache = open();
  cache.remember("a", algorithm(1));
  cache.save();
  const std::string whole = testing::file_text(cache.file());
  EXPECT_THAT(whole, HasSubstr("\"NVIDIA H200\""));
  const size_t last_brace = whole.rfind('}');
  for (size_t length = 0; length <= last_brace; length += 7)
    EXPECT_THAT(warning_for(whole.substr(0, length)), HasSubstr("is ignored")) << length;
  AlgorithmCache again = open();
  again.remember("a", algorithm(1));
  again.save();
  EXPECT_EQ(testing::file_text(cache.file()), whole);
}

class CacheFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kNames) {
      const char* value = std::getenv(name);
      before_.emplace_back(value == nullptr ? "" : value);
      unsetenv(name);
    }
  }
  void TearDown() override {
    for (size_t i = 0; i < before_.size(); ++i)
      before_[i].empty() ? unsetenv(kNames[i]) : setenv(kNames[i], before_[i].c_str(), 1);
  }
  static constexpr std::array kNames{"GRIMACE_CACHE", "XDG_CACHE_HOME", "HOME"};

 private:
  std::vector<std::string> before_;
};

TEST_F(CacheFolder, is_the_first_that_the_environment_names) {
  EXPECT_EQ(AlgorithmCache::default_folder(), "");
  setenv("HOME", "/home/x", 1);
  EXPECT_EQ(AlgorithmCache::default_folder(), "/home/x/.cache/grimace");
  setenv("XDG_CACHE_HOME", "not/absolute", 1);  // to be ignored, says its specification
  EXPECT_EQ(AlgorithmCache::default_folder(), "/home/x/.cache/grimace");
  setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(AlgorithmCache::default_folder(), "/caches/grimace");
  setenv("GRIMACE_CACHE", "mine", 1);
  EXPECT_EQ(AlgorithmCache::default_folder(), "mine");
}

}  // namespace
}  // namespace grimace
