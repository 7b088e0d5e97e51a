#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Tools for tables of names. Readers of files share these few instances of the standard library's templates: each new
// type of a map or of sorted elements is compiled into kilobytes.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/function_ref.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/min_max.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Names, each with a number: where in a vector is what has the name. What callers do with the map goes through a few
/// functions that are never inlined: each way to add to a map and to look into it is an instance of its own.
template <class Once = void>
class NameIndexOf {
public:
    std::size_t size() const { return names_.size(); }
    auto begin() const { return names_.begin(); }
    auto end() const { return names_.end(); }

    /// The number of a name, which is added with 0 where it is missing.
    TENON_COLD [[gnu::noinline]] std::size_t& operator[](std::string name) {
        return names_.insert({std::move(name), 0}).first->second;
    }

    /// Adds a name with its number; changes nothing and returns false where it is there already.
    TENON_COLD [[gnu::noinline]] bool add(std::string name, std::size_t number = 0) {
        const std::size_t before = size();
        std::size_t& place = (*this)[std::move(name)];
        if (size() == before) return false;
        place = number;
        return true;
    }

    /// The number of a name, or nullptr.
    TENON_COLD [[gnu::noinline]] const std::size_t* find(std::string_view name) const {
        const auto found = names_.find(name);
        return found == names_.end() ? nullptr : &found->second;
    }
    bool contains(std::string_view name) const { return find(name) != nullptr; }

private:
    std::map<std::string, std::size_t, std::less<>> names_;
};
using NameIndex = NameIndexOf<>;

/// Appends a copy of a name: each way to append to a vector is an instance of its own, too.
template <class Once = void>
TENON_COLD [[gnu::noinline]] void add_name(std::vector<std::string>& names, std::string_view name) {
    names.push_back(std::string(name));
}

/// The numbers 0, 1, ..., count - 1 in the order that is_before gives to what they number; equals keep their order.
///
/// Example: of the words b, a, c, a -> 1, 3, 0, 2.
template <class Once = void>
TENON_COLD std::vector<std::size_t> sorted_order(std::size_t count,
                                                 FunctionRef<bool(std::size_t, std::size_t)> is_before) {
    std::vector<std::size_t> order(count), merged(count);
    for (std::size_t i = 0; i < count; ++i) order[i] = i;
    for (std::size_t width = 1; width < count; width *= 2) {  // pairs of sorted runs of this width are merged
        for (std::size_t begin = 0; begin < count; begin += 2 * width) {
            const std::size_t middle = begin + std::min(width, count - begin);
            const std::size_t end = middle + std::min(width, count - middle);
            std::size_t left = begin, right = middle;
            for (std::size_t at = begin; at < end; ++at) {
                const bool takes_left = left < middle && (right == end || !is_before(order[right], order[left]));
                merged[at] = order[takes_left ? left++ : right++];
            }
        }
        order.swap(merged);
    }
    return order;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
