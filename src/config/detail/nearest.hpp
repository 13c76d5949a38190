#pragma once
// What was probably meant by a word that is none of those known.

#include <algorithm>
#include <string_view>

#include "base/edit_distance.hpp"

namespace tenfold::detail {

/// The item whose name is nearest to the given one.
template <class Items, class Name>
const auto& nearest(std::string_view given, const Items& items, Name name) {
  return *std::min_element(items.begin(), items.end(), [&](const auto& a, const auto& b) {
    return edit_distance(given, name(a)) < edit_distance(given, name(b));
  });
}

}  // namespace tenfold::detail
