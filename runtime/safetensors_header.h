// The JSON header of a safetensors file, as data: strict parsing of hostile text, and formatting.
// Format: {"__metadata__": {key: string}, name: {"dtype", "shape", "data_offsets": [begin, end]}}.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/types.h"

namespace grimace {

using Metadata = std::map<std::string, std::string, std::less<>>;

struct SafetensorsEntry {
  std::string name;
  TensorType type;
  int64_t begin = 0;  // byte offsets from the end of the header
  int64_t end = 0;
};

struct SafetensorsHeader {
  Metadata metadata;
  std::vector<SafetensorsEntry> entries;  // after parsing: in the order of their data
};

// Throws Error, opening with `file`, unless the text is UTF-8 JSON of exactly this form, names are
// unique, types known, sizes right, and the tensors fill `data_bytes` without gap or overlap.
SafetensorsHeader parse_safetensors_header(std::string_view text, int64_t data_bytes,
                                           const std::string& file);

// Without padding. Metadata comes first, its keys in the order of the map. Error when a text is not
// UTF-8.
std::string format_safetensors_header(const SafetensorsHeader& header);

// JSON of one text. Error when it is not UTF-8.
std::string json_text(const std::string& text);

// The entries of a JSON object whose values are all texts, one by one; memory stays in proportion
// to the text, whatever it nests or repeats. Returns whether it is such an object; `take` says
// whether it likes an entry.
bool read_json_texts(std::string_view json,
                     const std::function<bool(const std::string& key, const std::string&)>& take);

// A name from a file made fit for one line of an error: quoted, escaped, shortened.
std::string quoted_name(std::string_view name);

}  // namespace grimace
