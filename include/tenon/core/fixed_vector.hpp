#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// FixedVector: the array of programs, a value of bounded size.

#include <tenon/core/index.hpp>

namespace tenon::detail {

/// A vector of at most `Capacity` items, stored in place. An aggregate, so that programs can be constants and be passed
/// by value. Precondition of push_back: size() < Capacity; in a constant expression a violation does not compile.
template <class T, int Capacity>
struct FixedVector {
    T items[array_bound<Capacity + (Capacity == 0)>]{};  // an array has at least one item
    int count = 0;

    constexpr int size() const { return count; }
    constexpr bool empty() const { return count == 0; }
    constexpr T& operator[](int index) { return items[index]; }
    constexpr const T& operator[](int index) const { return items[index]; }
    constexpr T* begin() { return items; }
    constexpr T* end() { return items + count; }
    constexpr const T* begin() const { return items; }
    constexpr const T* end() const { return items + count; }
    constexpr T& back() { return items[count - 1]; }
    constexpr const T& back() const { return items[count - 1]; }

    constexpr void push_back(const T& item) { items[count++] = item; }

    /// The same items with another capacity, which must be large enough for them: a constant needs no room for more.
    template <int Other>
    constexpr FixedVector<T, Other> with_capacity() const {
        FixedVector<T, Other> other{};
        for (const T& item : *this) other.push_back(item);
        return other;
    }

    /// Removes all items for which the predicate holds; the others keep their order.
    template <class Predicate>
    constexpr void erase_if(Predicate predicate) {
        int left = 0;
        for (int i = 0; i < count; ++i) {
            if (predicate(items[i])) continue;
            if (left != i) items[left] = items[i];
            ++left;
        }
        count = left;
    }
};

}  // namespace tenon::detail
