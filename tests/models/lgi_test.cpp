// Who talks to whom in the local-global block: partitions, orders and stages (spec 2.5
// to 2.8, 4.2).
#include "models/lgi.h"

#include "models/parameters.h"
#include "tests/models/model_run.h"

namespace grimace::testing {
namespace {

// The clip, the region and the tokens of spec 4.3, one number wide.
ModelConfig published_grid() {
  ModelConfig c;
  c.embed_dim = c.heads = c.depth = 1;
  c.decoder_dim = c.decoder_heads = c.decoder_depth = 1;
  return c;
}

TEST(Partition, puts_every_token_into_its_region_behind_the_representative) {
  ModelConfig c = tiny_config();
  c.region = {2, 2, 2};  // 2x2x2 regions of 8 tokens
  Trial trial;
  declare(trial.b, classifier_parameters(c));
  const Value tokens = trial.b.input("tokens", {DType::f32, {2, 64, 8}});
  const Regions regions = partition({trial.b, c}, "", tokens);
  EXPECT_EQ(regions.x.shape(), (Shape{16, 9, 8}));
  EXPECT_EQ(regions.locals(), 8);
  trial.b.output("x", regions.x);
  trial.b.output("locals", local_tokens(trial.b, regions));
  trial.b.output("representatives", representatives(trial.b, regions));
  trial.set("tokens", counting(2 * 64 * 8));
  const auto result = trial.run();
  const Numbers table = drawn("lg_region_tokens", 64);
  Numbers x;
  Numbers locals;
  for (int64_t group = 0; group < 16; ++group) {
    const int64_t clip = group / 8, r = group % 8, rt = r / 4, rh = r / 2 % 2, rw = r % 2;
    const Numbers representative = rows(table, r, r + 1, 8);
    x.insert(x.end(), representative.begin(), representative.end());
    for (int64_t s = 0; s < 8; ++s) {
      const int64_t t = rt * 2 + s / 4, h = rh * 2 + s / 2 % 2, w = rw * 2 + s % 2;
      const Numbers token = rows(counting(2 * 64 * 8), clip * 64 + (t * 4 + h) * 4 + w,
                                 clip * 64 + (t * 4 + h) * 4 + w + 1, 8);
      x.insert(x.end(), token.begin(), token.end());
      locals.insert(locals.end(), token.begin(), token.end());
    }
  }
  EXPECT_EQ(result.at("x"), x);
  EXPECT_EQ(result.at("locals"), locals);
  EXPECT_THAT(rows(result.at("representatives"), 0, 1, 64), near_all(table, 0.0));
  EXPECT_THAT(rows(result.at("representatives"), 1, 2, 64), near_all(table, 0.0));
}

// Raster numbers of the visible tokens in the order in which the encoder keeps them, and put back.
std::map<std::string, Numbers> orders(const ModelConfig& c, int64_t visible) {
  Trial trial;
  declare(trial.b, pretrain_parameters(c));
  const Value tokens = trial.b.input("tokens", {DType::f32, {2, visible, 1}});
  const Regions regions = partition_visible({trial.b, c}, "encoder.", tokens);
  trial.b.output("kept", local_tokens(trial.b, regions));
  trial.b.output("raster", local_tokens_in_raster_order({trial.b, c}, regions));
  trial.set("tokens", counting(2 * visible));
  return trial.run();
}

TEST(PartitionVisible, is_undone_by_raster_order) {
  ModelConfig c = published_grid();
  for (const std::array<int64_t, 3> region :
       {std::array<int64_t, 3>{2, 5, 10}, {2, 2, 10}, {4, 5, 10}, {1, 10, 10}, {8, 10, 10}}) {
    c.region = region;
    for (const int64_t visible : {80, 400}) {
      const auto result = orders(c, visible);
      EXPECT_EQ(result.at("raster"), counting(2 * visible));
      const bool trivial = region[0] == 1 || region[1] == 10;
      EXPECT_EQ(result.at("kept") == counting(2 * visible), trivial);
    }
  }
}

TEST(PartitionVisible, moves_40_of_80_tokens_of_the_published_grid) {
  const Numbers kept = orders(published_grid(), 80).at("kept");
  int64_t moved = 0;
  for (int64_t slot = 0; slot < 80; ++slot) {
    const int64_t j = slot % 5, dt = slot / 5 % 2, rhw = slot / 10 % 2, rt = slot / 20;
    EXPECT_EQ(kept[static_cast<size_t>(slot)], ((rt * 2 + dt) * 2 + rhw) * 5 + j);
    // The slot's raster token is that of the other window and time step.
    EXPECT_EQ(slot, ((rt * 2 + rhw) * 2 + dt) * 5 + j);
    moved += kept[static_cast<size_t>(slot)] == slot ? 0 : 1;
  }
  EXPECT_EQ(moved, 40);
}

TEST(PartitionVisible, refuses_tokens_that_cannot_be_grouped) {
  const auto refusal = [](std::array<int64_t, 3> region, int64_t visible) {
    ModelConfig c = published_grid();
    c.region = region;
    return error_of([&] { orders(c, visible); });
  };
  EXPECT_EQ(refusal({2, 5, 5}, 80),
            "model: masked tokens can only be grouped into regions as wide as the grid (10 "
            "columns); the region has 5");
  EXPECT_EQ(refusal({2, 5, 10}, 72),
            "model: 72 visible tokens cannot be shared equally by 2 windows in each of 8 time "
            "steps; the mask must leave the same number in each");
  EXPECT_EQ(refusal({2, 5, 10}, 0),
            "model: 0 visible tokens cannot be shared equally by 2 windows in each of 8 time "
            "steps; the mask must leave the same number in each");
}

// One block on 4 regions of 1+16 tokens, 8 numbers wide: output "x" [4,17,8].
constexpr int64_t kRow = 8;
constexpr int64_t kRegion = 17 * kRow;

struct BlockTrial : Trial {
  explicit BlockTrial(const ModelConfig& c) {
    declare(b, classifier_parameters(c));
    const auto groups = c.regions();
    const Value x = b.input("x", {DType::f32, {groups, 1 + c.tokens() / groups, c.embed_dim}});
    b.output("x", lgi_block({b, c}, "blocks.0", {x, 1, groups}, 0.0).x);
  }
  Numbers on(const Numbers& x) {
    set("x", x);
    return run().at("x");
  }
};

ModelConfig variant(const std::function<void(ModelConfig&)>& change) {
  ModelConfig c = tiny_config();
  change(c);
  return c;
}

Numbers block_input() {
  return drawn("x", 4 * kRegion);
}

Numbers with_other_locals(int64_t region) {
  Numbers x = block_input();
  for (int64_t i = region * kRegion + kRow; i < (region + 1) * kRegion; ++i)
    x[static_cast<size_t>(i)] += drawn("change", 4 * kRegion)[static_cast<size_t>(i)];
  return x;
}

Numbers representative_of(const Numbers& x, int64_t region) {
  return {x.begin() + region * kRegion, x.begin() + region * kRegion + kRow};
}
Numbers locals_of(const Numbers& x, int64_t region) {
  return {x.begin() + region * kRegion + kRow, x.begin() + (region + 1) * kRegion};
}

double largest_change(const Numbers& a, const Numbers& b) {
  double largest = 0.0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// What changes in region 3 of a block's result with the local tokens of region 0.
struct Reach {
  bool representative = false;
  bool locals = false;
  bool operator==(const Reach&) const = default;
};
void PrintTo(const Reach& r, std::ostream* out) {
  *out << "representative " << r.representative << ", locals " << r.locals;
}

Reach reach(const std::function<void(ModelConfig&)>& change) {
  BlockTrial trial(variant(change));
  const Numbers before = trial.on(block_input());
  const Numbers after = trial.on(with_other_locals(0));
  EXPECT_GT(largest_change(locals_of(before, 0), locals_of(after, 0)), 1e-6);
  return {largest_change(representative_of(before, 3), representative_of(after, 3)) > 1e-6,
          largest_change(locals_of(before, 3), locals_of(after, 3)) > 1e-6};
}

TEST(LgiBlock, carries_a_region_to_all_others_through_stages_2_and_3) {
  EXPECT_EQ(reach([](ModelConfig&) {}), (Reach{true, true}));
}

TEST(LgiBlock, shows_every_representative_to_every_local_token_in_stage_3) {
  EXPECT_EQ(reach([](ModelConfig& c) { c.no_second = true; }), (Reach{false, true}));
}

TEST(LgiBlock, carries_a_region_to_representatives_alone_in_stage_2) {
  EXPECT_EQ(reach([](ModelConfig& c) { c.no_third = true; }), (Reach{true, false}));
}

TEST(LgiBlock, keeps_regions_apart_in_stages_within_regions) {
  EXPECT_EQ(reach([](ModelConfig& c) { c.no_second = c.no_third = true; }), (Reach{false, false}));
  EXPECT_EQ(reach([](ModelConfig& c) { c.no_second = c.third_self = true; }),
            (Reach{false, false}));
}

TEST(LgiBlock, carries_a_region_on_where_stage_3_is_within_regions) {
  EXPECT_EQ(reach([](ModelConfig& c) { c.third_self = true; }), (Reach{true, true}));
}

TEST(LgiBlock, leaves_representatives_alone_in_stage_3) {
  const Numbers two =
      BlockTrial(variant([](ModelConfig& c) { c.no_third = true; })).on(block_input());
  const Numbers three = BlockTrial(tiny_config()).on(block_input());
  const Numbers self =
      BlockTrial(variant([](ModelConfig& c) { c.third_self = true; })).on(block_input());
  for (int64_t region = 0; region < 4; ++region) {
    EXPECT_THAT(representative_of(three, region), near_all(representative_of(two, region), 1e-13));
    EXPECT_GT(largest_change(locals_of(three, region), locals_of(two, region)), 1e-6);
    EXPECT_GT(largest_change(representative_of(self, region), representative_of(two, region)),
              1e-6);
  }
}

TEST(LgiBlock, gives_permuted_regions_for_permuted_regions) {
  const auto permuted = [](const Numbers& x) {
    Numbers result;
    for (const int64_t region : {2, 0, 3, 1}) {
      const Numbers one = rows(x, region, region + 1, kRegion);
      result.insert(result.end(), one.begin(), one.end());
    }
    return result;
  };
  BlockTrial trial(tiny_config());
  const Numbers x = trial.on(block_input());
  EXPECT_THAT(trial.on(permuted(block_input())), near_all(permuted(x)));
  EXPECT_GT(largest_change(permuted(x), x), 1e-6);
}

// Stage 3 again, its queries in another order.
TEST(LgiBlock, gives_permuted_local_tokens_for_permuted_local_tokens) {
  const auto reversed = [](const Numbers& x) {
    Numbers result = x;
    for (int64_t region = 0; region < 4; ++region)
      for (int64_t i = 1; i < 17; ++i)
        std::copy_n(x.begin() + region * kRegion + i * kRow, kRow,
                    result.begin() + region * kRegion + (17 - i) * kRow);
    return result;
  };
  BlockTrial trial(tiny_config());
  const Numbers x = trial.on(block_input());
  EXPECT_THAT(trial.on(reversed(block_input())), near_all(reversed(x)));
}

TEST(LgiBlock, updates_representatives_alone_in_a_first_stage_of_cross_attention) {
  const auto change = [](ModelConfig& c) { c.first_cross = c.no_second = c.no_third = true; };
  BlockTrial trial(variant(change));
  const Numbers before = trial.on(block_input());
  trial.set("blocks.0.first_attn.proj.bias", Numbers(kRow, 3.0));
  const Numbers after = trial.run().at("x");
  for (int64_t region = 0; region < 4; ++region) {
    EXPECT_EQ(locals_of(before, region), locals_of(after, region));
    EXPECT_GT(largest_change(representative_of(before, region), representative_of(after, region)),
              1e-6);
  }
}

// Stage 1 alone on one region that covers the grid is a plain block over K+1 tokens.
TEST(LgiBlock, with_one_region_is_full_self_attention) {
  const ModelConfig c = variant([](ModelConfig& changed) {
    changed.region = {4, 4, 4};
    changed.no_second = changed.no_third = true;
  });
  BlockTrial trial(c);
  const Numbers x = trial.on(drawn("x", 65 * kRow));
  ModelConfig joint = c;
  joint.encoder = Encoder::joint;
  Trial plain;
  declare(plain.b, classifier_parameters(joint));
  const Value tokens = plain.b.input("x", {DType::f32, {1, 65, kRow}});
  plain.b.output("x", plain_block({plain.b, joint}, "blocks.0", tokens, c.heads, 0.0));
  const std::string name = "blocks.0.";
  for (const char* tensor : {"q_bias", "v_bias", "proj.bias"})
    plain.set(name + "attn." + tensor, drawn(name + "first_attn." + tensor, 8));
  plain.set(name + "attn.proj.weight", drawn(name + "first_attn.proj.weight", 64));
  plain.set(name + "norm1.weight", drawn(name + "first_attn_norm0.weight", 8));
  plain.set(name + "norm1.bias", drawn(name + "first_attn_norm0.bias", 8));
  Numbers qkv = drawn(name + "first_attn.q.weight", 64);
  const Numbers kv = drawn(name + "first_attn.kv.weight", 128);
  qkv.insert(qkv.end(), kv.begin(), kv.end());
  plain.set(name + "attn.qkv.weight", qkv);
  EXPECT_THAT(x, near_all(plain.run().at("x")));
}

}  // namespace
}  // namespace grimace::testing
