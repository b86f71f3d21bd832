#include "models/lgi.h"

namespace grimace {
namespace {

// Puts the representative of its region before each group of local tokens [B*M,n,C].
Regions with_representatives(const LayerContext& c, const std::string& prefix, Value locals) {
  const int64_t regions = c.config.regions();
  const int64_t batch = locals.dim(0) / regions;
  const int64_t dim = c.config.embed_dim;
  const Value table = c.param(prefix + "lg_region_tokens");
  const Value tokens =
      c.b.reshape(c.b.broadcast(table, {batch, regions, dim}), {batch * regions, 1, dim});
  return {c.b.concat({tokens, locals}, 1), batch, regions};
}

struct Grouping {
  int64_t regions_in_time, time, windows, per_window;  // [nt][t][nh*nw][visible per window]
};

Grouping visible_grouping(const ModelConfig& config, int64_t visible) {
  const auto n = config.regions_per_axis();
  const int64_t windows = n[1] * n[2];
  check(n[2] == 1, "model: masked tokens can only be grouped into regions as wide as the grid (",
        config.grid()[2], " columns); the region has ", config.region[2]);
  const int64_t places = config.grid()[0] * windows;
  check(visible > 0 && visible % places == 0, "model: ", visible,
        " visible tokens cannot be shared equally by ", windows, " windows in each of ",
        config.grid()[0], " time steps; the mask must leave the same number in each");
  return {n[0], config.region[0], windows, visible / places};
}

Value split_representatives(Builder& b, Value x) {
  return b.slice(x, 1, 0, 1);
}
Value split_locals(Builder& b, Value x) {
  return b.slice(x, 1, 1, x.dim(1));
}

}  // namespace

Regions partition(const LayerContext& c, const std::string& prefix, Value tokens) {
  const Scope scope(c.b, "partition");
  const auto [nt, nh, nw] = c.config.regions_per_axis();
  const auto [t, h, w] = c.config.region;
  const int64_t batch = tokens.dim(0);
  const Value grid = c.b.reshape(tokens, {batch, nt, t, nh, h, nw, w, c.config.embed_dim});
  const Value grouped = c.b.transpose(grid, {0, 1, 3, 5, 2, 4, 6, 7});
  return with_representatives(
      c, prefix, c.b.reshape(grouped, {batch * nt * nh * nw, t * h * w, c.config.embed_dim}));
}

Regions partition_visible(const LayerContext& c, const std::string& prefix, Value tokens) {
  const Scope scope(c.b, "partition");
  const Grouping g = visible_grouping(c.config, tokens.dim(1));
  const int64_t batch = tokens.dim(0);
  const int64_t dim = tokens.dim(2);
  const Value raster =
      c.b.reshape(tokens, {batch, g.regions_in_time, g.time, g.windows, g.per_window, dim});
  const Value grouped = c.b.transpose(raster, {0, 1, 3, 2, 4, 5});
  return with_representatives(
      c, prefix, c.b.reshape(grouped, {batch * c.config.regions(), g.time * g.per_window, dim}));
}

Value representatives(Builder& b, const Regions& in) {
  return b.reshape(split_representatives(b, in.x), {in.batch, in.regions, in.x.dim(2)});
}

Value local_tokens(Builder& b, const Regions& in) {
  return b.reshape(split_locals(b, in.x), {in.batch, in.regions * in.locals(), in.x.dim(2)});
}

Value local_tokens_in_raster_order(const LayerContext& c, const Regions& in) {
  const Value tokens = local_tokens(c.b, in);
  const Grouping g = visible_grouping(c.config, tokens.dim(1));
  const int64_t dim = tokens.dim(2);
  const Value grouped =
      c.b.reshape(tokens, {in.batch, g.regions_in_time, g.windows, g.time, g.per_window, dim});
  return c.b.reshape(c.b.transpose(grouped, {0, 1, 3, 2, 4, 5}), {in.batch, tokens.dim(1), dim});
}

namespace {

// The block while it runs: representatives and local tokens, joined or apart as stages need them.
class Block {
 public:
  Block(const LayerContext& c, const std::string& name, const Regions& in, double drop)
      : c_(c), b_(c.b), name_(name), regions_(in), drop_(drop) {}

  Regions run() {
    first();
    if (!c_.config.no_second) second();
    if (!c_.config.no_third) third();
    feed_forward();
    return regions_;
  }

 private:
  Value norm(const char* which, Value x) { return layer_norm(c_, name_ + which, x); }

  Value attend(const std::string& stage, Value x, Value context) {
    const bool shared =
        stage != "first_attn" &&
        (c_.config.share_all || (stage == "third_attn" && c_.config.share_first_third));
    return drop_path(
        c_,
        attention(c_, name_ + (shared ? ".first_attn" : "." + stage), x, context, c_.config.heads),
        drop_);
  }

  // Stages 1 and 3 in their `self` form: within each region, both kinds of tokens.
  void within_regions(const std::string& stage) {
    const Value x = norm(("." + stage + "_norm0").c_str(), regions_.x);
    regions_.x = regions_.x + attend(stage, x, x);
  }

  void first() {
    const Scope scope(b_, "first_attn");
    if (!c_.config.first_cross) return within_regions("first_attn");
    const Value s = split_representatives(b_, regions_.x);
    const Value l = split_locals(b_, regions_.x);
    const Value gathered =
        attend("first_attn", norm(".first_attn_norm0", s), norm(".first_attn_norm1", l));
    regions_.x = b_.concat({s + gathered, l}, 1);
  }

  void join(Value representatives, Value locals) {
    const int64_t groups = regions_.batch * regions_.regions;
    const int64_t n = regions_.locals();
    const int64_t dim = regions_.x.dim(2);
    regions_.x = b_.concat(
        {b_.reshape(representatives, {groups, 1, dim}), b_.reshape(locals, {groups, n, dim})}, 1);
  }

  void second() {
    const Scope scope(b_, "second_attn");
    const Value s = representatives(b_, regions_);
    const Value x = norm(".second_attn_norm0", s);
    join(s + attend("second_attn", x, x), local_tokens(b_, regions_));
  }

  void third() {
    const Scope scope(b_, "third_attn");
    if (c_.config.third_self) return within_regions("third_attn");
    const Value s = representatives(b_, regions_);
    const Value l = local_tokens(b_, regions_);
    const Value informed =
        attend("third_attn", norm(".third_attn_norm0", l), norm(".third_attn_norm1", s));
    join(s, l + informed);
  }

  void feed_forward() {
    const Value x = regions_.x;
    regions_.x = x + drop_path(c_, mlp(c_, name_ + ".mlp", norm(".norm2", x)), drop_);
  }

  const LayerContext& c_;
  Builder& b_;
  std::string name_;
  Regions regions_;
  double drop_;
};

}  // namespace

Regions lgi_block(const LayerContext& c, const std::string& name, const Regions& in, double drop) {
  return Block(c, name, in, drop).run();
}

Regions run_blocks(const LayerContext& c, const std::string& prefix, Regions in) {
  for (int64_t i = 0; i < c.config.depth; ++i) {
    const std::string name = "blocks." + std::to_string(i);
    const Scope scope(c.b, name);
    in = lgi_block(c, prefix + name, in, drop_rate(c.config, i));
    c.tap(prefix + name, in.x);
  }
  return in;
}

}  // namespace grimace
