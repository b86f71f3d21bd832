// Pictures made to harm: names that block whoever opens them, and few bytes that stand for very
// many.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "data/frame_source.h"
#include "data/png_chunks.h"
#include "ir/error.h"
#include "runtime/input_file.h"
#include "tests/data/clips.h"
#include "tests/testing.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr size_t kSide = 32;
constexpr size_t kHead = 8 + 25;             // signature and IHDR
constexpr size_t kBomb = size_t{256} << 20;  // bytes, when it is unpacked
constexpr int64_t kMostKilobytes = 64 << 10;

std::string little_endian(uint32_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string big_endian(uint32_t value) {
  const std::string bytes = little_endian(value);
  return {bytes.rbegin(), bytes.rend()};
}

std::string png_chunk(const std::string& type, const std::string& data) {
  const uint32_t crc =
      crc32_of(std::as_bytes(std::span(data)), crc32_of(std::as_bytes(std::span(type))));
  return big_endian(static_cast<uint32_t>(data.size())) + type + data + big_endian(crc);
}

// kBomb zeros, packed.
const std::string& bomb() {
  static const std::string packed = [] {
    z_stream stream{};
    EXPECT_EQ(deflateInit(&stream, Z_BEST_COMPRESSION), Z_OK);
    std::string zeros(1 << 20, '\0'), out(kBomb / 500, '\0');
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    for (size_t done = 0; done < kBomb; done += zeros.size()) {
      stream.next_in = reinterpret_cast<Bytef*>(zeros.data());
      stream.avail_in = static_cast<uInt>(zeros.size());
      EXPECT_EQ(deflate(&stream, done + zeros.size() < kBomb ? Z_NO_FLUSH : Z_FINISH),
                done + zeros.size() < kBomb ? Z_OK : Z_STREAM_END);
    }
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
  }();
  return packed;
}

std::string good_png() {
  const auto png = encode_png(make_image(kSide, kSide, {10, 200, 30}));
  return {png.begin(), png.end()};
}

// A good picture with this chunk in front of its pixels.
std::string png_with(const std::string& type, const std::string& data) {
  return good_png().insert(kHead, png_chunk(type, data));
}

// The picture as the only frame of a video.
std::string avi_of(const std::string& png) {
  const auto chunk = [](const std::string& type, const std::string& data) {
    return type + little_endian(static_cast<uint32_t>(data.size())) + data +
           std::string(data.size() % 2, '\0');
  };
  const auto numbers = [](std::initializer_list<uint32_t> values) {
    std::string all;
    for (const uint32_t value : values) all += little_endian(value);
    return all;
  };
  const std::string main = numbers({40'000, 0, 0, 0, 1, 0, 1, 0, kSide, kSide, 0, 0, 0, 0});
  const std::string header =
      "vidsMPNG" + numbers({0, 0, 0, 1, 25, 0, 1, 0, 0xffffffff, 0, 0, kSide | kSide << 16});
  const std::string format =
      numbers({40, kSide, kSide, 1 | 24 << 16}) + "MPNG" + numbers({0, 0, 0, 0, 0});
  return chunk("RIFF", "AVI " +
                           chunk("LIST", "hdrl" + chunk("avih", main) +
                                             chunk("LIST", "strl" + chunk("strh", header) +
                                                               chunk("strf", format))) +
                           chunk("LIST", "movi" + chunk("00dc", png)));
}

struct Outcome {
  std::string said;  // "" where the frame could be read
  int64_t kilobytes = 0;
};

// Reads the first frame in a process of its own, whose memory can be told from everything else.
Outcome read_in_child(const fs::path& path) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    std::string said;
    try {
      open_frames(path)->read(std::array<int64_t, 1>{0});
    } catch (const std::exception& error) {
      said = error.what();
    }
    _exit(write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  close(ends[1]);
  Outcome outcome;
  char buffer[4096];
  for (ssize_t count; (count = read(ends[0], buffer, sizeof buffer)) > 0;)
    outcome.said.append(buffer, static_cast<size_t>(count));
  close(ends[0]);
  int status = 0;
  struct rusage usage {};
  EXPECT_EQ(wait4(child, &status, 0, &usage), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "it crashed or hung";
  outcome.kilobytes = usage.ru_maxrss;
  return outcome;
}

TEST(HostilePicture, a_pipe_among_frames_is_refused_at_once) {
  const testing::ScratchDir dir;
  for (const char* name : {"a.png", "b.jpg"}) {
    ASSERT_EQ(mkfifo((dir / name).c_str(), 0600), 0);
    EXPECT_THAT(read_in_child(dir.path()).said,
                HasSubstr((dir / name).string() + ": is a folder or device; expected a picture"));
    fs::remove(dir / name);
  }
}

TEST(HostilePicture, a_folder_named_like_a_frame_is_refused) {
  const testing::ScratchDir dir;
  fs::create_directory(dir / "a.png");
  EXPECT_THAT(read_in_child(dir.path()).said, HasSubstr("a.png: is a folder or device"));
}

TEST(HostilePicture, packed_texts_and_profiles_are_not_unpacked) {
  const testing::ScratchDir dir;
  const std::string name("x\0\0", 3);  // of the text or profile, and how it is packed
  testing::write_bytes(dir / "good.png", good_png());
  testing::write_bytes(dir / "good.avi", avi_of(good_png()));
  for (const char* type : {"zTXt", "iCCP", "iTXt"}) {
    const std::string more = type == std::string("iTXt") ? std::string("\1\0\0\0", 4) : "";
    const std::string png = png_with(type, name.substr(0, more.empty() ? 3 : 2) + more + bomb());
    testing::write_bytes(dir / "bomb.png", png);
    testing::write_bytes(dir / "bomb.avi", avi_of(png));
    for (const char* kind : {"png", "avi"}) {
      SCOPED_TRACE(cat(type, " in ", kind));
      const Outcome good = read_in_child(dir / cat("good.", kind));
      const Outcome outcome = read_in_child(dir / cat("bomb.", kind));
      EXPECT_EQ(good.said, "");
      EXPECT_EQ(outcome.said, "");
      EXPECT_LT(outcome.kilobytes - good.kilobytes, kMostKilobytes);
    }
  }
}

TEST(HostilePicture, only_chunks_that_make_the_picture_are_kept) {
  const auto kept = [](std::string png) {
    return png.substr(
        0, keep_picture_chunks("a.png", {reinterpret_cast<uint8_t*>(png.data()), png.size()}));
  };
  const std::string gamma = png_chunk("gAMA", big_endian(45'455));
  std::string png = png_with("tEXt", "k=v") + "behind the end";
  png.insert(kHead, png_chunk("prVt", "mine") + gamma);
  EXPECT_EQ(kept(png), kept(good_png()).insert(kHead, gamma));
  EXPECT_EQ(kept(kept(png)), kept(png));
}

TEST(HostilePicture, a_chunk_that_claims_more_than_there_is_is_refused) {
  const testing::ScratchDir dir;
  for (const uint32_t length : {uint32_t{1000}, uint32_t{0x7fffffff}, uint32_t{0xffffffff}}) {
    testing::write_bytes(dir / "a.png", good_png().replace(kHead, 4, big_endian(length)));
    EXPECT_THAT(read_in_child(dir / "a.png").said,
                AllOf(HasSubstr("a.png: the picture is damaged or truncated: the chunk at byte 33"),
                      Not(HasSubstr("\n"))));
  }
}

}  // namespace
}  // namespace grimace
