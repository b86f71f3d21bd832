// JPEG and PNG through FFmpeg's decoders, straight from memory: no demuxer guesses at the name.
#include "data/video_picture.h"

#include <algorithm>
#include <span>
#include <vector>

#include "data/png_chunks.h"
#include "data/video_ffmpeg.h"
#include "ir/error.h"
#include "runtime/input_file.h"

namespace grimace {
namespace {

constexpr int64_t kMaxBytes = int64_t{256} << 20;

std::vector<uint8_t> read_file(const std::filesystem::path& path) {
  const InputFile file(path, "a picture");
  check(file.size() > 0, path.string(), ": the file is empty");
  check(file.size() <= kMaxBytes, path.string(), ": ", file.size(),
        " bytes are too many for a picture");
  std::vector<uint8_t> bytes(static_cast<size_t>(file.size()));
  file.read(0, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

AVCodecID picture_codec(const std::string& file, const std::vector<uint8_t>& bytes) {
  constexpr uint8_t kPng[] = {0x89, 'P', 'N', 'G'};
  constexpr uint8_t kJpeg[] = {0xFF, 0xD8, 0xFF};
  constexpr uint8_t kJpegEnd[] = {0xFF, 0xD9};
  const auto starts_with = [&](const auto& magic) {
    return bytes.size() >= std::size(magic) &&
           std::equal(std::begin(magic), std::end(magic), bytes.begin());
  };
  if (starts_with(kPng)) return AV_CODEC_ID_PNG;
  check(starts_with(kJpeg), file, ": neither a JPEG nor a PNG picture");
  // FFmpeg would fill the missing part of a truncated JPEG with grey.
  const auto end =
      std::find_end(bytes.begin(), bytes.end(), std::begin(kJpegEnd), std::end(kJpegEnd));
  check(end != bytes.end(), file, ": the JPEG is truncated");
  return AV_CODEC_ID_MJPEG;
}

}  // namespace

Image decode_picture(const std::filesystem::path& path) {
  ffmpeg::silence();
  const std::string file = path.string();
  std::vector<uint8_t> bytes = read_file(path);
  const AVCodecID codec = picture_codec(file, bytes);
  if (codec == AV_CODEC_ID_PNG) bytes.resize(keep_picture_chunks(file, bytes));
  const auto decoder = ffmpeg::open_decoder(file, codec, nullptr, 1);
  decoder->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
  const auto packet = ffmpeg::make_packet();
  const auto frame = ffmpeg::make_frame();
  if (av_new_packet(packet.get(), static_cast<int>(bytes.size())) < 0)
    throw RunError(cat(file, ": out of memory for ", bytes.size(), " bytes"));
  std::copy(bytes.begin(), bytes.end(), packet->data);
  int code = avcodec_send_packet(decoder.get(), packet.get());
  if (code >= 0) code = avcodec_send_packet(decoder.get(), nullptr);
  if (code >= 0) code = avcodec_receive_frame(decoder.get(), frame.get());
  check(code >= 0, file, ": the picture is damaged or too large: ", ffmpeg::reason(code));
  return ffmpeg::RgbConverter().convert(file, *frame);
}

}  // namespace grimace
