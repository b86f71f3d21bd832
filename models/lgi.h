// LGI-Former (spec 2.5, 2.6, 2.8): local tokens in regions, one representative token per region.
#pragma once

#include "models/layers.h"

namespace grimace {

// Tokens grouped by region: [B*M, 1+n, C], batch-major, representative first.
struct Regions {
  Value x;
  int64_t batch = 0;
  int64_t regions = 0;

  int64_t locals() const { return x.dim(1) - 1; }  // local tokens per region
};

// All tokens [B,K,C] in raster order, each to its region; or the visible ones [B,Nv,C], which the
// mask must spread evenly: the same number in every region and time step (spec 4.2). Error naming
// the numbers when `visible` tokens cannot be grouped.
Regions partition(const LayerContext& c, const std::string& prefix, Value tokens);
Regions partition_visible(const LayerContext& c, const std::string& prefix, Value tokens);

// One block: stages 1 to 3 and the feed-forward.
Regions lgi_block(const LayerContext& c, const std::string& name, const Regions& in, double drop);
// The encoder's blocks: "<prefix>blocks.0" to the last.
Regions run_blocks(const LayerContext& c, const std::string& prefix, Regions in);

Value representatives(Builder& b, const Regions& in);  // [B,M,C]
Value local_tokens(Builder& b, const Regions& in);     // [B,M*n,C], region-major
// The visible local tokens back in raster order: undoes partition_visible.
Value local_tokens_in_raster_order(const LayerContext& c, const Regions& in);

}  // namespace grimace
