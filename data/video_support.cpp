#include "data/video_support.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/avutil.h>
}

namespace grimace {

std::optional<VideoSupport> video_support() {
  return VideoSupport{av_version_info(), avcodec_find_decoder(AV_CODEC_ID_H264) != nullptr,
                      avcodec_find_encoder_by_name("libx264") != nullptr};
}

}  // namespace grimace
