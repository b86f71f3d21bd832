// A model small enough that a run of it takes less than a second, faces for it to learn from, and
// what a run leaves behind.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/system/grimace_program.h"

namespace grimace::testing {

// clips.csv of 24 synthetic faces, made when first asked for.
const std::filesystem::path& faces_list();

// 4 frames of 32x32 pixels, token grid 2x4x4 in 2 regions; 12 steps of 8 clips, 3 an epoch.
const std::filesystem::path& tiny_recipe_file();

// pretrain with the tiny recipe and the faces into `out`.
Words pretrain(const std::filesystem::path& out, const Words& more = {});
// The same, and it must succeed.
Outcome pretrain_well(const std::filesystem::path& out, const Words& more = {});

std::filesystem::path checkpoint(const std::filesystem::path& run, int64_t step);
// The model of a checkpoint with its averages under the authors' names, written as `pth`.
std::filesystem::path with_authors_averages(const std::filesystem::path& checkpoint,
                                            const std::filesystem::path& pth);
// The names in a folder, sorted; none where there is no such folder.
std::vector<std::string> names_in(const std::filesystem::path& folder);
// Every line of metrics.jsonl.
std::vector<nlohmann::json> metrics(const std::filesystem::path& run);

// Every tensor of both, byte for byte: parameters, moments, states.
void expect_same_tensors(const std::filesystem::path& expected,
                         const std::filesystem::path& actual);
// Step, epoch, loss, learning rate and gradient norm; not what depends on the clock.
void expect_same_losses(const std::vector<nlohmann::json>& expected,
                        const std::vector<nlohmann::json>& actual);

}  // namespace grimace::testing
