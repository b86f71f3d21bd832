// A classifier as an ONNX file (ir/onnx_export.h), with the weights of its file.
#pragma once

#include <filesystem>
#include <string>

#include "tools/model_source.h"
#include "tools/recipe.h"

namespace grimace {

// Input "video" f32 [batch,3,T,H,W] as after normalisation (spec 2.1), outputs "logits" and
// "feature". `batch` clips, or any number for 0. A source that is a name has the weights it would
// start to train from. Error for a pre-training model. Returns one line that says what was written.
std::string write_onnx_file(const std::filesystem::path& file, const ModelSource& source,
                            const Recipe& recipe, int64_t batch);

}  // namespace grimace
