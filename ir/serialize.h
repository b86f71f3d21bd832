// The file form of a graph: self-contained, versioned, checksummed, and checked before use. On
// disk: runtime/graph_file.h.
//
//   bytes 0..7    "GRMGRAPH"
//   bytes 8..11   format version, bytes 12..15 CRC-32 of the payload, bytes 16..23 payload size
//                 (all little-endian)
//   the rest      payload: one GraphProto (ir/graph.proto)
//
// Reading trusts nothing: wrong magic, version, size or checksum are Errors before anything is
// parsed; then every size is limited (ir/verify.h), an unknown op, attribute or role is named, and
// the graph is verified.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace grimace {

constexpr uint32_t kGraphFormatVersion = 1;
constexpr uint64_t kMaxGraphBytes = uint64_t{1} << 30;  // of a file

// The same bytes for equal graphs. Error when the graph is not valid or too large.
std::string to_bytes(const Graph& graph);
std::unique_ptr<Graph> from_bytes(std::string_view bytes);

}  // namespace grimace
